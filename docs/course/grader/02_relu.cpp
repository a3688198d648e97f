#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

elk::Tensor my_relu(const elk::Tensor& x);

const course::Exercise relu(
    "02_relu",
    [](course::Grader& grader) {
      const elk::Tensor x = elk::from({-2, -0.5, 0.25, 3, -1, 1.5}, {2, 3}, elk::f64);
      grader.value(
          "the value", [&] { return my_relu(x); }, elk::relu(x));
      grader.derivatives([](const course::Inputs& in) { return my_relu(in[0]); }, {{"x", x}},
                         {"my_relu", [](const course::Inputs& in) { return elk::relu(in[0]); }});
      grader.value(
          "the gradient at 0",
          [] {
            const elk::Tensor zero = elk::from({0, 1}, elk::f64);
            elk::Tape tape;
            tape.watch(zero);
            return tape.backward(elk::sum(my_relu(zero)))[zero];
          },
          elk::from({0, 1}, elk::f64));
    },
    []() -> std::string {
      return course::learns("a network with your relu", course::layers({784, 16, 10}),
                            [](const elk::Tensor& x, const course::Weights& w) {
                              return elk::linear(my_relu(elk::linear(x, w[0], w[1])), w[2], w[3]);
                            });
    });
