#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

elk::Tensor my_softmax(const elk::Tensor& x);

const course::Exercise softmax(
    "22_softmax",
    [](course::Grader& grader) {
      elk::Rng rng(7);
      const elk::Tensor x = elk::randn({3, 4}, rng, elk::f64);
      grader.value(
          "the value", [&] { return my_softmax(x); }, elk::softmax(x));
      grader.derivatives([](const course::Inputs& in) { return my_softmax(in[0]); }, {{"x", x}},
                         {"my_softmax", [](const course::Inputs& in) { return elk::softmax(in[0]); }});
    },
    []() -> std::string {
      return course::learns(
          "a layer that learned by your softmax", course::layers({784, 10}),
          [](const elk::Tensor& x, const course::Weights& w) { return elk::linear(x, w[0], w[1]); },
          {.loss = [](const elk::Tensor& logits, const elk::Tensor& targets) {
            return -elk::mean(elk::log(elk::sum(my_softmax(logits) * targets, {1})));
          }});
    });
