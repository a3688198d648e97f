// How good predictions are. Logits are (N, classes) of any float dtype, labels i64 (N) from 0 to classes - 1;
// all throw ShapeError for other shapes and for no examples, IndexError for another label.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk::train {

/// The share of rows whose largest element is the label's; among equal elements the first counts.
double accuracy(const Tensor& logits, const Tensor& labels);

/// The share of rows with the label among the k largest elements; of equals the first ones count. ValueError
/// unless k is from 1 to classes.
double top_k_accuracy(const Tensor& logits, const Tensor& labels, Index k);

/// i64 (classes, classes): how many examples of the row's class were predicted as the column's class.
Tensor confusion_matrix(const Tensor& logits, const Tensor& labels);

/// The expected calibration error: examples are sorted into `bins` by their confidence, the largest
/// probability of softmax(logits); the mean over examples of |share right - mean confidence| in their bin. 0
/// for a network that is right as often as its confidence says. (C. Guo et al., "On calibration of modern
/// neural networks", 2017.) ValueError unless bins is from 1 to a million.
double calibration_error(const Tensor& logits, const Tensor& labels, Index bins = 15);

}  // namespace elk::train
