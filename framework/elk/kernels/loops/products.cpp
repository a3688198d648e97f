// Products as a network meets them: of thin matrices when its batches are small, while BLAS is made for large
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
constexpr Index smaller(Index a, Index b) { return a < b ? a : b; }
template <class T>
constexpr int dot_columns = static_cast<int>(smaller(lanes<T>, many_registers ? 5 : 3));
constexpr int dot_rows = many_registers ? 5 : 3;
constexpr int outer_rows = many_registers ? 8 : 6;
constexpr int outer_vectors = many_registers ? 3 : 2;
constexpr int panel_sums = many_registers ? 24 : 12, panel_rows = 12;  // in all, and the most rows of them

// As std::integral_constant, whose functions would be compiled for this level and shared with all others.
template <int n>
struct Constant {
  constexpr operator int() const { return n; }
};

// Parts of [0, n) of nearly equal lengths, at most `most`.
class Parts {
 public:
  ELK_INLINE Parts(Index most, Index n)
      : count_((n + most - 1) / most),
        length_(count_ == 0 ? 0 : n / count_),
        shorter_(count_ == 0 ? 0 : count_ - n % count_) {}

  /// Calls f(begin, length) for each; `backwards` the last part comes first.
  template <class F>
  ELK_INLINE void for_each(F f, bool backwards = false) const {
    for (Index i = 0; i < count_; ++i) {
      const Index part = backwards ? count_ - 1 - i : i;
      f(part * length_ + (part > shorter_ ? part - shorter_ : 0), length_ + (part >= shorter_));
    }
  }

 private:
  Index count_, length_, shorter_;  // parts, and those of the lesser length, which lie before the longer ones
};

// Calls f(begin, length) for each of the Parts, the length a constant. f is compiled for each, so what it
// does beside its tile costs space.
template <int most, class F>
ELK_INLINE void for_parts(Index n, F f, bool backwards = false) {
  const auto part = [&](Index begin, Index length) ELK_INLINE_LAMBDA {
    [&]<int... I>(std::integer_sequence<int, I...>) {
      (void)((length == I + 1 && (f(begin, Constant<I + 1>()), true)) || ...);
    }
    (std::make_integer_sequence<int, most>());
  };
  Parts(most, n).for_each(part, backwards);
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
  const auto part = [&](Index column, auto columns) ELK_INLINE_LAMBDA {
    const T* w_here = w + column * ldw;
    const Index after = backwards                   ? (column > columns ? column - columns : 0)
                        : column + 2 * columns <= n ? column + columns
                                                    : column;
    const T* next = w + after * ldw;
    for (Index begin = 0; begin == 0 || begin < k; begin += longest) {
      const Index length = smaller(longest, k - begin);
      Index tile = 0;
      for_parts<dot_rows>(m, [&](Index row, auto rows) ELK_INLINE_LAMBDA {
        T* to = y + row * ldy + column;
        const T* add = begin > 0 ? to : bias ? bias + column : nullptr;
        dot_tile<T, rows, columns>(length, x + row * ldx + begin, ldx, w_here + begin, ldw, add,
                                   begin > 0 ? ldy : 0, to, ldy, next + tile++ % columns * ldw + begin);
      });
    }
  };
  for_parts<dot_columns<T>>(n, part, backwards);
}

template <class T>
constexpr Index vectors(Index n) {
  return (n + lanes<T> - 1) / lanes<T>;
}

template <class T, int size, int... I>
ELK_INLINE void swap_pieces(Vector<T>& a, Vector<T>& b, std::integer_sequence<int, I...>) {
  const Vector<T> first = __builtin_shufflevector(a, b, (I / size % 2 == 0 ? I : I - size + lanes<T>)...);
  b = __builtin_shufflevector(a, b, (I / size % 2 == 0 ? I + size : I + lanes<T>)...);
  a = first;
}

/// Transposes a square: v[i][j] becomes v[j][i]. Pieces of 1, 2, 4, ... lanes off the diagonal change places.
template <class T, int size = 1>
ELK_INLINE void transpose(Vector<T> (&v)[lanes<T>]) {
#pragma GCC unroll 16
  for (int i = 0; i < lanes<T>; ++i)
    if (i / size % 2 == 0)
      swap_pieces<T, size>(v[i], v[i + size], std::make_integer_sequence<int, lanes<T>>());
  if constexpr (2 * size < lanes<T>) transpose<T, 2 * size>(v);
}

