// Parameter: a slot whose tensor an optimizer replaces.
#pragma once

#include <memory>

#include <elk/base/moved.hpp>
#include <elk/ops/arithmetic.hpp>

namespace elk::nn {

/// A trained tensor of a module. The slot keeps its identity when the module moves, so gradients and
/// optimizers can refer to it; a copy is a slot of its own with the same value. Use it wherever a Tensor is
/// expected. One that was moved from throws ValueError.
class Parameter {
 public:
  /// What an optimizer holds on to.
  struct Slot {
    Tensor value;
    bool frozen = false;
  };

  /// `value` must be f32 or f64 (DTypeError).
  explicit Parameter(const Tensor& value);
  Parameter(const Parameter& other) : Parameter(other.value()) { freeze(other.frozen()); }
  Parameter& operator=(const Parameter& other) { return *this = Parameter(other); }
  Parameter(Parameter&&) noexcept = default;
  Parameter& operator=(Parameter&&) noexcept = default;
  ~Parameter() = default;

  const Tensor& value() const { return slot()->value; }
  /// The value.
  // NOLINTNEXTLINE(google-explicit-constructor): see the class comment
  operator const Tensor&() const { return value(); }
  const Shape& shape() const { return value().shape(); }

  /// Replaces the value; the shape must stay (ShapeError), the dtype may change.
  void set(const Tensor& value);
  /// A frozen parameter is a constant: optimizers leave it alone, and tapes take it as it is when an
  /// operation uses it, whatever it was before.
  void freeze(bool frozen = true);
  bool frozen() const { return slot()->frozen; }

  const std::shared_ptr<Slot>& slot() const {
    if (slot_ == nullptr) detail::Moved::fail("parameter");
    return slot_;
  }

 private:
  std::shared_ptr<Slot> slot_;
};

// So that `2 * scale_` and `scale_ * shift_` of parameters find the operators by argument-dependent lookup.
using elk::operator+, elk::operator-, elk::operator*, elk::operator/;
using elk::operator<, elk::operator<=, elk::operator>, elk::operator>=;

}  // namespace elk::nn
