// Softmax regression: the linear classifier, a baseline for every network.
#pragma once

#include <models/mlp.hpp>

namespace elk::models {

/// One linear layer fc1 from the inputs to the logits; with cross_entropy, multinomial logistic regression.
class SoftmaxRegression : public MLP {
 public:
  SoftmaxRegression(Index inputs, Index classes, Rng& rng, DType dtype = f32)
      : MLP({.sizes = {inputs, classes}, .activation = activation("relu"), .dtype = dtype}, rng) {}
};

}  // namespace elk::models
