// neural_ode, 2018: a network is the right-hand side of a differential equation
//
// R. Chen, Y. Rubanova, J. Bettencourt, D. Duvenaud, "Neural ordinary differential equations", NeurIPS 2018:
// it learns a spiral from pieces of it, through the steps of the solver.
#include <cmath>
#include <cstdio>
#include <functional>
#include <vector>

#include <elk/elk.hpp>

#include "picture.hpp"

using elk::Index, elk::Tensor;
using Field = std::function<Tensor(const Tensor&)>;  // x (N, 2) to dx / dt

constexpr double h = 0.025;

// x at the times 0, h, ... count h by the classical Runge-Kutta method: (count + 1, N, 2).
Tensor solve(const Field& f, Tensor x, Index count) {
  std::vector<Tensor> path{x};
  for (Index i = 0; i < count; ++i) {
    const Tensor k1 = f(x), k2 = f(x + h / 2 * k1), k3 = f(x + h / 2 * k2), k4 = f(x + h * k3);
    path.push_back(x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4));
  }
  return elk::stack(path);
}

int main(int argc, char**) {
  const int steps = argc > 1 ? 100 : 1500;  // few with --smoke
  elk::Rng rng(1);
  elk::nn::Sequential net{elk::nn::Linear(2, 50, rng), elk::nn::Tanh(), elk::nn::Linear(50, 2, rng)};
  elk::optim::Adam adam(net, {.lr = 1e-2});
  const elk::optim::Schedule schedule = elk::optim::cosine(steps);

  const Tensor a = elk::from({-0.1, -2, 2, -0.1}, {2, 2}), start = elk::from({2, 0}, {1, 2});
  const Field truth = [&](const Tensor& x) { return elk::matmul_nt(elk::pow(x, 3), a); };
  const Field learned = [&](const Tensor& x) { return net(elk::pow(x, 3)); };
  const Tensor spiral = elk::reshape(solve(truth, start, 1000), {1001, 2});

  const auto error = [&] {  // of the whole way from the start, which it never sees at once
    return elk::mean(elk::abs(elk::reshape(solve(learned, start, 1000), {1001, 2}) - spiral)).item();
  };
  const double before = error();
  for (int step = 1; step <= steps; ++step) {
    adam.set_lr(schedule(1e-2, step));
    std::vector<Tensor> pieces;  // of twenty steps each
    for (int i = 0; i < 32; ++i) {
      const Index first = rng.integer(0, 981);
      pieces.push_back(elk::slice(spiral, 0, first, first + 21));
    }
    const Tensor wanted = elk::stack(pieces, 1);  // (21, 32, 2)
    elk::Tape tape(rng);
    const Tensor path = solve(learned, elk::reshape(elk::slice(wanted, 0, 0, 1), {32, 2}), 20);
    adam.step(tape.backward(elk::mean(elk::abs(path - wanted))));
    if (step % (steps / 5) == 0) std::printf("step %4d  mean error along the spiral %.3f\n", step, error());
  }

  picture::plot("neural_ode.svg", "x", "y",
                {picture::points("spiral", spiral, true),
                 picture::points("learned", elk::reshape(solve(learned, start, 1000), {1001, 2}), true)});
  return error() < (argc > 1 ? before : 0.1) ? 0 : 1;
}
