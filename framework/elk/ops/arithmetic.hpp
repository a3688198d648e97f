// Element-wise arithmetic, selection and comparison. Operands broadcast as in NumPy; their dtypes must agree
// (a plain number takes the tensor's). Throws ShapeError or DTypeError naming the operation and both
// operands.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// Element by element; operands broadcast, and must have one dtype.
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

/// The larger of each pair; NaN if either is, and then both get the gradient; of equal ones each gets half.
Tensor maximum(const Tensor& a, const Tensor& b);
/// The same with a plain number.
Tensor maximum(const Tensor& a, double b);
/// The smaller of each pair, likewise.
Tensor minimum(const Tensor& a, const Tensor& b);
/// The same with a plain number.
Tensor minimum(const Tensor& a, double b);
/// a to the power of b; NaN for a negative a and a b that is no whole number. Of pow(0, 0) derivatives are 0.
Tensor pow(const Tensor& a, const Tensor& b);
/// The same with a plain number.
Tensor pow(const Tensor& a, double b);
/// x limited to [low, high]; the gradient passes where low <= x <= high, and at NaN.
Tensor clamp(const Tensor& x, double low, double high);
/// a where `condition` (u8) is not 0, b elsewhere.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

/// Comparisons, of any dtype: u8, 1 where true. There is no ==: whether it meant elements or whole tensors
/// would be anybody's guess.
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
/// @}

}  // namespace elk
