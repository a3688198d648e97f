// The exponential function, for the loops of this folder alone: see vector.hpp. Of f32 on whole vectors, as
// what the compiler makes of a loop with comparisons is several times as slow; of f64 the C library's, one by
// one.
#pragma once

#include <elk/kernels/loops/vector.hpp>

namespace elk::kernels::ELK_LEVEL {
namespace {

// a b + c, rounded once where the instruction set can.
#ifdef ELK_FUSED
ELK_INLINE float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
ELK_INLINE double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }
#else
ELK_INLINE double fused(double a, double b, double c) { return a * b + c; }
#endif

using Floats = Vector<float>;
typedef std::int32_t Integers __attribute__((vector_size(vector_bytes)));

ELK_INLINE Floats number(Floats, float x) { return spread(x); }
ELK_INLINE double number(double, double x) { return x; }
ELK_INLINE Floats plus_product(Floats a, float b, Floats c) { return multiply_add<float>(a, spread(b), c); }
ELK_INLINE Floats plus_product(Floats a, Floats b, float c) { return multiply_add<float>(a, b, spread(c)); }

// Cephes' expf (S. Moshier): x = n ln 2 + r, a polynomial in r, and n put into the exponent. At the ends,
// where x stops, the last product rounds to 0 or infinity; shortly before the lower one, to subnormal
// numbers.
// From -150 to 89.
ELK_INLINE Floats exponential_inside(Floats x) {
  const Floats shift = spread(12582912.0F);  // 1.5 * 2^23: rounds to an integer, in the lowest bits
  const Floats shifted = plus_product(x, 1.44269504088896341F, shift), n = shifted - shift;
  const Floats r = plus_product(n, 2.12194440e-4F, plus_product(n, -0.693359375F, x));
  Floats p = spread(1.9875691500e-4F);
  p = plus_product(p, r, 1.3981999507e-3F);
  p = plus_product(p, r, 8.3334519073e-3F);
  p = plus_product(p, r, 4.1665795894e-2F);
  p = plus_product(p, r, 1.6666665459e-1F);
  p = plus_product(p, r, 5.0000001201e-1F);
  p = multiply_add<float>(p, r * r, r) + 1;
  // In two steps, as 2^128 and 2^-150 are beyond the exponents; the first is exact.
  const Integers whole = (Integers)shifted - (Integers)shift, half = whole >> 1;
  return p * (Floats)((half + 127) << 23) * (Floats)((whole - half + 127) << 23);
}
ELK_INLINE Floats exponential(Floats x) {
  const Floats low = spread(-104.0F), high = spread(89.0F), above = x < low ? low : x;  // NaN stays
  return exponential_inside(above > high ? high : above);
}
ELK_INLINE double exponential(double x) { return __builtin_exp(x); }

ELK_INLINE Floats size_of(Floats x) { return (Floats)((Integers)x & 0x7fffffff); }
ELK_INLINE float size_of(float x) { return __builtin_fabsf(x); }
ELK_INLINE double size_of(double x) { return __builtin_fabs(x); }

/// y[i] = f(x[i], ...): f takes vectors of f32, or one f64. y is none of x: the last vector begins before the
/// end of the one before it, which is computed twice.
template <class F, class... X>
ELK_INLINE void each(Index n, F f, float* y, const X*... x) {
  constexpr Index step = lanes<float>;
  Index i = 0;
  for (; i + step <= n; i += step) store(y + i, f(load(x + i)...));
  if (i == n) return;
  if (n >= step)
    store(y + n - step, f(load(x + n - step)...));
  else
    store(y, f(load(x, static_cast<int>(n))...), static_cast<int>(n));
}
template <class F, class... X>
ELK_INLINE void each(Index n, F f, double* y, const X*... x) {
  for (Index i = 0; i < n; ++i) y[i] = f(x[i]...);
}

}  // namespace
}  // namespace elk::kernels::ELK_LEVEL
