#include <algorithm>

#include <elk/autograd/record.hpp>
#include <elk/autograd/scope.hpp>
#include <elk/base/format.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace detail {
thread_local Tape* innermost_tape = nullptr;
}

namespace {

// A thread is known by the address of something that each has of its own.
const void* this_thread() {
  static thread_local char mark;
  return &mark;
}

}  // namespace

Tape::Tape() : rng_(nullptr), outer_(detail::innermost_tape), thread_(this_thread()) {
  detail::innermost_tape = this;
}

Tape::Tape(Rng& rng) : Tape() { rng_ = &rng; }

Tape::~Tape() {
  // Links first: rules may hold the last handles to tensors, and nothing else refers to them.
  while (!links_.empty()) links_.pop_back();
  for (Tape** at = &detail::innermost_tape; *at != nullptr; at = &(*at)->outer_) {
    if (*at == this) {
      *at = outer_;
      break;
    }
  }
}

Tape* Tape::next_recording(Tape* tape) {
  while (tape != nullptr && tape->used_up_) tape = tape->outer_;
  return tape;
}

bool Tape::recording() { return next_recording(detail::innermost_tape) != nullptr; }

Rng* Tape::training_rng() {
  const Tape* tape = next_recording(detail::innermost_tape);
  return tape != nullptr ? tape->rng_ : nullptr;
}

std::uint32_t Tape::find(const Tensor& x) const {
  const auto at = index_.find(x.id());
  return at == index_.end() ? absent : at->second;
}

std::uint32_t Tape::find_or_add_parameter(const Tensor& x) {
  const std::uint32_t at = find(x);
  return at == absent && detail::is_watched(x) ? add_node("parameter", x, true) : at;
}

std::uint32_t Tape::add_node(const char* operation, const Tensor& x, bool wanted) {
  const auto at = static_cast<std::uint32_t>(nodes_.size());
  if (at == absent) fail<TapeError>("[tape] more than {} operations on one tape", absent - 1);
  nodes_.push_back({operation, x.shape(), x.dtype(), wanted, 0, x.id(), Scope::current(), {}, {}});
  index_.emplace(x.id(), at);
  return at;
}

void Tape::check_usable(const char* call) const {
  if (thread_ != this_thread()) fail<TapeError>("[{}] this tape belongs to another thread", call);
  if (used_up_) fail<TapeError>("[{}] this tape is used up: each backward needs a new tape", call);
}

void Tape::watch(const Tensor& x) {
  check_usable("watch");
  if (!is_float(x.dtype())) fail<DTypeError>("[watch] only f32 and f64 have gradients, got {}", x.dtype());
  const std::uint32_t at = find(x);
  if (at == absent)
    add_node("watch", x, true);
  else
    nodes_[at].wanted = true;
}

void Tape::observe(std::function<void(const Event&)> recorded, std::function<void(const Flow&)> flowed) {
  if (recorded == nullptr && flowed == nullptr) {
    recorded_.clear();
    flowed_.clear();
  }
  if (recorded != nullptr) recorded_.push_back(std::move(recorded));
  if (flowed != nullptr) flowed_.push_back(std::move(flowed));
}

// While it lives, no tape of this thread records: what an observer computes would call it again without end.
struct Pause {
  Pause() = default;
  ~Pause() { detail::innermost_tape = tape; }
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;
  Tape* const tape = std::exchange(detail::innermost_tape, nullptr);
};

struct Recorder {
  static void record(Tape& tape, const char* operation, const Tensor& y, detail::Input* inputs,
                     std::size_t count, bool last_tape) {
    std::uint32_t tracked = 0;
    for (std::size_t i = 0; i < count; ++i) {
      inputs[i].node = tape.find_or_add_parameter(inputs[i].x);
      tracked += inputs[i].node != Tape::absent;
    }
    if (tracked == 0) return;
    if (!is_float(y.dtype()))
      fail<DTypeError>("[{}] only f32 and f64 have gradients, the result is {}", operation, y.dtype());
    if (tape.find(y) != Tape::absent || detail::is_watched(y))
      fail<TapeError>(
          "[{}] the result is on the tape already: record a new tensor, computed from detach(x), not an "
          "input",
          operation);
    const std::uint32_t node = tape.add_node(operation, y, false);
    tape.nodes_[node].links = tracked;
    for (std::size_t i = 0; i < count; ++i)
      if (inputs[i].node != Tape::absent)
        tape.links_.push_back({inputs[i].node, static_cast<std::uint32_t>(i),
                               last_tape ? std::move(inputs[i].rule) : inputs[i].rule});
    if (!tape.recorded_.empty()) tell(tape, operation, y, inputs, count);
  }

