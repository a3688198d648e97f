// The multilayer perceptron.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <elk/nn/layers.hpp>
#include <elk/nn/sequential.hpp>

/// Networks composed of modules, and their files.
namespace elk::models {

/// What an MLP is made of.
struct MLPOptions {
  nn::Sequential input = {};              ///< what x goes through first, such as nn::Normalize
  std::vector<Index> sizes = {};          ///< inputs, hidden widths, classes: {784, 128, 10}
  nn::Function activation;                ///< after every layer but the last; see activation()
  std::optional<nn::Function> clip = {};  ///< applied to every layer's output before the activation
  nn::Init init = nn::Init::he;
  double dropout = 0;  ///< after every activation; 0 = none
  DType dtype = f32;
};

/// Linear layers fc1, fc2, ... with an activation between them. Its output is the logits: the softmax belongs
/// to the loss in training, and to whoever wants probabilities.
class MLP : public nn::Sequential {
 public:
  /// Draws the weights layer by layer from `rng`. ValueError for fewer than two sizes.
  MLP(const MLPOptions& options, Rng& rng);
};

/// The names activation() knows.
const std::vector<std::string>& activation_names();
/// relu, leaky_relu (with its slope), sigmoid, tanh or gelu; ValueError for another name.
nn::Function activation(const std::string& name, double leaky_slope = 0.01);
/// Limits to [-limit, limit]; the gradient is 0 outside.
nn::Function clip(double limit);

}  // namespace elk::models
