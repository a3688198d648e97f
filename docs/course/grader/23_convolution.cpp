#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

elk::Tensor my_convolution(const elk::Tensor& x, const elk::Tensor& w);

namespace {

elk::Tensor by_library(const elk::Tensor& x, const elk::Tensor& w) {
  return elk::reshape(elk::conv1d(elk::reshape(x, {1, 1, x.size(0)}), elk::reshape(w, {1, 1, w.size(0)})),
                      {-1});
}

}  // namespace

const course::Exercise convolution(
    "23_convolution",
    [](course::Grader& grader) {
      elk::Rng rng(7);
      const elk::Tensor x = elk::randn({7}, rng, elk::f64), w = elk::randn({3}, rng, elk::f64);
      grader.value(
          "the value", [&] { return my_convolution(x, w); }, by_library(x, w));
      grader.derivatives(
          [](const course::Inputs& in) { return my_convolution(in[0], in[1]); }, {{"x", x}, {"w", w}},
          {"my_convolution", [](const course::Inputs& in) { return by_library(in[0], in[1]); }});
    },
    []() -> std::string {
      // Four kernels of five pixels go along the rows of all images of a batch.
      course::Weights w = course::layers({4 * 784, 10});
      for (const elk::Tensor& kernel : course::layers({5, 4}))
        if (kernel.rank() == 2)
          for (elk::Index k = 0; k < 4; ++k) w.push_back(elk::reshape(elk::slice(kernel, 0, k, k + 1), {5}));
      return course::learns(
          "a network with your convolution", w,
          [](const elk::Tensor& x, const course::Weights& all) {
            const elk::Tensor pixels = elk::concat({elk::reshape(x, {-1}), elk::zeros({4}, elk::f64)});
            std::vector<elk::Tensor> maps;
            for (std::size_t k = 2; k < all.size(); ++k)
              maps.push_back(elk::reshape(elk::relu(my_convolution(pixels, all[k])), {x.size(0), 784}));
            return elk::linear(elk::concat(maps, 1), all[0], all[1]);
          },
          {.rate = 0.2, .epochs = 4});
    });
