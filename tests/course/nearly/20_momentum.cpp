// WRONG +the first step\n.*\n +the gradient is multiplied by 0.1
#include <elk/elk.hpp>

elk::Tensor my_momentum(const elk::Tensor& w, const elk::Tensor& gradient,
                        [[maybe_unused]] elk::Tensor& velocity, double lr) {
  velocity = 0.9 * velocity + 0.1 * gradient;
  return w - lr * velocity;
}
