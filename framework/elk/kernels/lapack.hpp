// Systems of equations and factors of matrices, by LAPACK. Private.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk::kernels {

/// The x with a x = b: a (..., n, n), b (..., n, k) of the same leading axes, f64. ValueError for a singular
/// matrix, naming `operation`.
Tensor solve(const char* operation, const Tensor& a, const Tensor& b);
/// The lower triangle l with l lᵀ = a, of symmetric matrices (..., n, n), f64, of which the part on and below
/// the diagonal is read. ValueError for one that is not positive definite.
Tensor cholesky(const Tensor& a);

}  // namespace elk::kernels
