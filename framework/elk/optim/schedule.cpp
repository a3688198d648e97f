#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include <elk/base/format.hpp>
#include <elk/optim/schedule.hpp>

namespace elk::optim {

namespace {

void check_factor(const char* schedule, double factor) {
  if (!(factor > 0 && std::isfinite(factor)))
    fail<ValueError>("[{}] the factor must be above 0 and finite, got {}", schedule, factor);
}

void check_epochs(const char* schedule, double epochs) {
  if (!(epochs > 0 && std::isfinite(epochs)))
    fail<ValueError>("[{}] the number of epochs must be above 0 and finite, got {}", schedule, epochs);
}

// From a to b along half a cosine; `part` is the way gone, from 0 to 1.
double half_cosine(double a, double b, double part) {
  return b + (a - b) * (1 + std::cos(std::numbers::pi * std::clamp(part, 0.0, 1.0))) / 2;
}

}  // namespace

Schedule constant() {
  return [](double base, double) { return base; };
}

Schedule exponential(double factor) {
  check_factor("exponential", factor);
  return step(1, factor);
}

Schedule step(int every, double factor) {
  if (every < 1) fail<ValueError>("[step] expected a step of at least 1 epoch, got {}", every);
  check_factor("step", factor);
  return [every, factor](double base, double epoch) {
    // Not pow(): the same bits as lr *= factor at the end of an epoch.
    for (int i = 0; i < static_cast<int>(epoch) / every; ++i) base *= factor;
    return base;
  };
}

Schedule cosine(double epochs) {
  check_epochs("cosine", epochs);
  return [epochs](double base, double epoch) { return half_cosine(base, 0, epoch / epochs); };
}

Schedule one_cycle(double epochs, std::int64_t steps_per_epoch) {
  check_epochs("one_cycle", epochs);
  if (steps_per_epoch < 0)
    fail<ValueError>("[one_cycle] the steps of an epoch must not be negative, got {}", steps_per_epoch);
  // The top and the end are steps, the first of which is step 0.
  const double one_step = steps_per_epoch == 0 ? 0 : 1 / static_cast<double>(steps_per_epoch);
  const double top = 0.3 * epochs - one_step, end = epochs - one_step;
  return [top, end](double base, double epoch) {
    return epoch < top ? half_cosine(base / 25, base, epoch / top)
                       : half_cosine(base, base / 250'000, end > top ? (epoch - top) / (end - top) : 1);
  };
}

Schedule warm_up(double epochs, Schedule then) {
  check_epochs("warm_up", epochs);
  return [epochs, then = std::move(then)](double base, double epoch) {
    return then(base, epoch) * std::min(1.0, epoch / epochs);
  };
}

}  // namespace elk::optim
