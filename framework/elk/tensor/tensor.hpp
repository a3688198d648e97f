// Tensor: a cheap handle to an array that never changes.
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
#include <elk/tensor/index.hpp>

/// elkgrad: tensors, tapes, operations, data sets and files.
namespace elk {

class Tensor;

namespace detail {

struct TensorImpl;
struct TensorAccess;

/// x(...), by operations that tapes record; see ops/index.hpp.
Tensor index(const Tensor& x, std::span<const At> at);

template <class T>  // float, double, std::int64_t or std::uint8_t
Tensor from(const T* values, std::size_t count, const Shape& shape);

// Throws ValueError: it does not fit an i64.
[[noreturn]] void beyond_i64(std::uint64_t value);

Tensor arange(Index begin, Index end, Index step);

}  // namespace detail

/// An array of a run-time dtype and shape, row-major. Copying a Tensor copies the handle; operations return
/// new tensors and never change their arguments. A default-constructed Tensor is undefined, and so is one
/// that was moved from: it holds nothing, and using it throws.
class Tensor {
 public:
  Tensor() = default;
  Tensor(const Tensor&) = default;
  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(const Tensor&) & = default;
  Tensor& operator=(Tensor&&) & noexcept = default;
  ~Tensor() = default;

  /// What `x[i] = y` and `x(i, j) = y` call: it does not compile, since a tensor never changes.
  template <class T>
  void operator=(const T&) && {
    static_assert(detail::never<T>,
                  "a tensor never changes, and x[i] is a tensor of its own: write "
                  "x = index_put(x, {i, range(1, 3)}, y), or x = where(mask, y, x)");
  }

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  DType dtype() const;
  int rank() const { return shape().rank(); }
  /// The number of elements.
  Index size() const;
  /// The size of an axis; negative axes count from the end.
  Index size(int axis) const { return shape()[axis]; }

  /// Row i of the first axis, which disappears; negative numbers count from the end. This and all below pass
  /// gradients. IndexError for a row that does not exist.
  template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) Tensor operator[](T i) const {
    return (*this)(i);
  }
  /// Rows 1 to 4: x[{1, 5}].
  Tensor operator[](const Range& rows) const { return (*this)(rows); }
  /// With a mask (u8), shaped like the first axes: the elements or rows where it is not 0, in order, (count,
  /// ...). With positions (i64) of any shape: take_rows(x, which).
  Tensor operator[](const Tensor& which) const;
  /// A part of each axis, beginning with the first axis: x(0, range(1, 5), all()); see tensor/index.hpp.
  template <class... T>
  requires(std::is_constructible_v<At, const T&>&&...) Tensor operator()(const T&... at) const {
    const std::initializer_list<At> list{At(at)...};
    return detail::index(*this, {list.begin(), list.size()});
  }

  /// The elements in row-major order. T is float, double, std::int64_t or std::uint8_t and must match
  /// dtype().
  template <class T>
  std::span<const T> data() const;
  /// The only element, as a double. Throws ShapeError unless there is exactly one.
  double item() const;
  /// Element `i` in row-major order, as a double.
  double at(Index i) const;

