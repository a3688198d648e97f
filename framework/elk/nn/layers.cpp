#include <cmath>

#include <elk/base/format.hpp>
#include <elk/nn/describe.hpp>
#include <elk/nn/layers.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/normalize.hpp>
#include <elk/ops/shape.hpp>

namespace elk::nn {

Linear::Linear(Index in, Index out, Rng& rng, const Options& options)
    : weight_(initial_weight(in, out, options.init, rng, float_dtype("Linear", options.dtype))) {
  if (options.bias) bias_.emplace(zeros({out}, options.dtype));
}

Tensor Linear::forward(const Tensor& x) const {
  const Index in = weight_.shape()[1];
  if (x.rank() == 0 || x.size(-1) != in)
    fail<ShapeError>("[{}] expected x (..., {}), got {}", describe(), in, x.shape());
  check_dtype(*this, x, weight_.dtype());
  return linear(x, weight_, bias_ ? bias_->value() : Tensor());
}

void Linear::fields(Fields& f) {
  f("weight", weight_);
  if (bias_) f("bias", *bias_);
}

std::string Linear::describe() const {
  return fmt::format("Linear({}, {}{})", weight_.shape()[1], weight_.shape()[0], bias_ ? "" : ", no bias");
}

const Parameter& Linear::bias() const {
  if (!bias_) fail<ValueError>("[{}] this layer was made without a bias", describe());
  return *bias_;
}

Tensor ReLU::forward(const Tensor& x) const { return relu(x); }

Tensor LeakyReLU::forward(const Tensor& x) const { return leaky_relu(x, slope_); }
std::string LeakyReLU::describe() const { return fmt::format("LeakyReLU({})", slope_); }

Tensor Sigmoid::forward(const Tensor& x) const { return sigmoid(x); }
Tensor Tanh::forward(const Tensor& x) const { return tanh(x); }
Tensor GELU::forward(const Tensor& x) const { return gelu(x); }
Tensor SiLU::forward(const Tensor& x) const { return silu(x); }

Tensor ELU::forward(const Tensor& x) const { return elu(x, alpha_); }
std::string ELU::describe() const { return fmt::format("ELU({})", alpha_); }

Tensor SELU::forward(const Tensor& x) const { return selu(x); }
Tensor Softsign::forward(const Tensor& x) const { return softsign(x); }

Tensor Hardtanh::forward(const Tensor& x) const { return hardtanh(x, low_, high_); }
std::string Hardtanh::describe() const { return fmt::format("Hardtanh({}, {})", low_, high_); }

Tensor LogSigmoid::forward(const Tensor& x) const { return log_sigmoid(x); }

LayerNorm::LayerNorm(Index size, double epsilon, DType dtype)
    : weight_(ones({size}, float_dtype("LayerNorm", dtype))),
      bias_(zeros({size}, dtype)),
      epsilon_(epsilon) {}
Tensor LayerNorm::forward(const Tensor& x) const {
  check_dtype(*this, x, weight_.dtype());
  return layer_norm(x, weight_, bias_, epsilon_);
}
std::string LayerNorm::describe() const { return fmt::format("LayerNorm({})", weight_.shape()[0]); }

Tensor Flatten::forward(const Tensor& x) const {
  if (x.rank() == 0) fail<ShapeError>("[Flatten] expected x (N, ...), got a scalar");
  Index inner = 1;
  for (int i = 1; i < x.rank(); ++i) inner *= x.size(i);
  return reshape(x, {x.size(0), inner});
}

Tensor Softmax::forward(const Tensor& x) const { return softmax(x); }

Dropout::Dropout(double p) : p_(p) {
  if (!(p >= 0 && p < 1)) fail<ValueError>("[dropout] expected a probability from 0 to below 1, got {}", p);
}
Tensor Dropout::forward(const Tensor& x) const { return dropout(x, p_); }
std::string Dropout::describe() const { return fmt::format("Dropout({})", p_); }

GaussianNoise::GaussianNoise(double deviation) : deviation_(deviation) {
  if (!(deviation >= 0 && std::isfinite(deviation)))
    fail<ValueError>("[gaussian_noise] expected a finite deviation of at least 0, got {}", deviation);
}
Tensor GaussianNoise::forward(const Tensor& x) const { return gaussian_noise(x, deviation_); }
std::string GaussianNoise::describe() const { return fmt::format("GaussianNoise({})", deviation_); }

}  // namespace elk::nn
