#include <vector>

#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/lapack.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/shape.hpp>
#include <elk/ops/solve.hpp>
#include <elk/ops/stacks.hpp>

namespace elk {

namespace {

void check_square(const char* operation, const Tensor& a) {
  if (a.rank() < 2 || a.size(-1) != a.size(-2))
    fail<ShapeError>("[{}] expected square matrices (..., n, n), got {}", operation, a.shape());
  if (!is_float(a.dtype()))
    fail<DTypeError>("[{}] expected f32 or f64, got {}: convert with cast", operation, a.dtype());
}

// The f64 kernel of tensors of any floating dtype.
Tensor solved(const char* operation, const Tensor& a, const Tensor& b) {
  return kernels::cast(kernels::solve(operation, kernels::cast(a, f64), kernels::cast(b, f64)), a.dtype());
}

// Of equal leading axes.
Tensor solve_stack(const Tensor& a, const Tensor& b) {
  const Tensor x = solved("solve", a, b);
  return record("solve", x,
                wrt(a, [a, x](const Tensor& dx) { return -matmul_nt(solve_stack(transpose(a), dx), x); }),
                wrt(b, [a](const Tensor& dx) { return solve_stack(transpose(a), dx); }));
}

// 1 below the diagonal, `diagonal` on it, 0 above.
Tensor lower(Index n, double diagonal, DType dtype) {
  std::vector<double> values(static_cast<std::size_t>(n * n));
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j <= i; ++j) values[static_cast<std::size_t>(i * n + j)] = i == j ? diagonal : 1;
  return cast(from(values, {n, n}), dtype);
}

Tensor identity_like(const Tensor& a) {
  return kernels::broadcast_to(kernels::one_hot(arange(a.size(-1)), a.size(-1), a.dtype()), a.shape());
}

}  // namespace

Tensor solve(const Tensor& a, const Tensor& b) {
  check_square("solve", a);
  if (a.dtype() != b.dtype())
    fail<DTypeError>("[solve] dtypes differ: {} and {}: convert one with cast", a.dtype(), b.dtype());
  if (b.rank() == 0 || b.size(b.rank() == 1 ? 0 : -2) != a.size(-1))
    fail<ShapeError>("[solve] matrices {} need right sides (..., {}, k) or ({}), got {}", a.shape(),
                     a.size(-1), a.size(-1), b.shape());
  const Tensor columns = b.rank() == 1 ? expand(b, 1) : b;
  const auto [matrices, right_sides] = broadcast_stacks("solve", a, columns);
  const Tensor x = solve_stack(matrices, right_sides);
  return b.rank() == 1 ? squeeze(x, -1) : x;
}

Tensor inverse(const Tensor& a) {
  check_square("inverse", a);
  const Tensor y = solved("inverse", a, identity_like(a));
  return record("inverse", y, wrt(a, [y](const Tensor& dy) { return -matmul_nt(matmul_tn(y, dy), y); }));
}

Tensor cholesky(const Tensor& a) {
  check_square("cholesky", a);
  const Tensor l = kernels::cast(kernels::cholesky(kernels::cast(a, f64)), a.dtype());
  // (I. Murray, "Differentiation of the Cholesky decomposition", 2016, equation 10.)
  return record("cholesky", l, wrt(a, [l](const Tensor& dl) {
                  const Tensor middle = matmul_tn(l, dl) * lower(l.size(-1), 0.5, l.dtype());
                  const Tensor upper = transpose(l);
                  const Tensor s = transpose(solve(upper, transpose(solve(upper, middle))));
                  return 0.5 * (s + transpose(s));
                }));
}

}  // namespace elk
