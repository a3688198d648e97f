// Normalization.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// (x - mean) / sqrt(variance + epsilon) * weight + bias, with mean and variance over the last axis: x (...,
/// n), weight (n), bias (n) or undefined. (J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer normalization", 2016.)
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon = 1e-5);

}  // namespace elk
