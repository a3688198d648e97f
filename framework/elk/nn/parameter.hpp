// Parameter: a slot whose tensor an optimizer replaces.
#pragma once

#include <memory>
#include <type_traits>

#include <elk/base/moved.hpp>
#include <elk/ops/arithmetic.hpp>

namespace elk::detail {

struct Call;  // see nn/uses.hpp
// Set for this thread while somebody listens to the parameters that it uses; null otherwise.
[[gnu::visibility("default")]] inline thread_local Call* innermost_call = nullptr;

struct SlotAccess;  // see nn/uses.hpp

}  // namespace elk::detail

namespace elk::nn {

/// A trained tensor of a module. Its slot keeps its identity when the module moves or is assigned to, so
/// gradients and optimizers can refer to it; a copy is a new slot with the same value. Use it wherever a
/// Tensor is expected. A parameter that was moved from throws ValueError.
///
/// A weight that two layers share is one parameter that both use: `linear(x, embedding_.weight(), bias_)` in
/// forward(). So it stays shared in copies, files and conversions.
class Parameter {
 public:
  /// What optimizers hold on to, and Module::parameters() lists.
  class Slot {
   public:
    explicit Slot(const Tensor& value);
    const Tensor& value() const { return value_; }
    bool frozen() const { return frozen_; }
    /// See Parameter::set.
    void set(const Tensor& value);
    /// See Parameter::freeze.
    void freeze(bool frozen = true);

   private:
    friend struct elk::detail::SlotAccess;
    Tensor value_;
    bool frozen_ = false;
  };

  /// `value` must be f32 or f64 (DTypeError).
  explicit Parameter(const Tensor& value);
  Parameter(const Parameter& other);
  Parameter(Parameter&&) noexcept = default;
  /// Does not compile: the copy would be trained separately. (Of a const one it does: modules are copied so.)
  template <class P>
  requires std::is_same_v<P, Parameter> Parameter(
      P&) {  // NOLINT(google-explicit-constructor): as implicit as the copy that it stands for
    static_assert(sizeof(P) == 0,
                  "a copy of a parameter is another parameter. To tie weights, use the one parameter in both "
                  "places: linear(x, layer.weight(), bias) in forward(). For a reference, write auto& w = "
                  "layer.weight(); for one of the same value, Parameter(layer.weight().value())");
  }
  /// Takes over the value and whether it is frozen. The slot stays, so an optimizer continues to train it.
  /// ShapeError if somebody follows the slot and the shape differs.
  Parameter& operator=(const Parameter& other);
  /// The same; but if somebody follows the other slot as well, it takes that slot over.
  Parameter& operator=(Parameter&& other);
  ~Parameter() = default;

  const Tensor& value() const {
    if (detail::innermost_call != nullptr) tell_used();
    return slot()->value();
  }
  /// The value.
  // NOLINTNEXTLINE(google-explicit-constructor): see the class comment
  operator const Tensor&() const { return value(); }
  const Shape& shape() const { return slot()->value().shape(); }
  DType dtype() const { return slot()->value().dtype(); }

  /// Replaces the value; the shape must stay (ShapeError), the dtype may change.
  void set(const Tensor& value) { slot()->set(value); }
  /// A frozen parameter is a constant: optimizers do not change it. What counts for a tape is whether it is
  /// frozen when an operation uses it.
  void freeze(bool frozen = true) { slot()->freeze(frozen); }
  bool frozen() const { return slot()->frozen(); }

  const std::shared_ptr<Slot>& slot() const {
    if (slot_ == nullptr) detail::Moved::fail("parameter");
    return slot_;
  }

 private:
  void tell_used() const;
  std::shared_ptr<Slot> slot_;
};

// So that `2 * scale_` and `scale_ * shift_` with parameters find the operators by argument-dependent lookup.
using elk::operator+, elk::operator-, elk::operator*, elk::operator/, elk::operator<<;
using elk::operator<, elk::operator<=, elk::operator>, elk::operator>=;

}  // namespace elk::nn
