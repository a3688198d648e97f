#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

elk::Tensor my_softsign(const elk::Tensor& x);

const course::Exercise softsign(
    "19_softsign",
    [](course::Grader& grader) {
      const elk::Tensor x = elk::from({-4, -1.5, -0.1, 0.2, 0.5, 3}, {2, 3}, elk::f64);
      grader.value(
          "the value", [&] { return my_softsign(x); }, elk::softsign(x));
      grader.derivatives([](const course::Inputs& in) { return my_softsign(in[0]); }, {{"x", x}},
                         {"my_softsign", [](const course::Inputs& in) { return elk::softsign(in[0]); }});
    },
    []() -> std::string {
      return course::learns("a network with your softsign", course::layers({784, 16, 10}),
                            [](const elk::Tensor& x, const course::Weights& w) {
                              return elk::linear(my_softsign(elk::linear(x, w[0], w[1])), w[2], w[3]);
                            });
    });
