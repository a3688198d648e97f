#include <elk/autograd/tape.hpp>
#include <elk/base/format.hpp>
#include <elk/nn/uses.hpp>
#include <elk/tensor/storage.hpp>

namespace elk::nn {

Parameter::Slot::Slot(const Tensor& value) {
  if (!is_float(value.dtype()))
    fail<DTypeError>("[parameter] expected f32 or f64, got {}: convert with cast", value.dtype());
  value_ = detail::with_id(value, detail::new_id(), true);
}

void Parameter::Slot::set(const Tensor& value) {
  if (value.shape() != value_.shape())
    fail<ShapeError>("[parameter] expected shape {}, got {}", value_.shape(), value.shape());
  if (!is_float(value.dtype()))
    fail<DTypeError>("[parameter] expected f32 or f64, got {}: convert with cast", value.dtype());
  value_ = detail::with_id(value, value_.id(), !frozen_);
}

void Parameter::Slot::freeze(bool frozen) {
  value_ = detail::with_id(value_, value_.id(), !frozen);
  frozen_ = frozen;
}

Parameter::Parameter(const Tensor& value) : slot_(std::make_shared<Slot>(value)) {}

Parameter::Parameter(const Parameter& other) : slot_(std::make_shared<Slot>(other.slot()->value())) {
  if (other.frozen()) freeze();
}

Parameter& Parameter::operator=(const Parameter& other) { return *this = Parameter(other); }

Parameter& Parameter::operator=(Parameter&& other) {
  if (this == &other) return *this;
  const bool other_followed = other.slot_.use_count() != 1;  // or moved from
  if (slot_ == nullptr || other_followed) {
    slot_ = std::move(other.slot_);
  } else if (shape() == other.shape()) {
    set(other.slot_->value());
    freeze(other.frozen());
    other.slot_.reset();
  } else if (slot_.use_count() == 1) {
    slot_ = std::move(other.slot_);
  } else {
    fail<ShapeError>("[parameter] an optimizer follows this parameter {}, which cannot become {}", shape(),
                     other.shape());
  }
  return *this;
}

void Parameter::tell_used() const {
  if (!frozen() && Tape::recording()) detail::tell_used(slot());
}

}  // namespace elk::nn
