// How many times as much one curve needs for what another one has: "three times the images for the same
// loss".
#pragma once

#include <span>
#include <utility>
#include <vector>

#include <lab/fit/scaling.hpp>

namespace elk::lab::scaling {

/// Where a curve reaches a loss, along straight lines in log-log axes between its points.
struct Reached {
  enum class Place { within, before, after } place = Place::within;
  double size = 0;  ///< before, after: that of the first or the last point, beyond which nothing was measured
};
/// The smallest size at which a curve of (size, loss) is at most at `loss`. ValueError for no points.
Reached reached(std::vector<std::pair<double, double>> curve, double loss);

/// What a size of one curve is worth on another.
struct Worth {
  double size = 0, loss = 0;  ///< of the first curve
  Reached other = {};         ///< where the other curve reaches that loss
  /// 95 %, of that size: over seeds of both curves. An end that is the last size (or the first) that was
  /// measured is open: it may lie anywhere beyond.
  Interval interval = {};
  bool low_open = false, high_open = false;

  double times() const { return other.size / size; }
};

/// Of each cell of `curve`, but for those as large as the largest of `other`, of which nothing more than that
/// could be said. ValueError when a cell has no losses or one that is not a finite number above 0.
std::vector<Worth> worths(const std::vector<Cell>& curve, const std::vector<Cell>& other,
                          std::size_t resamples, Rng& rng);

}  // namespace elk::lab::scaling
