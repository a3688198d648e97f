// Private.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk::kernels {

/// v times the derivative of gelu at x; shapes must be equal.
Tensor gelu_gradient(const Tensor& v, const Tensor& x);

}  // namespace elk::kernels
