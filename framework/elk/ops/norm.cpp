#include <cmath>

#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/distance.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/norm.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/ops/stacks.hpp>

namespace elk {

namespace {

// Euclidean, of equally many rows' stacks. The rules need no differences, only products: with w = dy / y, the
// gradient of row i is sum_j w_ij (a_i - b_j).
Tensor euclidean(const Tensor& a, const Tensor& b) {
  const Tensor y = kernels::distances(a, b);
  const auto shares = [y](const Tensor& dy) {
    const Tensor equal_rows = equal(y, 0);
    return where(equal_rows, scalar(0, y.dtype()), dy / where(equal_rows, scalar(1, y.dtype()), y));
  };
  return record("cdist", y,
                wrt(a,
                    [a, b, shares](const Tensor& dy) {
                      const Tensor w = shares(dy);
                      return sum(w, -1, true) * a - matmul(w, b);
                    }),
                wrt(b, [a, b, shares](const Tensor& dy) {
                  const Tensor w = shares(dy);
                  return transpose(sum(w, -2, true)) * b - matmul_tn(w, a);
                }));
}

}  // namespace

Tensor cdist(const Tensor& a, const Tensor& b, double p) {
  if (a.rank() < 2 || b.rank() < 2 || a.size(-1) != b.size(-1))
    fail<ShapeError>("[cdist] expected rows of one length, (..., n, d) and (..., m, d), got {} and {}",
                     a.shape(), b.shape());
  if (!(p >= 1 && std::isfinite(p))) fail<ValueError>("[cdist] expected a norm of finite p >= 1, got {}", p);
  const auto [rows, others] = broadcast_stacks("cdist", a, b);
  if (p == 2) return euclidean(rows, others);
  const Tensor e = abs(expand(rows, -2) - expand(others, -3));
  if (p == 1) return sum(e, -1);
  // The root's derivative at 0 is infinite; that of equal rows is 0.
  const Tensor total = sum(pow(e, p), -1), equal_rows = equal(total, 0), zero = scalar(0, e.dtype());
  return where(equal_rows, zero, pow(where(equal_rows, scalar(1, e.dtype()), total), 1 / p));
}

Tensor clip_by_norm(const Tensor& x, double limit, const Axes& axes) {
  if (!(limit > 0)) fail<ValueError>("[clip_by_norm] expected a limit above 0, got {}", limit);
  const Tensor squared = sum(square(x), axes, true);
  const Tensor norm = sqrt(clamp(squared, limit * limit, INFINITY));  // a root of 0 has no finite derivative
  return where(greater(squared, limit * limit), x * (limit / norm), x);
}

}  // namespace elk
