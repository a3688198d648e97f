// What dropout multiplies with. Private.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk::kernels {

/// 0 where rng.uniform() would draw less than p, which is from 0 to below 1; 1 / (1 - p) elsewhere.
Tensor dropout_factors(const Shape& shape, double p, Rng& rng, DType dtype);

}  // namespace elk::kernels
