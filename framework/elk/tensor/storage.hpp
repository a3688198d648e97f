// What a Tensor handle points to, and the few places that may write to it. For kernels, parameters and
// readers of files; user code has no reason to include it.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk::detail {

/// Uninitialised bytes, aligned to 64.
class Storage {
 public:
  explicit Storage(std::size_t bytes);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t line = 64;  // bytes of the alignment
  std::byte* data_;
  std::size_t bytes_;
  std::byte* block_ = nullptr;                 // as it was allocated, with data_ in it, or
  alignas(16) std::byte near_[2 * line - 16];  // a scalar or a few numbers: `line` bytes from data_ on
};

struct TensorImpl {
  std::shared_ptr<Storage> storage;
  Shape shape;
  DType dtype;
  bool watched;      // a parameter that is trained: every tape records what touches it
  std::uint64_t id;  // what tapes and gradients know the tensor by
};

std::uint64_t new_id();

struct TensorAccess {
  static Tensor make(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype, bool watched,
                     std::uint64_t id);
  static const TensorImpl& impl(const Tensor& x) { return x.impl(); }
  /// Whether no other handle sees these elements.
  static bool sole_owner(const Tensor& x) {
    return x.impl_.use_count() == 1 && x.impl_->storage.use_count() == 1;
  }
};

/// The same elements under another shape of the same size; a new tensor for the tape.
Tensor with_shape(const Tensor& x, const Shape& shape);

/// The same elements as a tensor that tapes know by `id`, and watch if `watched`.
Tensor with_id(const Tensor& x, std::uint64_t id, bool watched);

inline bool is_watched(const Tensor& x) { return TensorAccess::impl(x).watched; }

/// The elements, for writing: only of a tensor that the caller has just made, or made sure that it owns
/// alone.
template <class T>
T* writable(Tensor& x) {
  return reinterpret_cast<T*>(TensorAccess::impl(x).storage->data());
}

/// For reading without the check of `Tensor::data`.
template <class T>
const T* readable(const Tensor& x) {
  return reinterpret_cast<const T*>(TensorAccess::impl(x).storage->data());
}

/// Makes `x` the only handle to its elements, copying them where others see them too (copy on write).
void make_sole_owner(Tensor& x);

}  // namespace elk::detail
