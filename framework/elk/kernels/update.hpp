// What optimizers do to weights, in place: the first arguments must be solely owned. Private.
#pragma once

#include <elk/base/precision.hpp>
#include <elk/tensor/tensor.hpp>

namespace elk::kernels {

/// A weight's gradient: computed, or still the product dyᵀ x of a linear layer's errors dy (N, out) and
/// inputs x (N, in). Of that an update takes block after block as they come, with the bits of the whole: it
/// is never written to memory.
struct Gradient {
  Gradient(Tensor computed) : whole(std::move(computed)) {}
  Gradient(const Tensor& dy, const Tensor& x, Precision in = elk::precision());

  Shape shape() const { return whole.defined() ? whole.shape() : Shape{dy.size(1), x.size(1)}; }
  DType dtype() const { return (whole.defined() ? whole : dy).dtype(); }

  Tensor whole, dy, x;  // either the first or the others
  Precision precision = elk::precision();
};

/// `velocity` may be undefined where momentum is 0.
void sgd_update(Tensor& weight, Tensor& velocity, const Gradient& gradient, double lr, double momentum,
                bool nesterov, double weight_decay);
void adam_update(Tensor& weight, Tensor& mean, Tensor& square, const Gradient& gradient, double lr,
                 double beta1, double beta2, double epsilon, double weight_decay, bool decoupled,
                 std::int64_t step);
/// As adam_update, but by the largest square so far.
void amsgrad_update(Tensor& weight, Tensor& mean, Tensor& square, Tensor& max_square,
                    const Gradient& gradient, double lr, double beta1, double beta2, double epsilon,
                    double weight_decay, bool decoupled, std::int64_t step);
/// `mean` (centered) and `velocity` (momentum) may be undefined: then they are not used.
void rmsprop_update(Tensor& weight, Tensor& square, Tensor& mean, Tensor& velocity, const Gradient& gradient,
                    double lr, double alpha, double epsilon, double weight_decay, double momentum);
void lion_update(Tensor& weight, Tensor& mean, const Gradient& gradient, double lr, double beta1,
                 double beta2, double weight_decay);

/// average = decay average + (1 - decay) weight.
void average_update(Tensor& average, const Tensor& weight, double decay);

/// A moment that decays ends at the smallest subnormal numbers and stays there, rounding to itself;
/// arithmetic on those is a hundred times slower. Below the normal range they become 0.
void flush_subnormal(Tensor& moment);

}  // namespace elk::kernels
