// Of repeated measurements.
#pragma once

#include <algorithm>
#include <vector>

#include <nlohmann/json.hpp>

namespace elk::bench {

struct Spread {
  double median = 0, min = 0, max = 0;

  /// `values` must not be empty.
  explicit Spread(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t n = values.size();
    median = (values[(n - 1) / 2] + values[n / 2]) / 2;
    min = values.front();
    max = values.back();
  }
};

/// The same as an object.
inline nlohmann::ordered_json spread_json(const std::vector<double>& values) {
  const Spread spread(values);
  return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
}

}  // namespace elk::bench
