#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

thread_local Tape* detail::innermost_tape = nullptr;

namespace {

// The operation of a node for a parameter that nobody watches but because it is trained.
constexpr const char parameter[] = "parameter";

// How many of this thread's live. Its address is what a tape knows the thread by.
thread_local int pauses = 0;

}  // namespace

Pause::Pause() { ++pauses; }
Pause::~Pause() { --pauses; }

Tape::Tape() : rng_(training_rng()), outer_(detail::innermost_tape), thread_(&pauses), pauses_(pauses) {
  detail::innermost_tape = this;
  // In place of growing by twice, twice, and twice again in every step of a small network.
  nodes_.reserve(64);
  links_.reserve(64);
  index_.reserve(64);
}

Tape::Tape(Rng& rng) : Tape() { rng_ = &rng; }

Tape::~Tape() {
  // Links first: rules may hold the last handles to tensors, and nothing else refers to them.
  while (!links_.empty()) links_.pop_back();
  Tape** at = &detail::innermost_tape;
  while (*at != nullptr && *at != this) at = &(*at)->outer_;
  if (*at == this) *at = outer_;
}

Tape* Tape::next_recording(Tape* tape) {
  while (tape != nullptr && (tape->used_up_ || tape->pauses_ < pauses)) tape = tape->outer_;
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

// The node of an operation's input, or absent for a constant: what the tape has not met, and a parameter that
// is frozen now.
std::uint32_t Tape::find_input(const char* operation, const Tensor& x) {
  const std::uint32_t at = find(x);
  if (at == absent) return detail::is_watched(x) ? add_node(parameter, x, true) : absent;
  if (nodes_[at].operation == parameter && !detail::is_watched(x)) return absent;
  if (nodes_[at].dtype != x.dtype())
    fail<DTypeError>("[{}] this parameter was {} when the tape met it, and is {} now", operation,
                     nodes_[at].dtype, x.dtype());
  return at;
}

std::uint32_t Tape::add_node(const char* operation, const Tensor& x, bool wanted) {
  const auto at = static_cast<std::uint32_t>(nodes_.size());
  if (at == absent) fail<TapeError>("[tape] more than {} operations on one tape", absent - 1);
  nodes_.push_back({operation, x.shape(), x.dtype(), wanted, true, 0, x.id(), Scope::current(), {}, {}});
  index_.emplace(x.id(), at);
  return at;
}

void Tape::check_usable(const char* call) const {
  if (thread_ != &pauses) fail<TapeError>("[{}] this tape belongs to another thread", call);
  if (used_up_) fail<TapeError>("[{}] this tape is used up: each backward needs a new tape", call);
}

void Tape::watch(const Tensor& x) {
  check_usable("watch");
  if (!is_float(x.dtype())) fail<DTypeError>("[watch] only f32 and f64 have gradients, got {}", x.dtype());
  const std::uint32_t at = find(x);
  if (at == absent)
    add_node("watch", x, true);
  else if (nodes_[at].operation == parameter)
    nodes_[at].operation = "watch";
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

void detail::record(const char* operation, const Tensor& y, Input* inputs, std::size_t count) {
  for (Tape* tape = Tape::next_recording(innermost_tape); tape != nullptr;) {
    Tape* const next = Tape::next_recording(tape->outer_);
    tape->record(operation, y, inputs, count, next == nullptr);
    tape = next;
  }
}

// `last`: no other tape needs the rules.
void Tape::record(const char* operation, const Tensor& y, detail::Input* inputs, std::size_t count,
                  bool last) {
  std::uint32_t tracked = 0;
  for (std::size_t i = 0; i < count; ++i) {
    inputs[i].node = find_input(operation, inputs[i].x);
    tracked += inputs[i].node != absent;
  }
  if (tracked == 0) return;
  if (!is_float(y.dtype()))
    fail<DTypeError>("[{}] only f32 and f64 have gradients, the result is {}", operation, y.dtype());
  if (find(y) != absent || detail::is_watched(y))
    fail<TapeError>(
        "[{}] the result is on the tape already: record a new tensor, computed from detach(x), not an input",
        operation);
  const std::uint32_t node = add_node(operation, y, false);
  nodes_[node].links = tracked;
  for (std::size_t i = 0; i < count; ++i)
    if (inputs[i].node != absent)
      links_.push_back(
          {inputs[i].node, static_cast<std::uint32_t>(i), last ? std::move(inputs[i].rule) : inputs[i].rule});
  if (recorded_.empty()) return;
  std::vector<Operand> operands;
  for (std::size_t i = 0; i < count; ++i)
    operands.push_back({inputs[i].x, inputs[i].node == absent ? nullptr : nodes_[inputs[i].node].operation});
  const Pause pause;
  for (const auto& observer : recorded_) observer({operation, y, Scope::current(), operands});
}

namespace {

// The gradient that backward begins with.
Tensor one_of(const Tensor& y) {
  if (y.size() == 1) return ones(y.shape(), is_float(y.dtype()) ? y.dtype() : f32);
  fail<TapeError>(
      "[backward] expected a tensor of one element, got shape {}: reduce it, or give its gradient",
      y.shape());
}

}  // namespace

Gradients Tape::backward(const Tensor& y) { return walk(y, one_of(y), nullptr); }

Gradients Tape::backward(const Tensor& y, const std::vector<Tensor>& inputs) {
  return walk(y, one_of(y), &inputs);
}

void Tape::aim_at(const std::vector<Tensor>& inputs) {
  for (Node& node : nodes_) node.wanted = node.leads = false;
  for (const Tensor& x : inputs)
    if (const auto at = find(x); at != absent) nodes_[at].wanted = nodes_[at].leads = true;
  auto link = links_.begin();
  for (Node& node : nodes_)
    for (std::uint32_t i = 0; i < node.links; ++i) node.leads |= nodes_[link++->to].leads;
}

Gradients Tape::walk(const Tensor& y, const Tensor& dy, const std::vector<Tensor>* inputs) {
  check_usable("backward");
  const std::uint32_t start = find_input("backward", y);
  if (start == absent)
    fail<TapeError>(
        "[backward] this tensor is not on the tape: it was computed before the tape began or on another "
        "thread, or from nothing that is watched, and so is a constant");
  if (dy.shape() != y.shape() || dy.dtype() != y.dtype())
    fail<ShapeError>("[backward] expected a gradient {} {}, got {} {}", y.dtype(), y.shape(), dy.dtype(),
                     dy.shape());
  used_up_ = true;  // from here on this tape does not record: the rules' own operations are for outer tapes
  if (inputs != nullptr) aim_at(*inputs);
  nodes_[start].gradient = dy;

  // No tape further out is to differentiate what a rule computes, and no observer to see it.
  const bool unseen = !recording() && flowed_.empty();
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
      if (!node.gradient.defined() || !nodes_[link.to].leads) continue;
      if (unseen && (keep_product(link, node.gradient) || add_slice(link, node.gradient))) continue;
      Tensor dx = link.rule(node.gradient);
      if (!flowed_.empty()) tell({node.id, node.gradient, link.input, &dx});
      accumulate(node.operation, link, std::move(dx));
    }
    if (node.wanted && (node.gradient.defined() || node.product))
      result.items_.emplace(node.id, Gradients::Item{std::move(node.gradient), std::move(node.product)});
  }
  index_.clear();
  return result;
}

// Whether the gradient of the input is kept as the product that its rule would compute: only where it is all
// of the gradient so far. Nobody is to see what the rule returns.
bool Tape::keep_product(const Link& link, const Tensor& dy) {
  Node& to = nodes_[link.to];
  if (to.shape.rank() != 2 || to.gradient.defined() || to.product) return false;
  const auto* rule = link.rule.target<ProductRule>();
  if (rule == nullptr || to.dtype != rule->x.dtype() || to.shape != Shape{dy.size(1), rule->x.size(1)})
    return false;
  to.product = std::make_shared<detail::Product>(dy, rule->x);
  return true;
}

// Adds dy to the part of the input's gradient that was sliced, where the rule would make a whole tensor of
// zeros around it: only where there is a gradient already. Nobody is to see what the rule returns.
bool Tape::add_slice(const Link& link, const Tensor& dy) {
  Tensor& gradient = nodes_[link.to].gradient;
  if (!gradient.defined()) return false;
  const auto* rule = link.rule.target<SliceRule>();
  if (rule == nullptr || gradient.dtype() != dy.dtype()) return false;
  detail::make_sole_owner(gradient);
  kernels::add_to_slice(gradient, dy, rule->axis, rule->begin, rule->step);
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
