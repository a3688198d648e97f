// The element types of a tensor, chosen at run time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>

namespace elk {

/// The type of a tensor's elements.
enum class DType : std::uint8_t {
  f32,  ///< training and inference
  f64,  ///< numerical checks and exact reproduction
  i64,  ///< labels and indices
  u8,   ///< images as stored, and the results of comparisons
};

/// Short for DType::f32 and so on.
/// @{
inline constexpr DType f32 = DType::f32, f64 = DType::f64, i64 = DType::i64, u8 = DType::u8;
/// @}

/// "f32"
const char* name(DType dtype);
/// Writes name().
std::ostream& operator<<(std::ostream& out, DType dtype);

/// Bytes of one element.
std::size_t byte_size(DType dtype);

/// Whether it is f32 or f64.
inline bool is_float(DType dtype) { return dtype == f32 || dtype == f64; }

/// The dtype of a C++ type: DTypeOf<float>::value is f32.
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = f64;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = i64;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = u8;
};
/// The same for short: dtype_of<float>.
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

}  // namespace elk
