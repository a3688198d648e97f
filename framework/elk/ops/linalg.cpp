#include <elk/autograd/record.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/reduce.hpp>

namespace elk {

Tensor matmul(const Tensor& a, const Tensor& b) {
  return record("matmul", kernels::matmul("matmul", a, false, b, false),
                wrt(a, [b](const Tensor& dy) { return matmul_nt(dy, b); }),
                wrt(b, [a](const Tensor& dy) { return matmul_tn(a, dy); }));
}

Tensor matmul_nt(const Tensor& a, const Tensor& b) {
  return record("matmul_nt", kernels::matmul("matmul_nt", a, false, b, true),
                wrt(a, [b](const Tensor& dy) { return matmul(dy, b); }),
                wrt(b, [a](const Tensor& dy) { return matmul_tn(dy, a); }));
}

Tensor matmul_tn(const Tensor& a, const Tensor& b) {
  return record("matmul_tn", kernels::matmul("matmul_tn", a, true, b, false),
                wrt(a, [b](const Tensor& dy) { return matmul_nt(b, dy); }),
                wrt(b, [a](const Tensor& dy) { return matmul(a, dy); }));
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const auto dx = [weight](const Tensor& dy) { return matmul(dy, weight); };
  const auto dweight = [x](const Tensor& dy) { return matmul_tn(dy, x); };
  const Tensor y = kernels::matmul("linear", x, false, weight, true, bias);
  if (!bias.defined()) return record("linear", y, wrt(x, dx), wrt(weight, dweight));
  return record("linear", y, wrt(x, dx), wrt(weight, dweight),
                wrt(bias, [](const Tensor& dy) { return sum(dy, 0); }));
}

}  // namespace elk
