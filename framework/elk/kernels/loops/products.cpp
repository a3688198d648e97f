// Products of thin matrices, as a network meets them when its batches are small: BLAS is made for large
// square ones. Tiles of the result stay in registers while both operands stream past.
#include <elk/kernels/loops/level.hpp>
#include <elk/kernels/loops/vector.hpp>

namespace elk::kernels::ELK_LEVEL {
namespace {

// Sizes of the tiles: as many accumulators as the registers (32, or 16) hold beside the operands. The sums of
// dot_columns vectors are brought into the lanes of one.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr bool many_registers = true;
#else
constexpr bool many_registers = false;
#endif
constexpr int smaller(int a, int b) { return a < b ? a : b; }
template <class T>
constexpr int dot_columns = smaller(lanes<T>, many_registers ? 5 : 3);
constexpr int dot_rows = many_registers ? 5 : 3;
constexpr int outer_rows = many_registers ? 8 : 4;
constexpr int outer_vectors = many_registers ? 3 : 2;

// As std::integral_constant, whose functions would be compiled for this level and shared with all others.
template <int n>
struct Constant {
  constexpr operator int() const { return n; }
};

// Calls f(begin, length) for parts of [0, n) of nearly equal lengths, at most `most`, the length as a
// constant; `backwards` the last part comes first.
template <int most, class F>
ELK_INLINE void for_parts(Index n, bool backwards, F f) {
  const Index parts = (n + most - 1) / most;
  const Index shorter = parts == 0 ? 0 : parts - n % parts;  // parts, which lie before the longer ones
  for (Index i = 0; i < parts; ++i) {
    const Index part = backwards ? parts - 1 - i : i;
    const Index begin = part * (n / parts) + (part > shorter ? part - shorter : 0);
    const Index length = n / parts + (part >= shorter);
    [&]<int... I>(std::integer_sequence<int, I...>) {
      (void)((length == I + 1 && (f(begin, Constant<I + 1>()), true)) || ...);
    }
    (std::make_integer_sequence<int, most>());
  }
}
template <int most, class F>
ELK_INLINE void for_parts(Index n, F f) {
  for_parts<most>(n, false, f);
}

// y (R, C) = x (R, k) times the transpose of w (C, k), plus what is at `add`. Both lie along k, so vectors
// run along k and their lanes are summed at the end. `ahead` is what comes next: the cache is told meanwhile.
// Not inlined, or the indices of the shuffles at the end would be kept in registers that the loop needs.
template <class T, int R, int C>
[[gnu::noinline]] void dot_tile(Index k, const T* x, Index ldx, const T* w, Index ldw, const T* add,
                                Index ld_add, T* y, Index ldy, const T* ahead) {
  Vector<T> sum[R][C] = {};
  const auto step = [&](auto at) ELK_INLINE_LAMBDA {
    Vector<T> column[C];
    for (int c = 0; c < C; ++c) column[c] = at(w + c * ldw);
    for (int r = 0; r < R; ++r) {
      const Vector<T> row = at(x + r * ldx);
      for (int c = 0; c < C; ++c) sum[r][c] = multiply_add<T>(row, column[c], sum[r][c]);
    }
  };
  Index i = 0;
  for (; i + lanes<T> <= k; i += lanes<T>) {
    __builtin_prefetch(ahead + i);
    step([i](const T* p) ELK_INLINE_LAMBDA { return load(p + i); });
  }
  if (i < k) step([i, k](const T* p) ELK_INLINE_LAMBDA { return load(p + i, static_cast<int>(k - i)); });
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    Vector<T> total = lane_sums<T>(sum[r]);
    if (add) total += load(add + r * ld_add, C);
    store(y + r * ldy, total, C);
  }
}

template <class T>
void multiply_nt(Index m, Index n, Index k, const T* x, Index ldx, const T* w, Index ldw, const T* bias, T* y,
                 Index ldy, bool backwards) {
  // Longer rows are taken piece by piece: then so much of each stays in the first cache, also where rows lie
  // a multiple of its size apart and compete for the same places.
  constexpr Index longest = 4096 / sizeof(T);
  for_parts<dot_columns<T>>(n, backwards, [&](Index column, auto columns) ELK_INLINE_LAMBDA {
    const T* w_here = w + column * ldw;
    const Index after = backwards                   ? (column > columns ? column - columns : 0)
                        : column + 2 * columns <= n ? column + columns
                                                    : column;
    const T* next = w + after * ldw;
    for (Index begin = 0; begin == 0 || begin < k; begin += longest) {
      const Index length = k - begin < longest ? k - begin : longest;
      Index tile = 0;
      for_parts<dot_rows>(m, [&](Index row, auto rows) ELK_INLINE_LAMBDA {
        T* to = y + row * ldy + column;
        const T* add = begin > 0 ? to : bias ? bias + column : nullptr;
        dot_tile<T, rows, columns>(length, x + row * ldx + begin, ldx, w_here + begin, ldw, add,
                                   begin > 0 ? ldy : 0, to, ldy, next + tile++ % columns * ldw + begin);
      });
    }
  });
}

// How a tile of a product ends: added to what is there, as it is, or as the gradient of an update.
template <class T>
struct End {
  bool accumulate = false;
  const Update<T>* update = nullptr;
};

// The tile c (R, V vectors) = a (R, k) times b (k, V vectors); a's elements are `a_row` and `a_step` apart.
// Of the last vector there are `rest` lanes, or all when `whole`.
template <class T, int R, int V, bool whole>
void outer_tile(Index k, const T* a, Index a_row, Index a_step, const T* b, Index ldb, T* c, Index ldc,
                int rest, End<T> end) {
  const auto at = [&](const T* row, int v) ELK_INLINE_LAMBDA {
    return whole || v + 1 < V ? load(row + v * lanes<T>) : load(row + v * lanes<T>, rest);
  };
  Vector<T> sum[R][V] = {};
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) {
      __builtin_prefetch(c + r * ldc + v * lanes<T>, 1);  // wanted in the end
      if (end.accumulate) sum[r][v] = at(c + r * ldc, v);
    }
  for (Index i = 0; i < k; ++i) {
    Vector<T> row[V];
    for (int v = 0; v < V; ++v) row[v] = at(b + i * ldb, v);
    for (int r = 0; r < R; ++r) {
      const Vector<T> factor = spread(a[r * a_row + i * a_step]);
      for (int v = 0; v < V; ++v) sum[r][v] = multiply_add<T>(factor, row[v], sum[r][v]);
    }
  }
  const Vector<T> rate = spread(end.update ? end.update->rate : T(0));
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) {
      T* to = c + r * ldc;
      Vector<T> value = sum[r][v];
      if (end.update) {
        const Vector<T> old = at(to, v);
        if (end.update->decay != 0) value += end.update->decay * old;
        value = old - rate * value;
      }
      if (whole || v + 1 < V)
        store(to + v * lanes<T>, value);
      else
        store(to + v * lanes<T>, value, rest);
    }
}