// The product of a linear layer, turned: vectors run along the rows of x, of which panels of V vectors are
// laid out so that what belongs to one place of k lies together; the elements of w are taken one by one. So
// there are no sums over lanes, and x comes from the first cache. Rows of x that are missing in the last
// vector are 0.
template <class T, int V>
[[gnu::noinline]] void pack_panel(Index m, Index k, const T* x, Index ldx, T* panel) {
  for (Index i = 0; i < k; i += lanes<T>) {
    const bool whole = k - i >= lanes<T>;
    for (int v = 0; v < V; ++v) {
      Vector<T> square[lanes<T>];
#pragma GCC unroll 16
      for (int r = 0; r < lanes<T>; ++r) {
        const Index row = v * lanes<T> + r;
        const T* from = x + row * ldx + i;
        square[r] = row >= m ? Vector<T>{} : whole ? load(from) : load(from, static_cast<int>(k - i));
      }
      transpose<T>(square);
      T* to = panel + (i * V + v) * lanes<T>;
#pragma GCC unroll 16
      for (int c = 0; c < lanes<T>; ++c)
        if (whole || i + c < k) store(to + c * V * lanes<T>, square[c]);
    }
  }
}

// sums (R, V vectors) += w (R, k) times a panel's (k, V vectors). `ahead` is what comes next of w.
template <class T, int R, int V>
[[gnu::noinline]] void panel_tile(Index k, const T* panel, const T* w, Index ldw, T* sums, Index ld_sums,
                                  const T* ahead) {
  Vector<T> sum[R][V];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) sum[r][v] = load(sums + r * ld_sums + v * lanes<T>);
  const auto step = [&](Index i) ELK_INLINE_LAMBDA {
    const T* row = panel + i * V * lanes<T>;
    if constexpr (R <= V) {
      Vector<T> factor[R];
      for (int r = 0; r < R; ++r) factor[r] = spread(w[r * ldw + i]);
      for (int v = 0; v < V; ++v) {
        const Vector<T> x = load(row + v * lanes<T>);
        for (int r = 0; r < R; ++r) sum[r][v] = multiply_add<T>(factor[r], x, sum[r][v]);
      }
    } else {
      Vector<T> x[V];
      for (int v = 0; v < V; ++v) x[v] = load(row + v * lanes<T>);
      for (int r = 0; r < R; ++r) {
        const Vector<T> factor = spread(w[r * ldw + i]);
        for (int v = 0; v < V; ++v) sum[r][v] = multiply_add<T>(factor, x[v], sum[r][v]);
      }
    }
  };
  constexpr Index line = 64 / sizeof(T);
  Index i = 0;
  for (; i + line <= k; i += line) {
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) __builtin_prefetch(ahead + r * ldw + i);
#pragma GCC unroll 2
    for (Index j = 0; j < line; ++j) step(i + j);
  }
  for (; i < k; ++i) step(i);
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store(sums + r * ld_sums + v * lanes<T>, sum[r][v]);
}

// y (rows, columns) = the transpose of sums (columns, ld_sums), plus bias (columns) unless that is null.
template <class T>
void put_turned(Index rows, Index columns, const T* sums, Index ld_sums, const T* bias, T* y, Index ldy) {
  for (Index j = 0; j < columns; j += lanes<T>)
    for (Index row = 0; row < rows; row += lanes<T>) {
      const auto there = static_cast<int>(smaller(columns - j, lanes<T>));
      const bool whole = there == lanes<T>;
      Vector<T> square[lanes<T>];
#pragma GCC unroll 16
      for (int c = 0; c < lanes<T>; ++c)
        square[c] = c < there ? load(sums + (j + c) * ld_sums + row) : Vector<T>{};
      transpose<T>(square);
      const Vector<T> add = !bias ? Vector<T>{} : whole ? load(bias + j) : load(bias + j, there);
      T* to = y + row * ldy + j;
#pragma GCC unroll 16
      for (int r = 0; r < lanes<T>; ++r) {
        if (row + r >= rows) break;
        const Vector<T> value = bias ? square[r] + add : square[r];
        if (whole)
          store(to + r * ldy, value);
        else
          store(to + r * ldy, value, there);
      }
    }
}

