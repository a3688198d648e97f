// Convolutions as layers.
#pragma once

#include <optional>
#include <utility>

#include <elk/nn/module.hpp>
#include <elk/ops/convolution.hpp>

namespace elk::nn {

/// What the convolutions below have in common. Weight and bias begin uniform within 1 / sqrt(n) of 0, where n
/// is the number of inputs that an output reads, as PyTorch's do.
class Convolution : public Module {
 public:
  void fields(Fields& f) override;

  Parameter& weight() { return weight_; }
  const Parameter& weight() const { return weight_; }
  bool has_bias() const { return bias_.has_value(); }
  /// Throws ValueError for a layer made without one.
  Parameter& bias() { return const_cast<Parameter&>(std::as_const(*this).bias()); }
  /// The same.
  const Parameter& bias() const;

 protected:
  Convolution(const Shape& weight, Index outputs, bool bias, Rng& rng, DType dtype);
  Tensor bias_or_none() const { return bias_ ? bias_->value() : Tensor(); }

 private:
  Parameter weight_;
  std::optional<Parameter> bias_;
};

/// See elk::conv1d: x (N, in, L), weight (out, in / groups, kernel), bias (out).
class Conv1d : public Convolution {
 public:
  /// How it goes over x, and what it is made of.
  struct Options {
    Index stride = 1, padding = 0, dilation = 1, groups = 1;
    bool bias = true;
    DType dtype = f32;
  };
  Conv1d(Index in, Index out, Index kernel, Rng& rng, const Options& options);
  Conv1d(Index in, Index out, Index kernel, Rng& rng) : Conv1d(in, out, kernel, rng, Options()) {}
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;
  const Options& options() const { return options_; }

 private:
  Options options_;
};

/// See elk::conv2d: x (N, in, H, W), weight (out, in / groups, h, w), bias (out). Conv2d(3, 16, 5, rng),
/// Conv2d(3, 16, {3, 5}, rng, {.stride = 2, .padding = {1, 2}}).
class Conv2d : public Convolution {
 public:
  /// How it goes over x, and what it is made of.
  struct Options {
    Pair stride = 1, padding = 0, dilation = 1;
    Index groups = 1;
    bool bias = true;
    DType dtype = f32;
  };
  Conv2d(Index in, Index out, Pair kernel, Rng& rng, const Options& options);
  Conv2d(Index in, Index out, Pair kernel, Rng& rng) : Conv2d(in, out, kernel, rng, Options()) {}
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;
  const Options& options() const { return options_; }

 private:
  Options options_;
};

/// See elk::conv_transpose2d: x (N, in, H, W), weight (in, out / groups, h, w), bias (out).
class ConvTranspose2d : public Convolution {
 public:
  /// How it goes over x, and what it is made of.
  struct Options {
    Pair stride = 1, padding = 0, output_padding = 0, dilation = 1;
    Index groups = 1;
    bool bias = true;
    DType dtype = f32;
  };
  ConvTranspose2d(Index in, Index out, Pair kernel, Rng& rng, const Options& options);
  ConvTranspose2d(Index in, Index out, Pair kernel, Rng& rng)
      : ConvTranspose2d(in, out, kernel, rng, Options()) {}
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;
  const Options& options() const { return options_; }

 private:
  Options options_;
};

}  // namespace elk::nn
