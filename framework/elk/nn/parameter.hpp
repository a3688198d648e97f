// Parameter: a slot whose tensor an optimizer replaces.
#pragma once

#include <memory>

#include <elk/ops/arithmetic.hpp>

namespace elk::nn {

/// A trained tensor of a module. The slot keeps its identity when the module moves, so gradients and
/// optimizers can refer to it; a copy is a slot of its own with the same value. Use it wherever a Tensor is
/// expected.
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

  const Tensor& value() const { return slot_->value; }
  /// The value.
  // NOLINTNEXTLINE(google-explicit-constructor): see the class comment
  operator const Tensor&() const { return slot_->value; }
  const Shape& shape() const { return value().shape(); }

  /// Replaces the value; the shape must stay (ShapeError), the dtype may change.
  void set(const Tensor& value);
  /// A frozen parameter is a constant: tapes do not watch it and optimizers leave it alone.
  void freeze(bool frozen = true);
  bool frozen() const { return slot_->frozen; }

  const std::shared_ptr<Slot>& slot() const { return slot_; }

 private:
  std::shared_ptr<Slot> slot_;
};

// So that `2 * scale_` and `scale_ * shift_` of parameters find the operators by argument-dependent lookup.
using elk::operator+, elk::operator-, elk::operator*, elk::operator/;

}  // namespace elk::nn
