#include <algorithm>
#include <array>
#include <complex>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

// First the configuration: without it cxxblas quietly falls back to its own loops, 30 times slower.
#include <xtensor-blas/xblas_config.hpp>

#include <xflens/cxxblas/cxxblas.cxx>

#include <elk/base/parallel.hpp>
#include <elk/base/precision.hpp>
#include <elk/kernels/blas_call.hpp>
#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/loops/loops.hpp>
#include <elk/kernels/multiply.hpp>
#include <elk/kernels/scratch.hpp>

#ifndef HAVE_CBLAS
#error "cxxblas would use its own loops instead of the BLAS library"
#endif

namespace elk::kernels {

namespace {

// Columns begin to end of the result, whose place is null where it is not kept.
template <class T>
Product<T> columns(Product<T> p, Index begin, Index end) {
  p.n = end - begin;
  p.b += begin * (p.tb ? p.ldb : 1);
  if (p.bias) p.bias += begin;
  if (p.c) p.c += begin;
  return p;
}

// Rows begin to end of the result.
template <class T>
Product<T> rows(Product<T> p, Index begin, Index end) {
  p.m = end - begin;
  p.a += begin * (p.ta ? 1 : p.lda);
  if (p.c) p.c += begin * p.ldc;
  return p;
}

// By BLAS.
template <class T>
void by_blas(const Product<T>& p) {
  if (p.bias)
    for (Index i = 0; i < p.m; ++i) std::copy_n(p.bias, p.n, p.c + i * p.ldc);
  const auto op = [](bool transposed) { return transposed ? cxxblas::Trans : cxxblas::NoTrans; };
  const auto i = [](Index size) { return static_cast<int>(size); };
  const BlasCall call("matmul");
  cxxblas::gemm<int>(cxxblas::RowMajor, op(p.ta), op(p.tb), i(p.m), i(p.n), i(p.k), T(1), p.a, i(p.lda), p.b,
                     i(p.ldb), p.bias ? T(1) : T(0), p.c, i(p.ldc));
}

// By our own loops: for batches up to a limit, which is higher where the layer is wide. With many inputs it
// is higher in gradients, and in the layer itself if it has few outputs.
template <class T>
bool fits_loops(const Product<T>& p) {
  if (reference() || (p.ta && p.tb) || (p.bias && !p.tb)) return false;
  const Loops<T>& use = loops<T>();
  // Of a linear layer, or of the gradient of its weights (ta) or its input.
  const Index batch = p.ta ? p.k : p.m, inputs = p.tb ? p.k : p.n, outputs = p.ta ? p.m : p.tb ? p.n : p.k;
  if (std::min(inputs, outputs) >= use.wide) return batch <= use.most_rows_of_wide;
  const bool fast = inputs >= use.many_inputs && (!p.tb || outputs <= use.few_outputs);
  return batch <= (fast ? use.most_rows_of_many_inputs : use.most_rows);
}

// Whether this thread goes through these weights backwards this time: every other time. (Weights that share a
// place in the table only disturb each other's turns.)
bool backwards(const void* weights) {
  thread_local std::array<bool, 256> turn{};
  bool& mine = turn[reinterpret_cast<std::uintptr_t>(weights) / 64 * 0x9E3779B97F4A7C15 >> 56];
  return std::exchange(mine, !mine);
}

// What becomes of a part of a product, whose first element is `offset` elements behind that of the whole.
template <class T>
struct TakePart {
  const Take<T>* take;
  Index offset, columns, ld;

