// Parts of a tensor: operations behind x[...] and x(...), and tensors with other values in such a part.
#pragma once

#include <vector>

#include <elk/tensor/tensor.hpp>

namespace elk {

/// x with `values`, which broadcast, in place of the part x(at...): index_put(x, {0, range(1, 3)}, y). Use it
/// in place of `x(0, range(1, 3)) = y`. (As PyTorch's index_put.)
Tensor index_put(const Tensor& x, const std::vector<At>& at, const Tensor& values);
/// The same with a plain number.
Tensor index_put(const Tensor& x, const std::vector<At>& at, double value);
/// The elements of an axis at the positions `index`, i64 of any shape, which stands in place of that axis.
/// (PyTorch's index_select, NumPy's take.) IndexError for a position outside 0 to the axis's size - 1.
Tensor index_select(const Tensor& x, Axis axis, const Tensor& index);
/// `value` where the mask (u8), which broadcasts to x's shape, is not 0, and x elsewhere.
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);
/// The lower triangle of the last two axes, up to the given diagonal (0 is the main one, 1, 2, ... are above
/// it, -1, -2, ... below it), and 0 elsewhere.
Tensor tril(const Tensor& x, Index diagonal = 0);
/// The upper triangle, from that diagonal on.
Tensor triu(const Tensor& x, Index diagonal = 0);

}  // namespace elk
