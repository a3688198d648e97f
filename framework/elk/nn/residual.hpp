// Residual: x + inner(x).
#pragma once

#include <elk/nn/sequential.hpp>

namespace elk::nn {

/// Adds the output of the inner modules to x; it must have x's shape: Residual{LayerNorm(64), Linear(64, 64,
/// rng), GELU()}. (K. He et al., "Deep residual learning", 2016.)
class Residual : public Sequential {
 public:
  using Sequential::Sequential;
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "Residual(" + Sequential::describe() + ")"; }
};

}  // namespace elk::nn
