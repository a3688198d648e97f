#include <algorithm>
#include <cmath>
#include <limits>

#include <elk/autograd/tape.hpp>
#include <elk/base/format.hpp>
#include <elk/debug/gradcheck.hpp>
#include <elk/nn/uses.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

// A scalar that depends on every element of f's result: its sum with random weights. `size` grows by that of
// what is summed.
Tensor projected(const Tensor& y, std::uint64_t seed, double& size) {
  Rng rng(seed);
  const Tensor terms = y * randn(y.shape(), rng, f64);
  size += sum(abs(detach(terms))).item();
  return sum(terms);
}

// x with `delta` added to one element.
Tensor moved(const Tensor& x, Index element, double delta) {
  std::vector<double> values(x.data<double>().begin(), x.data<double>().end());
  values[static_cast<std::size_t>(element)] += delta;
  return from(values, x.shape());
}

// A scalar function, and the size of what it sums.
using Projection = std::function<Tensor(const std::vector<Tensor>&, double& size)>;

// An entry of a gradient by the tape and by a central difference, and what rounding can do to the difference.
struct Entry {
  Index element;
  double tape, difference, rounding;
};

// Compares the tape's gradient of `f` with central differences.
void compare(const Projection& f, const std::vector<Tensor>& inputs, const std::vector<std::string>& names,
             int order, const GradcheckOptions& options, GradcheckReport& report) {
  double size = 0;
  std::vector<Tensor> gradients;
  {
    Tape tape;
    for (const Tensor& x : inputs) tape.watch(x);
    const Tensor y = f(inputs, size);
    const Gradients result = tape.backward(y);
    for (const Tensor& x : inputs) gradients.push_back(result.has(x) ? result[x] : zeros(x.shape(), f64));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& x = inputs[i];
    const Index count = std::min(x.size(), options.max_entries);
    std::vector<Entry> entries;
    double largest = 0;  // of what is compared: one entry may be 0 by cancellation, beside others
    for (Index k = 0; k < count; ++k) {
      const Index element = k * x.size() / count;
      const double step = options.step * std::max(1.0, std::abs(x.at(element)));
      std::vector<Tensor> shifted = inputs;
      double above_size = 0, below_size = 0;
      shifted[i] = moved(x, element, step);
      const double above = f(shifted, above_size).item();
      shifted[i] = moved(x, element, -step);
      const double below = f(shifted, below_size).item();
      const double difference = (above - below) / (2 * step), tape = gradients[i].at(element);
      entries.push_back(
          {element, tape, difference,
           64 * std::numeric_limits<double>::epsilon() * (size + above_size + below_size) / step});
      if (std::isfinite(difference)) largest = std::max({largest, std::abs(difference), std::abs(tape)});
    }
    for (const Entry& entry : entries) {
      const double scale = largest + entry.rounding / options.tolerance;
      double error = std::abs(entry.tape - entry.difference) / (scale > 0 ? scale : 1);
      if (std::isnan(error)) error = INFINITY;
      ++report.checked;
      if (error > report.error || report.checked == 1) {
        report.order = order;
        report.input = names[i];
        report.element = entry.element;
        report.tape = entry.tape;
        report.difference = entry.difference;
        report.error = error;
      }
      if (!(error <= options.tolerance)) report.ok = false;
    }
  }
}

GradcheckReport check(const Function& f, const std::vector<Tensor>& inputs,
                      const std::vector<std::string>& names, const GradcheckOptions& options) {
  for (const Tensor& x : inputs)
    if (x.dtype() != f64)
      fail<DTypeError>("[gradcheck] expected inputs of f64, got {}: convert with cast", x.dtype());
  const Pause pause;  // the caller's tapes: without dropout, or f would be another function each time
  GradcheckReport report;
  const Projection first = [&](const std::vector<Tensor>& in, double& size) {
    return projected(f(in), options.seed, size);
  };
  compare(first, inputs, names, 1, options, report);
  if (!options.second_order) return report;

  // The gradient, projected in turn: its derivative is what a tape around the inner tape gives.
  const Projection second = [&](const std::vector<Tensor>& in, double& size) {
    Tape inner;
    for (const Tensor& x : in) inner.watch(x);
    const Gradients gradients = inner.backward(first(in, size));
    Tensor total = scalar(0, f64);
    for (std::size_t i = 0; i < in.size(); ++i)
      if (gradients.has(in[i])) total = total + projected(gradients[in[i]], options.seed + 1 + i, size);
    // Keeps a gradient that is constant in the inputs differentiable: its derivative is 0.
    for (const Tensor& x : in) total = total + 0 * sum(x);
    return total;
  };
  compare(second, inputs, names, 2, options, report);
  return report;
}

}  // namespace

std::string GradcheckReport::to_string() const {
  return fmt::format(
      "{}: {} entries; worst: {} element {}, order {}: tape {:.10g}, finite difference {:.10g}, error {:.2g}",
      ok ? "ok" : "wrong", checked, input, element, order, tape, difference, error);
}

GradcheckReport gradcheck(const Function& f, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < inputs.size(); ++i) names.push_back(fmt::format("input {}", i));
  // A handle of its own for each: the same tensor given twice is two inputs.
  std::vector<Tensor> separate;
  for (const Tensor& x : inputs) separate.push_back(detail::with_shape(x, x.shape()));
  return check(f, separate, names, options);
}

GradcheckReport gradcheck(nn::Module& module, const Tensor& x, const GradcheckOptions& options) {
  std::vector<nn::NamedSlot> parameters;
  for (nn::NamedSlot& parameter : module.parameters())
    if (!parameter.slot->frozen()) parameters.push_back(std::move(parameter));
  std::vector<Tensor> inputs{x};
  std::vector<std::string> names{"x"};
  std::vector<Tensor> original;
  for (const nn::NamedSlot& parameter : parameters) {
    original.push_back(parameter.slot->value());
    inputs.push_back(parameter.slot->value());
    names.push_back(parameter.name);
  }
  const Function f = [&](const std::vector<Tensor>& in) {
    for (std::size_t i = 0; i < parameters.size(); ++i)
      detail::SlotAccess::value(*parameters[i].slot) = in[i + 1];
    return module(in[0]);
  };
  const auto restore = [&] {
    for (std::size_t i = 0; i < parameters.size(); ++i)
      detail::SlotAccess::value(*parameters[i].slot) = original[i];
  };
  try {
    const GradcheckReport report = check(f, inputs, names, options);
    restore();
    return report;
  } catch (...) {
    restore();
    throw;
  }
}

}  // namespace elk
