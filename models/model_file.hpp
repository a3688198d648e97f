// A trained network as one file: its weights, what is needed to rebuild it, and a test that it still computes
// the same.
#pragma once

#include <string>
#include <vector>

#include <elk/nn/sequential.hpp>

namespace elk::models {

/// What a model file contains beside the weights. Its file is safetensors with `format = elkgrad/1`.
struct ModelInfo {
  std::string kind = "mlp";  ///< or "residual_mlp"
  /// Inputs, widths of the hidden layers, classes; for a residual_mlp the width of each block, all equal.
  std::vector<Index> sizes;
  std::string activation = "relu";
  double leaky_slope = 0.01;
  double clip = 0;                 ///< 0 = none
  bool batch_norm = false;         ///< as MLPOptions::batch_norm
  std::string normalize = "none";  ///< "standard": an nn::Normalize comes first; "whiten": an nn::Whiten
  DType dtype = f32;
  std::string dataset;
  std::vector<std::string> classes;
  Shape input_shape;  ///< of one example, before it is flattened; pixels are divided by 255
  Index members = 1;  ///< above 1: an Ensemble of so many networks of this architecture, see as_one()
  /// How the images were changed in training, as to_string(AugmentOptions) writes it; "": not, or not known.
  std::string augment = {};
};

/// The names of `kind`.
const std::vector<std::string>& model_kinds();

/// What load_model returns.
struct Model {
  ModelInfo info;
  nn::Sequential net;
};

/// Writes `net` with a probe (an input and its logits) and a digest of all that. ValueError when `info`
/// describes another network.
void save_model(const std::string& path, const nn::Module& net, const ModelInfo& info);

/// Rebuilds the network and checks the digest, and that the network reproduces the logits of the probe to
/// 1e-4. FileError when one of them does not fit, or when the file is not such a model. A file without a
/// digest is read without that check.
Model load_model(const std::string& path);

}  // namespace elk::models
