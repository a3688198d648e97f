#include <elk/elk.hpp>

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

}  // namespace

const course::Exercise adam("07_adam", [](course::Grader& grader) {
  grader.value(
      "the first step", [] { return yours(1); }, expected(1));
  grader.value(
      "the second step", [] { return yours(2); }, expected(2));
  grader.value(
      "a hundred steps", [] { return yours(100); }, expected(100));
});
