// Normalization. Private.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk::kernels {

/// x is seen as (outer, groups, run); each group, its elements in all of the first and the last axis, is
/// brought to mean 0 (unless it is not centred) and to a mean square of 1: z = (x - mean) scale, with scale =
/// 1 / sqrt(mean square + epsilon). A weight and a bias are one number a group, or, where outer is 1, one for
/// each place of a run.
struct Normalization {
  Index outer, groups, run;
  double epsilon;
  bool centred, per_group;
};

/// Of the groups: f64.
struct Moments {
  Tensor mean, variance, scale;
};

/// (x - mean) scale + bias, of three numbers for each channel of x (N, C) or (N, C, run), which is not empty.
Tensor standardize(const Tensor& x, const Tensor& mean, const Tensor& scale, const Tensor& bias);

/// y = z weight + bias, in x's shape; both, or bias alone, may be undefined. x is not empty.
struct Normalized {
  Tensor y;
  Moments moments;
};
Normalized normalize(const char* operation, const Tensor& x, const Tensor& weight, const Tensor& bias,
                     const Normalization& how);
/// The gradient of x, from y's.
Tensor normalize_gradient(const Tensor& dy, const Tensor& x, const Tensor& weight, const Moments& moments,
                          const Normalization& how);
/// The gradient of the weight: sums of dy z.
Tensor normalize_weight_gradient(const Tensor& dy, const Tensor& x, const Moments& moments,
                                 const Normalization& how);

}  // namespace elk::kernels
