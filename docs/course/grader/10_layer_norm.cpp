#include <elk/elk.hpp>

#include "grader.hpp"

elk::Tensor my_layer_norm(const elk::Tensor& x);

const course::Exercise layer_norm("10_layer_norm", [](course::Grader& grader) {
  elk::Rng rng(7);
  const elk::Tensor x = elk::randn({3, 4}, rng, elk::f64);
  grader.value(
      "the value", [&] { return my_layer_norm(x); },
      elk::layer_norm(x, elk::ones({4}, elk::f64), elk::Tensor()));
  grader.derivatives([](const course::Inputs& in) { return my_layer_norm(in[0]); }, {{"x", x}},
                     {"my_layer_norm", [](const course::Inputs& in) {
                        return elk::layer_norm(in[0], elk::ones({4}, elk::f64), elk::Tensor());
                      }});
});
