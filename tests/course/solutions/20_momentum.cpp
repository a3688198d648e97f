#include <elk/elk.hpp>

elk::Tensor my_momentum(const elk::Tensor& w, const elk::Tensor& gradient,
                        [[maybe_unused]] elk::Tensor& velocity, double lr) {
  velocity = 0.9 * velocity + gradient;
  return w - lr * velocity;
}
