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

Schedule cosine_restarts(double epochs, double factor, double least) {
  check_epochs("cosine_restarts", epochs);
  if (!(factor >= 1 && std::isfinite(factor)))
    fail<ValueError>("[cosine_restarts] the factor must be at least 1 and finite, got {}", factor);
  return [=](double base, double epoch) {
    double begin = 0, length = epochs;
    if (factor == 1) begin = std::floor(epoch / epochs) * epochs;
    for (; factor > 1 && epoch >= begin + length; length *= factor) begin += length;
    return half_cosine(base, least, (epoch - begin) / length);
  };
}

Schedule linear(double epochs, double first, double last) {
  check_epochs("linear", epochs);
  check_factor("linear", first);
  if (!(last >= 0 && std::isfinite(last)))
    fail<ValueError>("[linear] the last factor must be finite and not negative, got {}", last);
  return [=](double base, double epoch) {
    return base * (first + (last - first) * std::clamp(epoch / epochs, 0.0, 1.0));
  };
}

Schedule polynomial(double epochs, double power) {
  check_epochs("polynomial", epochs);
  if (!(power > 0 && std::isfinite(power)))
    fail<ValueError>("[polynomial] the power must be above 0 and finite, got {}", power);
  return [=](double base, double epoch) {
    return base * std::pow(1 - std::clamp(epoch / epochs, 0.0, 1.0), power);
  };
}

Schedule one_cycle(double epochs, std::int64_t steps_per_epoch, const OneCycleOptions& options) {
  check_epochs("one_cycle", epochs);
  if (steps_per_epoch < 0)
    fail<ValueError>("[one_cycle] the steps of an epoch must not be negative, got {}", steps_per_epoch);
  if (!(options.rise > 0 && options.rise < 1))
    fail<ValueError>("[one_cycle] the rise must take a share between 0 and 1, got {}", options.rise);
  if (options.three_phases && options.rise > 0.5)
    fail<ValueError>("[one_cycle] with three phases the rise takes at most half, got {}", options.rise);
  check_factor("one_cycle", options.div_factor);
  check_factor("one_cycle", options.final_div_factor);
  // The top and the end are steps, the first of which is step 0.
  const double one_step = steps_per_epoch == 0 ? 0 : 1 / static_cast<double>(steps_per_epoch);
  const double top = options.rise * epochs - one_step, end = epochs - one_step;
  const double foot = 2 * options.rise * epochs - 2 * one_step;  // of three phases, where the way down ends
  const auto way = [straight = options.straight](double a, double b, double part) {
    return straight ? a + (b - a) * std::clamp(part, 0.0, 1.0) : half_cosine(a, b, part);
  };
  return [=](double base, double epoch) {
    const double low = base / options.div_factor,
                 last = base / (options.div_factor * options.final_div_factor);
    const auto part = [&](double from, double to) { return to > from ? (epoch - from) / (to - from) : 1; };
    if (epoch < top) return way(low, base, epoch / top);
    if (!options.three_phases) return way(base, last, part(top, end));
    return epoch < foot ? way(base, low, part(top, foot)) : way(low, last, part(foot, end));
  };
}

Schedule warm_up(double epochs, Schedule then) {
  check_epochs("warm_up", epochs);
  return [epochs, then = std::move(then)](double base, double epoch) {
    return then(base, epoch) * std::min(1.0, epoch / epochs);
  };
}

}  // namespace elk::optim
