#include <elk/elk.hpp>

#include "grader.hpp"

elk::Tensor my_second_derivative(const std::function<elk::Tensor(const elk::Tensor&)>& f,
                                 const elk::Tensor& x);

const course::Exercise second_derivative("03_second_derivative", [](course::Grader& grader) {
  const elk::Tensor x = elk::from({-1.5, -0.25, 0.5, 2}, elk::f64);
  grader.value(
      "the second derivative of x³",
      [&] { return my_second_derivative([](const elk::Tensor& t) { return t * t * t; }, x); }, 6 * x);
  grader.value(
      "that of sin(x)",
      [&] { return my_second_derivative([](const elk::Tensor& t) { return elk::sin(t); }, x); },
      -elk::sin(x));
  grader.value(
      "that of x exp(x)",
      [&] { return my_second_derivative([](const elk::Tensor& t) { return t * elk::exp(t); }, x); },
      (x + 2) * elk::exp(x));
});
