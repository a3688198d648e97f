#include <algorithm>
#include <cmath>
#include <set>

#include <elk/base/format.hpp>
#include <elk/debug/measure.hpp>

namespace elk::inspect {

namespace {

// A unit that is on for half of the examples, as it should be, is off for 16 by chance once in 65536.
// Examples resemble each other, so twice as many.
constexpr Index dead_examples = 32;

// Where a tanh is above 0.97, or a sigmoid as far from its end, its derivative is below 6% of the largest.
constexpr double saturated_end = 0.015;

template <class F>
auto with_elements(const Tensor& x, F f) {
  switch (x.dtype()) {
    case DType::f32: return f(x.data<float>());
    case DType::f64: return f(x.data<double>());
    case DType::i64: return f(x.data<std::int64_t>());
    default: return f(x.data<std::uint8_t>());
  }
}

// The share of units that are 0 in every example of y (N, ...): elements of an example, or, of sequences
// (N, T, units), features, since of filling at the ends there is little to be said.
double dead_units(const Tensor& y) {
  return with_elements(y, [&](const auto values) {
    const auto units = static_cast<std::size_t>(y.rank() == 3 ? y.size(2) : y.size() / y.size(0));
    std::vector<char> alive(units);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i] != 0) alive[i % units] = 1;
    return static_cast<double>(std::count(alive.begin(), alive.end(), 0)) / static_cast<double>(units);
  });
}

// The share of elements at the ends of a range.
double at_the_ends(const Tensor& y, double low, double high) {
  const double margin = saturated_end * (high - low);
  return with_elements(y, [&](const auto values) {
    const auto count = std::count_if(values.begin(), values.end(), [&](const auto v) {
      return static_cast<double>(v) < low + margin || static_cast<double>(v) > high - margin;
    });
    return static_cast<double>(count) / static_cast<double>(values.size());
  });
}

}  // namespace

Moments moments(const Tensor& x) {
  return with_elements(x, [](const auto values) {
    Moments m;
    if (values.empty()) return m;
    const auto n = static_cast<double>(values.size());
    double sum = 0, squares = 0, zeros = 0;
    m.low = m.high = static_cast<double>(values[0]);
    for (const auto element : values) {
      const auto v = static_cast<double>(element);
      sum += v;
      squares += v * v;
      zeros += v == 0;
      m.low = std::min(m.low, v);
      m.high = std::max(m.high, v);
    }
    m.mean = sum / n;
    m.size = std::sqrt(squares / n);
    m.zeros = zeros / n;
    m.finite = std::isfinite(squares);
    double spread = 0;  // in a second pass: the difference of large sums would lose it
    for (const auto element : values) spread += std::pow(static_cast<double>(element) - m.mean, 2);
    m.deviation = std::sqrt(spread / n);
    return m;
  });
}

Activations::Activations(const nn::Module& net) {
  for (Part& part : parts(net)) parts_.emplace(part.module, std::move(part));
}

void Activations::operation(const Tape::Event& event) {
  static const std::set<std::string> known{"relu",    "leaky_relu", "gelu",   "softplus",
                                           "sigmoid", "tanh",       "maximum"};
  const std::string kind = event.operation;
  if (!known.contains(kind)) return;
  const auto at = parts_.find(event.scope);
  if (at != parts_.end() && at->second.leaf && !at->second.name.empty())
    add(at->second.name, kind, event.output);
  else
    add(last_.empty() ? kind : kind + " after " + last_, kind, event.output);
  activation_ = event.output.id();
}

void Activations::output(const void* subject, const Tensor& y) {
  const auto at = parts_.find(subject);
  if (at == parts_.end() || !at->second.leaf || at->second.name.empty()) return;
  last_ = at->second.name;
  if (y.id() != activation_) add(last_, at->second.module->describe(), y);  // else it is there already
}

void Activations::add(const std::string& name, const std::string& kind, const Tensor& y) {
  const Moments m = moments(y);
  LayerHealth layer{.name = name, .kind = kind, .mean = m.mean, .deviation = m.deviation, .zeros = m.zeros};
  if (y.rank() > 1 && y.size() > 0) {
    if ((kind == "relu" || kind == "gelu" || kind == "maximum") && y.size(0) >= dead_examples)
      layer.dead = dead_units(y);
    if (kind == "sigmoid") layer.saturated = at_the_ends(y, 0, 1);
    if (kind == "tanh") layer.saturated = at_the_ends(y, -1, 1);
  }
  if (const int call = ++calls_[name + ":" + kind]; call > 1) layer.name += fmt::format(" ({})", call);
  layers.push_back(std::move(layer));
}

}  // namespace elk::inspect
