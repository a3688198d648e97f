// The gradients of softmax and log_softmax, from their results y. Private.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk::kernels {

Tensor softmax_gradient(const Tensor& dy, const Tensor& y, int axis);      // y (dy - sum(dy y))
Tensor log_softmax_gradient(const Tensor& dy, const Tensor& y, int axis);  // dy - exp(y) sum(dy)

}  // namespace elk::kernels
