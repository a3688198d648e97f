// pinn, 2019: a network solves the heat equation from the equation alone
//
// M. Raissi, P. Perdikaris, G. Karniadakis, "Physics-informed neural networks", J. Comp. Phys. 378, 2019. A
// rod with both ends held at 0: u_t = 0.1 u_xx, u(x, 0) = sin(pi x), u(0, t) = u(1, t) = 0. The solution is
// exp(-0.1 pi² t) sin(pi x).
#include <cmath>
#include <cstdio>
#include <numbers>

#include <elk/elk.hpp>

using elk::Tensor;

int main(int argc, char**) {
  const int steps = argc > 1 ? 300 : 3000;  // few with --smoke
  elk::Rng rng(1);
  elk::nn::Sequential net{elk::nn::Linear(2, 32, rng), elk::nn::Tanh(), elk::nn::Linear(32, 32, rng),
                          elk::nn::Tanh(), elk::nn::Linear(32, 1, rng)};
  elk::optim::Adam adam(net, {.lr = 3e-3});
  const auto u = [&](const Tensor& x, const Tensor& t) { return net(elk::concat({x, t}, 1)); };
  const auto solution = [](const Tensor& x, const Tensor& t) {
    return elk::exp(-0.1 * std::pow(std::numbers::pi, 2) * t) * elk::sin(std::numbers::pi * x);
  };

  const Tensor x_test = elk::uniform({1000, 1}, rng), t_test = elk::uniform({1000, 1}, rng);
  const auto error = [&] {
    const Tensor wanted = solution(x_test, t_test);
    return std::sqrt(elk::mse(u(x_test, t_test), wanted).item() / elk::mean(elk::square(wanted)).item());
  };
  for (int step = 1; step <= steps; ++step) {
    if (step == steps / 2) adam.set_lr(3e-4);
    const Tensor x = elk::uniform({128, 1}, rng), t = elk::uniform({128, 1}, rng);
    const Tensor none = elk::zeros({128, 1}),
                 end = elk::cast(elk::less(elk::uniform({128, 1}, rng), 0.5), elk::f32);

    elk::Tape tape(rng);
    const auto u_t = elk::grad([&](const Tensor& v) { return elk::sum(u(x, v)); });
    const auto u_x = elk::grad([&](const Tensor& v) { return elk::sum(u(v, t)); });
    const auto u_xx = elk::grad([&](const Tensor& v) { return elk::sum(u_x(v)); });
    const Tensor loss =
        elk::mse(u_t(t), 0.1 * u_xx(x)) + elk::mse(u(x, none), solution(x, none)) + elk::mse(u(end, t), none);
    adam.step(tape.backward(loss));
    if (step % (steps / 5) == 0)
      std::printf("step %4d  loss %.1e  relative error %.4f\n", step, loss.item(), error());
  }
  return error() < (argc > 1 ? 0.3 : 0.02) ? 0 : 1;
}
