// Sorting.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// Elements in order, and their original positions as i64.
struct Sorted {
  Tensor values, indices;
};

/// Along an axis, the smallest first; equal ones keep their order, and NaN counts as largest. Gradients flow
/// to where the values came from.
Sorted sort(const Tensor& x, Axis axis = -1, bool descending = false);
/// The indices of sort().
Tensor argsort(const Tensor& x, Axis axis = -1, bool descending = false);
/// The `count` largest along an axis, the largest first; or the smallest. ValueError for more than there are.
Sorted topk(const Tensor& x, Index count, Axis axis = -1, bool largest = true);

}  // namespace elk
