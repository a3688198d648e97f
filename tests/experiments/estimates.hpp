// What tests of fits ask of an estimate.
#pragma once

#include <lab/fit/scaling.hpp>

namespace elk::lab::scaling {

/// Whether the interval holds a value.
inline bool holds(const Estimate& estimate, double value) {
  return estimate.interval.low <= value && value <= estimate.interval.high;
}

}  // namespace elk::lab::scaling
