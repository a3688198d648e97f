// Loops over elements, which the compiler turns into vectors of the instruction set's width.
#include <elk/kernels/loops/exponential.hpp>
#include <elk/kernels/loops/level.hpp>
#include <elk/kernels/loops/vector.hpp>

namespace elk::kernels::ELK_LEVEL {
namespace {

// (e - 1) / (e + 1), e = exp(2 |x|), in f64: rounded to f32 it is as good as right, and so rises with x.
// 2 |x| = n ln 2 + r; exp(r) - 1 = r + r² p by a Chebyshev fit, off by less than 5e-10 of itself.
ELK_INLINE float hyperbolic_tangent(float x) {
  constexpr float end = 10;                     // from 9.02 on it rounds to 1
  constexpr double shift = 6755399441055744.0;  // 1.5 * 2^52: rounds to an integer, in the lowest bits
  const float size = size_of(x);
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

template <class T>
void exp(Index n, const T* x, T shift, T* y) {
  each(
      n, [shift](auto v) ELK_INLINE_LAMBDA { return exponential(v - shift); }, y, x);
}

// By exp(-|x|), which never overflows, and keeps what is near 0 exact.
template <class T>
void sigmoid(Index n, const T* x, T* y) {
  each(
      n,
      [](auto v) ELK_INLINE_LAMBDA {
        const auto e = exponential(-size_of(v)), above = v < number(v, 0) ? e : number(v, 1);
        return above / (1 + e);
      },
      y, x);
}

template <class T>
void sigmoid_gradient(Index n, const T* v, const T* x, T* y) {
  each(
      n,
      [](auto of, auto at) ELK_INLINE_LAMBDA {
        const auto e = exponential(-size_of(at)), total = 1 + e;
        return of * (e / (total * total));
      },
      y, v, x);
}

template <class T>
void tanh(Index n, const T* __restrict x, T* __restrict y) {
  for (Index i = 0; i < n; ++i) y[i] = hyperbolic_tangent(x[i]);
}

// The square of 1 / cosh(x).
template <class T>
void tanh_gradient(Index n, const T* v, const T* x, T* y) {
  each(
      n,
      [](auto of, auto at) ELK_INLINE_LAMBDA {
        const auto e = exponential(-size_of(at)), root = 2 * e / (1 + e * e);
        return of * (root * root);
      },
      y, v, x);
}

// What gelu takes of t = |x|: exp(-t²/2), times 2^40 so that it is a normal number, and what its product with
// that is the share of a standard normal beyond t: a function that falls slowly, (t + 2.9) times which is a
// polynomial in (t - 2.9) / (t + 2.9), off by less than 4e-8 of itself. Beyond 14.6 all is 0 or 1.
struct Normal {
  Floats t, e, ratio;
};
ELK_INLINE Normal normal(Floats x) {
  // The exponent as it is rounded, and what the rounding takes away: without fused operations by two halves
  // of t, whose products are exact.
  const Floats end = spread(14.6F), size = size_of(x), t = size > end ? end : size,  // NaN stays
      square = t * t;
#ifdef ELK_FUSED
  const Floats rest = multiply_add<float>(t, t, -square);
#else
  const Floats high = (Floats)((Integers)t & ~0xfff), low = t - high,
               rest = ((high * high - square) + 2 * high * low) + low * low;
#endif
  // As exponential_inside, but n + 40 is added to the exponent of a polynomial in r, a fit, off by less than
  // 1e-8.
  const Floats shift = spread(12582912.0F + 40), shifted = plus_product(square, -0.72134752044448170F, shift),
               n = shifted - shift;
  Floats r = plus_product(square, -0.5F, n * -0.693359375F);
  r = plus_product(n, 2.12194440e-4F, r);
  r = plus_product(rest, -0.5F, r);
  Floats p = spread(0.0013888872927054763F);
  p = plus_product(p, r, 0.00836910493671894F);
  p = plus_product(p, r, 0.041667137295007706F);
  p = plus_product(p, r, 0.16666506230831146F);
  p = plus_product(p, r, 0.4999999701976776F);
  p = plus_product(p, r, 1.0F);
  p = plus_product(p, r, 1.0F);
  const Integers power = (Integers)p + ((Integers)shifted << 23);
  const Floats inverse = 1 / (t + 2.9F), s = (t - 2.9F) * inverse;
  Floats q = spread(-0.0003217397315893322F);
  q = plus_product(q, s, -0.000723406148608774F);
  q = plus_product(q, s, 0.0017420145450159907F);
  q = plus_product(q, s, 0.005661616567522287F);
  q = plus_product(q, s, -0.013562130741775036F);
  q = plus_product(q, s, -0.03452526777982712F);
  q = plus_product(q, s, 0.21131141483783722F);
  q = plus_product(q, s, -0.4959654211997986F);
  q = plus_product(q, s, 0.7252779603004456F);
  return {t, (Floats)power, q * inverse};
}

// x Φ(x) = max(x, 0) - |x| Φ(-|x|).
void gelu(Index n, const float* x, float* y) {
  each(
      n,
      [](Floats v) ELK_INLINE_LAMBDA {
        const Floats zero{}, above = v < zero ? zero : v;
        const Normal here = normal(v);
        return multiply_add<float>(-here.t, here.e * here.ratio * 0x1p-40F, above);
      },
      y, x);
}

// Φ(x) + x φ(x) is what it is on the far side, 0 or 1, and an odd function of x.
void gelu_gradient(Index n, const float* v, const float* x, float* y) {
  each(
      n,
      [](Floats of, Floats at) ELK_INLINE_LAMBDA {
        const Normal here = normal(at);
        const Floats odd = here.e * plus_product(here.t, 0.39894228040143268F, -here.ratio) * 0x1p-40F;
        const Floats zero{}, far = at < zero ? zero : zero + 1.0F;
        return of * (far + (Floats)((Integers)odd ^ ((at < zero) << 31)));
      },
      y, v, x);
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
  return size_of(x) < smallest ? T(0) : x;
}

ELK_INLINE float root(float x) { return __builtin_sqrtf(x); }
ELK_INLINE double root(double x) { return __builtin_sqrt(x); }

// Most runs have no decay here (AdamW's is in `keep`); without it the arithmetic takes a seventh less.
template <bool decays, class T>
void adam(Index n, T* __restrict w, T* __restrict mean, T* __restrict square, const T* __restrict g,
          const AdamStep<T>& step) {
  const AdamStep<T> s = step;
  for (Index i = 0; i < n; ++i) {
    const T d = decays ? g[i] + s.decay * w[i] : g[i];
    const T m = without_subnormal(s.beta1 * mean[i] + s.c1 * d);
    const T v = without_subnormal(s.beta2 * square[i] + s.c2 * d * d);
    mean[i] = m;
    square[i] = v;
    w[i] = s.keep * w[i] - s.rate * m / (root(v) * s.root + s.epsilon);
  }
}
template <class T>
void adam(Index n, T* w, T* mean, T* square, const T* g, const AdamStep<T>& step) {
  step.decay == 0 ? adam<false>(n, w, mean, square, g, step) : adam<true>(n, w, mean, square, g, step);
}

// Two vectors of sums in each of so many rows: with four, eight chains of additions hide how long one takes.
template <int rows, class T>
ELK_INLINE void smooth_block(const T* x, Index x_row, Index step, const T* weights, Index taps, T* y,
                             Index y_row) {
  Vector<T> sums[rows][2] = {};
  for (Index k = 0; k < taps; ++k, x += step)
    for (int r = 0; r < rows; ++r)
      for (int j = 0; j < 2; ++j) sums[r][j] += weights[k] * load(x + r * x_row + j * lanes<T>);
  for (int r = 0; r < rows; ++r)
    for (int j = 0; j < 2; ++j) store(y + r * y_row + j * lanes<T>, sums[r][j]);
}

template <int rows, class T>
ELK_INLINE void smooth_rows(Index n, const T* x, Index x_row, Index step, const T* weights, Index taps, T* y,
                            Index y_row) {
  Index i = 0;
  for (; i + 2 * lanes<T> <= n; i += 2 * lanes<T>)
    smooth_block<rows>(x + i, x_row, step, weights, taps, y + i, y_row);
  for (; i < n; ++i)
    for (int r = 0; r < rows; ++r) {
      T sum = 0;
      for (Index k = 0; k < taps; ++k) sum += weights[k] * x[r * x_row + i + k * step];
      y[r * y_row + i] = sum;
    }
}

template <class T>
void smooth(Index rows, Index n, const T* x, Index x_row, Index step, const T* weights, Index taps, T* y,
            Index y_row) {
  Index row = 0;
  for (; row + 4 <= rows; row += 4)
    smooth_rows<4>(n, x + row * x_row, x_row, step, weights, taps, y + row * y_row, y_row);
  for (; row < rows; ++row)
    smooth_rows<1>(n, x + row * x_row, x_row, step, weights, taps, y + row * y_row, y_row);
}

template <bool field, class T>
ELK_INLINE void origins_of(Index n, const WarpedLine& line, std::int32_t* __restrict left,
                           std::int32_t* __restrict top, T* __restrict right_by, T* __restrict down_by) {
  const WarpedLine l = line;
  const auto within = [](double at, double size) ELK_INLINE_LAMBDA {
    at = -1 > at ? -1 : at;
    return (size < at ? size : at) + 1;  // never negative, so that a cast rounds down
  };
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(n); ++i) {
    double x = l.column_x[i] + l.x + l.middle_x, y = l.column_y[i] + l.y + l.middle_y;
    if (field) x += static_cast<double>(l.dx[i]), y += static_cast<double>(l.dy[i]);
    x = within(x, l.width), y = within(y, l.height);
    left[i] = static_cast<std::int32_t>(x), top[i] = static_cast<std::int32_t>(y);
    right_by[i] = static_cast<T>(x - left[i]), down_by[i] = static_cast<T>(y - top[i]);
  }
}

template <class T>
void origins(Index n, const WarpedLine& line, std::int32_t* left, std::int32_t* top, T* right_by,
             T* down_by) {
  if (line.dx)
    origins_of<true>(n, line, left, top, right_by, down_by);
  else
    origins_of<false>(n, line, left, top, right_by, down_by);
}

template <class T>
void interpolate(Index n, const T* __restrict right_by, const T* __restrict down_by,
                 const T* __restrict above, const T* __restrict below, T* __restrict y) {
  for (Index i = 0; i < n; ++i) {
    const T a = right_by[i], b = down_by[i];
    y[i] = (1 - b) * ((1 - a) * above[2 * i] + a * above[2 * i + 1]) +
           b * ((1 - a) * below[2 * i] + a * below[2 * i + 1]);
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

// What is of f32 alone.
template <class T, class F>
constexpr auto of_f32(F* loop) {
  if constexpr (sizeof(T) == 4)
    return loop;
  else
    return nullptr;
}

template <class T>
constexpr ElementLoops<T> loops{.exp = exp<T>,
                                .sigmoid = sigmoid<T>,
                                .tanh = tanh<T>,
                                .sigmoid_gradient = sigmoid_gradient<T>,
                                .tanh_gradient = tanh_gradient<T>,
                                .leaky_relu = leaky_relu<T>,
                                .gelu = of_f32<T>(gelu),
                                .gelu_gradient = of_f32<T>(gelu_gradient),
                                .gate = gate<T>,
                                .add_to = add_to<T>,
                                .sgd = sgd<T>,
                                .adam = adam<T>,
                                .smooth = smooth<T>,
                                .origins = origins<T>,
                                .interpolate = interpolate<T>,
                                .scale_pixels = scale_pixels<T>};

}  // namespace

constinit const BothTypes<ElementLoops> elements{loops<float>, loops<double>};

}  // namespace elk::kernels::ELK_LEVEL
