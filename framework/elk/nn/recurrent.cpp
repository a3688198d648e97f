#include <algorithm>
#include <cmath>

#include <elk/autograd/tape.hpp>
#include <elk/base/format.hpp>
#include <elk/nn/describe.hpp>
#include <elk/nn/recurrent.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/shape.hpp>

namespace elk::nn {

namespace {

// The steps of x (T, N, n), each (N, n). On a tape in two stages: where the gradient of a slice is recorded
// in turn, it is as large as what it was cut from, so that cutting T steps from the whole would cost T times
// the whole.
std::vector<Tensor> steps_of(const Tensor& x) {
  const Index stage = Tape::recording() ? 16 : std::max<Index>(x.size(0), 1);
  std::vector<Tensor> steps;
  for (Index begin = 0; begin < x.size(0); begin += stage) {
    const Tensor some = stage < x.size(0) ? slice(x, 0, begin, begin + stage) : x;
    for (Index i = 0; i < some.size(0); ++i) steps.push_back(squeeze(slice(some, 0, i, i + 1), 0));
  }
  return steps;
}

// The k-th of several parts of x (N, parts * size).
Tensor part(const Tensor& x, Index k, Index size) { return slice(x, 1, k * size, (k + 1) * size); }

}  // namespace

Recurrent::Recurrent(const char* name, Index gates, Index in, Index hidden, Rng& rng, const Options& options)
    : name_(name), in_(in), hidden_(hidden), options_(options) {
  if (in < 1 || hidden < 1 || options.layers < 1)
    fail<ShapeError>("[{}] expected inputs, hidden units and layers above 0, got {}, {} and {}", name, in,
                     hidden, options.layers);
  if (!(options.dropout >= 0 && options.dropout < 1))
    fail<ValueError>("[{}] expected a dropout from 0 to below 1, got {}", name, options.dropout);
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  const auto drawn = [&](const Shape& shape) {
    return Parameter(uniform(shape, rng, -bound, bound, float_dtype(name, options.dtype)));
  };
  const Index directions = options.bidirectional ? 2 : 1;
  for (Index layer = 0; layer < options.layers; ++layer)
    for (Index direction = 0; direction < directions; ++direction) {
      const Index inputs = layer == 0 ? in : hidden * directions;
      Parameter weight_ih = drawn({gates * hidden, inputs}), weight_hh = drawn({gates * hidden, hidden});
      cells_.push_back({fmt::format("_l{}{}", layer, direction == 0 ? "" : "_reverse"), std::move(weight_ih),
                        std::move(weight_hh), std::nullopt, std::nullopt});
      if (!options.bias) continue;
      cells_.back().bias_ih.emplace(drawn({gates * hidden}));
      cells_.back().bias_hh.emplace(drawn({gates * hidden}));
    }
}

void Recurrent::fields(Fields& f) {
  for (Cell& cell : cells_) {
    f("weight_ih" + cell.suffix, cell.weight_ih)("weight_hh" + cell.suffix, cell.weight_hh);
    if (cell.bias_ih) f("bias_ih" + cell.suffix, *cell.bias_ih)("bias_hh" + cell.suffix, *cell.bias_hh);
  }
}

std::string Recurrent::describe() const {
  std::string text = fmt::format("{}({}, {}", name_, in_, hidden_);
  if (options_.layers > 1) text += fmt::format(", {} layers", options_.layers);
  if (options_.bidirectional) text += ", bidirectional";
  return text + ")";
}

Tensor Recurrent::initial(const Tensor& given, const char* name, Index batch) const {
  const Shape shape{static_cast<Index>(cells_.size()), batch, hidden_};
  if (!given.defined()) return zeros(shape, cells_.front().weight_ih.value().dtype());
  if (given.shape() != shape)
    fail<ShapeError>("[{}] expected a state {} {}, got {}", describe(), name, shape, given.shape());
  check_dtype(*this, given, cells_.front().weight_ih.dtype(), name);
  return given;
}

Recurrent::Result Recurrent::run(const Tensor& x, const RecurrentState& from) const {
  const Scope scope = enter();
  Result result = compute(x, from);
  scope.returns(result.output);
  return result;
}

Recurrent::Result Recurrent::compute(const Tensor& x, const RecurrentState& from) const {
  if (x.rank() != 3 || x.size(2) != in_ || x.size(1) < 1)
    fail<ShapeError>("[{}] expected x (N, T, {}) with T above 0, got {}", describe(), in_, x.shape());
  check_dtype(*this, x, cells_.front().weight_ih.dtype());
  if (from.c.defined() && !has_cell()) fail<ValueError>("[{}] its state has no c", describe());
  const Tensor h = initial(from.h, "h", x.size(0)), c = initial(from.c, "c", x.size(0));
  const std::size_t directions = options_.bidirectional ? 2 : 1;
  Tensor y = x;
  std::vector<Tensor> last_h, last_c;
  for (std::size_t layer = 0; layer < cells_.size(); layer += directions) {
    if (layer > 0) y = dropout(y, options_.dropout);
    std::vector<Tensor> outputs;
    for (std::size_t i = layer; i < layer + directions; ++i) {
      const auto at = static_cast<Index>(i);
      Memory memory{squeeze(slice(h, 0, at, at + 1), 0), squeeze(slice(c, 0, at, at + 1), 0)};
      outputs.push_back(scan(cells_[i], y, i > layer, memory));
      last_h.push_back(memory.h);
      last_c.push_back(memory.c);
    }
    y = outputs.size() == 1 ? outputs[0] : concat(outputs, 2);
  }
  return {y, {stack(last_h), has_cell() ? stack(last_c) : Tensor()}};
}

// One direction of one layer over all steps of x (N, T, in): (N, T, hidden).
Tensor Recurrent::scan(const Cell& cell, const Tensor& x, bool backwards, Memory& memory) const {
  const auto bias = [](const std::optional<Parameter>& b) { return b ? b->value() : Tensor(); };
  std::vector<Tensor> inputs = steps_of(linear(permute(x, {1, 0, 2}), cell.weight_ih, bias(cell.bias_ih))),
                      outputs;
  if (backwards) std::reverse(inputs.begin(), inputs.end());
  for (const Tensor& input : inputs) {
    memory = step(input, linear(memory.h, cell.weight_hh, bias(cell.bias_hh)), memory);
    outputs.push_back(memory.h);
  }
  if (backwards) std::reverse(outputs.begin(), outputs.end());
  return permute(stack(outputs), {1, 0, 2});
}

Recurrent::Memory RNN::step(const Tensor& input, const Tensor& recurrent, const Memory& memory) const {
  return {tanh(input + recurrent), memory.c};
}

Recurrent::Memory GRU::step(const Tensor& input, const Tensor& recurrent, const Memory& memory) const {
  const Index size = hidden();
  const Tensor r = sigmoid(part(input, 0, size) + part(recurrent, 0, size)),
               z = sigmoid(part(input, 1, size) + part(recurrent, 1, size)),
               n = tanh(part(input, 2, size) + r * part(recurrent, 2, size));
  return {n + z * (memory.h - n), memory.c};
}

Recurrent::Memory LSTM::step(const Tensor& input, const Tensor& recurrent, const Memory& memory) const {
  const Index size = hidden();
  const Tensor gates = input + recurrent, i = sigmoid(part(gates, 0, size)),
               f = sigmoid(part(gates, 1, size)), g = tanh(part(gates, 2, size)),
               o = sigmoid(part(gates, 3, size)), c = f * memory.c + i * g;
  return {o * tanh(c), c};
}

}  // namespace elk::nn
