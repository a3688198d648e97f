#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

elk::Tensor my_squared_error(const elk::Tensor& logits, const elk::Tensor& targets);

const course::Exercise squared_error(
    "11_squared_error",
    [](course::Grader& grader) {
      elk::Rng rng(7);
      const elk::Tensor logits = elk::randn({4, 3}, rng, elk::f64);
      const elk::Tensor targets = elk::one_hot(elk::from(std::vector<elk::Index>{0, 2, 1, 1}), 3, elk::f64);
      grader.value(
          "the value", [&] { return my_squared_error(logits, targets); },
          3 * elk::mse(elk::softmax(logits), targets));
      grader.derivatives([&](const course::Inputs& in) { return my_squared_error(in[0], targets); },
                         {{"logits", logits}}, {"my_squared_error", [&](const course::Inputs& in) {
                                                  return 3 * elk::mse(elk::softmax(in[0]), targets);
                                                }});
    },
    []() -> std::string {
      return course::learns(
          "a layer that learned by your squared error", course::layers({784, 10}),
          [](const elk::Tensor& x, const course::Weights& w) { return elk::linear(x, w[0], w[1]); },
          {.loss = [](const elk::Tensor& logits, const elk::Tensor& targets) {
            return my_squared_error(logits, targets);
          }});
    });
