#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

elk::Tensor my_logsumexp(const elk::Tensor& x);

const course::Exercise logsumexp(
    "08_logsumexp",
    [](course::Grader& grader) {
      elk::Rng rng(7);
      const elk::Tensor x = elk::randn({3, 4}, rng, elk::f64);
      const auto check = [&](const char* what, const elk::Tensor& rows) {
        grader.value(
            what, [&] { return my_logsumexp(rows); }, elk::logsumexp(rows, 1));
      };
      check("numbers near 0", x);
      check("large numbers", elk::from({1000, 1001, 999, 0, 1e9, -1e9}, {2, 3}, elk::f64));
      check("large negative numbers", elk::from({-1000, -1001, -1e9, -1e9}, {2, 2}, elk::f64));
      grader.derivatives([](const course::Inputs& in) { return my_logsumexp(in[0]); }, {{"x", x}});
    },
    []() -> std::string {
      return course::learns(
          "a layer that learned by your logsumexp", course::layers({784, 10}),
          [](const elk::Tensor& x, const course::Weights& w) { return elk::linear(x, w[0], w[1]); },
          {.loss = [](const elk::Tensor& logits, const elk::Tensor& targets) {
            return elk::mean(my_logsumexp(logits) - elk::sum(logits * targets, {1}));
          }});
    });
