// Operations that move, select or convert elements.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// The same elements in row-major order under another shape; one size may be -1 and is then worked out.
Tensor reshape(const Tensor& x, Shape shape);
/// Swaps the last two axes.
Tensor transpose(const Tensor& x);
/// x stretched to `shape` by NumPy's broadcasting.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// The reverse: sums x over the axes along which `shape` would be stretched to x's shape. What undoes
/// broadcasting in a gradient rule.
Tensor sum_to(const Tensor& x, const Shape& shape);

/// Rows x[rows[0]], x[rows[1]], ...: x (N, ...), rows i64 (R) of 0 to N - 1; result (R, ...).
Tensor take_rows(const Tensor& x, const Tensor& rows);
/// The reverse: zeros (count, ...) to whose row rows[i] each x[i] is added.
Tensor scatter_add_rows(const Tensor& x, const Tensor& rows, Index count);
/// labels i64 (...) of 0 to classes - 1; result (..., classes) with 1 at the label and 0 elsewhere.
Tensor one_hot(const Tensor& labels, Index classes, DType dtype = f32);

/// The same elements as a constant: no gradient flows back through it.
Tensor detach(const Tensor& x);

/// Converts to another dtype; f32 and f64 pass gradients. A float is truncated to an integer; one that does
/// not fit is a ValueError.
Tensor cast(const Tensor& x, DType dtype);

}  // namespace elk
