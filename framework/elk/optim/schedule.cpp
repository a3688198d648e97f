#include <cmath>

#include <elk/base/format.hpp>
#include <elk/optim/schedule.hpp>

namespace elk::optim {

Schedule constant() {
  return [](double base, int) { return base; };
}

Schedule exponential(double factor) {
  if (!(factor > 0 && std::isfinite(factor)))
    fail<ValueError>("[exponential] the factor must be above 0 and finite, got {}", factor);
  return [factor](double base, int epoch) {
    for (int i = 0; i < epoch; ++i)
      base *= factor;  // not pow(): the same bits as lr *= factor after each epoch
    return base;
  };
}

}  // namespace elk::optim