// outer_tile where the last vector may be cut short.
template <class T, int R, int V>
ELK_INLINE void outer_tile(Index k, const T* a, Index a_row, Index a_step, const T* b, Index ldb, T* c,
                           Index ldc, Index columns, End<T> end) {
  const auto rest = static_cast<int>(columns - (V - 1) * lanes<T>);
  if (rest >= lanes<T>)
    outer_tile<T, R, V, true>(k, a, a_row, a_step, b, ldb, c, ldc, lanes<T>, end);
  else
    outer_tile<T, R, V, false>(k, a, a_row, a_step, b, ldb, c, ldc, rest, end);
}

template <class T>
constexpr Index vectors(Index n) {
  return (n + lanes<T> - 1) / lanes<T>;
}

template <class T>
void multiply_tn(Index m, Index n, Index k, const T* a, Index lda, const T* b, Index ldb, T* c, Index ldc,
                 const Update<T>* update, T* scratch) {
  // b is read once for every outer_rows rows of c. Where that is often, its parts are first laid one after
  // the other, which the caches take better than rows a multiple of their size apart.
  const bool pack = m > 32 * outer_rows;
  if (pack)
    for_parts<outer_vectors>(vectors<T>(n), [&](Index vector, auto count) ELK_INLINE_LAMBDA {
      const Index begin = vector * lanes<T>, width = count * lanes<T>;
      for (Index i = 0; i < k; ++i)
        for (Index j = 0; j < width; ++j)
          scratch[begin * k + i * width + j] = begin + j < n ? b[i * ldb + begin + j] : T(0);
    });
  for_parts<outer_rows>(m, [&](Index row, auto rows) ELK_INLINE_LAMBDA {
    T columns_of_a[ProductLoops<T>::most_rows * outer_rows];
    for (Index i = 0; i < k; ++i)
      for (int r = 0; r < rows; ++r) columns_of_a[i * rows + r] = a[i * lda + row + r];
    for_parts<outer_vectors>(vectors<T>(n), [&](Index vector, auto count) ELK_INLINE_LAMBDA {
      const Index begin = vector * lanes<T>;
      outer_tile<T, rows, count>(k, columns_of_a, 1, rows, pack ? scratch + begin * k : b + begin,
                                 pack ? count * lanes<T> : ldb, c + row * ldc + begin, ldc, n - begin,
                                 {.update = update});
    });
  });
}

template <class T>
void multiply_nn(Index m, Index n, Index k, const T* a, Index lda, const T* b, Index ldb, T* c, Index ldc) {
  // A block of b that fits the first cache is laid out there row after row, and meets all rows of a.
  constexpr Index block = 128;
  T rows_of_b[block * outer_vectors * lanes<T>];
  for (Index step = 0; step == 0 || step < k; step += block) {
    const Index length = k - step < block ? k - step : block;
    for_parts<outer_vectors>(vectors<T>(n), [&](Index vector, auto count) ELK_INLINE_LAMBDA {
      const Index begin = vector * lanes<T>;
      constexpr int width = count * lanes<T>;
      const int there = n - begin < width ? static_cast<int>(n - begin) : width;
      for (Index i = 0; i < length; ++i) {
        const T* from = b + (step + i) * ldb + begin;
        if (there == width)
          for (int v = 0; v < count; ++v)
            store(rows_of_b + i * width + v * lanes<T>, load(from + v * lanes<T>));
        else
          for (int j = 0; j < width; ++j) rows_of_b[i * width + j] = j < there ? from[j] : T(0);
      }
      for_parts<outer_rows>(m, [&](Index row, auto rows) ELK_INLINE_LAMBDA {
        outer_tile<T, rows, count>(length, a + row * lda + step, lda, 1, rows_of_b, width,
                                   c + row * ldc + begin, ldc, n - begin, {.accumulate = step > 0});
      });
    });
  }
}

template <class T>
constexpr ProductLoops<T> loops{
    .multiply_nt = multiply_nt<T>, .multiply_tn = multiply_tn<T>, .multiply_nn = multiply_nn<T>};

}  // namespace

constinit const BothTypes<ProductLoops> products{loops<float>, loops<double>};

}  // namespace elk::kernels::ELK_LEVEL