  /// A number that no other tensor has; a parameter keeps its number when its value is updated.
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

/// Uninitialised elements, for writers of kernels; see tensor/storage.hpp. This and all below throw
/// ShapeError for a negative or far too large size, and Error when there is not enough memory.
Tensor empty(const Shape& shape, DType dtype = f32);
/// Every element 0.
Tensor zeros(const Shape& shape, DType dtype = f32);
/// Every element 1.
Tensor ones(const Shape& shape, DType dtype = f32);
/// The same with a tensor's shape and dtype.
/// @{
inline Tensor zeros_like(const Tensor& x) { return zeros(x.shape(), x.dtype()); }
inline Tensor ones_like(const Tensor& x) { return ones(x.shape(), x.dtype()); }
/// @}
/// Every element `value`. ValueError, here and below, for one that an integer dtype cannot hold exactly.
Tensor full(const Shape& shape, double value, DType dtype = f32);
/// Shape ().
Tensor scalar(double value, DType dtype = f32);
/// Shape (values.size()): from({1, 2, 3}).
Tensor from(std::initializer_list<double> values, DType dtype = f32);
/// from({1, 2, 3, 4}, {2, 2}), row by row.
Tensor from(std::initializer_list<double> values, const Shape& shape, DType dtype = f32);
/// A copy of `values`. The dtype follows T: f32 of float, f64 of double, u8 of bool and std::uint8_t, and i64
/// of all other integers (ValueError for one that does not fit).
template <class T>
Tensor from(const std::vector<T>& values, const Shape& shape) {
  static_assert(std::is_integral_v<T> || std::is_same_v<T, float> || std::is_same_v<T, double>,
                "elk::from takes vectors of float, double, bool or integers");
  using Byte = std::bool_constant<std::is_same_v<T, bool> || std::is_same_v<T, std::uint8_t>>;
  using Integer = std::conditional_t<Byte::value, std::uint8_t, std::int64_t>;
  using E = std::conditional_t<std::is_integral_v<T>, Integer, T>;
  if constexpr (std::is_same_v<E, T>) {
    return detail::from(values.data(), values.size(), shape);
  } else {
    std::vector<E> elements;
    elements.reserve(values.size());
    for (const T value : values) {
      if constexpr (std::is_unsigned_v<T> && sizeof(T) == sizeof(E))
        if (value > static_cast<T>(INT64_MAX)) detail::beyond_i64(value);
      elements.push_back(static_cast<E>(value));
    }
    return detail::from(elements.data(), elements.size(), shape);
  }
}
/// The same of shape (values.size()).
template <class T>
Tensor from(const std::vector<T>& values) {
  return from(values, Shape{static_cast<Index>(values.size())});
}
/// 0, 1, ... n - 1.
Tensor arange(Index n, DType dtype = i64);
/// begin, begin + step, ... up to but not including `end`; empty if there is nothing between. ValueError for
/// a step of 0 and for numbers that are not finite.
Tensor arange(double begin, double end, double step, DType dtype);
/// The same: i64 if all numbers are of integer types, and otherwise f32.
template <class A, class B, class S = int>
requires(std::is_arithmetic_v<A>&& std::is_arithmetic_v<B>&& std::is_arithmetic_v<S>) Tensor
    arange(A begin, B end, S step = 1) {
  if constexpr (std::is_integral_v<A> && std::is_integral_v<B> && std::is_integral_v<S>)
    return detail::arange(static_cast<Index>(begin), static_cast<Index>(end), static_cast<Index>(step));
  else
    return arange(static_cast<double>(begin), static_cast<double>(end), static_cast<double>(step), f32);
}
/// `count` equally spaced numbers from `begin` to `end`, including both; if count is 1, only `begin`.
Tensor linspace(double begin, double end, Index count, DType dtype = f32);
/// Standard normal draws in row-major order.
Tensor randn(const Shape& shape, Rng& rng, DType dtype = f32);
/// Uniform draws from [low, high), never `high`, in row-major order. ValueError for a range without numbers.
Tensor uniform(const Shape& shape, Rng& rng, double low = 0, double high = 1, DType dtype = f32);
/// Integers from `low` to high - 1, in row-major order; as NumPy's `randint(low, high, shape)`.
Tensor randint(Index low, Index high, const Shape& shape, Rng& rng, DType dtype = i64);
/// Positions drawn with probabilities in proportion to `weights`, (n) or (rows, n), as i64 (count) or (rows,
/// count): each at most once, or, with `replacement`, any number of times. The weights need not sum to 1.
/// ValueError for a negative one, one that is not finite, or fewer than `count` to draw from.
Tensor multinomial(const Tensor& weights, Index count, Rng& rng, bool replacement = false);

/// "f32 (2, 2) [[1, 2], [3, 4]]", one row a line; long axes are shortened to their ends.
std::string to_string(const Tensor& tensor);
/// Writes to_string().
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace elk
