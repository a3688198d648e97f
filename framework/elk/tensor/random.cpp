#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include <elk/base/format.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

template <class Draw>
Tensor drawn(const char* operation, const Shape& shape, DType dtype, Draw draw) {
  if (!is_float(dtype)) fail<DTypeError>("[{}] expected f32 or f64, got {}", operation, dtype);
  Tensor x = empty(shape, dtype);
  if (dtype == f32)
    std::generate_n(detail::writable<float>(x), x.size(), [&] { return static_cast<float>(draw()); });
  else
    std::generate_n(detail::writable<double>(x), x.size(), draw);
  return x;
}

// The smallest and the largest number of T in [low, high).
template <class T>
std::pair<double, double> inside(double low, double high) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  T first = static_cast<T>(low), last = static_cast<T>(high);
  if (static_cast<double>(first) < low) first = std::nextafter(first, infinity);
  if (static_cast<double>(last) >= high) last = std::nextafter(last, -infinity);
  return {first, last};
}

}  // namespace

Tensor randn(const Shape& shape, Rng& rng, DType dtype) {
  return drawn("randn", shape, dtype, [&] { return rng.normal(); });
}

Tensor uniform(const Shape& shape, Rng& rng, double low, double high, DType dtype) {
  if (low == high && std::isfinite(low))
    return drawn("uniform", shape, dtype, [&] { return rng.uniform(low, high); });
  // Rounding may take a draw to `high`, or out of the interval, and then it is the nearest number inside.
  const auto ends = dtype == f32 ? inside<float>(low, high) : inside<double>(low, high);
  if (!(ends.first <= ends.second && std::isfinite(high - low)))
    fail<ValueError>("[uniform] expected a range [low, high) with numbers of {} in it, got [{}, {})", dtype,
                     low, high);
  return drawn("uniform", shape, dtype,
               [&] { return std::clamp(rng.uniform(low, high), ends.first, ends.second); });
}

Tensor randint(Index low, Index high, const Shape& shape, Rng& rng, DType dtype) {
  if (low >= high) fail<ValueError>("[randint] expected low < high, got {} and {}", low, high);
  if (dtype != i64 && (dtype != u8 || low < 0 || high > 256))
    fail<DTypeError>("[randint] expected i64, or u8 for numbers from 0 to 255, got {} for {} to {}", dtype,
                     low, high - 1);
  Tensor x = empty(shape, dtype);
  const auto fill = [&]<class T>(T* data) {
    std::generate_n(data, x.size(), [&] { return static_cast<T>(rng.integer(low, high)); });
  };
  if (dtype == i64)
    fill(detail::writable<std::int64_t>(x));
  else
    fill(detail::writable<std::uint8_t>(x));
  return x;
}

Tensor multinomial(const Tensor& weights, Index count, Rng& rng, bool replacement) {
  const Shape& shape = weights.shape();
  if (shape.rank() < 1 || shape.rank() > 2 || count < 0)
    fail<ShapeError>(
        "[multinomial] expected weights (n) or (rows, n) and a count of 0 or more, got {} and {}", shape,
        count);
  if (!is_float(weights.dtype()))
    fail<DTypeError>("[multinomial] expected f32 or f64, got {}: convert with cast", weights.dtype());
  const Index n = shape[-1], rows = shape.rank() == 2 ? shape[0] : 1;
  Tensor picked = empty(shape.rank() == 2 ? Shape{rows, count} : Shape{count}, i64);
  auto* out = detail::writable<std::int64_t>(picked);
  std::vector<double> weight(static_cast<std::size_t>(n)), sums(weight.size());
  for (Index row = 0; row < rows; ++row) {
    for (Index i = 0; i < n; ++i) {
      const double w = weights.at(row * n + i);
      if (!(w >= 0 && std::isfinite(w)))
        fail<ValueError>("[multinomial] expected finite weights of 0 or more, got {}", w);
      weight[static_cast<std::size_t>(i)] = w;
    }
    const auto choices = static_cast<Index>(weight.size()) - std::count(weight.begin(), weight.end(), 0.0);
    if (choices < (replacement ? std::min<Index>(count, 1) : count))
      fail<ValueError>("[multinomial] {} of {} weights are above 0, of which {} cannot be drawn", choices, n,
                       count);
    std::partial_sum(weight.begin(), weight.end(), sums.begin());
    for (Index k = 0; k < count; ++k) {
      // The first sum above the draw; where rounding puts the draw at the end, the last that has a weight.
      auto at = static_cast<Index>(std::upper_bound(sums.begin(), sums.end(), rng.uniform() * sums.back()) -
                                   sums.begin());
      if (at == n)
        while (weight[static_cast<std::size_t>(--at)] == 0) {
        }
      *out++ = at;
      if (replacement) continue;
      weight[static_cast<std::size_t>(at)] = 0;
      std::partial_sum(weight.begin(), weight.end(), sums.begin());
    }
  }
  return picked;
}

}  // namespace elk
