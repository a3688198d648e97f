#include <cmath>
#include <string>

#include <elk/base/format.hpp>
#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

double my_deviation(int n, bool relu);

const course::Exercise initialization(
    "21_initialization",
    [](course::Grader& grader) {
      const auto check = [&](const char* what, bool bent) {
        grader.check(what, [&]() -> std::string {
          double largest = 0, least = INFINITY;
          for (const int n : {64, 200}) {
            elk::Rng rng(7);
            elk::Tensor h = elk::randn({50, n}, rng, elk::f64);
            for (int layer = 0; layer < 30; ++layer) {
              h = elk::matmul(h, my_deviation(n, bent) * elk::randn({n, n}, rng, elk::f64));
              if (bent) h = elk::relu(h);
            }
            const double size = std::sqrt(elk::mean(elk::square(h)).item());
            largest = std::max(largest, size);
            least = std::min(least, size);
          }
          if (least > 0.2 && largest < 5) return "";
          return fmt::format("after thirty layers the numbers are {:.2g} times as large as before",
                             largest >= 5 ? largest : least);
        });
      };
      check("without an activation", false);
      check("with a ReLU", true);
    },
    []() -> std::string {
      // Ten layers of relu, which learn only from weights of the right size.
      std::vector<elk::Index> sizes(11, 32);
      sizes.front() = 784;
      sizes.push_back(10);
      course::Weights w = course::layers(sizes);
      elk::Rng rng(1);
      for (std::size_t i = 0; i < w.size(); i += 2)
        w[i] = my_deviation(static_cast<int>(sizes[i / 2]), true) * elk::randn(w[i].shape(), rng, elk::f64);
      return course::learns("a network of eleven layers that begins with your weights", w,
                            [](const elk::Tensor& x, const course::Weights& all) {
                              elk::Tensor h = x;
                              for (std::size_t i = 0; i + 2 < all.size(); i += 2)
                                h = elk::relu(elk::linear(h, all[i], all[i + 1]));
                              return elk::linear(h, all[all.size() - 2], all.back());
                            },
                            {.rate = 0.05, .epochs = 15});
    });