// Of rows of x beyond the last whole vector so many are too few to fill another: their sums run along k.
template <class T>
constexpr Index few = (3 * lanes<T> + 7) / 8;

template <class T>
[[gnu::noinline]] void multiply_few(Index m, Index n, Index k, const T* x, Index ldx, const T* w, Index ldw,
                                    const T* bias, T* y, Index ldy) {
  for_parts<few<T>>(m, [&](Index, auto rows) ELK_INLINE_LAMBDA {  // once, with rows = m
    for_parts<dot_columns<T>>(n, [&](Index column, auto columns) ELK_INLINE_LAMBDA {
      const T* w_here = w + column * ldw;
      dot_tile<T, rows, columns>(k, x, ldx, w_here, ldw, bias ? bias + column : nullptr, 0, y + column, ldy,
                                 w_here + columns * ldw);
    });
  });
}

// Where the blocks of w begin does not matter, and a part of the rows of x that begins at a multiple of
// lanes<T> and goes on to the end, or to another multiple, has the bits of the whole.
template <class T>
void multiply_nt_packed(Index m, Index n, Index k, const T* x, Index ldx, const T* w, Index ldw,
                        const T* bias, T* y, Index ldy, T* scratch) {
  constexpr Index chunk = 8, wide = 4;  // vectors along x's rows: at once, and in a panel
  // Of w so many rows and columns at once that a panel stays in the first cache, and these in the second.
  constexpr Index block_n = 96, most_k = 26 * 1024 / (wide * vector_bytes), line = 64 / sizeof(T);
  const Index blocks = (k + most_k - 1) / most_k;
  const Index block_k = ((k + blocks - 1) / blocks + line - 1) / line * line;
  const Index left = m % lanes<T> <= few<T> ? m % lanes<T> : 0, filled = m - left;
  T sums[block_n * chunk * lanes<T>];
  const Index whole = filled > 0 ? vectors<T>(filled) : 1;  // or one of zeros, beside which the rest is done
  Parts(chunk, whole).for_each([&](Index first_vector, Index count) ELK_INLINE_LAMBDA {
    const Index first = first_vector * lanes<T>;
    const T* x_here = x + first * ldx;
    const Index padded = count * lanes<T>;
    const Index rows = smaller(padded, filled - first);
    const bool last = first + padded >= filled;
    for_parts<wide>(count, [&](Index vector, auto width) ELK_INLINE_LAMBDA {
      const Index row = vector * lanes<T>;
      pack_panel<T, width>(rows - row, k, x_here + row * ldx, ldx, scratch + row * k);
    });
    for (Index column = 0; column < n; column += block_n) {
      const Index columns = smaller(block_n, n - column);
      for (Index i = 0; i < columns * padded; ++i) sums[i] = 0;
      for (Index step = 0; step < k; step += block_k) {
        const Index length = smaller(block_k, k - step);
        const T* w_here = w + column * ldw + step;
        for_parts<wide>(count, [&](Index vector, auto width) ELK_INLINE_LAMBDA {
          const T* panel = scratch + vector * lanes<T> * k + step * width * lanes<T>;
          constexpr int rows_of_w = static_cast<int>(smaller(panel_rows, panel_sums / width));
          for_parts<rows_of_w>(columns, [&](Index j, auto together) ELK_INLINE_LAMBDA {
            panel_tile<T, together, width>(length, panel, w_here + j * ldw, ldw,
                                           sums + j * padded + vector * lanes<T>, padded,
                                           w_here + (j + together) * ldw);
          });
        });
      }
      const T* add = bias ? bias + column : nullptr;
      put_turned(rows, columns, sums, padded, add, y + first * ldy + column, ldy);
      if (last && left > 0)
        multiply_few(left, columns, k, x + filled * ldx, ldx, w + column * ldw, ldw, add,
                     y + filled * ldy + column, ldy);
    }
  });
}

// What a tile of a product does with its sums: they are the result, or are added to it, or are the gradient
// of an update of it.
enum class Into { store, add, update };

