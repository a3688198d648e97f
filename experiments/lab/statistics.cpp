#include <lab/statistics.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <boost/math/distributions/students_t.hpp>

#include <elk/base/error.hpp>

namespace elk::lab {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation_of(std::span<const double> values, double mean) {
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

// The mean, plus and minus `width` standard deviations of the values times Student's t.
Interval around_mean(std::span<const double> values, double width) {
  if (values.empty()) throw ValueError("[statistics] there are no values to take the mean of");
  const double mean = mean_of(values);
  if (values.size() < 2 || !std::isfinite(mean)) return {mean, nan, nan};
  const boost::math::students_t t(static_cast<double>(values.size() - 1));
  const double half = boost::math::quantile(t, 0.975) * width * deviation_of(values, mean);
  return {mean, mean - half, mean + half};
}

}  // namespace

Interval mean_interval(std::span<const double> values) {
  return around_mean(values, 1 / std::sqrt(static_cast<double>(values.size())));
}

Interval prediction_interval(std::span<const double> values) {
  return around_mean(values, std::sqrt(1 + 1 / static_cast<double>(values.size())));
}

Difference paired_difference(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) throw ValueError("[statistics] pairs need as many values on both sides");
  std::vector<double> differences(a.size());
  std::transform(a.begin(), a.end(), b.begin(), differences.begin(), std::minus<>());
  const Interval interval = mean_interval(differences);
  if (std::isnan(interval.low)) return {interval, nan};
  const double error =
      deviation_of(differences, interval.mean) / std::sqrt(static_cast<double>(differences.size()));
  if (error == 0) return {interval, interval.mean == 0 ? 1.0 : 0.0};
  const boost::math::students_t t(static_cast<double>(differences.size() - 1));
  return {interval, 2 * boost::math::cdf(boost::math::complement(t, std::abs(interval.mean) / error))};
}

std::vector<bool> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return p[i] < p[j]; });
  std::vector<bool> stands(p.size(), false);
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (!(p[order[i]] <= 0.05 / static_cast<double>(p.size() - i))) break;
    stands[order[i]] = true;
  }
  return stands;
}

}  // namespace elk::lab
