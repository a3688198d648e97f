// Loops over elements, which the compiler turns into vectors of the instruction set's width.
#include <elk/kernels/loops/level.hpp>
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

// Cephes' expf (S. Moshier): x = n ln 2 + r, a polynomial in r, and n put into the exponent. At the ends,
// where x stops, the last product rounds to 0 or infinity; shortly before the lower one, to subnormal
// numbers.
ELK_INLINE float exponential(float x) {
  constexpr float low = -104, high = 89,
                  shift = 12582912.0F;                       // 1.5 * 2^23: rounds to an integer
  const float inside = x < low ? low : x > high ? high : x;  // NaN stays
  const float n = (inside * 1.44269504088896341F + shift) - shift;
  const float r = (inside - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1;
  // In two steps, as 2^128 and 2^-150 are beyond the exponents; the first is exact.
  const auto whole = static_cast<std::int32_t>(n == n ? n : 0), half = whole / 2;
  return p * __builtin_bit_cast(float, (half + 127) << 23) *
         __builtin_bit_cast(float, (whole - half + 127) << 23);
}
ELK_INLINE double exponential(double x) { return __builtin_exp(x); }

// (e - 1) / (e + 1), e = exp(2 |x|), in f64: rounded to f32 it is as good as right, and so rises with x.
// 2 |x| = n ln 2 + r; exp(r) - 1 = r + r² p by a Chebyshev fit, off by less than 5e-10 of itself.
ELK_INLINE float hyperbolic_tangent(float x) {
  constexpr float end = 10;                     // from 9.02 on it rounds to 1
  constexpr double shift = 6755399441055744.0;  // 1.5 * 2^52: rounds to an integer, in the lowest bits
  const float size = __builtin_fabsf(x);
  const double z = 2 * static_cast<double>(size > end ? end : size);  // NaN stays
  const double shifted = fused(z, 1.44269504088896341, shift), n = shifted - shift;
  const double r = fused(n, -0.69314718055994531, z);
  double p = 1.9891030654370327e-4;
  p = fused(p, r, 1.3933685862617174e-3);
  p = fused(p, r, 8.3333108895820763e-3);
  p = fused(p, r, 4.1666464602026537e-2);
  p = fused(p, r, 1.6666666681659179e-1);
  p = fused(p, r, 5.0000000134981777e-1);
  const double q = fused(r * r, p, r);
  const double power = __builtin_bit_cast(double, (__builtin_bit_cast(std::int64_t, shifted) << 52) +
                                                      __builtin_bit_cast(std::int64_t, 1.0));  // 2^n
  const double m = fused(power, q, power - 1);
  return __builtin_copysignf(static_cast<float>(m / (m + 2)), x);
}
ELK_INLINE double hyperbolic_tangent(double x) { return __builtin_tanh(x); }

ELK_INLINE float size_of(float x) { return __builtin_fabsf(x); }
ELK_INLINE double size_of(double x) { return __builtin_fabs(x); }

template <class T>
void exp(Index n, const T* __restrict x, T shift, T* __restrict y) {
  for (Index i = 0; i < n; ++i) y[i] = exponential(x[i] - shift);
}

// By exp(-|x|), which never overflows, and keeps what is near 0 exact.
template <class T>
void sigmoid(Index n, const T* __restrict x, T* __restrict y) {
  for (Index i = 0; i < n; ++i) {
    const T e = exponential(-size_of(x[i])), above = x[i] < 0 ? e : T(1);
    y[i] = above / (1 + e);
  }
}

template <class T>
void sigmoid_gradient(Index n, const T* __restrict v, const T* __restrict x, T* __restrict y) {
  for (Index i = 0; i < n; ++i) {
    const T e = exponential(-size_of(x[i]));
    y[i] = v[i] * (e / ((1 + e) * (1 + e)));
  }
}

template <class T>
void tanh(Index n, const T* __restrict x, T* __restrict y) {
  for (Index i = 0; i < n; ++i) y[i] = hyperbolic_tangent(x[i]);
}

// The square of 1 / cosh(x).
template <class T>
void tanh_gradient(Index n, const T* __restrict v, const T* __restrict x, T* __restrict y) {
  for (Index i = 0; i < n; ++i) {
    const T e = exponential(-size_of(x[i])), root = 2 * e / (1 + e * e);
    y[i] = v[i] * (root * root);
  }
}

template <class T>
void leaky_relu(Index n, const T* __restrict x, T slope, T* __restrict y) {
  if (slope == 0)  // apart: 0 times an infinity is NaN
    for (Index i = 0; i < n; ++i) y[i] = x[i] < 0 ? T(0) : x[i];
  else
    for (Index i = 0; i < n; ++i) y[i] = x[i] < 0 ? slope * x[i] : x[i];
}

template <class T>
void gate(Index n, const T* __restrict v, const T* __restrict x, T slope, T* __restrict y) {
  for (Index i = 0; i < n; ++i) {
    const T pass = v[i];  // loaded in any case, or the loop would not be one of vectors
    const T below = slope == 0 ? T(0) : slope * pass;
    y[i] = x[i] <= 0 ? below : pass;  // NaN passes
  }
}

template <class T>
void add_to(Index n, const T* __restrict x, double* __restrict sums) {
  for (Index i = 0; i < n; ++i) sums[i] += static_cast<double>(x[i]);
}

template <class T>
void sgd(Index n, T* __restrict w, const T* __restrict g, Update<T> update) {
  const T rate = update.rate, decay = update.decay;
  if (decay == 0)
    for (Index i = 0; i < n; ++i) w[i] -= rate * g[i];
  else
    for (Index i = 0; i < n; ++i) w[i] -= rate * (g[i] + decay * w[i]);
}

// A moment that decays ends at the smallest subnormal numbers and stays there, rounding to itself; arithmetic
// on those is a hundred times slower. Below the normal range a moment is 0.
template <class T>
ELK_INLINE T without_subnormal(T x) {
  constexpr T smallest = sizeof(T) == 4 ? T(__FLT_MIN__) : T(__DBL_MIN__);
  return x < smallest && x > -smallest ? T(0) : x;
}

ELK_INLINE float root(float x) { return __builtin_sqrtf(x); }
ELK_INLINE double root(double x) { return __builtin_sqrt(x); }

template <class T>
void adam(Index n, T* __restrict w, T* __restrict mean, T* __restrict square, const T* __restrict g,
          const AdamStep<T>& step) {
  const AdamStep<T> s = step;
  for (Index i = 0; i < n; ++i) {
    const T d = g[i] + s.decay * w[i];
    const T m = without_subnormal(s.beta1 * mean[i] + s.c1 * d);
    const T v = without_subnormal(s.beta2 * square[i] + s.c2 * d * d);
    mean[i] = m;
    square[i] = v;
    w[i] = s.keep * w[i] - s.rate * m / (root(v) * s.root + s.epsilon);
  }
}

// The quotient of a byte by 255, exactly as a division rounds it but several times as fast: the product with
// the rounded 1 / 255, corrected by what remains. (P. Markstein, "IA-64 and Elementary Functions", 2000,
// chapter 8; the tests compare all 256.) Without a fused multiply-add the remainder would be lost.
template <class T>
void scale_pixels(Index n, const std::uint8_t* __restrict from, T* __restrict to) {
  for (Index i = 0; i < n; ++i) {
    const T x = from[i];
#ifdef ELK_FUSED
    const T guess = x * (T(1) / 255);
    to[i] = fused(fused(-guess, T(255), x), T(1) / 255, guess);
#else
    to[i] = x / 255;
#endif
  }
}

template <class T>
constexpr ElementLoops<T> loops{.exp = exp<T>,
                                .sigmoid = sigmoid<T>,
                                .sigmoid_gradient = sigmoid_gradient<T>,
                                .tanh = tanh<T>,
                                .tanh_gradient = tanh_gradient<T>,
                                .leaky_relu = leaky_relu<T>,
                                .gate = gate<T>,
                                .add_to = add_to<T>,
                                .sgd = sgd<T>,
                                .adam = adam<T>,
                                .scale_pixels = scale_pixels<T>};

}  // namespace

constinit const BothTypes<ElementLoops> elements{loops<float>, loops<double>};

}  // namespace elk::kernels::ELK_LEVEL