// The tile c (R, V vectors) of a (R, k) times b (k, V vectors), whose rows are `b_row` apart. a's rows are
// `a_row` apart, or, where it is packed, the elements of one step lie together. c has so many `columns` from
// here on, which may end within the last vector. Unless `panel` is null, b is laid out there on the way, row
// behind row, with zeros behind its last column. Where it is null, b is read in whole vectors.
template <class T, int R, int V, bool packed, Into into>
void outer_tile(Index k, const T* a, Index a_row, const T* b, Index b_row, T* panel, T* c, Index ldc,
                Index columns, Update<T> update) {
  const bool whole = columns >= V * lanes<T>;
  const auto rest = static_cast<int>(columns - (V - 1) * lanes<T>);
  const auto at = [&](const T* row, int v) ELK_INLINE_LAMBDA {
    return whole || v + 1 < V ? load(row + v * lanes<T>) : load(row + v * lanes<T>, rest);
  };
  const auto put = [&](T* row, int v, Vector<T> value) ELK_INLINE_LAMBDA {
    if (whole || v + 1 < V)
      store(row + v * lanes<T>, value);
    else
      store(row + v * lanes<T>, value, rest);
  };
  Vector<T> sum[R][V] = {};
  if constexpr (into == Into::add) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < V; ++v) sum[r][v] = at(c + r * ldc, v);
      for (int v = 0; v <= V; ++v) __builtin_prefetch(c + (R + r) * ldc + v * lanes<T>, 1);  // the next tile
    }
  } else {
    const T* wanted = c;     // in the end
    asm("" : "+r"(wanted));  // or all these places would be kept in registers until then
    for (int r = 0; r < R; ++r, wanted += ldc) {
      __builtin_prefetch(wanted, 1);
      __builtin_prefetch(wanted + V * lanes<T> - 1, 1);
    }
  }
  const auto step = [&](Index i, const Vector<T>(&row)[V]) ELK_INLINE_LAMBDA {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vector<T> factor = spread(packed ? a[i * R + r] : a[r * a_row + i]);
      for (int v = 0; v < V; ++v) sum[r][v] = multiply_add<T>(factor, row[v], sum[r][v]);
    }
  };
  Vector<T> row[V];
  if (panel)
    for (Index i = 0; i < k; ++i, b += b_row, panel += V * lanes<T>) {
      for (int v = 0; v <= V; ++v) __builtin_prefetch(b + 8 * b_row + v * lanes<T>);
      for (int v = 0; v < V; ++v) row[v] = at(b, v);
      for (int v = 0; v < V; ++v) store(panel + v * lanes<T>, row[v]);
      step(i, row);
    }
  else
    for (Index i = 0; i < k; ++i, b += b_row) {
      for (int v = 0; v < V; ++v) row[v] = load(b + v * lanes<T>);
      step(i, row);
    }
  if constexpr (into == Into::update) {
    const Vector<T> rate = spread(update.rate);
    if (update.decay != 0) {
      const Vector<T> decay = spread(update.decay);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) sum[r][v] += decay * at(c + r * ldc, v);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < V; ++v) put(c + r * ldc, v, at(c + r * ldc, v) - rate * sum[r][v]);
  } else {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < V; ++v) put(c + r * ldc, v, sum[r][v]);
  }
}

// The tiles of all sizes: that of R rows and V vectors is at (R - 1) outer_vectors + V - 1.
template <class T>
using OuterTile = void (*)(Index, const T*, Index, const T*, Index, T*, T*, Index, Index, Update<T>);
template <class T>
struct OuterTiles {
  OuterTile<T> of[outer_rows * outer_vectors];
};
template <class T, bool packed, Into into, int... I>
constexpr OuterTiles<T> outer_tiles_of(std::integer_sequence<int, I...>) {
  return {{outer_tile<T, I / outer_vectors + 1, I % outer_vectors + 1, packed, into>...}};
}
template <class T, bool packed, Into into>
constexpr OuterTiles<T> outer_tiles =
    outer_tiles_of<T, packed, into>(std::make_integer_sequence<int, outer_rows * outer_vectors>());

