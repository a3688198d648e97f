// Sums over runs of elements, in f64, and what is made with them: normalization, and softmax over a row.
#include <elk/kernels/loops/exponential.hpp>
#include <elk/kernels/loops/level.hpp>
#include <elk/kernels/loops/vector.hpp>

namespace elk::kernels::ELK_LEVEL {
namespace {

using Wide = Vector<double>;
constexpr Index wide = lanes<double>;

ELK_INLINE Wide widened(const double* p) { return load(p); }
ELK_INLINE Wide widened(const float* p) {
  typedef float Half __attribute__((vector_size(vector_bytes / 2)));
  Half v;
  __builtin_memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, Wide);
}
ELK_INLINE double lane_sum(Wide v) {
  Wide one[1] = {v};
  return lane_sums<double, 1>(one)[0];
}

// Sums over n elements of several numbers for each, by `vector(i)` for those of a vector and `single(i)` for
// one: `count` of them. Four running sums of each, so that no addition waits for the last one.
template <int count, class F, class G>
ELK_INLINE void sums(Index n, double (&total)[count], F vector, G single) {
  constexpr int chains = count == 1 ? 4 : 2;
  Wide part[chains][count] = {};
  Index i = 0;
  for (; i + chains * wide <= n; i += chains * wide)
#pragma GCC unroll 4
    for (int chain = 0; chain < chains; ++chain) vector(i + chain * wide, part[chain]);
  for (; i + wide <= n; i += wide) vector(i, part[0]);
  double rest[count] = {};
  for (; i < n; ++i) single(i, rest);
  for (int c = 0; c < count; ++c) {
    for (int chain = 1; chain < chains; ++chain) part[0][c] += part[chain][c];
    total[c] = lane_sum(part[0][c]) + rest[c];
  }
}

template <class T>
double sum(Index n, const T* x) {
  double total[1];
  sums<1>(
      n, total, [=](Index i, Wide* to) ELK_INLINE_LAMBDA { to[0] += widened(x + i); },
      [=](Index i, double* to) ELK_INLINE_LAMBDA { to[0] += static_cast<double>(x[i]); });
  return total[0];
}

template <class T>
double squares(Index n, const T* x, double about) {
  double total[1];
  sums<1>(
      n, total,
      [=](Index i, Wide* to) ELK_INLINE_LAMBDA {
        const Wide d = widened(x + i) - about;
        to[0] = multiply_add<double>(d, d, to[0]);
      },
      [=](Index i, double* to) ELK_INLINE_LAMBDA {
        const double d = static_cast<double>(x[i]) - about;
        to[0] += d * d;
      });
  return total[0];
}

template <class T>
void gradient_sums(Index n, const T* dy, const T* x, double mean, double scale, const T* weight,
                   double* total) {
  double both[2];
  const auto take = [=](auto gradient, auto d, auto* to) ELK_INLINE_LAMBDA {
    to[0] += gradient;
    to[1] += gradient * d;
  };
  if (weight == nullptr)
    sums<2>(
        n, both,
        [=](Index i, Wide* to) ELK_INLINE_LAMBDA { take(widened(dy + i), widened(x + i) - mean, to); },
        [=](Index i, double* to)
            ELK_INLINE_LAMBDA { take(static_cast<double>(dy[i]), static_cast<double>(x[i]) - mean, to); });
  else
    sums<2>(
        n, both,
        [=](Index i, Wide* to)
            ELK_INLINE_LAMBDA { take(widened(dy + i) * widened(weight + i), widened(x + i) - mean, to); },
        [=](Index i, double* to) ELK_INLINE_LAMBDA {
          take(static_cast<double>(dy[i]) * static_cast<double>(weight[i]), static_cast<double>(x[i]) - mean,
               to);
        });
  total[0] += both[0];
  total[1] += both[1] * scale;
}

template <class T>
void standardize(Index n, const T* __restrict x, T mean, T scale, const T* __restrict weight,
                 const T* __restrict bias, T* __restrict y) {
  if (weight == nullptr)
    for (Index i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale;
  else if (bias == nullptr)
    for (Index i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale * weight[i];
  else
    for (Index i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

template <class T>
void shift_scale(Index n, const T* __restrict x, T mean, T scale, T bias, T* __restrict y) {
  for (Index i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale + bias;
}

template <class T>
void standardize_gradient(Index n, const T* __restrict dy, const T* __restrict x, T mean, T scale,
                          const T* __restrict weight, T factor, T of_sum, T of_product, T* __restrict dx) {
  if (weight == nullptr)
    for (Index i = 0; i < n; ++i) dx[i] = factor * ((dy[i] - of_sum) - (x[i] - mean) * scale * of_product);
  else
    for (Index i = 0; i < n; ++i)
      dx[i] = factor * ((dy[i] * weight[i] - of_sum) - (x[i] - mean) * scale * of_product);
}

template <class T>
void add_standardized(Index n, const T* __restrict dy, const T* __restrict x, T mean, T scale,
                      double* __restrict sums) {
  for (Index i = 0; i < n; ++i) sums[i] += static_cast<double>(dy[i] * ((x[i] - mean) * scale));
}

template <class T>
void add_squares(Index n, const T* __restrict x, const double* __restrict about, double* __restrict sums) {
  for (Index i = 0; i < n; ++i) {
    const double d = static_cast<double>(x[i]) - about[i];
    sums[i] += d * d;
  }
}

template <class T>
void standardize_columns(Index n, const T* __restrict x, const T* __restrict mean, const T* __restrict scale,
                         const T* __restrict bias, T* __restrict y) {
  if (bias == nullptr)
    for (Index i = 0; i < n; ++i) y[i] = (x[i] - mean[i]) * scale[i];
  else
    for (Index i = 0; i < n; ++i) y[i] = (x[i] - mean[i]) * scale[i] + bias[i];
}

template <class T>
void add_standardized_columns(Index n, const T* __restrict dy, const T* __restrict x,
                              const T* __restrict mean, const T* __restrict scale, double* __restrict sums) {
  for (Index i = 0; i < n; ++i) sums[i] += static_cast<double>(dy[i] * ((x[i] - mean[i]) * scale[i]));
}

template <class T>
void standardize_gradient_columns(Index n, const T* __restrict dy, const T* __restrict x,
                                  const T* __restrict mean, const T* __restrict scale,
                                  const T* __restrict factor, const T* __restrict of_sum,
                                  const T* __restrict of_product, T* __restrict dx) {
  for (Index i = 0; i < n; ++i)
    dx[i] = factor[i] * ((dy[i] - of_sum[i]) - (x[i] - mean[i]) * scale[i] * of_product[i]);
}

// NaN if any is: a comparison with it is false, so that it would come and go.
template <class T>
T largest(Index n, const T* x) {
  constexpr Index step = lanes<T>;
  T top = x[0];
  if (n < step) {
    for (Index i = 1; i < n; ++i) top = (top > x[i] || top != top) ? top : x[i];
    return top;
  }
  Vector<T> a = load(x), b = load(x + n - step);  // what is left over at the end lies in b
  auto nan = (a != a) | (b != b);
  Index i = step;
  for (; i + 2 * step <= n; i += 2 * step) {
    const Vector<T> u = load(x + i), v = load(x + i + step);
    a = a > u ? a : u;
    b = b > v ? b : v;
    nan |= (u != u) | (v != v);
  }
  if (i + step <= n) {
    const Vector<T> u = load(x + i);
    a = a > u ? a : u;
    nan |= u != u;
  }
  a = a > b ? a : b;
  for (int lane = 0; lane < lanes<T>; ++lane) {
    top = top > a[lane] ? top : a[lane];
    if (nan[lane] != 0) return T(__builtin_nan(""));
  }
  return top;
}

template <class T>
double exp_sum(Index n, const T* x, T shift, T* y) {
  constexpr Index block = 1024;  // is summed while the first cache holds it
  double total = 0;
  for (Index i = 0; i < n; i += block) {
    const Index count = i + block < n ? block : n - i;
    each(
        count, [shift](auto v) ELK_INLINE_LAMBDA { return exponential(v - shift); }, y + i, x + i);
    total += sum(count, y + i);
  }
  return total;
}

template <class T>
void scaled(Index n, const T* x, T factor, T* y) {
  for (Index i = 0; i < n; ++i) y[i] = x[i] * factor;
}

template <class T>
void shifted(Index n, const T* __restrict x, T first, T second, T* __restrict y) {
  for (Index i = 0; i < n; ++i) y[i] = (x[i] - first) - second;
}

template <class T>
double product_sum(Index n, const T* x, const T* y) {
  double total[1];
  sums<1>(
      n, total,
      [=](Index i, Wide* to)
          ELK_INLINE_LAMBDA { to[0] = multiply_add<double>(widened(x + i), widened(y + i), to[0]); },
      [=](Index i, double* to)
          ELK_INLINE_LAMBDA { to[0] += static_cast<double>(x[i]) * static_cast<double>(y[i]); });
  return total[0];
}

template <class T>
void softmax_gradient(Index n, const T* __restrict dy, const T* __restrict y, T mean, T* __restrict dx) {
  for (Index i = 0; i < n; ++i) dx[i] = y[i] * (dy[i] - mean);
}

template <class T>
void log_softmax_gradient(Index n, const T* dy, const T* y, T sum, T* dx) {
  each(
      n, [sum](auto d, auto v) ELK_INLINE_LAMBDA { return d - exponential(v) * sum; }, dx, dy, y);
}

template <class T>
constexpr RowLoops<T> loops{.sum = sum<T>,
                            .squares = squares<T>,
                            .gradient_sums = gradient_sums<T>,
                            .standardize = standardize<T>,
                            .shift_scale = shift_scale<T>,
                            .standardize_gradient = standardize_gradient<T>,
                            .add_standardized = add_standardized<T>,
                            .add_squares = add_squares<T>,
                            .standardize_columns = standardize_columns<T>,
                            .add_standardized_columns = add_standardized_columns<T>,
                            .standardize_gradient_columns = standardize_gradient_columns<T>,
                            .largest = largest<T>,
                            .exp_sum = exp_sum<T>,
                            .scaled = scaled<T>,
                            .shifted = shifted<T>,
                            .product_sum = product_sum<T>,
                            .softmax_gradient = softmax_gradient<T>,
                            .log_softmax_gradient = log_softmax_gradient<T>};

}  // namespace

constinit const BothTypes<RowLoops> rows{loops<float>, loops<double>};

}  // namespace elk::kernels::ELK_LEVEL
