// Systems of linear equations. Computed in f64, whatever the dtype, by LAPACK.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// The x with a x = b: a (..., n, n), b (..., n, k) or a vector (n); leading axes broadcast. ValueError for a
/// singular matrix; a nearly singular one gives large numbers.
Tensor solve(const Tensor& a, const Tensor& b);
/// The inverse of a (..., n, n), likewise. To solve equations use solve, which is faster and more exact.
Tensor inverse(const Tensor& a);
/// For symmetric matrices a (..., n, n): the lower triangular l with a positive diagonal and l lᵀ = a.
/// Elements of a above the diagonal are not read, and the gradient is symmetric. ValueError for a matrix that
/// is not positive definite.
Tensor cholesky(const Tensor& a);

}  // namespace elk