  void operator()(Index row, Index rows, const T* values) const {
    const Index begin = offset + row * ld;
    if (columns == ld) return take->blocks(begin, rows * columns, values);
    for (Index i = 0; i < rows; ++i) take->blocks(begin + i * ld, columns, values + i * columns);
  }
};

// What memory is for: see scratch.
struct Panels;
struct Bf16Blocks;

// p is a part of `whole`, which decides which loop it is, and so the order of its sums: this does not depend
// on how it was cut.
template <class T>
void by_loops(const Product<T>& p, const Product<T>& whole, const TakePart<T>& part) {
  const Loops<T>& use = loops<T>();
  if (p.tb && (whole.m < use.packed_rows || whole.n < use.packed_columns))
    return use.multiply_nt(p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, p.bias, p.c, p.ldc, backwards(p.b));
  T* const panels = scratch<T, Panels>(use.scratch(p.n, p.k));
  if (p.tb)
    use.multiply_nt_packed(p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, p.bias, p.c, p.ldc, panels);
  else if (p.ta && part.take) {
    std::vector<const T*> touched;
    for (const T* array : part.take->touched) touched.push_back(array + part.offset);
    const TakeRows<T> take{[](const void* by, Index row, Index count, const T* values) {
                             (*static_cast<const TakePart<T>*>(by))(row, count, values);
                           },
                           &part, touched.data(), static_cast<int>(touched.size()), part.ld};
    use.multiply_tn(p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, nullptr, 0, nullptr, &take, panels);
  } else if (p.ta)
    use.multiply_tn(p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, p.c, p.ldc, p.update, nullptr, panels);
  else
    use.multiply_nn(p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, p.c, p.ldc, panels);
}

// By the matrix unit, in bf16; for f32 only.
template <class T>
void by_bf16(const Product<T>& p) {
  if constexpr (std::is_same_v<T, float>) {
    multiply_bf16(p, scratch<std::uint16_t, Bf16Blocks>(bf16_scratch()));
  }
}

// A product that is given as a whole (or in parts of its sums, or with a beta that rounds otherwise than an
// update does): the product first, where the caches still hold it, and then what is made of it.
template <class T>
void whole_first(const Product<T>& p, void (*by)(const Product<T>&), const TakePart<T>& part) {
  if (p.update == nullptr && !part.take) return by(p);
  Tensor gradient = empty({p.m, p.n}, dtype_of<T>);
  Product<T> plain = p;
  plain.update = nullptr;
  plain.c = writable<T>(gradient);
  plain.ldc = p.n;
  by(plain);
  if (part.take) return part(0, p.m, plain.c);
  for (Index i = 0; i < p.m; ++i) loops<T>().sgd(p.n, p.c + i * p.ldc, plain.c + i * p.n, *p.update);
}

// The result is cut into blocks, each done by one thread: less than this many multiply-adds are not worth
// waking another, and every block lays out anew the operand that it shares with the others. BLAS sums in an
// order that depends on the sizes, so its blocks depend on the shapes alone; then the bits do not depend on
// the number of threads. Ours sums every element in one order, and takes as few blocks as serve the threads.
constexpr double blas_block = 16e6, loops_block = 2e6, bf16_block = 64e6;
constexpr double most_blas_blocks = 8, loops_blocks_a_thread = 2, bf16_blocks_a_thread = 1;

// Along the rows of a product's result or its columns: blocks that begin at multiples of 16.
class Blocks {
 public:
  template <class T>
  Blocks(const Product<T>& p, bool bf16, bool ours)
      // Forward and in the gradient of a layer's weights a thread then meets the same outputs, whose weights
      // its core's cache holds. The longer side where those are few.
      : by_columns(p.n >= p.m && !(ours && p.ta && p.n <= 4 * p.m && units(p.m) >= threads())),
        size_(by_columns ? p.n : p.m) {
    const double work = static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
    if (!bf16 && !ours) {
      count_ = static_cast<Index>(std::clamp(work / blas_block, 1.0, most_blas_blocks));
      length_ = units((size_ + count_ - 1) / count_);
      count_ = (units(size_) + length_ - 1) / length_;
      return;
    }
    if (threads() == 1) return;
    const double most = (bf16 ? bf16_blocks_a_thread : loops_blocks_a_thread) * threads();
    count_ = static_cast<Index>(std::clamp(work / (bf16 ? bf16_block : loops_block), 1.0, most));
    if (count_ > threads()) count_ -= count_ % threads();
    count_ = std::min(count_, units(size_));
  }

  Index count() const { return count_; }
  /// Where block i begins, and the one before it ends.
  Index edge(Index i) const {
    return std::min(size_, multiple * (length_ > 0 ? length_ * i : units(size_) * i / count_));
  }

  const bool by_columns;

 private:
  static constexpr Index multiple = 16;
  static Index units(Index size) { return (size + multiple - 1) / multiple; }

