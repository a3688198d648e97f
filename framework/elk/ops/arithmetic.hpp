// Element-wise arithmetic, selection and comparison. Operands broadcast as in NumPy (the ShapeError names the
// operation and both shapes). If two dtypes differ, u8 is converted to i64, and both to f32 and f64: a mask
// times floats gives floats. f32 with f64 is a DTypeError, because without a cast it is usually a mistake. A
// plain number is converted to the tensor's dtype (ValueError if that dtype cannot hold it, such as 0.5 with
// integers).
//
// Integer addition, subtraction and multiplication are exact or throw ValueError: nothing wraps around.
// Integers have no `/`, because it is not clear whether 7 / 2 should be 3 or 3.5.
#pragma once

#include <utility>

#include <elk/tensor/tensor.hpp>

namespace elk {

/// Element by element; operands broadcast.
/// @{
Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator+(const Tensor& a, double b);
Tensor operator+(double a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, double b);
Tensor operator-(double a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, double b);
Tensor operator*(double a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, double b);
Tensor operator/(double a, const Tensor& b);
/// @}
/// -x
Tensor neg(const Tensor& x);
/// neg(x)
inline Tensor operator-(const Tensor& x) { return neg(x); }

/// Puts a new value into the handle: other handles keep the old value, and tapes record an operation.
/// @{
inline Tensor& operator+=(Tensor& a, const Tensor& b) { return a = a + b; }
inline Tensor& operator+=(Tensor& a, double b) { return a = a + b; }
inline Tensor& operator-=(Tensor& a, const Tensor& b) { return a = a - b; }
inline Tensor& operator-=(Tensor& a, double b) { return a = a - b; }
inline Tensor& operator*=(Tensor& a, const Tensor& b) { return a = a * b; }
inline Tensor& operator*=(Tensor& a, double b) { return a = a * b; }
inline Tensor& operator/=(Tensor& a, const Tensor& b) { return a = a / b; }
inline Tensor& operator/=(Tensor& a, double b) { return a = a / b; }
/// @}

/// `x[i] += y` and its like do not compile: see Tensor's assignment.
/// @{
template <class T>
void operator+=(Tensor&& part, const T& b) {
  std::move(part) = b;
}
template <class T>
void operator-=(Tensor&& part, const T& b) {
  std::move(part) = b;
}
template <class T>
void operator*=(Tensor&& part, const T& b) {
  std::move(part) = b;
}
template <class T>
void operator/=(Tensor&& part, const T& b) {
  std::move(part) = b;
}
/// @}

/// The larger of each pair; NaN if either is NaN, and then both get the gradient. Equal elements get half of
/// it each.
Tensor maximum(const Tensor& a, const Tensor& b);
/// The same with a plain number.
/// @{
Tensor maximum(const Tensor& a, double b);
Tensor maximum(double a, const Tensor& b);
/// @}
/// The smaller of each pair, likewise.
Tensor minimum(const Tensor& a, const Tensor& b);
/// The same with a plain number.
/// @{
Tensor minimum(const Tensor& a, double b);
Tensor minimum(double a, const Tensor& b);
/// @}
/// a to the power of b; NaN if a is negative and b is not a whole number. The derivatives of pow(0, 0) are 0.
Tensor pow(const Tensor& a, const Tensor& b);
/// The same with a plain number.
/// @{
Tensor pow(const Tensor& a, double b);
Tensor pow(double a, const Tensor& b);
/// @}
/// x limited to [low, high]; the gradient passes where low <= x <= high, and at NaN.
Tensor clamp(const Tensor& x, double low, double high);
/// a where `condition` (u8) is not 0, b elsewhere.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
/// The same with plain numbers.
/// @{
Tensor where(const Tensor& condition, const Tensor& a, double b);
Tensor where(const Tensor& condition, double a, const Tensor& b);
Tensor where(const Tensor& condition, double a, double b, DType dtype = f32);
/// @}

/// Comparisons, for any dtype: u8, 1 where true. There is no ==, because it is not clear whether it should
/// compare elements or whole tensors.
/// @{
Tensor equal(const Tensor& a, const Tensor& b);
Tensor not_equal(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& a, const Tensor& b);
Tensor less_equal(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& a, const Tensor& b);
Tensor equal(const Tensor& a, double b);
Tensor not_equal(const Tensor& a, double b);
Tensor less(const Tensor& a, double b);
Tensor less_equal(const Tensor& a, double b);
Tensor greater(const Tensor& a, double b);
Tensor greater_equal(const Tensor& a, double b);
inline Tensor operator<(const Tensor& a, const Tensor& b) { return less(a, b); }
inline Tensor operator<(const Tensor& a, double b) { return less(a, b); }
inline Tensor operator<(double a, const Tensor& b) { return greater(b, a); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return less_equal(a, b); }
inline Tensor operator<=(const Tensor& a, double b) { return less_equal(a, b); }
inline Tensor operator<=(double a, const Tensor& b) { return greater_equal(b, a); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return greater(a, b); }
inline Tensor operator>(const Tensor& a, double b) { return greater(a, b); }
inline Tensor operator>(double a, const Tensor& b) { return less(b, a); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return greater_equal(a, b); }
inline Tensor operator>=(const Tensor& a, double b) { return greater_equal(a, b); }
inline Tensor operator>=(double a, const Tensor& b) { return less_equal(b, a); }
/// @}

/// For masks and any other dtype, in which everything that is not 0 is true, also NaN; the result is u8. Both
/// sides are computed.
/// @{
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_not(const Tensor& x);
inline Tensor operator&&(const Tensor& a, const Tensor& b) { return logical_and(a, b); }
inline Tensor operator||(const Tensor& a, const Tensor& b) { return logical_or(a, b); }
inline Tensor operator!(const Tensor& x) { return logical_not(x); }
/// @}

/// Whether |a - b| <= atol + rtol |b| for all elements; a and b broadcast. An infinity is close to itself,
/// and NaN to NaN if `equal_nan`.
bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8,
              bool equal_nan = false);

}  // namespace elk
