#include <elk/kernels/views.hpp>
// (the line above must come first)
#include <algorithm>
#include <cstring>
#include <limits>

// First the configuration: without it cxxblas quietly falls back to its own loops, 30 times slower.
#include <xtensor-blas/xblas_config.hpp>

#include <xflens/cxxblas/cxxblas.cxx>

#include <elk/base/parallel.hpp>
#include <elk/kernels/kernels.hpp>

// Present in OpenBLAS alone. Our blocks are the unit of parallelism, so the library's own threads stay out.
extern "C" [[gnu::weak]] void openblas_set_num_threads(int);

#ifndef HAVE_CBLAS
#error "cxxblas would use its own loops instead of the BLAS library"
#endif

namespace elk::kernels {

namespace {

// C (m, n) += op(A) op(B), or = when `overwrite`; row-major, leading dimensions as stored.
template <class T>
void gemm(bool ta, bool tb, Index m, Index n, Index k, const T* a, Index lda, const T* b, Index ldb,
          bool overwrite, T* c, Index ldc) {
  const auto op = [](bool transposed) { return transposed ? cxxblas::Trans : cxxblas::NoTrans; };
  const auto i = [](Index size) { return static_cast<int>(size); };
  cxxblas::gemm<int>(cxxblas::RowMajor, op(ta), op(tb), i(m), i(n), i(k), T(1), a, i(lda), b, i(ldb),
                     overwrite ? T(0) : T(1), c, i(ldc));
}

// The result is cut along its longer side into blocks of about this many multiply-adds, each done by one
// thread: less is not worth waking another, and every block packs the shorter operand anew. The cut depends
// on the shapes alone, so the bits do not depend on the number of threads.
constexpr double block_multiply_adds = 16e6;
constexpr double most_blocks = 8;
constexpr Index block_multiple = 16;

Index block_length(Index m, Index n, Index k) {
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const auto blocks = static_cast<Index>(std::clamp(work / block_multiply_adds, 1.0, most_blocks));
  const Index length = (std::max(m, n) + blocks - 1) / blocks;
  return (length + block_multiple - 1) / block_multiple * block_multiple;
}

// The leading axes of two stacks of matrices, broadcast against each other.
class Stack {
 public:
  Stack(const char* operation, const Shape& a, const Shape& b)
      : a_(leading(a)), b_(leading(b)), shape_(broadcast(operation, a_, b_)) {}

  const Shape& shape() const { return shape_; }
  /// Which of a's matrices (b's) belongs to the `matrix`-th of the result.
  Index of_a(Index matrix) const { return place(a_, matrix); }
  Index of_b(Index matrix) const { return place(b_, matrix); }

 private:
  static Shape leading(const Shape& shape) {
    return Shape(std::span(shape.begin(), static_cast<std::size_t>(shape.rank() - 2)));
  }
  Index place(const Shape& operand, Index matrix) const {
    Index result = 0, stride = 1;
    for (int axis = -1; axis >= -operand.rank(); --axis) {
      if (operand[axis] != 1) result += matrix % shape_[axis] * stride;
      stride *= operand[axis];
      matrix /= shape_[axis];
    }
    return result;
  }

  Shape a_, b_, shape_;
};

}  // namespace

Tensor matmul(const char* operation, const Tensor& a, bool ta, const Tensor& b, bool tb, const Tensor& bias) {
  check_same_dtype(operation, a, b);
  if (a.rank() < 2 || b.rank() < 2)
    fail<ShapeError>("[{}] expected two matrices, got {} x {}", operation, a.shape(), b.shape());
  const Index m = a.size(ta ? -1 : -2), k = a.size(ta ? -2 : -1), n = b.size(tb ? -2 : -1);
  if (b.size(tb ? -1 : -2) != k)
    fail<ShapeError>("[{}] inner sizes differ: {} x {}", operation, a.shape(), b.shape());
  if (std::max({m, n, k}) > std::numeric_limits<int>::max())
    fail<ShapeError>("[{}] BLAS takes sizes below 2^31, got {} x {}", operation, a.shape(), b.shape());
  if (bias.defined()) {
    check_same_dtype(operation, a, bias);
    if (bias.shape() != Shape{n})
      fail<ShapeError>("[{}] expected a bias ({}), got {}", operation, n, bias.shape());
  }
  static const bool single_threaded = [] {
    if (openblas_set_num_threads) openblas_set_num_threads(1);
    return true;
  }();
  (void)single_threaded;

  const Stack stack(operation, a.shape(), b.shape());
  Shape shape = stack.shape();
  shape.push_back(m);
  shape.push_back(n);
  return for_float(operation, a.dtype(), [&]<class T>() {
    Tensor y = empty(shape, a.dtype());
    count_flops(2 * y.size() * k + (bias.defined() ? y.size() : 0));
    if (y.size() == 0) return y;
    T* out = writable<T>(y);
    if (bias.defined())
      for (Index i = 0; i < y.size(); i += n) std::copy_n(readable<T>(bias), n, out + i);
    else if (k == 0)
      std::fill_n(out, y.size(), T(0));
    if (k == 0) return y;
    const Index lda = a.size(-1), ldb = b.size(-1), length = block_length(m, n, k), longer = std::max(m, n);
    const Index cuts = (longer + length - 1) / length, matrices = y.size() / (m * n);
    parallel_for(matrices * cuts, [&](Index block) {
      const Index matrix = block / cuts, begin = block % cuts * length,
                  count = std::min(length, longer - begin);
      const T* x = readable<T>(a) + stack.of_a(matrix) * m * k;
      const T* w = readable<T>(b) + stack.of_b(matrix) * k * n;
      T* c = out + matrix * m * n;
      if (n >= m)
        gemm(ta, tb, m, count, k, x, lda, w + begin * (tb ? ldb : 1), ldb, !bias.defined(), c + begin, n);
      else
        gemm(ta, tb, count, n, k, x + begin * (ta ? 1 : lda), lda, w, ldb, !bias.defined(), c + begin * n, n);
    });
    return y;
  });
}

}  // namespace elk::kernels
