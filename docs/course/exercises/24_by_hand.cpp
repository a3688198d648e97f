// The digits, by your own loop (chapter 5)
//
// Trains softmax regression on the images x (N, 784) and labels (N): logits = x wᵀ + b, with w (10, 784) and
// b (10), and the mean cross-entropy. A hundred steps of plain gradient descent on all images at once, at the
// rate 0.5, from zeros. Returns w and b. Use a tape, but no optimizer and no layer. Below, the weights never
// move.
#include <elk/elk.hpp>
#include <utility>

std::pair<elk::Tensor, elk::Tensor> my_training_by_hand(const elk::Tensor& x, const elk::Tensor& labels) {
  elk::Tensor w = elk::zeros({10, 784}), b = elk::zeros({10});
  for (int step = 0; step < 100; ++step) {
    const elk::Tensor loss = elk::cross_entropy(elk::linear(x, w, b), labels);
    (void)loss;  // TODO
  }
  return {w, b};
}
