// maml, 2017: a network learns to learn a sine wave from ten points
//
// C. Finn, P. Abbeel, S. Levine, "Model-agnostic meta-learning for fast adaptation of deep networks", ICML
// 2017: weights from which one step of gradient descent goes far, beside weights that fit all waves together.
#include <cmath>
#include <cstdio>
#include <numbers>
#include <utility>
#include <vector>

#include <elk/elk.hpp>

using elk::Index, elk::Tensor;
using Weights = std::vector<Tensor>;

// One network for each of `tasks` tasks: its weights are stacks of matrices, x is (tasks, points, 1).
Tensor forward(const Weights& w, Tensor x) {
  for (std::size_t i = 0; i < w.size(); i += 2) {
    x = elk::matmul(x, w[i]) + w[i + 1];
    if (i + 2 < w.size()) x = elk::relu(x);
  }
  return x;
}

// The sum of the tasks' losses, so that each one's gradient is its own.
Tensor losses(const Weights& w, const Tensor& x, const Tensor& y) {
  return static_cast<double>(x.size(0)) * elk::mse(forward(w, x), y);
}

// One step of gradient descent for each task, itself on the tapes around.
Weights adapt(const Weights& w, const Tensor& x, const Tensor& y, double rate = 0.01) {
  elk::Tape tape;
  for (const Tensor& weight : w) tape.watch(weight);
  const elk::Gradients gradients = tape.backward(losses(w, x, y));
  Weights adapted;
  for (const Tensor& weight : w) adapted.push_back(weight - rate * gradients[weight]);
  return adapted;
}

struct Net : elk::nn::Module {
  std::vector<elk::nn::Parameter> weights;

  explicit Net(elk::Rng& rng) {
    for (const auto& [in, out] : {std::pair<Index, Index>{1, 40}, {40, 40}, {40, 1}}) {
      weights.emplace_back(elk::randn({in, out}, rng) * std::sqrt(2. / static_cast<double>(in)));
      weights.emplace_back(elk::zeros({1, out}));
    }
  }
  void fields(Fields& f) override { f("weights", weights); }
  Weights copies(Index tasks) const {
    Weights w;
    for (const Tensor& weight : weights)
      w.push_back(elk::broadcast_to(weight, {tasks, weight.shape()[0], weight.shape()[1]}));
    return w;
  }
};

// Sine waves of amplitudes 0.1 to 5 and phases 0 to pi, at ten points to learn from and ten to be judged by.
struct Tasks {
  Tensor x, y, x_new, y_new;

  Tasks(Index count, elk::Rng& rng) {
    const Tensor amplitude = elk::uniform({count, 1, 1}, rng, 0.1, 5);
    const Tensor phase = elk::uniform({count, 1, 1}, rng, 0, std::numbers::pi);
    x = elk::uniform({count, 10, 1}, rng, -5, 5);
    x_new = elk::uniform({count, 10, 1}, rng, -5, 5);
    y = amplitude * elk::sin(x + phase);
    y_new = amplitude * elk::sin(x_new + phase);
  }
};

int main(int argc, char**) {
  const bool smoke = argc > 1;  // --smoke
  std::vector<std::vector<double>> table;
  for (const bool meta : {true, false}) {
    elk::Rng rng(1);
    Net net(rng);
    elk::optim::Adam adam(net, {.lr = 1e-3});
    for (int step = 0; step < (smoke ? 1000 : 10000); ++step) {
      const Tasks tasks(25, rng);
      elk::Tape tape(rng);
      const Weights w = net.copies(25);
      adam.step(tape.backward(losses(meta ? adapt(w, tasks.x, tasks.y) : w, tasks.x_new, tasks.y_new) / 25));
    }
    const Tasks tasks(500, rng);
    Weights w = net.copies(500);
    std::vector<double> errors;
    for (int step = 0; step <= 10; ++step) {
      errors.push_back(elk::mse(forward(w, tasks.x_new), tasks.y_new).item());
      w = adapt(w, tasks.x, tasks.y, meta ? 0.01 : 0.001);  // at 0.01 the other one diverges
    }
    table.push_back(errors);
  }
  std::printf("mean squared error on new waves\nsteps on ten points   MAML   fit to all waves\n");
  for (const std::size_t step : {0UL, 1UL, 2UL, 5UL, 10UL})
    std::printf("%19zu  %5.2f  %17.2f\n", step, table[0][step], table[1][step]);
  return table[0][1] < (smoke ? table[0][0] : table[1][10]) ? 0 : 1;
}
