// What a solved exercise unlocks: the reader's own code at work on the built-in digits.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <elk/tensor/tensor.hpp>

namespace course {

/// Images to learn from and others to judge by, a thousand each, as f64 (1000, 784); labels as i64 and
/// one-hot.
struct Digits {
  elk::Tensor x, labels, targets, test_x, test_labels;
};
const Digits& digits();

/// How near images (N, 784) are to the mean image of each digit: (N, 10), the larger the nearer.
elk::Tensor nearness(const elk::Tensor& x);

using Weights = std::vector<elk::Tensor>;
/// What a network with these weights makes of images (N, 784): logits (N, 10).
using Model = std::function<elk::Tensor(const elk::Tensor& x, const Weights& w)>;

/// Weights of layers of these sizes for a model, from He's distribution: weight, bias, weight, bias ...
Weights layers(const std::vector<elk::Index>& sizes);

/// How a model learns: batches of 50 in turn, by plain steps against the gradient or as `update` says.
struct Learning {
  double rate = 0.3;
  int epochs = 4;
  /// Of logits and rows of Digits::targets; cross-entropy if there is none.
  std::function<elk::Tensor(const elk::Tensor& logits, const elk::Tensor& targets)> loss = {};
  /// Weight number i after step number `step`, from 1.
  std::function<elk::Tensor(std::size_t i, const elk::Tensor& w, const elk::Tensor& gradient, int step)>
      update = {};
};

/// Trains, and tells: "a network with your relu reads 91.3 % of 1000 digits that it has not seen".
std::string learns(const std::string& who, Weights weights, const Model& model, const Learning& how = {});

/// The same sentence of logits for Digits::test_x.
std::string reads(const std::string& who, const elk::Tensor& logits);

}  // namespace course
