// The multilayer perceptron.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <elk/nn/layers.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/optim/optimizer.hpp>

/// Networks composed of modules, and their files.
namespace elk::models {

/// Options of an MLP.
struct MLPOptions {
  nn::Sequential input = {};              ///< applied to x first, such as nn::Normalize
  std::vector<Index> sizes = {};          ///< inputs, hidden widths, classes: {784, 128, 10}
  nn::Function activation;                ///< after every layer but the last; see activation()
  std::optional<nn::Function> clip = {};  ///< applied to every layer's output, right before the activation
  nn::Init init = nn::Init::he;
  double dropout = 0;  ///< after every activation; 0 = none
  /// Whether an nn::BatchNorm1d normalizes the outputs of every linear layer but the last, which then have no
  /// bias: the normalization would subtract it again.
  bool batch_norm = false;
  /// Deviation of an nn::GaussianNoise on x, after `input`, and on every pre-activation but the logits, after
  /// its normalization; 0 = none. With batch_norm this is the baseline of A. Rasmus et al., "Semi-supervised
  /// learning with ladder networks", 2015, section 4.1.
  double noise = 0;
  /// The weights of the last layer are drawn as for this width, whatever its own width is: 0 (not used), or
  /// the one that is passed to maximal_update().
  Index base_width = 0;
  DType dtype = f32;
};

/// Linear layers fc1, fc2, ... with an activation between them: parts input, noise0, then for each layer fc1,
/// norm1, noise1, clip1, act1, drop1, as far as the options ask for them. Its output is the logits: in
/// training the softmax belongs to the loss; apply it yourself if you want probabilities.
class MLP : public nn::Sequential {
 public:
  /// Draws the weights layer by layer from `rng`. ValueError for fewer than two sizes.
  MLP(const MLPOptions& options, Rng& rng);
};

/// The learning rates of the maximal update parametrization (Yang & Hu 2021, "Tensor Programs IV"; Yang et
/// al. 2022, "Tensor Programs V", table 3): groups of `optimizer`'s parameters, such that the best rate for
/// an MLP with hidden layers of `base_width` is about the best for wider ones too. `net` must have been drawn
/// with that width as MLPOptions::base_width, and with initial weights in proportion to one over the root of
/// the inputs (he). Its weight matrices train at (outputs / inputs) times the rate, its biases at (outputs)
/// times, where a hidden layer counts as its width over the base's, inputs and classes as 1; with an
/// optimizer that divides by the size of the gradient (`adaptive`: Adam and its relatives) the matrices train
/// at 1 / inputs times the rate, the biases at the rate itself. ValueError for a width below 1.
void maximal_update(const nn::Module& net, optim::Optimizer& optimizer, Index base_width, bool adaptive);

/// The names activation() knows.
const std::vector<std::string>& activation_names();
/// relu, leaky_relu (with its slope), sigmoid, tanh or gelu; ValueError for another name.
nn::Function activation(const std::string& name, double leaky_slope = 0.01);
/// Limits to [-limit, limit]; the gradient is 0 outside.
nn::Function clip(double limit);

}  // namespace elk::models
