// Layers that scale inputs to mean 0 and variance 1 by statistics measured before training, for example by
// data/statistics.hpp. The statistics are buffers of the network: they are converted and saved with it and
// never trained. So a saved network takes raw pixels.
#pragma once

#include <elk/nn/module.hpp>

namespace elk::nn {

/// y = (x - mean) * scale, where mean and scale of one shape repeat along the leading axes of x: x (...,
/// features) for (features). Use Normalize(zeros({784}), ones({784})) as a placeholder before load_state.
class Normalize : public Module {
 public:
  /// Converts to `dtype`. ShapeError unless the shapes are equal.
  Normalize(const Tensor& mean, const Tensor& scale, DType dtype = f32);
  /// ShapeError unless the last axes of x are those of mean.
  Tensor forward(const Tensor& x) const override;
  void fields(Fields& f) override { f("mean", mean_)("scale", scale_); }
  std::string describe() const override;

  const Tensor& mean() const { return mean_; }
  const Tensor& scale() const { return scale_; }

 private:
  Tensor mean_, scale_;
};

/// y = (x - mean) matrixᵀ: x (..., in), mean (in), matrix (out, in), y (..., out).
class Whiten : public Module {
 public:
  /// Converts to `dtype`. ShapeError unless shapes are as above.
  Whiten(const Tensor& mean, const Tensor& matrix, DType dtype = f32);
  Tensor forward(const Tensor& x) const override;
  void fields(Fields& f) override { f("mean", mean_)("matrix", matrix_); }
  std::string describe() const override;

  const Tensor& mean() const { return mean_; }
  const Tensor& matrix() const { return matrix_; }

 private:
  Tensor mean_, matrix_;
};

}  // namespace elk::nn
