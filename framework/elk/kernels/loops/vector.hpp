// Vectors as wide as the instruction set this file is compiled for: arithmetic on them is the compiler's own.
// For the loops of this folder alone, which are compiled once for each instruction set: everything here has
// internal linkage, so that no wider copy of a function can end up in code for a narrower machine, and lies
// in the level's own namespace, so that its name tells what it is compiled for.
#pragma once

#include <utility>

// On arm64 the baseline has the same registers, but a fused multiply-add is for the level neon: without it
// results are those of other machines' baseline.
#if defined(__FMA__)
#include <immintrin.h>
#define ELK_FUSED
#elif defined(ELK_NEON)
#include <arm_neon.h>
#define ELK_FUSED
#endif

#include <elk/kernels/loops/loops.hpp>

namespace elk::kernels::ELK_LEVEL {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(vector_bytes)));
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));

#define ELK_INLINE [[gnu::always_inline]] inline
#define ELK_INLINE_LAMBDA __attribute__((always_inline))

template <class T>
ELK_INLINE Vector<T> load(const T* p) {
  Vector<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
ELK_INLINE void store(T* p, Vector<T> v) {
  __builtin_memcpy(p, &v, sizeof v);
}

#if defined(__AVX2__) && !defined(__AVX512F__)
// All bits of the first n lanes.
template <class T>
ELK_INLINE __m256i first_lanes(int n) {
  if constexpr (sizeof(T) == 4)
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  else
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
#endif

// The first n lanes; those of a loaded vector beyond them are 0. n is from 1 to lanes.
template <class T>
ELK_INLINE Vector<T> load(const T* p, int n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return (Vector<T>)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
  else
    return (Vector<T>)_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4)
    return (Vector<T>)_mm256_maskload_ps(p, first_lanes<T>(n));
  else
    return (Vector<T>)_mm256_maskload_pd(p, first_lanes<T>(n));
#else
  Vector<T> v{};
  for (int i = 0; i < n; ++i) v[i] = p[i];
  return v;
#endif
}
template <class T>
ELK_INLINE void store(T* p, Vector<T> v, int n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), (__m512)v);
  else
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), (__m512d)v);
#else
  for (int i = 0; i < n; ++i) p[i] = v[i];
#endif
}

/// x in every lane. The subtraction, which changes no number, is what compilers take for a broadcast.
template <class T>
ELK_INLINE Vector<T> spread(T x) {
  return x - Vector<T>{};
}

/// a b + c, rounded once where the instruction set can.
template <class T>
ELK_INLINE Vector<T> multiply_add(Vector<T> a, Vector<T> b, Vector<T> c) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return (Vector<T>)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
  else
    return (Vector<T>)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__FMA__)
  if constexpr (sizeof(T) == 4)
    return (Vector<T>)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
  else
    return (Vector<T>)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(ELK_NEON)
  if constexpr (sizeof(T) == 4)
    return (Vector<T>)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
  else
    return (Vector<T>)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
  return a * b + c;
#endif
}

template <class T, int... I>
ELK_INLINE Vector<T> pair_sums(Vector<T> a, Vector<T> b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (2 * I)...) + __builtin_shufflevector(a, b, (2 * I + 1)...);
}
/// Sums of neighbours: of a in the first half of the lanes, of b in the second.
template <class T>
ELK_INLINE Vector<T> pair_sums(Vector<T> a, Vector<T> b) {
  return pair_sums<T>(a, b, std::make_integer_sequence<int, lanes<T>>());
}

/// The sum of the lanes of each of C vectors, in the first C lanes (C is at most lanes). Lanes are added pair
/// by pair, whatever C is: the same bits for any.
template <class T, int C>
ELK_INLINE Vector<T> lane_sums(const Vector<T> (&x)[C]) {
  constexpr int n = C > 4 ? 8 : C > 2 ? 4 : C;
  static_assert(n <= lanes<T>);
  Vector<T> v[n];
  for (int i = 0; i < n; ++i) v[i] = i < C ? x[i] : Vector<T>{};
#pragma GCC unroll 8
  for (int count = n / 2; count > 0; count /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < count; ++i) v[i] = pair_sums<T>(v[2 * i], v[2 * i + 1]);
#pragma GCC unroll 8
  for (int rest = lanes<T> / n; rest > 1; rest /= 2) v[0] = pair_sums<T>(v[0], v[0]);
  return v[0];
}

}  // namespace
}  // namespace elk::kernels::ELK_LEVEL
