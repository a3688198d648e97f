// Buffer: a tensor of a module that its forward() changes in training.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include <elk/tensor/tensor.hpp>

namespace elk::nn {

/// For statistics that change during training, such as BatchNorm's. forward() is const, and may run on
/// several threads. List it in fields() like any buffer: it is converted and saved with its module, and never
/// trained. A copy is a new slot with the same value; a moved Buffer keeps its slot.
class Buffer {
 public:
  explicit Buffer(const Tensor& value) : slot_(std::make_shared<Slot>()) { slot_->value = value; }
  Buffer(const Buffer& other) : Buffer(other.value()) {}
  Buffer& operator=(const Buffer& other) { return *this = Buffer(other); }
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(Buffer&&) noexcept = default;
  ~Buffer() = default;

  /// The current value.
  Tensor value() const {
    const std::lock_guard lock(slot_->mutex);
    return slot_->value;
  }
  /// Replaces the value by `f` of it; other threads wait.
  void update(const std::function<Tensor(const Tensor& value)>& f) const {
    const std::lock_guard lock(slot_->mutex);
    slot_->value = f(slot_->value);
  }
  /// The slot itself, for fields().
  // NOLINTNEXTLINE(google-explicit-constructor)
  operator Tensor&() { return slot_->value; }

 private:
  struct Slot {
    std::mutex mutex;
    Tensor value;
  };
  std::shared_ptr<Slot> slot_;
};

}  // namespace elk::nn
