// WRONG +the weights after a hundred steps\n.*expected.*\n +it is the transpose of what it should be
#include <elk/elk.hpp>
#include <utility>

std::pair<elk::Tensor, elk::Tensor> my_training_by_hand(const elk::Tensor& x, const elk::Tensor& labels) {
  elk::Tensor w = elk::zeros({10, 784}), b = elk::zeros({10});
  for (int step = 0; step < 100; ++step) {
    elk::Tape tape;
    tape.watch(w);
    tape.watch(b);
    const elk::Tensor loss = elk::cross_entropy(elk::linear(x, w, b), labels);
    const elk::Gradients gradients = tape.backward(loss);
    w = w - 0.5 * gradients[w];
    b = b - 0.5 * gradients[b];
  }
  return {elk::transpose(w), b};
}
