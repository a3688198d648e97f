// Loops over elements, which the compiler turns into vectors of the instruction set's width.
#include <elk/kernels/loops/level.hpp>
#include <elk/kernels/loops/vector.hpp>

namespace elk::kernels::ELK_LEVEL {
namespace {

// Cephes' expf (S. Moshier): x = n ln 2 + r, a polynomial in r, and n put into the exponent. Beyond the ends
// the result is 0 or infinity, as in the C library; below the normal range it is 0 earlier.
ELK_INLINE float exponential(float x) {
  constexpr float low = -87.33654F, high = 88.72283F,
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
  // In two steps, as 2^128 is beyond the largest exponent.
  const auto whole = static_cast<std::int32_t>(n == n ? n : 0), half = whole / 2;
  const float scaled = p * __builtin_bit_cast(float, (half + 127) << 23) *
                       __builtin_bit_cast(float, (whole - half + 127) << 23);
  return x < low ? 0.0F : x > high ? __builtin_inff() : scaled;
}
ELK_INLINE double exponential(double x) { return __builtin_exp(x); }

// A quotient of polynomials, as in Eigen's and XLA's generic_fast_tanh_float.
ELK_INLINE float hyperbolic_tangent(float x) {
  constexpr float end = 7.90531110763549805F;  // from here on it rounds to 1
  const float inside = x < -end ? -end : x > end ? end : x;
  const float s = inside * inside;
  float p = -2.76076847742355e-16F;
  p = p * s + 2.00018790482477e-13F;
  p = p * s - 8.60467152213735e-11F;
  p = p * s + 5.12229709037114e-08F;
  p = p * s + 1.48572235717979e-05F;
  p = p * s + 6.37261928875436e-04F;
  p = p * s + 4.89352455891786e-03F;
  float q = 1.19825839466702e-06F;
  q = q * s + 1.18534705686654e-04F;
  q = q * s + 2.26843463243900e-03F;
  q = q * s + 4.89352518554385e-03F;
  const float y = inside * p / q;
  return s < 1.6e-7F ? x : y;
}
ELK_INLINE double hyperbolic_tangent(double x) { return __builtin_tanh(x); }

template <class T>
void exp(Index n, const T* __restrict x, T shift, T* __restrict y) {
  for (Index i = 0; i < n; ++i) y[i] = exponential(x[i] - shift);
}

// For large negative x the exponential overflows to infinity, and the quotient is the right 0.
template <class T>
void sigmoid(Index n, const T* __restrict x, T* __restrict y) {
  for (Index i = 0; i < n; ++i) y[i] = 1 / (1 + exponential(-x[i]));
}

template <class T>
void tanh(Index n, const T* __restrict x, T* __restrict y) {
  for (Index i = 0; i < n; ++i) y[i] = hyperbolic_tangent(x[i]);
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
    y[i] = x[i] > 0 ? pass : below;
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
#ifdef ELK_FUSED
ELK_INLINE float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
ELK_INLINE double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }
#endif

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
                                .tanh = tanh<T>,
                                .leaky_relu = leaky_relu<T>,
                                .gate = gate<T>,
                                .add_to = add_to<T>,
                                .sgd = sgd<T>,
                                .adam = adam<T>,
                                .scale_pixels = scale_pixels<T>};

}  // namespace

constinit const BothTypes<ElementLoops> elements{loops<float>, loops<double>};

}  // namespace elk::kernels::ELK_LEVEL
