#include <cmath>
#include <string>

#include <elk/elk.hpp>

#include "digits.hpp"
#include "grader.hpp"

elk::Tensor my_adam(const elk::Tensor& w, const elk::Tensor& gradient, elk::Tensor& m, elk::Tensor& v,
                    int step, double lr);

namespace {

struct Weights : elk::nn::Module {
  elk::nn::Parameter w{elk::from({1, -2, 0.5}, elk::f64)};
  void fields(Fields& f) override { f("w", w); }
};

// A valley: steep along one axis, flat along another.
elk::Tensor loss(const elk::Tensor& w) {
  return elk::sum(elk::from({10, 0.1, 1}, elk::f64) * elk::square(w));
}

elk::Tensor gradient_at(const elk::Tensor& w) {
  elk::Tape tape;
  tape.watch(w);
  return tape.backward(loss(w))[w];
}

elk::Tensor yours(int steps) {
  elk::Tensor w = Weights().w, m = elk::zeros({3}, elk::f64), v = elk::zeros({3}, elk::f64);
  for (int step = 1; step <= steps; ++step) w = my_adam(w, gradient_at(w), m, v, step, 0.1);
  return w;
}

elk::Tensor expected(int steps) {
  const Weights weights;
  elk::optim::Adam adam(weights, {.lr = 0.1});
  for (int step = 1; step <= steps; ++step) {
    elk::Tape tape;
    adam.step(tape.backward(loss(weights.w)));
  }
  return weights.w;
}

// What comes out with epsilon inside of the root, or without the corrections of the averages.
elk::Tensor mistaken(int steps, bool inside, bool corrected) {
  elk::Tensor w = Weights().w, m = elk::zeros({3}, elk::f64), v = elk::zeros({3}, elk::f64);
  for (int step = 1; step <= steps; ++step) {
    const elk::Tensor g = gradient_at(w);
    m = 0.9 * m + (1 - 0.9) * g;
    v = 0.999 * v + (1 - 0.999) * elk::square(g);
    const elk::Tensor mean = corrected ? m / (1 - std::pow(0.9, step)) : m,
                      square = corrected ? v / (1 - std::pow(0.999, step)) : v;
    w = w - 0.1 * mean / (inside ? elk::sqrt(square + 1e-8) : elk::sqrt(square) + 1e-8);
  }
  return w;
}

}  // namespace

const course::Exercise adam(
    "07_adam",
    [](course::Grader& grader) {
      const auto check = [&](const char* what, int steps) {
        grader.value(
            what, [&] { return yours(steps); }, expected(steps), 1e-9,
            {{"epsilon stands inside of the root; it is added to the root.", mistaken(steps, true, true)},
             {"the averages are not corrected for having begun at 0: hint 2.",
              mistaken(steps, false, false)}});
      };
      check("the first step", 1);
      check("the second step", 2);
      check("a hundred steps", 100);
    },
    []() -> std::string {
      course::Weights m = course::layers({784, 10}), v;
      for (elk::Tensor& mean : m) v.push_back(mean = elk::zeros(mean.shape(), elk::f64));
      return course::learns(
          "a layer that your Adam trained", course::layers({784, 10}),
          [](const elk::Tensor& x, const course::Weights& w) { return elk::linear(x, w[0], w[1]); },
          {.update = [&](std::size_t i, const elk::Tensor& w, const elk::Tensor& gradient, int step) {
            return my_adam(w, gradient, m[i], v[i], step, 0.01);
          }});
    });
