// Learning-rate schedules: the rate of an epoch, from the base rate and the number of epochs before it.
#pragma once

#include <functional>

namespace elk::optim {

/// lr = schedule(base, epoch), epochs counted from 0.
using Schedule = std::function<double(double base, int epoch)>;

Schedule constant();
/// base * factor^epoch, multiplied epoch by epoch; factor is above 0 (ValueError).
Schedule exponential(double factor);

}  // namespace elk::optim