// The elements of so many columns of a (k, columns) that belong to one place of k, side by side.
template <class T>
[[gnu::noinline]] void pack_columns(Index columns, Index k, const T* a, Index lda, T* to) {
  for_parts<outer_rows>(columns, [&](Index, auto count) ELK_INLINE_LAMBDA {  // once, with count = columns
    const T* from = a;
    for (Index i = 0; i < k; ++i, from += lda, to += count)
      for (int c = 0; c < count; ++c) to[c] = from[c];
  });
}

// Whether tiles read rows of b, `stride` bytes apart, where they lie as fast as from a panel, which costs
// time to lay out: a batch of m rows meets weights, or, in their gradient (ta), m rows of weights meet a
// batch of k. Not for many tiles, nor where the rows compete for the same places of the cache. Rows of
// weights are far apart, so in shorter vectors too little of each is read at once. Measured, on Zen 4.
constexpr bool lie_well(bool ta, Index m, Index k, Index stride) {
  const bool few = m <= 16 * outer_rows;
  return few && (ta ? k <= 128 && stride % 1024 != 0 : vector_bytes == 64 && stride % 8192 != 0);
}

// c (m, n) becomes, or is updated by, a (m, k), or with ta the transpose of a (k, m), times b (k, n). Rows of
// c are taken in blocks, each of which meets b in panels of as many columns as a tile has; the first tile
// that reads a panel lays it out.
template <class T, bool ta, Into into>
void multiply_outer(Index m, Index n, Index k, const T* a, Index lda, const T* b, Index ldb, T* c, Index ldc,
                    Update<T> update, const TakeRows<T>* take, T* scratch) {
  // Where a's rows are long, a block of them stays in the second cache while it meets all panels. In a
  // gradient of weights they are packed, and blocks of short ones are a tile high, so that c is gone through
  // in the order of its rows.
  const Index most_tiles = !ta ? (k > 256 ? 16 : 32) : k <= 128 ? 1 : take ? 2 : 16;
  const Index blocks = (m + most_tiles * outer_rows - 1) / (most_tiles * outer_rows);
  const Index block = (m + blocks - 1) / blocks;
  T* const columns_of_a = scratch + vectors<T>(n) * lanes<T> * k;
  const bool in_place = lie_well(ta, m, k, ldb * static_cast<Index>(sizeof(T)));
  const Parts panels(outer_vectors, vectors<T>(n));
  constexpr Index ahead = 512 / vector_bytes / outer_vectors * outer_vectors;  // vectors, in whole panels
  for (Index top = 0; top < m; top += block) {
    const Index tall = smaller(block, m - top), ld_here = take ? n : ldc;
    T* const c_here = take ? columns_of_a + vectors<T>(block * k) * lanes<T> : c + top * ldc;
    const Parts tiles(outer_rows, tall);
    if constexpr (ta)
      Parts(64, k).for_each([&](Index step, Index length) ELK_INLINE_LAMBDA {  // so few pages at once
        tiles.for_each([&](Index row, Index rows) ELK_INLINE_LAMBDA {
          pack_columns(rows, length, a + step * lda + top + row, lda, columns_of_a + row * k + step * rows);
        });
      });
    panels.for_each([&](Index vector, Index count) ELK_INLINE_LAMBDA {
      const Index begin = vector * lanes<T>, width = count * lanes<T>;
      const bool here = in_place && begin + width <= n;
      T* const panel = blocks == 1 ? scratch : scratch + begin * k;
      // The rows of the next panels of weights are fetched meanwhile, some with each tile, in pieces of many
      // columns, as rows are far apart.
      const Index within = vector % ahead, next = (vector - within + ahead) * lanes<T>;
      const Index next_width = smaller(ahead * lanes<T>, n - next);
      const bool fetches = !ta && top == 0 && next_width > 0;
      Index fetched = k * within / ahead;
      const Index stop = fetches ? k * smaller(within + count, ahead) / ahead : fetched;
      const Index each = (stop - fetched) * outer_rows / block + 1;
      tiles.for_each([&](Index row, Index rows) ELK_INLINE_LAMBDA {
        for (int i = 0; take && i < take->arrays; ++i)
          for (Index r = 0; r < rows; ++r)
            __builtin_prefetch(take->touched[i] + (top + row + r) * take->ld + begin, 1);
        for (const Index end = smaller(fetched + each, stop); fetched < end; ++fetched)
          for (Index i = 0; i < next_width; i += 64 / sizeof(T))
            __builtin_prefetch(b + fetched * ldb + next + i, 0, 2);
        const bool first = top + row == 0, from_b = first || here;
        const auto tile = outer_tiles<T, ta, into>.of[(rows - 1) * outer_vectors + count - 1];
        tile(k, ta ? columns_of_a + row * k : a + (top + row) * lda, lda, from_b ? b + begin : panel,
             from_b ? ldb : width, first && !here ? panel : nullptr, c_here + row * ld_here + begin, ld_here,
             n - begin, update);
      });
    });
    if (take) take->take(take->by, top, tall, c_here);
  }
}

