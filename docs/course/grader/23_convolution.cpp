#include <elk/elk.hpp>

#include "grader.hpp"

elk::Tensor my_convolution(const elk::Tensor& x, const elk::Tensor& w);

namespace {

elk::Tensor by_library(const elk::Tensor& x, const elk::Tensor& w) {
  return elk::reshape(elk::conv1d(elk::reshape(x, {1, 1, x.size(0)}), elk::reshape(w, {1, 1, w.size(0)})),
                      {-1});
}

}  // namespace

const course::Exercise convolution("23_convolution", [](course::Grader& grader) {
  elk::Rng rng(7);
  const elk::Tensor x = elk::randn({7}, rng, elk::f64), w = elk::randn({3}, rng, elk::f64);
  grader.value(
      "the value", [&] { return my_convolution(x, w); }, by_library(x, w));
  grader.derivatives([](const course::Inputs& in) { return my_convolution(in[0], in[1]); },
                     {{"x", x}, {"w", w}},
                     {"my_convolution", [](const course::Inputs& in) { return by_library(in[0], in[1]); }});
});
