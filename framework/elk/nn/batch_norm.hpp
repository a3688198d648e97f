// Layers that scale their input to mean 0 and variance 1, over the batch or within an example. (LayerNorm is
// in nn/layers.hpp.)
#pragma once

#include <elk/nn/buffer.hpp>
#include <elk/nn/module.hpp>

namespace elk::nn {

/// See elk::batch_norm: on a training tape it uses the statistics of the batch and updates the running
/// statistics with them; otherwise it uses the running statistics. Weight (C) begins at 1, bias (C) at 0, the
/// buffers running_mean and running_var at 0 and 1, num_batches_tracked at 0. The names are PyTorch's.
class BatchNorm : public Module {
 public:
  /// Options.
  struct Options {
    double epsilon = 1e-5;
    /// running = (1 - momentum) * running + momentum * statistic of the batch; the running variance is over n
    /// - 1.
    double momentum = 0.1;
    DType dtype = f32;
  };

  Tensor forward(const Tensor& x) const override;
  void fields(Fields& f) override;

  Index channels() const { return weight_.shape()[0]; }
  double epsilon() const { return options_.epsilon; }
  Parameter& weight() { return weight_; }
  const Parameter& weight() const { return weight_; }
  Parameter& bias() { return bias_; }
  const Parameter& bias() const { return bias_; }
  Tensor running_mean() const { return mean_.value(); }
  Tensor running_var() const { return variance_.value(); }

 protected:
  BatchNorm(Index channels, const Options& options);
  /// Throws ShapeError unless x has the right number of axes for this layer.
  virtual void check(const Tensor& x) const = 0;

 private:
  void keep(const Tensor& mean, const Tensor& variance, Index count) const;

  Options options_;
  Parameter weight_, bias_;
  Buffer mean_, variance_, batches_;
};

/// Of x (N, C) or (N, C, L).
class BatchNorm1d : public BatchNorm {
 public:
  BatchNorm1d(Index channels, const Options& options) : BatchNorm(channels, options) {}
  explicit BatchNorm1d(Index channels) : BatchNorm(channels, Options()) {}
  std::string describe() const override;

 private:
  void check(const Tensor& x) const override;
};

/// Of x (N, C, H, W).
class BatchNorm2d : public BatchNorm {
 public:
  BatchNorm2d(Index channels, const Options& options) : BatchNorm(channels, options) {}
  explicit BatchNorm2d(Index channels) : BatchNorm(channels, Options()) {}
  std::string describe() const override;

 private:
  void check(const Tensor& x) const override;
};

/// See elk::group_norm: x (N, C, ...), weight (C) beginning at 1, bias (C) at 0.
class GroupNorm : public Module {
 public:
  /// ShapeError unless `groups` divide `channels`.
  GroupNorm(Index groups, Index channels, double epsilon = 1e-5, DType dtype = f32);
  Tensor forward(const Tensor& x) const override;
  void fields(Fields& f) override { f("weight", weight_)("bias", bias_); }
  std::string describe() const override;

  Index groups() const { return groups_; }
  double epsilon() const { return epsilon_; }
  Parameter& weight() { return weight_; }
  const Parameter& weight() const { return weight_; }
  Parameter& bias() { return bias_; }
  const Parameter& bias() const { return bias_; }

 private:
  Index groups_;
  Parameter weight_, bias_;
  double epsilon_;
};

/// See elk::rms_norm: x (..., size), weight (size) beginning at 1.
class RMSNorm : public Module {
 public:
  explicit RMSNorm(Index size, double epsilon = 1e-6, DType dtype = f32);
  Tensor forward(const Tensor& x) const override;
  void fields(Fields& f) override { f("weight", weight_); }
  std::string describe() const override;

  double epsilon() const { return epsilon_; }
  Parameter& weight() { return weight_; }
  const Parameter& weight() const { return weight_; }

 private:
  Parameter weight_;
  double epsilon_;
};

}  // namespace elk::nn
