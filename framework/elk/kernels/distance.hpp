// Distances between rows. Private.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk::kernels {

/// Euclidean, between the rows of a (..., n, d) and of b (..., m, d), whose leading axes are the same: (...,
/// n, m), summed in f64.
Tensor distances(const Tensor& a, const Tensor& b);

}  // namespace elk::kernels
