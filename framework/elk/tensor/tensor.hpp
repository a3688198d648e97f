// Tensor: a cheap handle to an array that nobody changes.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <elk/base/dtype.hpp>
#include <elk/base/rng.hpp>
#include <elk/base/shape.hpp>

/// elkgrad: tensors, tapes, operations, data sets and files.
namespace elk {

namespace detail {
struct TensorImpl;
struct TensorAccess;
}  // namespace detail

/// An array of a run-time dtype and shape, row-major. Copying a Tensor copies the handle; operations return
/// new tensors and never change their arguments. A default-made Tensor is undefined, and so is one
/// that was moved from: it holds nothing, and using it throws.
class Tensor {
 public:
  Tensor() = default;

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  DType dtype() const;
  int rank() const { return shape().rank(); }
  /// The number of elements.
  Index size() const;
  /// The size of an axis; negative axes count from the end.
  Index size(int axis) const { return shape()[axis]; }

  /// The elements in row-major order. T is float, double, std::int64_t or std::uint8_t and must match
  /// dtype().
  template <class T>
  std::span<const T> data() const;
  /// The only element, as a double. Throws ShapeError unless there is exactly one.
  double item() const;
  /// Element `i` in row-major order, as a double.
  double at(Index i) const;

  /// A number that no other tensor has; a parameter keeps its own when its value is updated.
  std::uint64_t id() const;

 private:
  friend struct detail::TensorAccess;
  const detail::TensorImpl& impl() const;

  std::shared_ptr<detail::TensorImpl> impl_;
};

/// A tensor and its name in a model or file.
struct NamedTensor {
  std::string name;
  Tensor value;
};

/// Named tensors in a fixed order: what a model's `state()` returns and a file holds.
using State = std::vector<NamedTensor>;

/// Uninitialised elements. For writers of kernels; see tensor/storage.hpp. This and all below throw
/// ShapeError for a negative or absurd size, and Error when there is no memory for it.
Tensor empty(const Shape& shape, DType dtype = f32);
/// Every element 0.
Tensor zeros(const Shape& shape, DType dtype = f32);
/// Every element 1.
Tensor ones(const Shape& shape, DType dtype = f32);
/// Every element `value`. ValueError, here and below, for one that an integer dtype cannot hold exactly.
Tensor full(const Shape& shape, double value, DType dtype = f32);
/// Shape ().
Tensor scalar(double value, DType dtype = f32);
/// Shape (values.size()): from({1, 2, 3}).
Tensor from(std::initializer_list<double> values, DType dtype = f32);
/// from({1, 2, 3, 4}, {2, 2}), row by row.
Tensor from(std::initializer_list<double> values, const Shape& shape, DType dtype = f32);
/// A copy of `values`; the dtype follows T (float, double, std::int64_t or std::uint8_t).
template <class T>
Tensor from(const std::vector<T>& values, const Shape& shape);
/// The same of shape (values.size()).
template <class T>
Tensor from(const std::vector<T>& values) {
  return from(values, Shape{static_cast<Index>(values.size())});
}
/// 0, 1, ... n - 1 as i64.
Tensor arange(Index n);
/// Standard normal draws in row-major order.
Tensor randn(const Shape& shape, Rng& rng, DType dtype = f32);
/// Uniform draws from [low, high), never `high`, in row-major order. ValueError for a range without numbers.
Tensor uniform(const Shape& shape, Rng& rng, double low = 0, double high = 1, DType dtype = f32);

/// "f32 (2, 2) [[1, 2], [3, 4]]", one row a line; long axes are shortened to their ends.
std::string to_string(const Tensor& tensor);
/// Writes to_string().
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace elk
