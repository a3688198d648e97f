// WRONG +a hundred steps\n.*e-[0-9]+ %\)\n +epsilon stands inside of the root
#include <cmath>

#include <elk/elk.hpp>

elk::Tensor my_adam(const elk::Tensor& w, const elk::Tensor& gradient, elk::Tensor& m, elk::Tensor& v,
                    int step, double lr) {
  const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  m = beta1 * m + (1 - beta1) * gradient;
  v = beta2 * v + (1 - beta2) * elk::square(gradient);
  const elk::Tensor mean = m / (1 - std::pow(beta1, step)), square = v / (1 - std::pow(beta2, step));
  return w - lr * mean / elk::sqrt(square + epsilon);
}
