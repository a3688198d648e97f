// Pooling and upsampling as layers. None has parameters.
#pragma once

#include <elk/nn/module.hpp>
#include <elk/ops/pooling.hpp>

namespace elk::nn {

/// See elk::max_pool2d: MaxPool2d(2), MaxPool2d({3, 2}, {.stride = 2, .padding = 1}).
class MaxPool2d : public Module {
 public:
  explicit MaxPool2d(Pair kernel, const MaxPoolOptions& options = {}) : kernel_(kernel), options_(options) {}
  Tensor forward(const Tensor& x) const override { return max_pool2d(x, kernel_, options_); }
  std::string describe() const override;
  Pair kernel() const { return kernel_; }
  const MaxPoolOptions& options() const { return options_; }

 private:
  Pair kernel_;
  MaxPoolOptions options_;
};

/// See elk::max_pool1d.
class MaxPool1d : public Module {
 public:
  explicit MaxPool1d(Index kernel, const MaxPoolOptions& options = {}) : kernel_(kernel), options_(options) {}
  Tensor forward(const Tensor& x) const override { return max_pool1d(x, kernel_, options_); }
  std::string describe() const override;
  Index kernel() const { return kernel_; }
  const MaxPoolOptions& options() const { return options_; }

 private:
  Index kernel_;
  MaxPoolOptions options_;
};

/// See elk::avg_pool2d.
class AvgPool2d : public Module {
 public:
  explicit AvgPool2d(Pair kernel, const AvgPoolOptions& options = {}) : kernel_(kernel), options_(options) {}
  Tensor forward(const Tensor& x) const override { return avg_pool2d(x, kernel_, options_); }
  std::string describe() const override;
  Pair kernel() const { return kernel_; }
  const AvgPoolOptions& options() const { return options_; }

 private:
  Pair kernel_;
  AvgPoolOptions options_;
};

/// See elk::avg_pool1d.
class AvgPool1d : public Module {
 public:
  explicit AvgPool1d(Index kernel, const AvgPoolOptions& options = {}) : kernel_(kernel), options_(options) {}
  Tensor forward(const Tensor& x) const override { return avg_pool1d(x, kernel_, options_); }
  std::string describe() const override;
  Index kernel() const { return kernel_; }
  const AvgPoolOptions& options() const { return options_; }

 private:
  Index kernel_;
  AvgPoolOptions options_;
};

/// See elk::adaptive_avg_pool2d: AdaptiveAvgPool2d(1) is the mean of each channel, (N, C, 1, 1).
class AdaptiveAvgPool2d : public Module {
 public:
  explicit AdaptiveAvgPool2d(Pair size) : size_(size) {}
  Tensor forward(const Tensor& x) const override { return adaptive_avg_pool2d(x, size_); }
  std::string describe() const override;
  Pair size() const { return size_; }

 private:
  Pair size_;
};

/// See elk::adaptive_avg_pool1d.
class AdaptiveAvgPool1d : public Module {
 public:
  explicit AdaptiveAvgPool1d(Index size) : size_(size) {}
  Tensor forward(const Tensor& x) const override { return adaptive_avg_pool1d(x, size_); }
  std::string describe() const override;
  Index size() const { return size_; }

 private:
  Index size_;
};

/// See elk::interpolate: images `scale` times as large.
class Upsample : public Module {
 public:
  /// ValueError for a scale below 1.
  explicit Upsample(Pair scale, Interpolation mode = Interpolation::nearest);
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;
  Pair scale() const { return scale_; }
  Interpolation mode() const { return mode_; }

 private:
  Pair scale_;
  Interpolation mode_;
};

}  // namespace elk::nn
