// Learning-rate schedules: the rate at a point of the training, from the base rate.
#pragma once

#include <cstdint>
#include <functional>

namespace elk::optim {

/// lr = schedule(base, epoch): epoch is the position in the training, 0 at its beginning, 2.5 in the middle
/// of the third epoch. Call it once per step, or once per epoch.
using Schedule = std::function<double(double base, double epoch)>;

/// The base rate, always.
Schedule constant();
/// base * factor after every whole epoch, multiplied epoch by epoch. factor is above 0 (ValueError).
Schedule exponential(double factor);
/// base * factor after every `every` whole epochs, likewise.
Schedule step(int every, double factor);
/// From base down to 0 along half a cosine over `epochs`. (I. Loshchilov, F. Hutter, "SGDR", 2017, without
/// restarts.)
Schedule cosine(double epochs);
/// The same with restarts: the first cosine takes `epochs`, each next one `factor` times as long, and all end
/// at `least`. (PyTorch's CosineAnnealingWarmRestarts.) ValueError for a factor below 1.
Schedule cosine_restarts(double epochs, double factor = 1, double least = 0);
/// base times a factor that goes linearly from `first` to `last` over `epochs`, and stays. (PyTorch's
/// LinearLR.)
Schedule linear(double epochs, double first = 1.0 / 3, double last = 1);
/// From base down to 0, as (1 - epoch / epochs) to the power of `power`. (PyTorch's PolynomialLR.)
Schedule polynomial(double epochs, double power = 1);
/// Options of one_cycle.
struct OneCycleOptions {
  double rise = 0.3;              ///< the share of the epochs that the way up takes
  double div_factor = 25;         ///< the rate begins at base / div_factor
  double final_div_factor = 1e4;  ///< and ends at that, divided by this
  bool straight = false;          ///< along straight lines, not cosines
  bool three_phases = false;      ///< down takes as long as up, then a third phase to the end
};
/// Up from base / 25 to base along half a cosine over the first 30% of `epochs`, then down to base / 250,000.
/// Called once per step, with the number of steps of an epoch, it gives the rate of PyTorch's OneCycleLR,
/// which reaches the top and the end at steps. Without that number, it reaches them at points in time. The
/// momentum stays as it is, as with cycle_momentum=False. (L. Smith, N. Topin, "Super-convergence", 2018.)
/// ValueError for negative steps.
Schedule one_cycle(double epochs, std::int64_t steps_per_epoch = 0, const OneCycleOptions& options = {});
/// `then`, with the rate rising linearly from 0 over the first `epochs`.
Schedule warm_up(double epochs, Schedule then);

}  // namespace elk::optim
