#include <cmath>

#include <elk/base/format.hpp>
#include <elk/elk.hpp>

#include "grader.hpp"

double my_deviation(int n, bool relu);

const course::Exercise initialization("21_initialization", [](course::Grader& grader) {
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
});
