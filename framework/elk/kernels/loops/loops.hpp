// Loops that are compiled once for each instruction set, and picked when the program starts. What is here has
// a measured gain over the general form (docs/performance.md); everything else stays with plain loops and
// BLAS. Private to kernels/ and data/.
//
// Results do not depend on how the work is cut into calls: every element is summed in the same order whatever
// the sizes around it. Between instruction sets they differ by rounding.
#pragma once

#include <cstdint>

namespace elk::kernels {

using Index = std::int64_t;

enum class InstructionSet { baseline, avx2, avx512, amx, neon };  // amx: avx512, and products of bf16

/// What an update of weights does with a gradient g: w -= rate (g + decay w).
template <class T>
struct Update {
  T rate, decay;
};

/// m = beta1 m + c1 d, v = beta2 v + c2 d², w = keep w - rate m / (root sqrt(v) + epsilon), where d = g +
/// decay w.
template <class T>
struct AdamStep {
  T rate, root, beta1, beta2, c1, c2, decay, keep, epsilon;
};

/// What becomes of rows of a result as soon as they are there, in place of being kept: values (rows, n).
/// Meanwhile so many arrays are fetched as are `touched`, which lie as the result would, `ld` between rows.
template <class T>
struct TakeRows {
  void (*take)(const void* by, Index row, Index rows, const T* values);
  const void* by;
  const T* const* touched;
  int arrays;
  Index ld;
};

/// A product of row-major matrices, either operand read as its transpose: c (m, n) = a (m, k) b (k, n), plus
/// `bias` (n) unless that is null; or, given an update, the update of c by it.
template <class T>
struct Product {
  Index m, n, k;
  const T* a;
  Index lda;
  bool ta;
  const T* b;
  Index ldb;
  bool tb;
  const T* bias;
  const Update<T>* update;
  T* c;
  Index ldc;
};

/// Matrices are row-major, and no size is 0; an `ld` is the distance between rows.
template <class T>
struct ProductLoops {
  /// The most rows of x (the batch) for which the products below are meant; above, BLAS is as fast.
  Index most_rows;
  /// The same where the layer's inputs and outputs are at least `wide` each.
  Index most_rows_of_wide;
  static constexpr Index wide = 128;
  /// The same with `many_inputs` at least: in gradients, and in the layer itself if it has `few_outputs` at
  /// the most.
  Index most_rows_of_many_inputs, few_outputs;
  static constexpr Index many_inputs = 256;
  /// The fewest rows and outputs for which a linear layer is multiply_nt_packed.
  Index packed_rows, packed_columns;

  /// y (m, n) = x (m, k) times the transpose of w (n, k), plus bias (n) unless that is null: a linear layer.
  /// `backwards` takes the rows of w from the last to the first; the result is the same. Of weights too large
  /// for the second cache it still holds what came last, so they are best gone through to and fro.
  void (*multiply_nt)(Index m, Index n, Index k, const T* x, Index ldx, const T* w, Index ldw, const T* bias,
                      T* y, Index ldy, bool backwards);
  /// The same for so many rows that x is worth being laid out anew. It sums in another order.
  void (*multiply_nt_packed)(Index m, Index n, Index k, const T* x, Index ldx, const T* w, Index ldw,
                             const T* bias, T* y, Index ldy, T* scratch);
  /// c (m, n) = the transpose of a (k, m) times b (k, n): the gradient of a linear layer's weights, k its
  /// batch. Given an update, that of c by this gradient, without writing the gradient anywhere; given `take`,
  /// c is not written to, and rows of the gradient are handed on. The same bits in each case.
  void (*multiply_tn)(Index m, Index n, Index k, const T* a, Index lda, const T* b, Index ldb, T* c,
                      Index ldc, const Update<T>* update, const TakeRows<T>* take, T* scratch);
  /// c (m, n) = a (m, k) times b (k, n): the gradient of a linear layer's input.
  void (*multiply_nn)(Index m, Index n, Index k, const T* a, Index lda, const T* b, Index ldb, T* c,
                      Index ldc, T* scratch);
  /// The elements that `scratch` has room for, in a product whose result has n columns; aligned to 64 bytes.
  static Index scratch(Index n, Index k) {
    // A whole operand, up to 128 rows of the other, up to 16 of the result; and what these are rounded up by.
    const Index panels = k * (n + 160) + 16 * (n + 1), block = 1024 / sizeof(T) * 400;
    return panels > block ? panels : block;
  }
};

/// A line of the warped copy of an image (width, height): the pixel of column i comes from (column_x[i] + x +
/// middle_x, column_y[i] + y + middle_y), moved by the line of a field unless that is null, and from the edge
/// of the zeros around the image at the furthest: -1 to width, -1 to height.
struct WarpedLine {
  const double *column_x, *column_y;
  double x, y, middle_x, middle_y, width, height;
  const float *dx, *dy;
};

/// Element by element, into another array. The f32 forms of the exponential and what is made of it are
/// polynomials, right to a few units in the last place; those of f64 are the C library's.
template <class T>
struct ElementLoops {
  /// y = exp(x - shift)
  void (*exp)(Index n, const T* x, T shift, T* y);
  void (*sigmoid)(Index n, const T* x, T* y);
  void (*tanh)(Index n, const T* x, T* y);
  /// y = v sigmoid'(x) and v tanh'(x), from x: of y near 1 the slope is lost.
  void (*sigmoid_gradient)(Index n, const T* v, const T* x, T* y);
  void (*tanh_gradient)(Index n, const T* v, const T* x, T* y);
  /// y = x where x > 0 or NaN, slope x elsewhere (0 for a slope of 0).
  void (*leaky_relu)(Index n, const T* x, T slope, T* y);
  /// x P(x), and v times its derivative, P the share of a standard normal below x. Of f32 alone: null in f64.
  void (*gelu)(Index n, const T* x, T* y);
  void (*gelu_gradient)(Index n, const T* v, const T* x, T* y);
  /// y = v where x > 0 or NaN, slope v elsewhere (0 for a slope of 0).
  void (*gate)(Index n, const T* v, const T* x, T slope, T* y);
  /// sums[i] += x[i]
  void (*add_to)(Index n, const T* x, double* sums);
  /// w[i] -= rate (g[i] + decay w[i])
  void (*sgd)(Index n, T* w, const T* g, Update<T> update);
  void (*adam)(Index n, T* w, T* mean, T* square, const T* g, const AdamStep<T>& step);
  /// In each of the rows, which are x_row and y_row apart: y[i] = the sum over k of weights[k] x[i + k step],
  /// from k = 0 on: the same bits in every instruction set.
  void (*smooth)(Index rows, Index n, const T* x, Index x_row, Index step, const T* weights, Index taps, T* y,
                 Index y_row);
  /// Where the n pixels of a line come from, counted from -1: whole pixels, and what is beyond them. The same
  /// bits in every instruction set, as below.
  void (*origins)(Index n, const WarpedLine& line, std::int32_t* left, std::int32_t* top, T* right_by,
                  T* down_by);
  /// Between two neighbours above, above[2 i] and above[2 i + 1], and the two below them: y[i] is so far to
  /// the right and down.
  void (*interpolate)(Index n, const T* right_by, const T* down_by, const T* above, const T* below, T* y);
  /// to[i] = from[i] / 255, rounded as a division is.
  void (*scale_pixels)(Index n, const std::uint8_t* from, T* to);
};

/// Over runs of n elements. Sums are of f64, in an order that n alone decides.
template <class T>
struct RowLoops {
  double (*sum)(Index n, const T* x);
  /// Of (x - about)².
  double (*squares)(Index n, const T* x, double about);

