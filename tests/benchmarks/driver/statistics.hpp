// Of repeated measurements.
#pragma once

#include <algorithm>
#include <utility>
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

/// Of two programs that were measured in turn, A B A B ...
class Pairs {
 public:
  /// Returns how many times as fast elkgrad is in this pair.
  double add(double elkgrad_seconds, double peer_seconds) {
    ours_.push_back(elkgrad_seconds);
    theirs_.push_back(peer_seconds);
    ratios_.push_back(peer_seconds / elkgrad_seconds);
    return ratios_.back();
  }
  /// Puts the seconds of both and the ratios into an object.
  void write(nlohmann::ordered_json& object) const {
    object["pairs"] = ratios_.size();
    for (const auto& [key, values] :
         {std::pair{"elkgrad_seconds", &ours_}, {"peer_seconds", &theirs_}, {"ratio", &ratios_}}) {
      const Spread spread(*values);
      object[key] = {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
    }
  }

 private:
  std::vector<double> ours_, theirs_, ratios_;
};

}  // namespace elk::bench
