#include <models/mlp.hpp>

#include <elk/base/format.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>

namespace elk::models {

MLP::MLP(const MLPOptions& options, Rng& rng) {
  const std::vector<Index>& sizes = options.sizes;
  if (sizes.size() < 2)
    fail<ValueError>("[mlp] expected at least two sizes, inputs and classes, got {}", sizes.size());
  if (options.input.size() > 0) add("input", options.input);
  for (std::size_t i = 1; i < sizes.size(); ++i) {
    const std::string number = std::to_string(i);
    add("fc" + number,
        nn::Linear(sizes[i - 1], sizes[i], rng, {.init = options.init, .dtype = options.dtype}));
    if (options.clip) add("clip" + number, *options.clip);
    if (i + 1 == sizes.size()) break;
    add("act" + number, options.activation);
    if (options.dropout != 0) add("drop" + number, nn::Dropout(options.dropout));
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
