// The residual multilayer perceptron.
#pragma once

#include <models/mlp.hpp>

namespace elk::models {

/// Options of a ResidualMLP.
struct ResidualMLPOptions {
  nn::Sequential input = {};  ///< applied to x first, such as nn::Normalize
  Index inputs = 0, width = 0, classes = 0;
  Index blocks = 2;
  Index expansion = 4;  ///< a block's inner layer has expansion * width units
  nn::Function activation = models::activation("gelu");  ///< of the inner layers
  nn::Init init = nn::Init::he;
  double dropout = 0;  ///< after every activation; 0 = none
  DType dtype = f32;
};

/// Blocks x + contract(gelu(expand(norm(x)))), pre-norm with an inverted bottleneck, between a linear layer
/// `embed` and a linear layer `head` that gives the logits. (G. Bachmann, S. Anagnostidis, T. Hofmann,
/// "Scaling MLPs: a tale of inductive bias", 2023, section 3.)
class ResidualMLP : public nn::Sequential {
 public:
  /// Draws the weights layer by layer from `rng`. ShapeError for a size below 1, ValueError for less than 0
  /// blocks.
  ResidualMLP(const ResidualMLPOptions& options, Rng& rng);
};

}  // namespace elk::models
