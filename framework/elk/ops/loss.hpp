// Losses: a mean over the batch, shape ().
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// Mean over the batch of -log softmax(logits)[label]: logits (N, classes), labels i64 (N) of 0 to classes
/// - 1. Its gradient is (softmax(logits) - one_hot(labels)) / N.
Tensor cross_entropy(const Tensor& logits, const Tensor& labels);

/// Mean over all elements of (prediction - target)²; the shapes must be equal.
Tensor mse(const Tensor& prediction, const Tensor& target);

}  // namespace elk
