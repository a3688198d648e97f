// Memory that kernels lay out operands in. Private to kernels/.
#pragma once

#include <cstddef>
#include <memory>

#include <elk/kernels/loops/loops.hpp>
#include <elk/tensor/storage.hpp>

namespace elk::kernels {

/// `size` elements of this thread's own, aligned to 64 bytes, kept from call to call. Purposes that are in
/// use at the same time have memory each.
template <class T, class Purpose>
T* scratch(Index size) {
  thread_local std::unique_ptr<detail::Storage> memory;
  const auto bytes = static_cast<std::size_t>(size) * sizeof(T);
  if (!memory || memory->bytes() < bytes) memory = std::make_unique<detail::Storage>(bytes);
  return reinterpret_cast<T*>(memory->data());
}

}  // namespace elk::kernels
