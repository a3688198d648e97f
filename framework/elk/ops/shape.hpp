// Operations that move, select or convert elements.
#pragma once

#include <vector>

#include <elk/tensor/tensor.hpp>

namespace elk {

/// The same elements in row-major order with another shape; one size may be -1 and is then computed.
Tensor reshape(const Tensor& x, Shape shape);
/// Swaps the last two axes.
Tensor transpose(const Tensor& x);
/// Axis i of the result is axis axes[i] of x: permute(x, {0, 2, 1}).
Tensor permute(const Tensor& x, const std::vector<int>& axes);
/// Removes an axis of size 1 (ShapeError otherwise).
Tensor squeeze(const Tensor& x, Axis axis);
/// Removes all axes of size 1.
Tensor squeeze(const Tensor& x);
/// Inserts an axis of size 1 before `axis`; -1 appends one.
Tensor expand(const Tensor& x, Axis axis);
/// Elements begin, begin + step, ... up to but not including `end` of an axis, by Python's rules for negative
/// numbers and for numbers beyond the ends. step is not 0 (ValueError).
Tensor slice(const Tensor& x, Axis axis, Index begin, Index end, Index step = 1);
/// The elements in reverse along the axes.
Tensor flip(const Tensor& x, const Axes& axes);
/// Shifts each element by `shift` places along an axis; elements shifted beyond the end come back at the
/// beginning.
Tensor roll(const Tensor& x, Index shift, Axis axis);
/// Adds a border of `value`: before and after the last axis, then the axis before it, and so on, as PyTorch's
/// pad. {1, 2} puts one element before and two after each row. ShapeError for a negative number, an odd
/// count, or more than x's axes have.
Tensor pad(const Tensor& x, const std::vector<Index>& widths, double value = 0);
/// Cuts an axis into pieces of `size`; the last one may be smaller.
std::vector<Tensor> split(const Tensor& x, Index size, Axis axis = 0);
/// Cuts an axis into pieces of these sizes, whose sum is the size of the axis.
std::vector<Tensor> split(const Tensor& x, const std::vector<Index>& sizes, Axis axis = 0);
/// Cuts an axis into `count` pieces or fewer, all of equal size except the last, as PyTorch's chunk.
std::vector<Tensor> chunk(const Tensor& x, Index count, Axis axis = 0);
/// Joins tensors one after another along an axis; the other axes must have equal sizes.
Tensor concat(const std::vector<Tensor>& parts, Axis axis = 0);
/// Joins tensors along a new axis; the shapes must be equal.
Tensor stack(const std::vector<Tensor>& parts, Axis axis = 0);
/// y[..., i, ...] = x[..., index[..., i, ...], ...]: index is i64; its sizes along the other axes are at most
/// those of x. (As PyTorch's gather.)
Tensor gather(const Tensor& x, Axis axis, const Tensor& index);
/// The reverse: zeros with `size` along the axis, to which each element of x is added at its index.
Tensor scatter_add(const Tensor& x, Axis axis, const Tensor& index, Index size);
/// x with each element of `source` added at its index. (As PyTorch's scatter_add.)
Tensor scatter_add(const Tensor& x, Axis axis, const Tensor& index, const Tensor& source);
/// x stretched to `shape` by NumPy's broadcasting.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// The reverse: sums x over the axes along which `shape` would be stretched to x's shape. It undoes
/// broadcasting in a gradient rule.
Tensor sum_to(const Tensor& x, const Shape& shape);

/// Rows x[rows[0]], x[rows[1]], ...: x (N, ...), rows i64 from 0 to N - 1, of any shape. This shape takes the
/// place of the first axis: (R, S) gives (R, S, ...).
Tensor take_rows(const Tensor& x, const Tensor& rows);
/// The reverse: starts with zeros (count, ...) and adds each x[i] to row rows[i]; the shape of x begins with
/// that of rows.
Tensor scatter_add_rows(const Tensor& x, const Tensor& rows, Index count);
/// labels i64 (...) of 0 to classes - 1; result (..., classes) with 1 at the label and 0 elsewhere.
Tensor one_hot(const Tensor& labels, Index classes, DType dtype = f32);

/// The same elements as a constant: no gradient flows back through it.
Tensor detach(const Tensor& x);

/// Converts to another dtype; f32 and f64 pass gradients. Conversion of a float to an integer truncates;
/// ValueError if it does not fit.
Tensor cast(const Tensor& x, DType dtype);

}  // namespace elk
