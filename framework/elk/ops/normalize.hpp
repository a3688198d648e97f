// Normalization.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// (x - mean) / sqrt(variance + epsilon) * weight + bias, with mean and variance over the last axis: x (...,
/// n), weight (n), bias (n) or undefined. (J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer normalization", 2016.)
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon = 1e-5);

/// x / sqrt(mean(x²) + epsilon) * weight, with the mean over the last axis: x (..., n), weight (n). (B.
/// Zhang, R. Sennrich, "Root mean square layer normalization", 2019.)
Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon = 1e-6);

/// Mean and variance (over n) of each channel of x (N, C, ...): (C) and (C). ShapeError for fewer than two
/// numbers a channel.
struct ChannelMoments {
  Tensor mean, variance;
};
ChannelMoments channel_moments(const Tensor& x);  ///< computes them

/// (x - mean) / sqrt(variance + epsilon) * weight + bias, per channel: x (N, C, ...), the others (C). With
/// the moments of channel_moments(x) it is the batch normalization of training. (S. Ioffe, C. Szegedy, "Batch
/// normalization", 2015.)
Tensor batch_norm(const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor& weight,
                  const Tensor& bias, double epsilon = 1e-5);

/// The same with the moments of x itself, in fewer passes; it also returns these moments, as constants.
/// ShapeError for fewer than two numbers a channel.
struct BatchNormalized {
  Tensor y;
  ChannelMoments moments;
};
BatchNormalized batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           double epsilon = 1e-5);  ///< computes both

/// Divides the channels of each example into `groups` of neighbours and scales each group to mean 0 and
/// variance 1; then weight and bias per channel: x (N, C, ...), weight (C), bias (C). (Y. Wu, K. He, "Group
/// normalization", 2018.)
Tensor group_norm(const Tensor& x, Index groups, const Tensor& weight, const Tensor& bias,
                  double epsilon = 1e-5);

}  // namespace elk
