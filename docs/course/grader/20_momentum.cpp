#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

elk::Tensor my_momentum(const elk::Tensor& w, const elk::Tensor& gradient, elk::Tensor& velocity, double lr);

namespace {

// Of the sum of steepness w², so many steps from (1, -2).
template <class Step>
elk::Tensor walked(int steps, const Step& step) {
  const elk::Tensor steepness = elk::from({1, 20}, elk::f64);
  elk::Tensor w = elk::from({1, -2}, elk::f64), velocity = elk::zeros({2}, elk::f64);
  for (int i = 0; i < steps; ++i) w = step(w, 2 * steepness * w, velocity);
  return w;
}

elk::Tensor with(double of_gradient, int steps) {
  return walked(steps, [&](const elk::Tensor& w, const elk::Tensor& g, elk::Tensor& velocity) {
    velocity = 0.9 * velocity + of_gradient * g;
    return w - 0.01 * velocity;
  });
}

}  // namespace

const course::Exercise momentum(
    "20_momentum",
    [](course::Grader& grader) {
      const auto check = [&](const char* what, int steps) {
        grader.value(what,
                     [&] {
                       return walked(steps,
                                     [](const elk::Tensor& w, const elk::Tensor& g, elk::Tensor& velocity) {
                                       return my_momentum(w, g, velocity, 0.01);
                                     });
                     },
                     with(1, steps), 1e-9,
                     {{"the gradient is multiplied by 0.1, as in Adam; momentum adds it as it is.",
                       with(0.1, steps)}});
      };
      check("the first step", 1);
      check("the second step", 2);
      check("fifty steps", 50);
    },
    []() -> std::string {
      course::Weights velocity = course::layers({784, 10});
      for (elk::Tensor& v : velocity) v = elk::zeros(v.shape(), elk::f64);
      return course::learns(
          "a layer that your momentum trained", course::layers({784, 10}),
          [](const elk::Tensor& x, const course::Weights& w) { return elk::linear(x, w[0], w[1]); },
          {.update = [&](std::size_t i, const elk::Tensor& w, const elk::Tensor& gradient, int) {
            return my_momentum(w, gradient, velocity[i], 0.03);
          }});
    });
