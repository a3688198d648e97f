// Reductions over axes: sum(x, 0), sum(x, {0, -1}), or sum(x) over all axes. With keep_dims the reduced axes
// stay, with size 1. A std::vector<int> names axes known when the program runs. Throws IndexError for an axis
// outside the shape.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// Accumulated in f64 in a fixed order. The sum of an integer tensor is i64.
Tensor sum(const Tensor& x, const Axes& axes = Axes::all(), bool keep_dims = false);
/// ShapeError for a mean over no elements.
Tensor mean(const Tensor& x, const Axes& axes = Axes::all(), bool keep_dims = false);
/// The largest; NaN if any element is NaN; ShapeError for a maximum over no elements. Equal largest elements
/// share the gradient.
Tensor max(const Tensor& x, const Axes& axes = Axes::all(), bool keep_dims = false);
/// The smallest, likewise.
Tensor min(const Tensor& x, const Axes& axes = Axes::all(), bool keep_dims = false);
/// Mean squared distance from the mean, over n - correction (0: of a population; 1: estimated from a sample).
/// ShapeError unless more than `correction` elements are reduced.
Tensor var(const Tensor& x, const Axes& axes = Axes::all(), bool keep_dims = false, int correction = 0);
/// The square root of var, likewise; for equal elements the derivative is 0. (Not called `std`, which with
/// `using namespace elk` would be ambiguous.)
Tensor stddev(const Tensor& x, const Axes& axes = Axes::all(), bool keep_dims = false, int correction = 0);
/// The product; 1 for no elements. Computed in pairs, so that its gradient is right also at zeros.
Tensor prod(const Tensor& x, const Axes& axes = Axes::all(), bool keep_dims = false);
/// For each element, the sum of all elements up to it along an axis; accumulated like a sum.
Tensor cumsum(const Tensor& x, Axis axis);
/// log(sum(exp(x))); the maximum is subtracted first, so that nothing overflows.
Tensor logsumexp(const Tensor& x, const Axes& axes = Axes::all(), bool keep_dims = false);
/// The position of the largest element along an axis, as i64; the first one if several are equal. NaN counts
/// as largest.
Tensor argmax(const Tensor& x, Axis axis = -1);
/// The same for the smallest; NaN counts as smallest.
Tensor argmin(const Tensor& x, Axis axis = -1);

}  // namespace elk
