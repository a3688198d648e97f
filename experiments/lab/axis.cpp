#include <lab/axis.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <lab/text.hpp>

namespace elk::lab {

namespace {

std::string plain(double value, int decimals) { return grouped(fmt::format("{:.{}f}", value, decimals)); }

// 10^9 or 2·10^9, with the exponent raised.
std::string power(double mantissa, int exponent) {
  const std::string text = fmt::format("10^{{{}}}", exponent);
  return mantissa == 1 ? text : fmt::format("{:g}·{}", mantissa, text);
}

double ten_to(int exponent) { return std::pow(10.0, exponent); }

// 1, 2 or 5 times a power of ten: about `parts` of them in `span`.
double nice_step(double span, int parts) {
  const int exponent = static_cast<int>(std::floor(std::log10(span / parts)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (span / (factor * ten_to(exponent)) <= parts + 0.5) return factor * ten_to(exponent);
  return ten_to(exponent + 1);
}

std::vector<double> multiples(double step, double low, double high) {
  std::vector<double> values;
  for (double n = std::ceil(low / step - 1e-9); n <= high / step + 1e-9; ++n) values.push_back(n * step);
  return values;
}

// Labels of evenly spaced values: all in one notation.
std::vector<Tic> labelled(const std::vector<double>& values, double step) {
  double most = 0;
  for (const double value : values) most = std::max(most, std::abs(value));
  const auto order = [](double value) { return static_cast<int>(std::floor(std::log10(value) + 1e-9)); };
  const int exponent = most > 0 ? order(most) : 0, decimals = std::max(0, -order(step));
  std::vector<Tic> tics;
  for (const double value : values) {
    if (std::abs(value) < step / 2)
      tics.push_back({value, plain(0, exponent < 6 && decimals <= 6 ? decimals : 0)});
    else if (exponent < 6 && decimals <= 6)
      tics.push_back({value, plain(value, decimals)});
    else
      tics.push_back({value, fmt::format("{:.{}f}·10^{{{}}}", value / ten_to(exponent),
                                         std::max(0, exponent - order(step)), exponent)});
  }
  return tics;
}

std::vector<Tic> own_tics(const Axis& axis, const std::set<double>& values) {
  if (values.size() > 12) return {};
  std::vector<Tic> tics;
  double before = 0;
  for (const double value : values) {
    if (value != std::round(value) || value > 99999) return {};
    if (before > 0 && std::log(value / before) < 0.06 * std::log(axis.high / axis.low)) return {};
    tics.push_back({before = value, plain(value, 0)});
  }
  return tics;
}

}  // namespace

void settle_linear(Axis& axis, bool vertical, bool whole) {
  double span = axis.high - axis.low;
  if (span <= 1e-9 * std::max(std::abs(axis.low), std::abs(axis.high)))
    span = axis.high == 0 ? 1 : std::abs(axis.high) / 5;
  const bool from_zero = axis.low >= 0 && axis.low < (vertical ? 0.2 : 0.04) * span;
  axis.low = from_zero ? 0 : axis.low - 0.04 * span;
  axis.high += 0.04 * span;
  double step = nice_step(axis.high - axis.low, 8);
  if (whole) step = std::max(step, 1.0);
  axis.tics = labelled(multiples(step, axis.low, axis.high), step);
}

void settle_log(Axis& axis, const std::set<double>& values) {
  if (axis.high <= (1 + 1e-6) * axis.low) {  // one value, but for rounding
    axis.low /= 2;
    axis.high *= 2;
  } else {
    const double pad = std::pow(axis.high / axis.low, 0.04);
    axis.low /= pad;
    axis.high *= pad;
  }
  axis.tics = own_tics(axis, values);
  if (axis.tics.size() > 1) return;
  axis.tics.clear();
  const double first = std::floor(std::log10(axis.low)), decades = std::log10(axis.high / axis.low);
  // Every decade, or every few; in between 2 and 5, or as many as there is room for.
  const int stride = std::max(1, static_cast<int>(std::ceil(decades / 9)));
  std::vector<double> major, minor;
  for (int exponent = static_cast<int>(first); ten_to(exponent) <= axis.high; ++exponent)
    for (int factor = 1; factor <= 9; ++factor) {
      const double value = factor * ten_to(exponent);
      if (value < axis.low || value > axis.high) continue;
      const bool labels = factor == 1 ? exponent % stride == 0 : decades < 3 && (factor == 2 || factor == 5);
      if (labels)
        major.push_back(value);
      else if (stride == 1 || factor == 1)
        minor.push_back(value);
    }
  if (major.size() < 3) {  // less than a decade
    const double step = nice_step(axis.high - axis.low, 6);
    axis.tics = labelled(multiples(step, axis.low, axis.high), step);
    return;
  }
  const bool short_ones = major.front() >= 0.999e-4 && major.back() < 99999;
  for (const double value : major) {
    const int exponent = static_cast<int>(std::floor(std::log10(value) + 1e-9));
    axis.tics.push_back({value, short_ones ? plain(value, std::max(0, -exponent))
                                           : power(std::round(value / ten_to(exponent)), exponent)});
  }
  for (const double value : minor) axis.tics.push_back({value, ""});
}

}  // namespace elk::lab