  Index size_, count_ = 1;
  Index length_ = 0;  // of all blocks but the last, in units; 0: as even as can be
};

// The products `of(i)` of `count` equal shapes, none of its sizes 0; or what `take` makes of them.
template <class T, class F>
void multiply(Index count, F of, const Take<T>* take = nullptr) {
  const Product<T> shape = of(0);
  const bool bf16 =
      std::is_same_v<T, float> && precision() == Precision::bf16 && bf16_available() && !reference();
  const bool ours = !bf16 && fits_loops(shape);
  const Blocks blocks(shape, bf16, ours);
  parallel_for(count * blocks.count(), [&](Index i) {
    const Product<T> whole = of(i / blocks.count());
    const Index begin = blocks.edge(i % blocks.count()), end = blocks.edge(i % blocks.count() + 1);
    const Product<T> part = blocks.by_columns ? columns(whole, begin, end) : rows(whole, begin, end);
    const TakePart<T> taken{take, blocks.by_columns ? begin : begin * whole.ldc, part.n, whole.ldc};
    if (bf16 && part.k <= bf16_whole_sum && !take)
      by_bf16(part);
    else if (ours)
      by_loops(part, shape, taken);
    else
      whole_first(part, bf16 ? by_bf16<T> : by_blas<T>, taken);
  });
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

template <class T>
void multiply_here(const Product<T>& p) {
  by_blas(p);
}
template void multiply_here(const Product<float>& p);
template void multiply_here(const Product<double>& p);

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
  const Stack stack(operation, a.shape(), b.shape());
  Shape shape = stack.shape();
  shape.push_back(m);
  shape.push_back(n);
  return for_float(operation, a.dtype(), [&]<class T>() {
    Tensor y = empty(shape, a.dtype());
    count_flops(2 * y.size() * k + (bias.defined() ? y.size() : 0));
    if (y.size() == 0) return y;
    T* out = writable<T>(y);
    if (k == 0) {
      if (bias.defined())
        for (Index i = 0; i < y.size(); i += n) std::copy_n(readable<T>(bias), n, out + i);
      else
        std::fill_n(out, y.size(), T(0));
      return y;
    }
    multiply<T>(y.size() / (m * n), [&](Index i) {
      return Product<T>{.m = m,
                        .n = n,
                        .k = k,
                        .a = readable<T>(a) + stack.of_a(i) * m * k,
                        .lda = a.size(-1),
                        .ta = ta,
                        .b = readable<T>(b) + stack.of_b(i) * k * n,
                        .ldb = b.size(-1),
                        .tb = tb,
                        .bias = bias.defined() ? readable<T>(bias) : nullptr,
                        .update = nullptr,
                        .c = out + i * m * n,
                        .ldc = n};
    });
    return y;
  });
}

namespace {

template <class T>
Product<T> weight_gradient(const Tensor& dy, const Tensor& x) {
  return {.m = dy.size(1),
          .n = x.size(1),
          .k = x.size(0),
          .a = readable<T>(dy),
          .lda = dy.size(1),
          .ta = true,
          .b = readable<T>(x),
          .ldb = x.size(1),
          .tb = false,
          .bias = nullptr,
          .update = nullptr,
          .c = nullptr,
          .ldc = x.size(1)};
}

}  // namespace

template <class T>
void update_by_product(Tensor& weight, const Tensor& dy, const Tensor& x, const Update<T>& update) {
  Product<T> p = weight_gradient<T>(dy, x);
  p.update = &update;
  p.c = writable<T>(weight);
  count_flops(2 * p.m * p.n * p.k);
  multiply<T>(1, [&](Index) { return p; });
}

template <class T>
void take_product(const Tensor& dy, const Tensor& x, const Take<T>& take) {
  const Product<T> p = weight_gradient<T>(dy, x);
  count_flops(2 * p.m * p.n * p.k);
  multiply<T>(
      1, [&](Index) { return p; }, &take);
}

template void update_by_product(Tensor&, const Tensor&, const Tensor&, const Update<float>&);
template void update_by_product(Tensor&, const Tensor&, const Tensor&, const Update<double>&);
template void take_product(const Tensor&, const Tensor&, const Take<float>&);
template void take_product(const Tensor&, const Tensor&, const Take<double>&);

}  // namespace elk::kernels
