// The shape of a tensor: up to eight sizes, stored in place. () is a scalar.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace elk {

/// Sizes, positions and class labels.
using Index = std::int64_t;

namespace detail {

/// One of a shape's sizes, of any type of integer: {v.size() / 3, 3} is a shape without casts.
struct Size {
  template <class T>
  requires std::is_integral_v<T>
  constexpr Size(T size) : value(static_cast<Index>(size)) {}  // NOLINT(google-explicit-constructor)
  Index value;
};

/// False for every type, so that a static_assert speaks only where a template is used.
template <class T>
inline constexpr bool never = false;

}  // namespace detail

/// Sizes of the axes, from the outermost; the last axis is contiguous.
class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<detail::Size> sizes);
  explicit Shape(std::span<const Index> sizes);

  int rank() const { return rank_; }
  /// The size of an axis; negative axes count from the end.
  Index operator[](int axis) const { return sizes_[axis_index(axis)]; }
  /// The same, to be set.
  Index& operator[](int axis) { return sizes_[axis_index(axis)]; }
  /// The number of elements: 1 for a scalar, 0 when any size is 0. ShapeError when an Index cannot count it.
  Index size() const;

  const Index* begin() const { return sizes_; }
  const Index* end() const { return sizes_ + rank_; }

  /// Appends an axis. ShapeError beyond max_rank.
  void push_back(Index size);

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a.sizes_[i] != b.sizes_[i]) return false;
    return true;
  }

 private:
  int axis_index(int axis) const {
    const int i = axis < 0 ? axis + rank_ : axis;
    if (i < 0 || i >= rank_) bad_axis(axis);
    return i;
  }
  [[noreturn]] void bad_axis(int axis) const;

  Index sizes_[max_rank] = {};
  int rank_ = 0;
};

/// "(50, 784)"
std::string to_string(const Shape& shape);
/// Writes to_string().
std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// The shape that `a` and `b` broadcast to, by NumPy's rule: sizes are compared from the last axis, and a
/// size of 1 stretches. Throws ShapeError naming `operation` and both shapes.
Shape broadcast(const char* operation, const Shape& a, const Shape& b);

/// An axis; negative numbers count from the end.
class Axis {
 public:
  constexpr Axis(int axis) : axis_(axis) {}  // NOLINT(google-explicit-constructor): softmax(x, 1)
  /// Floating-point numbers and bool do not compile: softmax(x, 0.5) would silently use axis 0.
  template <class T>
  requires(std::is_floating_point_v<T> || std::is_same_v<T, bool>) constexpr Axis(T)
      : axis_(0) {  // NOLINT(google-explicit-constructor)
    static_assert(detail::never<T>,
                  "an axis is an integer: softmax(x / temperature, -1), sort(x, -1, true), topk(x, 2, -1, "
                  "true), cosine_similarity(a, b, 1, epsilon)");
  }
  constexpr operator int() const { return axis_; }  ///< as given; NOLINT(google-explicit-constructor)

 private:
  int axis_;
};

/// Which axes a reduction runs over; negative axes count from the end.
class Axes {
 public:
  Axes(int axis)
      : Axes({axis}) {}  // NOLINT(google-explicit-constructor): sum(x, 0) and sum(x, {0, 1}) both read well
  Axes(Axis axis) : Axes(static_cast<int>(axis)) {}  // NOLINT(google-explicit-constructor): likewise
  Axes(std::initializer_list<int> axes);
  /// Known when the program runs.
  Axes(const std::vector<int>& axes);  // NOLINT(google-explicit-constructor): sum(x, axes)
  /// Floating-point numbers and bool do not compile: max(x, 0.0) would silently be the largest along axis 0.
  template <class T>
  requires(std::is_floating_point_v<T> || std::is_same_v<T, bool>) Axes(T)
      : Axes(std::initializer_list<int>{}) {  // NOLINT(google-explicit-constructor)
    static_assert(detail::never<T>,
                  "an axis is an integer: the larger of each pair is maximum(x, 0.0), the smaller "
                  "minimum(x, 0.0); keep_dims comes after the axes, sum(x, 0, true)");
  }
  /// All axes of any shape.
  static Axes all();

  /// Marks the reduced ones of `rank` axes. Throws IndexError for an axis outside the rank or named twice.
  std::array<bool, Shape::max_rank> of(const char* operation, const Shape& shape) const;

 private:
  void add(std::span<const int> axes);

  std::array<int, Shape::max_rank> axes_{};
  int count_ = 0;
  bool all_ = false;
};

}  // namespace elk
