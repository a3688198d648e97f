// Several networks as one, whose probabilities are the mean of theirs.
#pragma once

#include <vector>

#include <elk/nn/sequential.hpp>

namespace elk::models {

/// Networks for the same classes, each added as a part. forward gives logits (N, classes): the logarithms of
/// the mean of the parts' probabilities, so that their softmax is that mean. ShapeError when the parts'
/// logits differ in shape, ValueError without parts. (L. K. Hansen, P. Salamon, "Neural network ensembles",
/// 1990.)
class Ensemble : public nn::Sequential {
 public:
  using Sequential::Sequential;
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "Ensemble(" + Sequential::describe() + ")"; }
};

/// The networks as one: a Sequential of an Ensemble with the parts member1, member2, ... One network alone
/// stays what it is. ValueError for none.
nn::Sequential as_one(const std::vector<nn::Sequential>& networks);

}  // namespace elk::models
