#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

elk::Tensor my_layer_norm(const elk::Tensor& x);

const course::Exercise layer_norm(
    "10_layer_norm",
    [](course::Grader& grader) {
      elk::Rng rng(7);
      const elk::Tensor x = elk::randn({3, 4}, rng, elk::f64);
      grader.value(
          "the value", [&] { return my_layer_norm(x); },
          elk::layer_norm(x, elk::ones({4}, elk::f64), elk::Tensor()));
      grader.derivatives([](const course::Inputs& in) { return my_layer_norm(in[0]); }, {{"x", x}},
                         {"my_layer_norm", [](const course::Inputs& in) {
                            return elk::layer_norm(in[0], elk::ones({4}, elk::f64), elk::Tensor());
                          }});
    },
    []() -> std::string {
      return course::learns("a network with your layer norm", course::layers({784, 16, 10}),
                            [](const elk::Tensor& x, const course::Weights& w) {
                              return elk::linear(elk::relu(my_layer_norm(elk::linear(x, w[0], w[1]))), w[2],
                                                 w[3]);
                            });
    });
