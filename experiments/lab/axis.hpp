// The range of a plot's axis, and its tics.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace elk::lab {

struct Tic {
  double at;
  std::string label;  ///< in gnuplot's notation, where 10^{9} raises the 9; of a minor tic: none
};

struct Axis {
  bool log = false;
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  std::vector<Tic> tics = {};

  /// Whether a value can be drawn. Those near the largest there are would leave no room for the axis.
  bool shows(double value) const { return std::abs(value) < 1e300 && (!log || value > 0); }
  /// Widens the range to a value, if it can be drawn.
  void include(double value) {
    if (!shows(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

/// Leaves some room at both ends and sets tics, for a range that is not empty. A vertical axis begins at 0
/// where that is near; a `whole` one has nothing between whole numbers.
void settle_linear(Axis& axis, bool vertical, bool whole);

/// The same for a logarithmic axis. It has tics at `values` where these are few, whole and far enough apart,
/// as the widths 32, 64, 128 are.
void settle_log(Axis& axis, const std::set<double>& values);

}  // namespace elk::lab
