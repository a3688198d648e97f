// The computations under the operations: no tape, no gradients. Every kernel checks its arguments, throws
// with the name of the operation, counts its FLOPs and returns a new tensor. Floating-point kernels take f32
// and f64.
//
// The general form of a kernel works for any rank: a plain loop over elements, behind xtensor and BLAS for
// what is more than that. Where a measured gain asks for it, a loop for the common shapes stands beside it;
// `set_reference(true)` switches those off, so that tests can compare.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk::kernels {

/// Makes every kernel take its general form (for the whole process; for tests).
void set_reference(bool on);
bool reference();

// Element by element. Binary ones broadcast.
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
// What the first three do with integers: results that do not fit are errors.
Tensor exact_add(const Tensor& a, const Tensor& b);
Tensor exact_sub(const Tensor& a, const Tensor& b);
Tensor exact_mul(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);  // NaN if either is
Tensor neg(const Tensor& x);
Tensor square(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor log1p(const Tensor& x);
Tensor expm1(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor erf(const Tensor& x);
Tensor softplus(const Tensor& x);
Tensor gelu(const Tensor& x);
Tensor pow(const Tensor& a, const Tensor& b);
Tensor sign(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor tanh(const Tensor& x);
// v times the derivative at x, which is right also where the function rounds to 1; shapes must be equal.
Tensor sigmoid_gradient(const Tensor& v, const Tensor& x);
Tensor tanh_gradient(const Tensor& v, const Tensor& x);
// The losses, element by element: of logits z and targets t, and of errors e.
Tensor binary_cross_entropy(const Tensor& z, const Tensor& t);
Tensor huber(const Tensor& e, double delta);
Tensor clamp(const Tensor& x, double low, double high);
Tensor clamp_gradient(const Tensor& v, const Tensor& x, double low,
                      double high);                           // v, or 0 where x is outside
Tensor leaky_relu(const Tensor& x, double slope);             // x < 0 ? slope * x : x
Tensor gate(const Tensor& v, const Tensor& x, double slope);  // x <= 0 ? slope * v : v; shapes must be equal
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

enum class Comparison { equal, not_equal, less, less_equal, greater, greater_equal };
Tensor compare(Comparison comparison, const Tensor& a, const Tensor& b);  // u8, 1 where true

// Over axes. Sums are accumulated in f64 (integers: in i64) in a fixed order.
Tensor sum(const Tensor& x, const Axes& axes, bool keep_dims);
Tensor max(const Tensor& x, const Axes& axes, bool keep_dims);  // NaN if any is
Tensor argmax(const Tensor& x, int axis);  // i64; the first of equals; NaN counts as largest
Tensor argmin(const Tensor& x, int axis);  // likewise; NaN counts as smallest
Tensor cumsum(const Tensor& x, int axis);  // accumulated as a sum is
Shape reduced_shape(const char* operation, const Shape& shape, const Axes& axes, bool keep_dims);

// Over one axis.
Tensor softmax(const Tensor& x, int axis);
Tensor log_softmax(const Tensor& x, int axis);
/// Mean over rows of logsumexp(z) - z[label], shape (), and softmax(z); logits (N, C), labels i64 (N).
struct CrossEntropy {
  Tensor loss, probabilities;
};
CrossEntropy cross_entropy(const Tensor& logits, const Tensor& labels);
/// dy / N times the probabilities less 1 at the labels: the gradient of the logits; dy of shape ().
Tensor cross_entropy_gradient(const Tensor& probabilities, const Tensor& labels, const Tensor& dy);

// Moving and converting.
Tensor cast(const Tensor& x, DType dtype);
Tensor broadcast_to(const Tensor& x, const Shape& shape);
Tensor transpose(const Tensor& x);                           // swaps the last two axes
Tensor permute(const Tensor& x, std::span<const int> axes);  // axis i of the result is axes[i] of x
/// Elements begin, begin + step, ... (count of them) of an axis; step may be negative.
Tensor slice(const Tensor& x, int axis, Index begin, Index count, Index step);
/// The reverse: zeros but for those elements of an axis of `size`.
Tensor unslice(const Tensor& x, int axis, Index begin, Index step, Index size);
/// Adds x to the part of y that slice(y, axis, begin, x.size(axis), step) is; y is owned alone.
void add_to_slice(Tensor& y, const Tensor& x, int axis, Index begin, Index step);
Tensor concat(std::span<const Tensor> parts, int axis);
/// y[..., i, ...] = x[..., index[..., i, ...], ...] along an axis; elsewhere the shapes are equal.
Tensor gather(const Tensor& x, int axis, const Tensor& index);
/// The reverse: zeros with `size` along the axis, to which x is added at index.
Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, Index size);
Tensor take_rows(const Tensor& x, const Tensor& rows);  // rows of any shape
Tensor scatter_add_rows(const Tensor& x, const Tensor& rows, Index count);
Tensor one_hot(const Tensor& labels, Index classes, DType dtype);
/// Where a mask (u8) is not 0: places in row-major order, i64 (count).
Tensor positions(const Tensor& mask);
/// x with `values` at the places `at` (i64, in row-major order, none twice).
Tensor put(const Tensor& x, const Tensor& at, const Tensor& values);
/// The order in which x is sorted along an axis, i64; equal ones keep theirs, NaN counts as largest.
Tensor argsort(const Tensor& x, int axis, bool descending);

// Matrix products of (..., m, k) and (..., k, n), either read as its transpose, over broadcast leading axes;
// `bias` (n) may be undefined, and needs two matrices.
Tensor matmul(const char* operation, const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b,
              const Tensor& bias = {});

/// Eigenvalues, the largest first, and their eigenvectors of length 1, one a row: f64 (n) and (n, n).
struct Eigen {
  Tensor values, vectors;
};
/// Of a symmetric matrix, f64 (n, n), finite, of which the part on and below the diagonal is read. The
/// largest component of each eigenvector (by magnitude; the first of equals) is positive.
Eigen eigen_symmetric(const Tensor& matrix);

/// The sum of the squares of all elements, in f64 and in a fixed order.
double sum_of_squares(const Tensor& x);
/// Whether every element is finite (integers always are).
bool all_finite(const Tensor& x);

}  // namespace elk::kernels
