// From a tensor's dtype to a kernel's C++ type, and the checks that kernels share. Private to kernels/.
#pragma once

#include <elk/base/flops.hpp>
#include <elk/base/format.hpp>
#include <elk/tensor/storage.hpp>

namespace elk::kernels {

using detail::count_flops;
using detail::readable;
using detail::writable;

/// Calls f.operator()<T>() with the C++ type of a floating-point dtype, or throws naming the operation.
template <class F>
auto for_float(const char* operation, DType dtype, F f) {
  switch (dtype) {
    case DType::f32: return f.template operator()<float>();
    case DType::f64: return f.template operator()<double>();
    default: fail<DTypeError>("[{}] expected f32 or f64, got {}: convert with cast", operation, dtype);
  }
}

/// The same for any dtype.
template <class F>
auto for_any(DType dtype, F f) {
  switch (dtype) {
    case DType::f32: return f.template operator()<float>();
    case DType::f64: return f.template operator()<double>();
    case DType::i64: return f.template operator()<std::int64_t>();
    default: return f.template operator()<std::uint8_t>();
  }
}

inline void check_same_dtype(const char* operation, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype())
    fail<DTypeError>("[{}] dtypes differ: {} and {}: convert one with cast", operation, a.dtype(), b.dtype());
}

inline void check_same_shape(const char* operation, const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape())
    fail<ShapeError>("[{}] shapes differ: {} and {}", operation, a.shape(), b.shape());
}

}  // namespace elk::kernels
