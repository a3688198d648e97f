// Systems of linear equations. Computed in f64, whatever the dtype, by LAPACK.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// The x with a x = b: a (..., n, n), b (..., n, k) or a vector (n); leading axes broadcast. ValueError for a
/// matrix that is singular; one that nearly is gives large numbers.
Tensor solve(const Tensor& a, const Tensor& b);
/// The inverse of a (..., n, n), likewise. To solve equations take solve, which is faster and more exact.
Tensor inverse(const Tensor& a);
/// The lower triangle l, of a positive diagonal, with l lᵀ = a, of symmetric matrices (..., n, n); what is
/// above the diagonal is not read, and the gradient is symmetric. ValueError for one that is not positive
/// definite.
Tensor cholesky(const Tensor& a);

}  // namespace elk
