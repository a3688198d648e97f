// Momentum (chapter 5)
//
// Returns the weights after one step of SGD with momentum 0.9, and updates the velocity, which begins at 0.
// Below is plain SGD.
#include <elk/elk.hpp>

elk::Tensor my_momentum(const elk::Tensor& w, const elk::Tensor& gradient,
                        [[maybe_unused]] elk::Tensor& velocity, double lr) {
  return w - lr * gradient;  // TODO
}
