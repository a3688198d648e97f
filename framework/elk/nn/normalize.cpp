#include <algorithm>

#include <elk/base/format.hpp>
#include <elk/nn/describe.hpp>
#include <elk/nn/normalize.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/shape.hpp>

namespace elk::nn {

Normalize::Normalize(const Tensor& mean, const Tensor& scale, DType dtype)
    : mean_(cast(mean, dtype)), scale_(cast(scale, dtype)) {
  if (!is_float(dtype)) fail<DTypeError>("[Normalize] expected f32 or f64, got {}", dtype);
  if (mean.shape() != scale.shape())
    fail<ShapeError>("[Normalize] shapes of mean and scale differ: {} and {}", mean.shape(), scale.shape());
}

Tensor Normalize::forward(const Tensor& x) const {
  const Shape &shape = mean_.shape(), &found = x.shape();
  // Compared here, as broadcasting would make a larger x of a small one.
  if (found.rank() < shape.rank() || !std::equal(shape.begin(), shape.end(), found.end() - shape.rank()))
    fail<ShapeError>("[{}] expected the last axes of x to be {}, got {}", describe(), shape, found);
  if (is_float(x.dtype())) check_dtype(*this, x, mean_.dtype(), "x", "mean");
  return (x - mean_) * scale_;
}

std::string Normalize::describe() const { return fmt::format("Normalize{}", mean_.shape()); }

Whiten::Whiten(const Tensor& mean, const Tensor& matrix, DType dtype)
    : mean_(cast(mean, dtype)), matrix_(cast(matrix, dtype)) {
  if (!is_float(dtype)) fail<DTypeError>("[Whiten] expected f32 or f64, got {}", dtype);
  if (matrix.rank() != 2 || mean.shape() != Shape{matrix.size(1)})
    fail<ShapeError>("[Whiten] expected a mean (in) and a matrix (out, in), got {} and {}", mean.shape(),
                     matrix.shape());
}

Tensor Whiten::forward(const Tensor& x) const {
  const Index in = matrix_.size(1);
  if (x.rank() == 0 || x.size(-1) != in)
    fail<ShapeError>("[{}] expected x (..., {}), got {}", describe(), in, x.shape());
  if (is_float(x.dtype())) check_dtype(*this, x, mean_.dtype(), "x", "mean");
  return linear(x - mean_, matrix_, Tensor());
}

std::string Whiten::describe() const {
  return fmt::format("Whiten({}, {})", matrix_.size(1), matrix_.size(0));
}

}  // namespace elk::nn
