#include <numbers>

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

Tensor log1p(const Tensor& x) {
  return record("log1p", kernels::log1p(x), wrt(x, [x](const Tensor& dy) { return dy / (1 + x); }));
}

Tensor expm1(const Tensor& x) {
  // Not y + 1, which is 0 where y rounds to -1.
  return record("expm1", kernels::expm1(x), wrt(x, [x](const Tensor& dy) { return dy * exp(x); }));
}

Tensor sin(const Tensor& x) {
  return record("sin", kernels::sin(x), wrt(x, [x](const Tensor& dy) { return dy * cos(x); }));
}

Tensor cos(const Tensor& x) {
  return record("cos", kernels::cos(x), wrt(x, [x](const Tensor& dy) { return dy * -sin(x); }));
}

Tensor erf(const Tensor& x) {
  return record("erf", kernels::erf(x), wrt(x, [x](const Tensor& dy) {  // 0 beyond 40, and so are all further
                  return dy * (2 * std::numbers::inv_sqrtpi * exp(-square(clamp(x, -40, 40))));
                }));
}

Tensor abs(const Tensor& x) {
  return record("abs", kernels::abs(x), wrt(x, [x](const Tensor& dy) { return dy * sign(x); }));
}

Tensor sign(const Tensor& x) { return kernels::sign(x); }

Tensor isnan(const Tensor& x) { return not_equal(x, x); }
Tensor isfinite(const Tensor& x) {
  return is_float(x.dtype()) ? equal(kernels::sub(x, x), 0) : ones(x.shape(), u8);
}

}  // namespace elk
