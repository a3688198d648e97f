#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

elk::Tensor my_matmul(const elk::Tensor& a, const elk::Tensor& b);

const course::Exercise matmul(
    "18_matmul",
    [](course::Grader& grader) {
      elk::Rng rng(7);
      const elk::Tensor a = elk::randn({4, 2}, rng, elk::f64), b = elk::randn({2, 3}, rng, elk::f64);
      grader.value(
          "the value", [&] { return my_matmul(a, b); }, elk::matmul(a, b));
      grader.derivatives(
          [](const course::Inputs& in) { return my_matmul(in[0], in[1]); }, {{"a", a}, {"b", b}},
          {"my_matmul",
           [](const course::Inputs& in) { return elk::matmul(in[0], in[1]); },
           {{"a", elk::randn({3, 3}, rng, elk::f64)}, {"b", elk::randn({3, 3}, rng, elk::f64)}}});
    },
    []() -> std::string {
      return course::learns("a network that multiplies by your matmul", course::layers({784, 16, 10}),
                            [](const elk::Tensor& x, const course::Weights& w) {
                              const elk::Tensor h = elk::relu(my_matmul(x, elk::transpose(w[0])) + w[1]);
                              return my_matmul(h, elk::transpose(w[2])) + w[3];
                            });
    });
