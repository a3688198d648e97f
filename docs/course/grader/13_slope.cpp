#include <cmath>
#include <functional>

#include <elk/elk.hpp>

#include "grader.hpp"

double my_slope(const std::function<double(double)>& f, double w);

const course::Exercise slope("13_slope", [](course::Grader& grader) {
  const auto check = [&](const char* what, double (*f)(double), double w, double expected) {
    grader.value(
        what, [&] { return elk::scalar(my_slope(f, w), elk::f64); }, elk::scalar(expected, elk::f64), 1e-8);
  };
  check(
      "the slope of w² at 3", [](double w) { return w * w; }, 3, 6);
  check(
      "that of w³ at -1", [](double w) { return w * w * w; }, -1, 3);
  check(
      "that of exp(w) at 0.5", [](double w) { return std::exp(w); }, 0.5, std::exp(0.5));
});
