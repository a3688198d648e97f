#include <exception>
#include <ostream>
#include <unordered_map>

#include <elk/autograd/tape.hpp>
#include <elk/base/flops.hpp>
#include <elk/base/format.hpp>
#include <elk/debug/inspect.hpp>
#include <elk/debug/summary.hpp>
#include <elk/nn/uses.hpp>
#include <elk/ops/reduce.hpp>

namespace elk {

namespace {

// The row of a module.
using RowOf = std::unordered_map<const void*, std::size_t>;

// Charges FLOPs to the row of the innermost scope, and notes calls and outputs.
class Meter : public ScopeObserver {
 public:
  struct Count {
    std::uint64_t flops = 0;
    Index calls = 0;
    std::optional<Shape> output, last;  // returned; of the last operation
  };

  Meter(const RowOf& listed, std::size_t rows)
      : counts(rows), listed_(listed), exceptions_(std::uncaught_exceptions()), mark_(elk::flops()) {}

  void begin(const void* subject) override {
    charge();
    const std::size_t row = row_of(subject);
    if (listed_.contains(subject))
      ++counts[row].calls;
    else if (subject != nullptr)
      unlisted_[subject] = row;  // known again in backward, where no scope is around it
    open_.push_back(row);
  }

  void end(const void*) override {
    charge();
    if (failed == outside && std::uncaught_exceptions() > exceptions_) failed = open_.back();
    open_.pop_back();
  }

  void output(const void* subject, const Tensor& y) override {
    const auto at = listed_.find(subject);
    if (at != listed_.end()) counts[at->second].output = y.shape();
  }

  void operation(const Tape::Event& event) {
    const auto at = listed_.find(event.scope);
    if (at != listed_.end()) counts[at->second].last = event.output.shape();
  }

  static constexpr std::size_t outside = ~std::size_t{0};
  std::vector<Count> counts;
  std::size_t failed = outside;  // the row where an exception came from

 private:
  std::size_t row_of(const void* subject) const {
    if (const auto at = listed_.find(subject); at != listed_.end()) return at->second;
    if (!open_.empty()) return open_.back();
    const auto at = unlisted_.find(subject);
    return at != unlisted_.end() ? at->second : outside;
  }

  void charge() {
    if (!open_.empty() && open_.back() != outside) counts[open_.back()].flops += elk::flops() - mark_;
    mark_ = elk::flops();
  }

  const RowOf& listed_;
  RowOf unlisted_;
  int exceptions_;
  std::uint64_t mark_;
  std::vector<std::size_t> open_;
};

void note(std::string& notes, const std::string& text) { notes += (notes.empty() ? "" : ", ") + text; }

// The name after the last dot.
std::string short_name(const std::string& name) { return name.substr(name.rfind('.') + 1); }

// Parameters of `part`, each for the row that lists it first.
void count_parameters(const inspect::Part& part, std::unordered_map<const void*, std::string>& first,
                      SummaryRow& row) {
  std::string frozen;
  std::size_t of_own = 0, frozen_of_own = 0;
  for (const nn::NamedSlot& parameter : part.parameters) {
    const auto [at, is_new] = first.emplace(parameter.slot.get(), parameter.name);
    if (!is_new) {
      note(row.notes, fmt::format("{} is {}", short_name(parameter.name), at->second));
      continue;
    }
    const Index size = parameter.slot->value().size();
    row.parameters += size;
    ++of_own;
    if (!parameter.slot->frozen()) continue;
    row.frozen += size;
    ++frozen_of_own;
    note(frozen, short_name(parameter.name));
  }
  if (frozen_of_own > 0) note(row.notes, frozen_of_own == of_own ? "frozen" : frozen + " frozen");
}

Shape with_batch(const Shape& example) {
  Shape shape{1};
  for (const Index size : example) shape.push_back(size);
  return shape;
}

Shape without_batch(const Shape& shape) {
  Shape example;
  for (int i = 1; i < shape.rank(); ++i) example.push_back(shape[i]);
  return example;
}

std::string with_n(const std::optional<Shape>& shape) {
  if (!shape) return "-";
  std::string text = to_string(*shape);
  if (shape->rank() > 0 && (*shape)[0] == 1) text[1] = 'N';
  return text;
}

}  // namespace

namespace {

// "shape (3)", "shapes (3) and (4)"
std::string shapes(const std::vector<SummaryInput>& inputs) {
  std::vector<std::string> texts;
  for (const SummaryInput& input : inputs) texts.push_back(to_string(input.shape));
  return (texts.size() == 1 ? "shape " : "shapes ") + fmt::format("{}", fmt::join(texts, " and "));
}

// `inputs` describes what `call` gives the network.
Summary summarize(const nn::Module& net, std::vector<SummaryInput> inputs,
                  const std::function<Tensor()>& call) {
  const std::vector<nn::NamedSlot> parameters = net.parameters();
  Summary result;
  result.inputs = std::move(inputs);

  const std::vector<inspect::Part> parts = inspect::parts(net);
  RowOf row_of;
  std::unordered_map<const void*, std::string> first;
  for (const inspect::Part& part : parts) {
    SummaryRow row;
    row.name = part.name;
    row.kind = part.module->describe();
    row.leaf = part.leaf;
    const auto [at, is_new] = row_of.emplace(part.module, result.rows.size());
    if (is_new)
      count_parameters(part, first, row);
    else
      note(row.notes, "is " + result.rows[at->second].name);
    result.parameters += row.parameters;
    result.frozen += row.frozen;
    result.rows.push_back(std::move(row));
  }

  const Pause pause;              // the caller's tapes
  const inspect::Kept kept(net);  // a forward() may keep running statistics in buffers
  std::vector<Meter::Count> forward;
  {
    Meter meter(row_of, result.rows.size());
    try {
      (void)call();
    } catch (const ShapeError& error) {
      const std::string& layer = result.rows[meter.failed == Meter::outside ? 0 : meter.failed].name;
      fail<ShapeError>("[summary] an example of {} does not fit {}: {}", shapes(result.inputs),
                       layer.empty() ? "the network" : layer, error.what());
    }
    forward = std::move(meter.counts);
  }

  const auto backward = [&](auto&... rng) {
    Meter meter(row_of, result.rows.size());
    const Tape around;  // where gradients may be differentiated, they are computed where they arise
    Tape tape(rng...);
    tape.observe([&](const Tape::Event& event) { meter.operation(event); });
    const std::shared_ptr<detail::Uses> uses = net.uses();
    uses->listen();
    const Tensor y = call();
    uses->stop();
    result.unlisted = uses->unlisted(parameters);
    // A scalar to start backward from; it runs outside the network and so counts for no row. Nothing is
    // recorded where the output depends on no trained parameter.
    const std::size_t before = tape.size();
    const Tensor total = sum(y);
    if (tape.size() > before) (void)tape.backward(total);
    return std::move(meter.counts);
  };
  std::vector<Meter::Count> training;
  try {
    Rng rng(0);
    training = backward(rng);
  } catch (const ShapeError&) {  // BatchNorm1d cannot train on one example
    training = backward();
  }

  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    SummaryRow& row = result.rows[i];
    row.flops = forward[i].flops;
    row.training_flops = training[i].flops;
    row.calls = forward[i].calls;
    row.output = forward[i].output ? forward[i].output : training[i].last;
    if (row_of.at(parts[i].module) == i) {  // listed here first
      if (row.calls == 0) note(row.notes, "never called");
      if (row.calls > 1) note(row.notes, fmt::format("called {} times", row.calls));
    }
    result.flops += row.flops;
    result.training_flops += row.training_flops;
  }
  return result;
}

Summary of_zeros(const nn::Module& net, const Shape& shape, DType dtype) {
  const Tensor x = zeros(with_batch(shape), dtype);
  return summarize(net, {{shape, dtype}}, [&] { return net(x); });
}

}  // namespace

