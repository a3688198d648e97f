// The arguments of x(...): positions, ranges and new axes, with the names of xtensor's views.
//
//   x(0)                          the first row
//   x(all(), range(1, 5))         columns 1 to 4
//   x(ellipsis(), newaxis(), -1)  the last column, as a matrix
#pragma once

#include <optional>

#include <elk/base/shape.hpp>

namespace elk {

/// An open end of a range, as in x(range(_, 5)) and x(range(2, _)) after `using namespace
/// elk::placeholders;`.
namespace placeholders {
/// What `_` is.
struct Open {};
/// The axis's own end.
inline constexpr Open _;
}  // namespace placeholders

namespace detail {

/// Where a range begins or ends: a number or, if it is open, the end of the axis.
struct Bound {
  template <class T>
  requires std::is_integral_v<T>
  constexpr Bound(T number) : at(static_cast<Index>(number)) {}  // NOLINT(google-explicit-constructor)
  constexpr Bound(placeholders::Open) {}                         // NOLINT(google-explicit-constructor)
  std::optional<Index> at;
};

}  // namespace detail

/// Elements begin, begin + step, ... up to but not including `end` of an axis, by Python's rules: negative
/// numbers count from the end, and numbers beyond the ends are limited to them. x[{1, 5}] makes a Range too.
struct Range {
  constexpr Range(detail::Bound first, detail::Bound last, Index stride = 1)
      : begin(first.at), end(last.at), step(stride) {}
  std::optional<Index> begin, end;
  Index step;
};

/// See Range: range(1, 5), range(0, 10, 2), range(_, -1).
constexpr Range range(detail::Bound begin, detail::Bound end, Index step = 1) { return {begin, end, step}; }
/// The first `end` elements.
constexpr Range range(detail::Bound end) { return {placeholders::_, end}; }
/// A whole axis.
constexpr Range all() { return {placeholders::_, placeholders::_}; }

/// Stands for a new axis of size 1.
struct NewAxis {};
/// See NewAxis.
constexpr NewAxis newaxis() { return {}; }

/// Stands for all remaining axes, each whole.
struct Ellipsis {};
/// See Ellipsis.
constexpr Ellipsis ellipsis() { return {}; }

/// One argument of x(...). A number takes one element of an axis, which disappears.
class At {
 public:
  template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) constexpr At(T i)
      : kind_(Kind::number), range_(i, i) {}                       // NOLINT(google-explicit-constructor)
  constexpr At(const Range& r) : kind_(Kind::range), range_(r) {}  // NOLINT(google-explicit-constructor)
  constexpr At(NewAxis) : kind_(Kind::newaxis) {}                  // NOLINT(google-explicit-constructor)
  constexpr At(Ellipsis) : kind_(Kind::ellipsis) {}                // NOLINT(google-explicit-constructor)

  enum class Kind { number, range, newaxis, ellipsis };
  Kind kind() const { return kind_; }
  /// Of a number: begins there.
  const Range& range() const { return range_; }

 private:
  Kind kind_;
  Range range_ = all();
};

}  // namespace elk
