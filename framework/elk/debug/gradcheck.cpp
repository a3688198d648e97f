#include <algorithm>
#include <cmath>

#include <elk/autograd/tape.hpp>
#include <elk/base/format.hpp>
#include <elk/debug/gradcheck.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

// A scalar that depends on every element of f's result: its sum with random weights.
Tensor projected(const Tensor& y, std::uint64_t seed) {
  Rng rng(seed);
  return sum(y * randn(y.shape(), rng, f64));
}

// x with `delta` added to one element.
Tensor moved(const Tensor& x, Index element, double delta) {
  std::vector<double> values(x.data<double>().begin(), x.data<double>().end());
  values[static_cast<std::size_t>(element)] += delta;
  return from(values, x.shape());
}

// Compares the tape's gradient of `f`, a scalar, with central differences.
void compare(const Function& f, const std::vector<Tensor>& inputs, const std::vector<std::string>& names,
             int order, const GradcheckOptions& options, GradcheckReport& report) {
  std::vector<Tensor> gradients;
  {
    Tape tape;
    for (const Tensor& x : inputs) tape.watch(x);
    const Tensor y = f(inputs);
    const Gradients result = tape.backward(y);
    for (const Tensor& x : inputs) gradients.push_back(result.has(x) ? result[x] : zeros(x.shape(), f64));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& x = inputs[i];
    const Index count = std::min(x.size(), options.max_entries);
    for (Index k = 0; k < count; ++k) {
      const Index element = k * x.size() / count;
      const double step = options.step * std::max(1.0, std::abs(x.at(element)));
      std::vector<Tensor> shifted = inputs;
      shifted[i] = moved(x, element, step);
      const double above = f(shifted).item();
      shifted[i] = moved(x, element, -step);
      const double below = f(shifted).item();
      const double difference = (above - below) / (2 * step), tape = gradients[i].at(element);
      double error = std::abs(tape - difference) / std::max(1.0, std::abs(difference));
      if (std::isnan(error)) error = INFINITY;
      ++report.checked;
      if (error > report.error || report.checked == 1) {
        report.order = order;
        report.input = names[i];
        report.element = element;
        report.tape = tape;
        report.difference = difference;
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
  const Function first = [&](const std::vector<Tensor>& in) { return projected(f(in), options.seed); };
  compare(first, inputs, names, 1, options, report);
  if (!options.second_order) return report;

  // The gradient, projected in turn: its derivative is what a tape around the inner tape gives.
  const Function second = [&](const std::vector<Tensor>& in) {
    Tape inner;
    for (const Tensor& x : in) inner.watch(x);
    const Gradients gradients = inner.backward(first(in));
    Tensor total = scalar(0, f64);
    for (std::size_t i = 0; i < in.size(); ++i)
      if (gradients.has(in[i])) total = total + projected(gradients[in[i]], options.seed + 1 + i);
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
    if (!parameter.slot->frozen) parameters.push_back(std::move(parameter));
  std::vector<Tensor> inputs{x};
  std::vector<std::string> names{"x"};
  std::vector<Tensor> original;
  for (const nn::NamedSlot& parameter : parameters) {
    original.push_back(parameter.slot->value);
    inputs.push_back(parameter.slot->value);
    names.push_back(parameter.name);
  }
  const Function f = [&](const std::vector<Tensor>& in) {
    for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].slot->value = in[i + 1];
    return module(in[0]);
  };
  const auto restore = [&] {
    for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].slot->value = original[i];
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