template <class T>
void multiply_tn(Index m, Index n, Index k, const T* a, Index lda, const T* b, Index ldb, T* c, Index ldc,
                 const Update<T>* update, const TakeRows<T>* take, T* scratch) {
  if (update)
    multiply_outer<T, true, Into::update>(m, n, k, a, lda, b, ldb, c, ldc, *update, nullptr, scratch);
  else
    multiply_outer<T, true, Into::store>(m, n, k, a, lda, b, ldb, c, ldc, {}, take, scratch);
}

// c (n) = a (k) times b (k, n). A single row is not worth tiles: rows of b are gone through as they lie, a
// few at once. Elements are summed in the same order.
template <class T>
void multiply_row(Index n, Index k, const T* a, const T* b, Index ldb, T* c) {
  for_parts<4>(k, [&](Index step, auto rows) ELK_INLINE_LAMBDA {
    Vector<T> factor[rows];
    for (int r = 0; r < rows; ++r) factor[r] = spread(a[step + r]);
    const auto add = [&](Index j, auto... count) ELK_INLINE_LAMBDA {
      Vector<T> sum = step > 0 ? load(c + j, count...) : Vector<T>{};
      for (int r = 0; r < rows; ++r)
        sum = multiply_add<T>(factor[r], load(b + (step + r) * ldb + j, count...), sum);
      store(c + j, sum, count...);
    };
    Index j = 0;
    for (; j + lanes<T> <= n; j += lanes<T>) add(j);
    if (j < n) add(j, static_cast<int>(n - j));
  });
}

template <class T>
void multiply_nn(Index m, Index n, Index k, const T* a, Index lda, const T* b, Index ldb, T* c, Index ldc,
                 T* scratch) {
  if (m == 1) return multiply_row(n, k, a, b, ldb, c);
  // A panel of so many rows of b stays in the first cache, or, with 64-byte vectors, in the second, which is
  // fast enough for them. Measured.
  const Index most = vector_bytes == 64 && m > 256 ? 512 : 256;
  Parts(most, k).for_each([&](Index step, Index length) ELK_INLINE_LAMBDA {
    const auto part = step > 0 ? multiply_outer<T, false, Into::add> : multiply_outer<T, false, Into::store>;
    part(m, n, length, a + step, lda, b + step * ldb, ldb, c, ldc, {}, nullptr, scratch);
  });
}

// Measured with AVX2 and AVX-512, against OpenBLAS.
#if defined(__AVX2__)
constexpr Index most_rows_of_wide = 4096, most_rows_of_many_inputs = 1024;
#else
constexpr Index most_rows_of_wide = many_registers ? 128 : 256, most_rows_of_many_inputs = most_rows_of_wide;
#endif

template <class T>
constexpr ProductLoops<T> loops{.most_rows = many_registers ? 128 : 256,
                                .most_rows_of_wide = most_rows_of_wide,
                                .most_rows_of_many_inputs = most_rows_of_many_inputs,
                                .few_outputs = many_registers ? 32 : 0,
                                .packed_rows = (many_registers ? 2 : 1) * lanes<T>,
                                .packed_columns = many_registers ? 64 : 1,
                                .multiply_nt = multiply_nt<T>,
                                .multiply_nt_packed = multiply_nt_packed<T>,
                                .multiply_tn = multiply_tn<T>,
                                .multiply_nn = multiply_nn<T>};

}  // namespace

constinit const BothTypes<ProductLoops> products{loops<float>, loops<double>};

}  // namespace elk::kernels::ELK_LEVEL
