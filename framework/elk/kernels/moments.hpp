// What optimizers keep of the gradients. Private.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk::kernels {

/// As adam_update, but by the largest square so far.
void amsgrad_update(Tensor& weight, Tensor& mean, Tensor& square, Tensor& max_square, const Tensor& gradient,
                    double lr, double beta1, double beta2, double epsilon, double weight_decay,
                    bool decoupled, std::int64_t step);

/// A moment that decays ends at the smallest subnormal numbers and stays there, rounding to itself;
/// arithmetic on those is a hundred times slower. Below the normal range they become 0.
void flush_subnormal(Tensor& moment);

}  // namespace elk::kernels
