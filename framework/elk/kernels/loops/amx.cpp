// Products with operands rounded to bf16 and sums in f32, by the tiles of AMX: 16 rows of 64 bytes each.
// Operands are f32 in memory, and converted while they are laid out as tiles; so is nothing else of the
// library concerned.
#include <elk/kernels/loops/level.hpp>
#include <elk/kernels/loops/vector.hpp>

namespace elk::kernels::ELK_LEVEL {
namespace {

// A tile of bf16 has 16 rows of 32: of a, 16 of its rows and 32 steps along k; of b, 16 pairs of steps along
// k, each with 16 columns. The innermost loop multiplies 2 tiles of a by 2 of b.
constexpr Index tile = 16, steps = 32, panel = 2 * tile;
// Of a, a block of at most so many elements is laid out at once, and of at most so many steps along k: it
// stays in the second cache, beside two panels of b and what is fetched ahead.
constexpr Index k_block = bf16_whole_sum, block_elements = 512 * k_block;
constexpr Index tile_elements = tile * steps;

using Units = __m512i;  // 16 pairs of bf16

constexpr Index smaller(Index a, Index b) { return a < b ? a : b; }

ELK_INLINE __m512 load_some(const float* p, Index n) {  // n may be 0 or less: then p is not looked at
  return n >= tile ? _mm512_loadu_ps(p)
         : n > 0   ? _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p)
                   : _mm512_setzero_ps();
}

// 32 numbers of a row, as 16 pairs of neighbours.
ELK_INLINE Units along_row(const float* p, Index n) {
  return (Units)_mm512_cvtne2ps_pbh(load_some(p + tile, n - tile), load_some(p, n));
}

// 16 numbers of each of two rows, as pairs of one below the other.
ELK_INLINE Units across_rows(const float* first, Index n_first, const float* second, Index n_second) {
  const Units order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7,
                                       22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(
      order, (Units)_mm512_cvtne2ps_pbh(load_some(second, n_second), load_some(first, n_first)));
}

// Rows become columns.
ELK_INLINE void transpose(Units (&x)[tile]) {
  Units t[tile];
#pragma GCC unroll 16
  for (int i = 0; i < tile; i += 2) {
    t[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < tile; i += 4) {
    x[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    x[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    x[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    x[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(x[i], x[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(x[i], x[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0xdd);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    x[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    x[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    x[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    x[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

// One tile of an operand whose k runs along its rows: `rows` of them and `n` steps are there, zeros stand for
// the rest. Lies row by row as a wants it, or transposed as b does.
template <bool as_b>
ELK_INLINE void lay_rows(const float* from, Index ld, Index rows, Index n, std::uint16_t* to) {
  Units x[tile];
#pragma GCC unroll 16
  for (int i = 0; i < tile; ++i) x[i] = i < rows ? along_row(from + i * ld, n) : _mm512_setzero_si512();
  if (as_b) transpose(x);
#pragma GCC unroll 16
  for (int i = 0; i < tile; ++i) _mm512_storeu_si512(to + i * steps, x[i]);
}

// The same of an operand whose k runs down its columns: `columns` of them and `n` steps are there.
template <bool as_b>
ELK_INLINE void lay_columns(const float* from, Index ld, Index columns, Index n, std::uint16_t* to) {
  Units x[tile];
#pragma GCC unroll 16
  for (int i = 0; i < tile; ++i)
    x[i] = across_rows(from + 2 * i * ld, 2 * i < n ? columns : 0, from + (2 * i + 1) * ld,
                       2 * i + 1 < n ? columns : 0);
  if (!as_b) transpose(x);
#pragma GCC unroll 16
  for (int i = 0; i < tile; ++i) _mm512_storeu_si512(to + i * steps, x[i]);
}

// A panel: 16 + 16 rows of a (or columns of b) as tiles, in pairs for the same steps: the order in which they
// are multiplied.
struct Panel {
  const float* from;
  Index ld;
  bool along_rows;  // k runs along the rows of what is read
  Index there, k;   // so many rows of a (or columns of b) and steps are; zeros stand for the rest

  template <bool as_b>
  void lay(Index pair, std::uint16_t* to) const {
    const Index step = pair * steps;
    to += pair * 2 * tile_elements;
    for (Index half = 0; half < panel; half += tile, to += tile_elements) {
      if (along_rows)
        lay_rows<as_b>(from + half * ld + step, ld, there - half, k - step, to);
      else
        lay_columns<as_b>(from + step * ld + half, ld, there - half, k - step, to);
    }
  }
};

struct alignas(64) Configuration {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// sums (32, 32) = a panel of a times a panel of b, of `count` pairs of tiles. While the matrix unit
// multiplies the i-th, the rest of the processor does meanwhile(i): much of the time without it went to that.
template <class Meanwhile>
ELK_INLINE void multiply_panels(Index count, const std::uint16_t* a, const std::uint16_t* b, float* sums,
                                Meanwhile meanwhile) {
  asm volatile("" ::: "memory");  // GCC's loads of tiles do not say that they read memory
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (Index i = 0; i < count; ++i, a += 2 * tile_elements, b += 2 * tile_elements) {
    _tile_loadd(4, a, 64);
    _tile_loadd(6, b, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + tile_elements, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + tile_elements, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    meanwhile(i);
  }
  constexpr int row = panel * sizeof(float);
  _tile_stored(0, sums, row);
  _tile_stored(1, sums + tile, row);
  _tile_stored(2, sums + tile * panel, row);
  _tile_stored(3, sums + tile * panel + tile, row);
}

// A block (32, 32) of the result, and its sums.
struct Block {
  const Product<float>* p;
  bool first;           // of the blocks along k
  Index rows, columns;  // those that are there
  float* to;
  const float *sums, *bias;

  // Calls for rows that finish() will need.
  ELK_INLINE void fetch(Index row, Index end) const {
    for (end = smaller(end, rows); row < end; ++row) {
      __builtin_prefetch(to + row * p->ldc, 1);
      __builtin_prefetch(to + row * p->ldc + tile, 1);
    }
  }

  // Puts rows of the sums to where they belong.
  ELK_INLINE void finish(Index row, Index end) const {
    for (end = smaller(end, rows); row < end; ++row)
      for (Index half = 0; half < columns; half += tile) {
        const Index there = smaller(columns - half, tile);
        const auto mask = static_cast<__mmask16>((1u << there) - 1);
        float* at = to + row * p->ldc + half;
        Vector<float> value = load(sums + row * panel + half);
        if (p->update) {
          const auto old = (Vector<float>)_mm512_maskz_loadu_ps(mask, at);
          if (p->update->decay != 0) value += p->update->decay * old;
          value = old - p->update->rate * value;
        } else if (first && bias) {
          value += (Vector<float>)_mm512_maskz_loadu_ps(mask, bias + half);
        } else if (!first) {
          value += (Vector<float>)_mm512_maskz_loadu_ps(mask, at);
        }
        _mm512_mask_storeu_ps(at, mask, (__m512)value);
      }
  }
};

void multiply(const Product<float>& p, std::uint16_t* scratch) {
  const Configuration configuration;
  _tile_loadconfig(&configuration);
  alignas(64) float sums[panel * panel];
  std::uint16_t* const b_panels[] = {scratch, scratch + panel * k_block};  // in turn
  std::uint16_t* const a_block = scratch + 2 * panel * k_block;
  for (Index step = 0; step < p.k; step += k_block) {
    const Index k = smaller(p.k - step, k_block), count = (k + steps - 1) / steps;
    const Index most_rows = block_elements / (count * steps) / panel * panel;
    const Index rows_a_step = (panel + count - 1) / count;
    for (Index begin = 0; begin < p.m; begin += most_rows) {
      const Index end = smaller(p.m, begin + most_rows), panels = (end - begin + panel - 1) / panel;
      const auto a_panel = [&](Index row) { return a_block + (row - begin) * count * steps; };
      for (Index row = begin; row < end; row += panel) {
        const Panel a{p.a + (p.ta ? step * p.lda + row : row * p.lda + step), p.lda, !p.ta, end - row, k};
        for (Index i = 0; i < count; ++i) a.lay<false>(i, a_panel(row));
      }
      const auto panel_of_b = [&](Index column) {
        return Panel{p.b + (p.tb ? column * p.ldb + step : step * p.ldb + column), p.ldb, p.tb, p.n - column,
                     k};
      };
      for (Index i = 0; i < count; ++i) panel_of_b(0).lay<true>(i, b_panels[0]);
      Block last{};  // of no rows
      for (Index column = 0; column < p.n; column += panel) {
        std::uint16_t *const b = b_panels[column / panel % 2], *const next_b =
                                                                   b_panels[1 - column / panel % 2];
        const bool more = column + panel < p.n;
        const Panel next = panel_of_b(more ? column + panel : column);
        Index laid = 0, since = 0;  // of the next panel, a pair of tiles for every `panels` pairs multiplied
        for (Index row = begin; row < end; row += panel) {
          const Block now{&p,
                          step == 0,
                          smaller(end - row, panel),
                          smaller(p.n - column, panel),
                          p.c + row * p.ldc + column,
                          sums,
                          p.bias ? p.bias + column : nullptr};
          multiply_panels(count, a_panel(row), b, sums, [&](Index i) ELK_INLINE_LAMBDA {
            last.finish(i * rows_a_step, (i + 1) * rows_a_step);
            now.fetch(i * rows_a_step, (i + 1) * rows_a_step);
            if (++since == panels) {
              if (more) next.lay<true>(laid, next_b);
              ++laid;
              since = 0;
            }
          });
          last = now;
        }
      }
      last.finish(0, panel);
    }
  }
  _tile_release();
}

}  // namespace

constinit const Bf16Loops products{.multiply = multiply, .scratch = 2 * panel * k_block + block_elements};

}  // namespace elk::kernels::ELK_LEVEL
