// The layers an MLP is made of.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include <elk/nn/init.hpp>
#include <elk/nn/module.hpp>

namespace elk::nn {

/// y = x weightᵀ + bias: x (..., in), weight (out, in), bias (out), y (..., out). The bias starts at 0.
class Linear : public Module {
 public:
  /// Options.
  struct Options {
    Init init = Init::he;
    bool bias = true;
    DType dtype = f32;
  };
  Linear(Index in, Index out, Rng& rng, const Options& options);
  Linear(Index in, Index out, Rng& rng) : Linear(in, out, rng, Options()) {}

  Tensor forward(const Tensor& x) const override;
  void fields(Fields& f) override;
  std::string describe() const override;

  Parameter& weight() { return weight_; }
  const Parameter& weight() const { return weight_; }
  bool has_bias() const { return bias_.has_value(); }
  /// Throws ValueError for a layer made without one.
  Parameter& bias() { return const_cast<Parameter&>(std::as_const(*this).bias()); }
  /// The same.
  const Parameter& bias() const;

 private:
  Parameter weight_;
  std::optional<Parameter> bias_;
};

/// See elk::relu.
class ReLU : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "ReLU"; }
};

/// See elk::leaky_relu.
class LeakyReLU : public Module {
 public:
  explicit LeakyReLU(double slope = 0.01) : slope_(slope) {}
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;

  double slope() const { return slope_; }

 private:
  double slope_;
};

/// See elk::sigmoid.
class Sigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "Sigmoid"; }
};

/// See elk::tanh.
class Tanh : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "Tanh"; }
};

/// See elk::gelu.
class GELU : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "GELU"; }
};

/// See elk::silu.
class SiLU : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "SiLU"; }
};

/// See elk::elu.
class ELU : public Module {
 public:
  explicit ELU(double alpha = 1) : alpha_(alpha) {}
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;

  double alpha() const { return alpha_; }

 private:
  double alpha_;
};

/// See elk::selu.
class SELU : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "SELU"; }
};

/// See elk::softsign.
class Softsign : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "Softsign"; }
};

/// See elk::hardtanh.
class Hardtanh : public Module {
 public:
  explicit Hardtanh(double low = -1, double high = 1) : low_(low), high_(high) {}
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;

  double low() const { return low_; }
  double high() const { return high_; }

 private:
  double low_, high_;
};

/// See elk::log_sigmoid.
class LogSigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "LogSigmoid"; }
};

/// See elk::layer_norm: x (..., size), weight (size) beginning at 1, bias (size) at 0.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(Index size, double epsilon = 1e-5, DType dtype = f32);
  Tensor forward(const Tensor& x) const override;
  void fields(Fields& f) override { f("weight", weight_)("bias", bias_); }
  std::string describe() const override;

  Parameter& weight() { return weight_; }
  const Parameter& weight() const { return weight_; }
  Parameter& bias() { return bias_; }
  const Parameter& bias() const { return bias_; }
  double epsilon() const { return epsilon_; }

 private:
  Parameter weight_, bias_;
  double epsilon_;
};

/// (N, ...) to (N, product of the others).
class Flatten : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "Flatten"; }
};

/// Probabilities over the last axis. Do not use it before a loss such as cross_entropy, which takes logits.
class Softmax : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "Softmax"; }
};

/// See elk::dropout: active on a training tape only.
class Dropout : public Module {
 public:
  explicit Dropout(double p);
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;

 private:
  double p_;
};

/// See elk::gaussian_noise: active on a training tape only.
class GaussianNoise : public Module {
 public:
  explicit GaussianNoise(double deviation);
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;

 private:
  double deviation_;
};

/// Any function of one tensor as a layer without parameters: Function("sin", elk::sin).
class Function : public Module {
 public:
  Function(std::string name, std::function<Tensor(const Tensor&)> function)
      : name_(std::move(name)), function_(std::move(function)) {}
  Tensor forward(const Tensor& x) const override { return function_(x); }
  std::string describe() const override { return name_; }

 private:
  std::string name_;
  std::function<Tensor(const Tensor&)> function_;
};

}  // namespace elk::nn
