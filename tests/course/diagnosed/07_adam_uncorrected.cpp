// WRONG +the first step\n.*\n +the averages are not corrected for having begun at 0
#include <elk/elk.hpp>

elk::Tensor my_adam(const elk::Tensor& w, const elk::Tensor& gradient, elk::Tensor& m, elk::Tensor& v,
                    int /*step*/, double lr) {
  const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  m = beta1 * m + (1 - beta1) * gradient;
  v = beta2 * v + (1 - beta2) * elk::square(gradient);
  return w - lr * m / (elk::sqrt(v) + epsilon);
}
