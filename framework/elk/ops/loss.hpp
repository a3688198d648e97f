// Losses: a mean over the batch, shape ().
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// Mean over the batch of -log softmax(logits)[label]: logits (N, classes), labels i64 (N) of 0 to classes
/// - 1. Its gradient is (softmax(logits) - one_hot(labels)) / N. Labels that are soft targets (N, classes),
/// such as mixup makes, go to soft_cross_entropy.
Tensor cross_entropy(const Tensor& logits, const Tensor& labels);

/// Cross-entropy with smoothed labels: a share `label_smoothing`, from 0 to 1, of each target is spread over
/// all classes. (C. Szegedy et al., "Rethinking the Inception architecture", 2016.)
Tensor smooth_cross_entropy(const Tensor& logits, const Tensor& labels, double label_smoothing);

/// Mean over the batch of -sum(targets * log softmax(logits)): soft targets (N, classes) of the logits'
/// dtype, each row a distribution. A target of 0 ignores a logit of -infinity.
Tensor soft_cross_entropy(const Tensor& logits, const Tensor& targets);

/// Mean over the batch of -log_probabilities[label]: log_probabilities (N, classes), labels i64 (N).
Tensor nll(const Tensor& log_probabilities, const Tensor& labels);

/// Mean over all elements of -t log(sigmoid(z)) - (1 - t) log(1 - sigmoid(z)), stable for any logit: shapes
/// equal, targets from 0 to 1.
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets);

/// Mean over all elements of e^2 / 2 where |e| <= delta and delta (|e| - delta / 2) beyond, e = prediction -
/// target; shapes equal, delta above 0. (P. J. Huber, 1964.)
Tensor huber(const Tensor& prediction, const Tensor& target, double delta = 1);

/// Mean over all elements of (prediction - target)²; the shapes must be equal.
Tensor mse(const Tensor& prediction, const Tensor& target);

}  // namespace elk
