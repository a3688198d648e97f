#include <elk/autograd/record.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>

namespace elk {

Tensor square(const Tensor& x) {
  return record("square", kernels::square(x), wrt(x, [x](const Tensor& dy) { return dy * (2 * x); }));
}

Tensor sqrt(const Tensor& x) {
  const Tensor y = kernels::sqrt(x);
  return record("sqrt", y, wrt(x, [y](const Tensor& dy) { return dy / (2 * y); }));
}

Tensor exp(const Tensor& x) {
  const Tensor y = kernels::exp(x);
  return record("exp", y, wrt(x, [y](const Tensor& dy) { return dy * y; }));
}

Tensor log(const Tensor& x) {
  return record("log", kernels::log(x), wrt(x, [x](const Tensor& dy) { return dy / x; }));
}

Tensor abs(const Tensor& x) {
  return record("abs", kernels::abs(x), wrt(x, [x](const Tensor& dy) { return dy * sign(x); }));
}

Tensor sign(const Tensor& x) { return kernels::sign(x); }

}  // namespace elk
