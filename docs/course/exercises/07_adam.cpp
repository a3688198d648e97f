// Adam (chapter 5)
//
// Returns the weights after one step of Adam, and updates its two moments: m, the moving average of the
// gradient, and v, the moving average of its square. Both are zeros before the first step. `step` counts from
// 1. Below is plain SGD.
#include <elk/elk.hpp>

elk::Tensor my_adam(const elk::Tensor& w, const elk::Tensor& gradient, [[maybe_unused]] elk::Tensor& m,
                    [[maybe_unused]] elk::Tensor& v, [[maybe_unused]] int step, double lr) {
  [[maybe_unused]] const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  return w - lr * gradient;  // TODO
}
