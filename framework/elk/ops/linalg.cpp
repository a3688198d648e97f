#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>

namespace elk {

Tensor matmul(const Tensor& a, const Tensor& b) {
  return record("matmul", kernels::matmul("matmul", a, false, b, false),
                wrt(a, [s = a.shape(), b](const Tensor& dy) { return sum_to(matmul_nt(dy, b), s); }),
                wrt(b, [s = b.shape(), a](const Tensor& dy) { return sum_to(matmul_tn(a, dy), s); }));
}

Tensor matmul_nt(const Tensor& a, const Tensor& b) {
  return record("matmul_nt", kernels::matmul("matmul_nt", a, false, b, true),
                wrt(a, [s = a.shape(), b](const Tensor& dy) { return sum_to(matmul(dy, b), s); }),
                wrt(b, [s = b.shape(), a](const Tensor& dy) { return sum_to(matmul_tn(dy, a), s); }));
}

Tensor matmul_tn(const Tensor& a, const Tensor& b) {
  return record("matmul_tn", kernels::matmul("matmul_tn", a, true, b, false),
                wrt(a, [s = a.shape(), b](const Tensor& dy) { return sum_to(matmul_nt(b, dy), s); }),
                wrt(b, [s = b.shape(), a](const Tensor& dy) { return sum_to(matmul(a, dy), s); }));
}

Tensor bmm(const Tensor& a, const Tensor& b) {
  if (a.rank() != 3 || b.rank() != 3 || a.size(0) != b.size(0))
    fail<ShapeError>("[bmm] expected two stacks of equally many matrices, got {} x {}", a.shape(), b.shape());
  return matmul(a, b);
}

Tensor outer(const Tensor& a, const Tensor& b) {
  if (a.rank() != 1 || b.rank() != 1)
    fail<ShapeError>("[outer] expected two vectors, got {} and {}", a.shape(), b.shape());
  return expand(a, 1) * b;
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (x.rank() != 2 && x.rank() > 0 && weight.rank() == 2) {
    Shape rows{1, x.size(-1)}, shape = x.shape();
    for (int i = 0; i + 1 < x.rank(); ++i) rows[0] *= x.size(i);
    shape[-1] = weight.size(0);
    return reshape(linear(reshape(x, rows), weight, bias), shape);
  }
  const auto dx = [weight](const Tensor& dy) { return matmul(dy, weight); };
  const ProductRule dweight{x, matmul_tn};
  const Tensor y = kernels::matmul("linear", x, false, weight, true, bias);
  if (!bias.defined()) return record("linear", y, wrt(x, dx), wrt(weight, dweight));
  return record("linear", y, wrt(x, dx), wrt(weight, dweight),
                wrt(bias, [](const Tensor& dy) { return sum(dy, 0); }));
}

}  // namespace elk
