// perceptron, 1958: one unit learns AND and OR, but never XOR
//
// F. Rosenblatt, "The perceptron", Psychological Review 65, 1958; where it fails: M. Minsky, S. Papert,
// "Perceptrons", 1969.
#include <cstdio>
#include <utility>
#include <vector>

#include <elk/elk.hpp>

int main() {
  const elk::Tensor x = elk::from({0, 0, 0, 1, 1, 0, 1, 1}, {4, 2});
  const std::vector<std::pair<const char*, elk::Tensor>> tables = {
      {"AND", elk::from({-1, -1, -1, 1}, {4, 1})},
      {"OR", elk::from({-1, 1, 1, 1}, {4, 1})},
      {"XOR", elk::from({-1, 1, 1, -1}, {4, 1})}};
  std::vector<double> right;
  for (const auto& [name, y] : tables) {
    elk::Rng rng(1);
    elk::nn::Linear unit(2, 1, rng);
    elk::optim::SGD rule(unit, {.lr = 1});

    int epoch = 0;
    double correct = 0;
    while (correct < 4 && epoch < 1000) {
      ++epoch;
      for (int i = 0; i < 4; ++i) {
        const elk::Tensor xi = elk::slice(x, 0, i, i + 1), yi = elk::slice(y, 0, i, i + 1);
        elk::Tape tape;
        // Where the sign is wrong, the gradient is -y x, and elsewhere 0. So the step is Rosenblatt's rule:
        // add y x to the weights.
        const elk::Tensor score = yi * unit(xi);
        rule.step(tape.backward(elk::sum(elk::where(elk::less_equal(score, 0), -score, elk::zeros({})))));
      }
      correct = elk::sum(elk::greater(y * unit(x), 0)).item();
    }
    std::printf("%-3s  %d of 4 right after %d epochs\n", name, static_cast<int>(correct), epoch);
    right.push_back(correct);
  }
  return right == std::vector<double>{4, 4, right[2]} && right[2] < 4 ? 0 : 1;
}