  // Normalization: below, z is (x - mean) scale, and g is dy, times weight unless that is null.

  /// sums[0] += the sum of g, sums[1] += that of g z.
  void (*gradient_sums)(Index n, const T* dy, const T* x, double mean, double scale, const T* weight,
                        double* sums);
  /// y = z weight + bias; both, or bias alone, may be null.
  void (*standardize)(Index n, const T* x, T mean, T scale, const T* weight, const T* bias, T* y);
  /// y = z + bias
  void (*shift_scale)(Index n, const T* x, T mean, T scale, T bias, T* y);
  /// dx = factor (g - of_sum - of_product z)
  void (*standardize_gradient)(Index n, const T* dy, const T* x, T mean, T scale, const T* weight, T factor,
                               T of_sum, T of_product, T* dx);
  /// sums[i] += dy[i] z[i]
  void (*add_standardized)(Index n, const T* dy, const T* x, T mean, T scale, double* sums);

  // The same where each element of the run has a mean and a scale of its own.

  /// sums[i] += (x[i] - about[i])²
  void (*add_squares)(Index n, const T* x, const double* about, double* sums);
  /// y = z + bias; bias may be null.
  void (*standardize_columns)(Index n, const T* x, const T* mean, const T* scale, const T* bias, T* y);
  void (*add_standardized_columns)(Index n, const T* dy, const T* x, const T* mean, const T* scale,
                                   double* sums);
  void (*standardize_gradient_columns)(Index n, const T* dy, const T* x, const T* mean, const T* scale,
                                       const T* factor, const T* of_sum, const T* of_product, T* dx);

  // Softmax.

  /// The largest; NaN if any is. n is at least 1.
  T (*largest)(Index n, const T* x);
  /// y = exp(x - shift), and their sum.
  double (*exp_sum)(Index n, const T* x, T shift, T* y);
  /// y = factor x; y may be x.
  void (*scaled)(Index n, const T* x, T factor, T* y);
  /// y = x - first - second
  void (*shifted)(Index n, const T* x, T first, T second, T* y);
  /// The sum of x y.
  double (*product_sum)(Index n, const T* x, const T* y);
  /// dx = y (dy - mean)
  void (*softmax_gradient)(Index n, const T* dy, const T* y, T mean, T* dx);
  /// dx = dy - exp(y) sum
  void (*log_softmax_gradient)(Index n, const T* dy, const T* y, T sum, T* dx);
};

template <class T>
struct Loops : ProductLoops<T>, ElementLoops<T>, RowLoops<T> {};

/// The best instruction set of this machine, or the lower one that the environment variable ELK_ISA names
/// (baseline, avx2, avx512, amx or neon; ValueError for another word, or one that the machine lacks).
InstructionSet instruction_set();
const char* name(InstructionSet set);
/// For tests; false, and nothing changed, where the machine lacks it.
bool set_instruction_set(InstructionSet set);

template <class T>
const Loops<T>& loops();

/// Any product, with operands rounded to bf16 and sums in f32. Only where instruction_set() is amx. `scratch`
/// has room for bf16_scratch() elements, aligned to 64 bytes.
void multiply_bf16(const Product<float>& p, std::uint16_t* scratch);
/// The longest k of which it makes one sum: only then may the product have an update.
constexpr Index bf16_whole_sum = 1024;
Index bf16_scratch();

}  // namespace elk::kernels
