#include <models/mlp.hpp>

#include <algorithm>
#include <cmath>

#include <elk/base/format.hpp>
#include <elk/nn/batch_norm.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>

namespace elk::models {

MLP::MLP(const MLPOptions& options, Rng& rng) {
  const std::vector<Index>& sizes = options.sizes;
  if (sizes.size() < 2)
    fail<ValueError>("[mlp] expected at least two sizes, inputs and classes, got {}", sizes.size());
  if (options.input.size() > 0) add("input", options.input);
  if (options.noise != 0) add("noise0", nn::GaussianNoise(options.noise));
  for (std::size_t i = 1; i < sizes.size(); ++i) {
    const std::string number = std::to_string(i);
    const bool last = i + 1 == sizes.size(), normalized = options.batch_norm && !last;
    nn::Linear layer(sizes[i - 1], sizes[i], rng,
                     {.init = options.init, .bias = !normalized, .dtype = options.dtype});
    if (last && i > 1 && options.base_width > 0) {
      const double inputs = static_cast<double>(sizes[i - 1]) / static_cast<double>(options.base_width);
      layer.weight().set(layer.weight() / std::sqrt(inputs));
    }
    add("fc" + number, std::move(layer));
    if (normalized) add("norm" + number, nn::BatchNorm1d(sizes[i], {.dtype = options.dtype}));
    if (options.noise != 0 && !last) add("noise" + number, nn::GaussianNoise(options.noise));
    if (options.clip) add("clip" + number, *options.clip);
    if (last) break;
    add("act" + number, options.activation);
    if (options.dropout != 0) add("drop" + number, nn::Dropout(options.dropout));
  }
}

void maximal_update(const nn::Module& net, optim::Optimizer& optimizer, Index base_width, bool adaptive) {
  if (base_width < 1) fail<ValueError>("[maximal_update] expected a width of 1 or more, got {}", base_width);
  const std::vector<nn::NamedSlot> parameters = net.parameters();
  const auto is_matrix = [](const nn::NamedSlot& p) { return p.slot->value().rank() == 2; };
  const auto last = std::find_if(parameters.rbegin(), parameters.rend(), is_matrix);
  double inputs = 1, outputs = 1;  // of the layer; a hidden layer's width over the base's
  for (const nn::NamedSlot& p : parameters) {
    double factor = adaptive ? 1 : outputs;  // of a bias: it comes behind its matrix
    if (is_matrix(p)) {
      inputs = outputs;
      outputs = p.slot == last->slot
                    ? 1
                    : static_cast<double>(p.slot->value().size(0)) / static_cast<double>(base_width);
      factor = (adaptive ? 1 : outputs) / inputs;
    }
    optimizer.group([&](const nn::NamedSlot& one) { return one.slot == p.slot; }, {.lr_factor = factor});
  }
}

const std::vector<std::string>& activation_names() {
  static const std::vector<std::string> names{"relu", "leaky_relu", "sigmoid", "tanh", "gelu"};
  return names;
}

nn::Function activation(const std::string& name, double leaky_slope) {
  if (name == "relu") return {name, relu};
  if (name == "leaky_relu")
    return {name, [leaky_slope](const Tensor& x) { return leaky_relu(x, leaky_slope); }};
  if (name == "sigmoid") return {name, sigmoid};
  if (name == "tanh") return {name, tanh};
  if (name == "gelu") return {name, gelu};
  fail<ValueError>("[activation] expected {}, got \"{}\"", fmt::join(activation_names(), ", "), name);
}

nn::Function clip(double limit) {
  if (!(limit > 0)) fail<ValueError>("[clip] expected a limit above 0, got {}", limit);
  return {fmt::format("clip({})", limit), [limit](const Tensor& x) { return clamp(x, -limit, limit); }};
}

}  // namespace elk::models
