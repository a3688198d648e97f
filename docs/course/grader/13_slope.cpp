#include <cmath>
#include <functional>
#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

double my_slope(const std::function<double(double)>& f, double w);

const course::Exercise slope(
    "13_slope",
    [](course::Grader& grader) {
      const auto check = [&](const char* what, double (*f)(double), double w, double expected) {
        grader.value(
            what, [&] { return elk::scalar(my_slope(f, w), elk::f64); }, elk::scalar(expected, elk::f64),
            1e-8);
      };
      check(
          "the slope of w² at 3", [](double w) { return w * w; }, 3, 6);
      check(
          "that of w³ at -1", [](double w) { return w * w * w; }, -1, 3);
      check(
          "that of exp(w) at 0.5", [](double w) { return std::exp(w); }, 0.5, std::exp(0.5));
    },
    []() -> std::string {
      const course::Digits& all = course::digits();
      const elk::Tensor scores = course::nearness(all.x);
      // A number for each digit, added to that: all begin wrong.
      elk::Rng rng(1);
      elk::Tensor b = 3 * elk::randn({10}, rng, elk::f64);
      for (int round = 0; round < 30; ++round)
        for (elk::Index i = 0; i < 10; ++i) {
          const auto loss = [&](double value) {
            return elk::cross_entropy(scores + elk::index_put(b, {i}, value), all.labels).item();
          };
          b = elk::index_put(b, {i}, b.at(i) - 5 * my_slope(loss, b.at(i)));
        }
      return course::reads(
          "what compares with ten mean images, and has ten numbers that learned by 300 of your slopes,",
          course::nearness(all.test_x) + b);
    });
