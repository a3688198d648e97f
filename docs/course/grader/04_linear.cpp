#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

elk::Tensor my_linear(const elk::Tensor& x, const elk::Tensor& weight, const elk::Tensor& bias);

const course::Exercise linear(
    "04_linear",
    [](course::Grader& grader) {
      elk::Rng rng(7);
      const elk::Tensor x = elk::randn({4, 2}, rng, elk::f64), weight = elk::randn({3, 2}, rng, elk::f64),
                        bias = elk::randn({3}, rng, elk::f64);
      grader.value(
          "the value", [&] { return my_linear(x, weight, bias); }, elk::linear(x, weight, bias));
      grader.derivatives([](const course::Inputs& in) { return my_linear(in[0], in[1], in[2]); },
                         {{"x", x}, {"weight", weight}, {"bias", bias}},
                         {"my_linear",
                          [](const course::Inputs& in) { return elk::linear(in[0], in[1], in[2]); },
                          {{"x", elk::randn({3, 3}, rng, elk::f64)},
                           {"weight", elk::randn({3, 3}, rng, elk::f64)},
                           {"bias", elk::randn({3}, rng, elk::f64)}}});
    },
    []() -> std::string {
      return course::learns("a network of your layers", course::layers({784, 16, 10}),
                            [](const elk::Tensor& x, const course::Weights& w) {
                              return my_linear(elk::relu(my_linear(x, w[0], w[1])), w[2], w[3]);
                            });
    });
