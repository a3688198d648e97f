// Norms and distances.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// The distances between the rows of a (..., n, d) and those of b (..., m, d) in the norm of p: (..., n, m);
/// leading axes broadcast. The derivative for equal rows is 0. ValueError unless p is at least 1 and finite.
Tensor cdist(const Tensor& a, const Tensor& b, double p = 2);

/// x, scaled down if needed so that its Euclidean norm over the axes is at most `limit` (ValueError unless it
/// is above 0). For gradients see optim::clip_norm.
Tensor clip_by_norm(const Tensor& x, double limit, const Axes& axes = Axes::all());

}  // namespace elk
