#include <functional>

#include <elk/elk.hpp>

#include "grader.hpp"

double my_descent(const std::function<double(double)>& loss, double w, double rate, int steps);

const course::Exercise descent("14_descent", [](course::Grader& grader) {
  const auto coffee = [](double w) { return (3 * w - 12) * (3 * w - 12); };
  const auto check = [&](const char* what, double rate, int steps, double expected) {
    grader.value(
        what, [&] { return elk::scalar(my_descent(coffee, 1, rate, steps), elk::f64); },
        elk::scalar(expected, elk::f64), 1e-6);
  };
  check("one step on (3 w - 12)²", 0.03, 1, 2.62);
  check("another rate", 0.01, 1, 1.54);
  check("fifty steps", 0.03, 50, 4);
});
