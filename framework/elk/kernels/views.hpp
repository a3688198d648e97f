// How kernels see tensors: as xtensor adaptors of the right C++ type, or as plain pointers. Private to
// kernels/.
#pragma once

#include <elk/kernels/xtensor.hpp>
// (the line above must come first)
#include <elk/base/flops.hpp>
#include <elk/base/format.hpp>
#include <elk/tensor/storage.hpp>

namespace elk::kernels {

using detail::count_flops;
using detail::readable;
using detail::writable;

/// The elements in one row, whatever the shape: the fastest view, for element-wise work.
template <class T>
auto flat(const T* data, Index n) {
  const auto size = static_cast<std::size_t>(n);
  return xt::adapt(data, size, xt::no_ownership(), std::array<std::size_t, 1>{size});
}
template <class T>
auto flat(T* data, Index n) {
  const auto size = static_cast<std::size_t>(n);
  return xt::adapt(data, size, xt::no_ownership(), std::array<std::size_t, 1>{size});
}
template <class T>
auto flat(const Tensor& x) {
  return flat(readable<T>(x), x.size());
}
template <class T>
auto flat_out(Tensor& x) {
  return flat(writable<T>(x), x.size());
}

/// The tensor under its own shape, of any rank.
template <class T>
auto array(const Tensor& x) {
  const std::vector<std::size_t> shape(x.shape().begin(), x.shape().end());
  return xt::adapt(readable<T>(x), static_cast<std::size_t>(x.size()), xt::no_ownership(), shape);
}
template <class T>
auto array_out(Tensor& x) {
  const std::vector<std::size_t> shape(x.shape().begin(), x.shape().end());
  return xt::adapt(writable<T>(x), static_cast<std::size_t>(x.size()), xt::no_ownership(), shape);
}

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
    fail<DTypeError>("[{}] dtypes differ: {} and {}", operation, a.dtype(), b.dtype());
}

inline void check_same_shape(const char* operation, const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape())
    fail<ShapeError>("[{}] shapes differ: {} and {}", operation, a.shape(), b.shape());
}

}  // namespace elk::kernels