Summary summary(const nn::Module& net, const Shape& input_shape, std::optional<DType> dtype) {
  if (dtype) return of_zeros(net, input_shape, *dtype);
  try {
    return of_zeros(net, input_shape, inspect::dtype_of(net));
  } catch (const DTypeError&) {
    const std::exception_ptr first = std::current_exception();
    try {
      return of_zeros(net, input_shape, i64);
    } catch (const Error&) {
      std::rethrow_exception(first);
    }
  }
}

Summary detail::summary(const nn::Module& net, const Batch& batch, const Forward& forward) {
  if (batch.x.rank() == 0 || batch.x.size(0) == 0)
    fail<ShapeError>("[summary] expected a batch x (N, ...) with an example in it, got {}", batch.x.shape());
  const Batch one = inspect::first(batch, 1);
  std::vector<SummaryInput> inputs{{without_batch(one.x.shape()), one.x.dtype()}};
  for (const Tensor& x : one.others)
    inputs.push_back({x.rank() > 0 && x.size(0) == 1 ? without_batch(x.shape()) : x.shape(), x.dtype()});
  return summarize(net, std::move(inputs), [&] { return forward ? forward(one) : net(one.x); });
}

Summary detail::summary(const nn::Module& net, const Examples& examples, const Forward& forward) {
  if (examples.size() == 0) fail<ShapeError>("[summary] the data set \"{}\" is empty", examples.name());
  return summary(net, examples.gather(std::vector<Index>{0}, inspect::dtype_of(net)), forward);
}

std::string to_string(const Summary& summary) {
  constexpr std::size_t name_width = 20, kind_width = 22, shape_width = 16;
  std::vector<std::vector<std::string>> cells{
      {"layer", "kind", "output", "parameters", "FLOPs", "training", ""}};
  for (const SummaryRow& row : summary.rows) {
    // A network that only passes on what its modules do is the total.
    const bool idle = row.parameters == 0 && row.flops == 0 && row.training_flops == 0 && row.notes.empty();
    if (row.name.empty() && !row.leaf && idle) continue;
    // The modules inside have rows of their own.
    const std::string kind = row.leaf ? row.kind : row.kind.substr(0, row.kind.find('('));
    cells.push_back({row.name.empty() ? "(network)" : inspect::shortened(row.name, name_width, true),
                     inspect::shortened(kind, kind_width),
                     inspect::shortened(with_n(row.output), shape_width), fmt::format("{}", row.parameters),
                     fmt::format("{}", row.flops), fmt::format("{}", row.training_flops), row.notes});
  }
  cells.push_back({"total", "", "", fmt::format("{}", summary.parameters), fmt::format("{}", summary.flops),
                   fmt::format("{}", summary.training_flops), ""});
  std::string text = inspect::table("lllrrrl", cells);
  if (summary.frozen > 0) text += fmt::format("{} of the parameters are frozen\n", summary.frozen);
  if (!summary.unlisted.empty()) text += summary.unlisted + ": name it in fields()\n";
  std::vector<std::string> inputs;
  for (const SummaryInput& input : summary.inputs)
    inputs.push_back(fmt::format("{} of {}", input.shape, input.dtype));
  text += fmt::format("FLOPs for one example {}; training: forward and backward, without loss and update\n",
                      fmt::join(inputs, ", "));
  return text;
}

std::ostream& operator<<(std::ostream& out, const Summary& summary) { return out << to_string(summary); }

}  // namespace elk
