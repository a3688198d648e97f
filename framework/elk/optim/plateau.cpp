#include <algorithm>
#include <cmath>

#include <elk/optim/check.hpp>
#include <elk/optim/plateau.hpp>

namespace elk::optim {

ReduceLROnPlateau::ReduceLROnPlateau(AnyOptimizer& optimizer, const Options& options)
    : optimizer_(&optimizer), options_(options), best_(options.larger_is_better ? -INFINITY : INFINITY) {
  check("reduce_lr_on_plateau", "factor", options.factor, 0, 1);
  check("reduce_lr_on_plateau", "patience", options.patience, 0, INFINITY);
  check("reduce_lr_on_plateau", "threshold", options.threshold, 0, INFINITY);
  check("reduce_lr_on_plateau", "cooldown", options.cooldown, 0, INFINITY);
  check("reduce_lr_on_plateau", "least_lr", options.least_lr, 0, INFINITY);
  check("reduce_lr_on_plateau", "epsilon", options.epsilon, 0, INFINITY);
}

bool ReduceLROnPlateau::is_better(double measure) const {
  if (std::isinf(best_)) return options_.larger_is_better ? measure > best_ : measure < best_;
  const double sign = options_.larger_is_better ? 1 : -1;
  const double bound =
      options_.absolute ? best_ + sign * options_.threshold : best_ * (1 + sign * options_.threshold);
  return options_.larger_is_better ? measure > bound : measure < bound;
}

bool ReduceLROnPlateau::step(double measure) {
  if (is_better(measure)) {
    best_ = measure;
    bad_ = 0;
  } else {
    ++bad_;
  }
  if (cooling_ > 0) {
    --cooling_;
    bad_ = 0;
  }
  if (bad_ <= options_.patience) return false;
  cooling_ = options_.cooldown;
  bad_ = 0;
  const double now = optimizer_->lr(), next = std::max(now * options_.factor, options_.least_lr);
  if (now - next <= options_.epsilon) return false;
  optimizer_->set_lr(next);
  return true;
}

State ReduceLROnPlateau::state() const {
  return {{"plateau", from(std::vector<double>{best_, static_cast<double>(bad_),
                                               static_cast<double>(cooling_), optimizer_->lr()})}};
}

void ReduceLROnPlateau::load_state(const State& state) {
  if (state.size() != 1 || state[0].name != "plateau" || state[0].value.dtype() != f64 ||
      state[0].value.size() != 4)
    fail<ValueError>("[reduce_lr_on_plateau] expected its four numbers, \"plateau\"");
  const auto numbers = state[0].value.data<double>();
  for (const double epochs : {numbers[1], numbers[2]})
    if (!(epochs >= 0 && epochs < 1e9 && epochs == std::floor(epochs)))
      fail<ValueError>("[reduce_lr_on_plateau] expected numbers of epochs, got {}", epochs);
  if (std::isnan(numbers[0])) fail<ValueError>("[reduce_lr_on_plateau] the best measure is NaN");
  optimizer_->set_lr(numbers[3]);
  best_ = numbers[0];
  bad_ = static_cast<int>(numbers[1]);
  cooling_ = static_cast<int>(numbers[2]);
}

}  // namespace elk::optim
