// The study's own arithmetic, as custom operations written with the public API (docs: PAPER protocol of
// `train`).
#pragma once

#include <elk/nn/layers.hpp>
#include <elk/tensor/tensor.hpp>

namespace elk::lab::paper {

/// The value of `loss`, a mean over the batch, with the gradient of the sum: the study adds gradients up over
/// the batch.
Tensor summed(const Tensor& loss, Index batch_size);

/// The study's "mean" loss: the value is the mean of (softmax(logits) - one_hot)² over examples and classes;
/// the gradient is 2 (softmax - one_hot) / N, which leaves the softmax's Jacobian out: that of cross-entropy,
/// doubled.
Tensor mean_loss(const Tensor& logits, const Tensor& labels);

/// Limits to [-limit, limit], with a gradient that passes everywhere.
nn::Function straight_through_clip(double limit);

/// Leaky ReLU whose backward slope is 0.005, whatever the forward slope is.
nn::Function leaky_relu(double slope);

}  // namespace elk::lab::paper
