#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

elk::Tensor my_cross_entropy(const elk::Tensor& logits, const elk::Tensor& labels);

const course::Exercise cross_entropy(
    "09_cross_entropy",
    [](course::Grader& grader) {
      elk::Rng rng(7);
      const elk::Tensor logits = elk::randn({5, 3}, rng, elk::f64);
      const elk::Tensor labels = elk::from(std::vector<elk::Index>{0, 2, 1, 1, 2});
      const elk::Tensor sure = elk::from({1000, 0, 0, 0, 1000, 0}, {2, 3}, elk::f64);
      const elk::Tensor first = elk::from(std::vector<elk::Index>{0, 0});
      grader.value(
          "the value", [&] { return my_cross_entropy(logits, labels); }, elk::cross_entropy(logits, labels));
      grader.value(
          "the value where a softmax is 0", [&] { return my_cross_entropy(sure, first); },
          elk::scalar(500, elk::f64));
      grader.derivatives(
          [&](const course::Inputs& in) { return my_cross_entropy(in[0], labels); }, {{"logits", logits}},
          {"my_cross_entropy", [&](const course::Inputs& in) { return elk::cross_entropy(in[0], labels); }});
    },
    []() -> std::string {
      return course::learns(
          "a layer that learned by your cross-entropy", course::layers({784, 10}),
          [](const elk::Tensor& x, const course::Weights& w) { return elk::linear(x, w[0], w[1]); },
          {.loss = [](const elk::Tensor& logits, const elk::Tensor& targets) {
            return my_cross_entropy(logits, elk::argmax(targets));
          }});
    });
