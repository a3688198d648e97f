// What optimizers check of their numbers. Private.
#pragma once

#include <cmath>

#include <elk/base/format.hpp>

namespace elk::optim {

inline void check(const char* optimizer, const char* option, double value, double low, double below) {
  if (!(value >= low && value < below))
    fail<ValueError>("[{}] {} must be from {} to below {}, got {}", optimizer, option, low, below, value);
}

}  // namespace elk::optim
