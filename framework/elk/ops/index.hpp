// Parts of a tensor: those that x[...] and x(...) take, and how to have a tensor with other values there.
#pragma once

#include <vector>

#include <elk/tensor/tensor.hpp>

namespace elk {

/// x with `values`, which broadcast, in place of what x(at...) would be: index_put(x, {0, range(1, 3)}, y).
/// What `x(0, range(1, 3)) = y` says where tensors change. (As PyTorch's index_put.)
Tensor index_put(const Tensor& x, const std::vector<At>& at, const Tensor& values);
/// The same with a plain number.
Tensor index_put(const Tensor& x, const std::vector<At>& at, double value);
/// The elements of an axis at the positions `index`, i64 of any shape, which stands in place of that axis.
/// (PyTorch's index_select, NumPy's take.) IndexError for a position outside 0 to the axis's size - 1.
Tensor index_select(const Tensor& x, Axis axis, const Tensor& index);
/// `value` where the mask (u8), which broadcasts to x's shape, is not 0, and x elsewhere.
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);
/// The last two axes' lower triangle, up to the diagonal of that number (0 the main one, above it 1, 2, ...,
/// below it -1, -2, ...), and 0 elsewhere.
Tensor tril(const Tensor& x, Index diagonal = 0);
/// The upper triangle, from that diagonal on.
Tensor triu(const Tensor& x, Index diagonal = 0);

}  // namespace elk