  static void tell(const Tape& tape, const char* operation, const Tensor& y, const detail::Input* inputs,
                   std::size_t count) {
    std::vector<Tape::Operand> operands;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t node = inputs[i].node;
      operands.push_back({inputs[i].x, node == Tape::absent ? nullptr : tape.nodes_[node].operation});
    }
    const Pause pause;
    for (const auto& observer : tape.recorded_) observer({operation, y, Scope::current(), operands});
  }

  static void record_on_all(const char* operation, const Tensor& y, detail::Input* inputs,
                            std::size_t count) {
    for (Tape* tape = Tape::next_recording(detail::innermost_tape); tape != nullptr;) {
      Tape* next = Tape::next_recording(tape->outer_);
      record(*tape, operation, y, inputs, count, next == nullptr);
      tape = next;
    }
  }
};

namespace detail {
void record(const char* operation, const Tensor& y, Input* inputs, std::size_t count) {
  Recorder::record_on_all(operation, y, inputs, count);
}
}  // namespace detail

Gradients Tape::backward(const Tensor& y) {
  if (y.size() != 1)
    fail<TapeError>(
        "[backward] expected a tensor of one element, got shape {}: reduce it, or give its gradient",
        y.shape());
  return backward(y, ones(y.shape(), is_float(y.dtype()) ? y.dtype() : f32));
}

Gradients Tape::backward(const Tensor& y, const Tensor& dy) {
  check_usable("backward");
  const std::uint32_t start = find_or_add_parameter(y);
  if (start == absent)
    fail<TapeError>(
        "[backward] this tensor is not on the tape: it was computed before the tape began or on another "
        "thread, or "
        "from nothing that is watched, and so is a constant");
  if (dy.shape() != y.shape() || dy.dtype() != y.dtype())
    fail<ShapeError>("[backward] expected a gradient {} {}, got {} {}", y.dtype(), y.shape(), dy.dtype(),
                     dy.shape());
  used_up_ = true;  // from here on this tape does not record: the rules' own operations are for outer tapes
  nodes_[start].gradient = dy;

  Gradients result;
  while (!nodes_.empty()) {
    Node node = std::move(nodes_.back());
    nodes_.pop_back();
    const bool flows = node.links > 0 && (node.gradient.defined() || node.product);
    // What a rule computes belongs to the module of its operation.
    const Scope scope(node.scope, flows ? node.operation : nullptr);
    if (flows && node.product) node.gradient = node.product->value();
    if (!flowed_.empty() && node.gradient.defined()) tell({node.id, node.gradient, 0, nullptr});
    for (std::uint32_t i = 0; i < node.links; ++i) {
      const Link link = std::move(links_.back());
      links_.pop_back();
      if (!node.gradient.defined() || keep_product(link, node.gradient)) continue;
      Tensor dx = link.rule(node.gradient);
      if (!flowed_.empty()) tell({node.id, node.gradient, link.input, &dx});
      accumulate(node.operation, link, std::move(dx));
    }
    if (node.wanted && (node.gradient.defined() || node.product))
      result.items_.push_back({node.id, std::move(node.gradient), std::move(node.product)});
  }
  std::sort(result.items_.begin(), result.items_.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  index_.clear();
  return result;
}

// Whether the gradient of the input is kept as the product that its rule would compute: only where it is all
// of the gradient so far, no tape further out is to differentiate the product, and no observer to see it.
bool Tape::keep_product(const Link& link, const Tensor& dy) {
  const auto* rule = link.rule.target<ProductRule>();
  Node& to = nodes_[link.to];
  if (rule == nullptr || to.gradient.defined() || to.product || recording() || !flowed_.empty() ||
      to.shape != Shape{dy.size(1), rule->x.size(1)})
    return false;
  to.product = std::make_shared<detail::Product>(dy, rule->x);
  return true;
}

// Adds what a rule returned to the gradient of its input. An undefined result stands for zero.
void Tape::accumulate(const char* operation, const Link& link, Tensor gradient) {
  if (!gradient.defined()) return;
  Node& to = nodes_[link.to];
  if (gradient.shape() != to.shape || gradient.dtype() != to.dtype)
    fail<ShapeError>("[{}] the rule of input {} returned {} {}, the input is {} {}", operation, link.input,
                     gradient.dtype(), gradient.shape(), to.dtype, to.shape);
  if (to.product) to.gradient = std::exchange(to.product, nullptr)->value();
  to.gradient = to.gradient.defined() ? detail::add_gradients(to.gradient, gradient) : std::move(gradient);
}

void Tape::tell(const Flow& flow) const {
  const Pause pause;
  for (const auto& observer : flowed_) observer(flow);
}

}  // namespace elk
