#include <elk/base/format.hpp>
#include <elk/nn/parameter.hpp>
#include <elk/tensor/storage.hpp>

namespace elk::nn {

Parameter::Parameter(const Tensor& value) : slot_(std::make_shared<Slot>()) {
  if (!is_float(value.dtype())) fail<DTypeError>("[parameter] expected f32 or f64, got {}", value.dtype());
  slot_->value = detail::with_id(value, detail::new_id(), true);
}

void Parameter::set(const Tensor& value) {
  if (value.shape() != shape())
    fail<ShapeError>("[parameter] expected shape {}, got {}", shape(), value.shape());
  if (!is_float(value.dtype())) fail<DTypeError>("[parameter] expected f32 or f64, got {}", value.dtype());
  slot_->value = detail::with_id(value, slot_->value.id(), !frozen());
}

void Parameter::freeze(bool frozen) {
  slot()->value = detail::with_id(value(), value().id(), !frozen);
  slot_->frozen = frozen;
}

}  // namespace elk::nn
