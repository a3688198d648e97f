#include <algorithm>
#include <cmath>

#include <elk/base/format.hpp>
#include <elk/kernels/update.hpp>
#include <elk/optim/check.hpp>
#include <elk/optim/moving_average.hpp>
#include <elk/tensor/storage.hpp>

namespace elk::optim {

namespace {

// The same elements as a plain value, which no tape watches.
Tensor plain(const Tensor& x) { return detail::with_shape(x, x.shape()); }

void check_decay(double decay) {
  if (!(decay >= 0 && decay < 1))
    fail<ValueError>("[moving_average] decay must be from 0 to below 1, got {}", decay);
}

}  // namespace

MovingAverage::MovingAverage(const nn::Module& module, double decay) : decay_(decay) {
  check_decay(decay);
  for (nn::NamedSlot& parameter : parameters_of("moving_average", module)) {
    const Tensor value = plain(parameter.slot->value());
    items_.push_back({std::move(parameter), value});
  }
}

// That the parameters are as they were when the average began.
void MovingAverage::check_parameters() const {
  moved_.check("moving_average");
  for (const Item& item : items_)
    if (item.parameter.slot->value().dtype() != item.average.dtype())
      fail<DTypeError>(
          "[moving_average] \"{}\" is {} now, its average {}: make a new average after a conversion",
          item.parameter.name, item.parameter.slot->value().dtype(), item.average.dtype());
}

void MovingAverage::update() { update(decay_); }

void MovingAverage::update(double decay) {
  check_parameters();
  check_decay(decay);
  for (Item& item : items_) detail::make_sole_owner(item.average);
  for (Item& item : items_) kernels::average_update(item.average, item.parameter.slot->value(), decay);
}

double MovingAverage::corrected_decay(std::int64_t t) const {
  if (t < 1) fail<ValueError>("[moving_average] updates are counted from 1, got {}", t);
  // 1 - decay^t without cancellation, for a decay close to 1.
  const auto sum = [&](std::int64_t n) { return -std::expm1(static_cast<double>(n) * std::log(decay_)); };
  return t == 1 ? 0 : decay_ * (sum(t - 1) / sum(t));
}

void MovingAverage::swap() {
  check_parameters();
  for (Item& item : items_) {
    const Tensor before = plain(item.parameter.slot->value());
    item.parameter.slot->set(item.average);
    item.average = before;
  }
}

State MovingAverage::state() const {
  moved_.check("moving_average");
  State state;
  for (const Item& item : items_) state.push_back({item.parameter.name, plain(item.average)});
  return state;
}

void MovingAverage::load_state(const State& state) {
  moved_.check("moving_average");
  if (state.size() != items_.size())
    fail<ValueError>("[moving_average] expected {} tensors, got {}", items_.size(), state.size());
  std::vector<Tensor> averages;
  for (const Item& item : items_) {
    const std::string& name = item.parameter.name;
    const auto at =
        std::find_if(state.begin(), state.end(), [&](const NamedTensor& t) { return t.name == name; });
    if (at == state.end()) fail<ValueError>("[moving_average] \"{}\" is missing", name);
    const Tensor& now = item.average;
    check_loaded("moving_average", name, at->value, now.shape(), now.dtype());
    averages.push_back(plain(at->value));
  }
  for (std::size_t i = 0; i < items_.size(); ++i) items_[i].average = averages[i];
}

}  // namespace elk::optim
