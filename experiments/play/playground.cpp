#include "playground.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include <elk/base/format.hpp>
#include <elk/debug/trace.hpp>
#include <elk/nn/initializers.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/index.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/adaptive.hpp>

namespace elk::play {

namespace {

// As the exported program has it; see as_cpp().
nn::Linear linear(const State& state, Index in, Index out, Rng& rng) {
  const nn::Init init = state.init == "xavier"   ? nn::Init::xavier
                        : state.init == "normal" ? nn::Init::normal
                                                 : nn::Init::he;
  nn::Linear layer(in, out, rng, {.init = init, .dtype = f64});
  if (state.init == "orthogonal") nn::init::orthogonal_(layer.weight(), rng);
  if (state.init == "same") nn::init::constant_(layer.weight(), 0.5);
  if (state.init == "zeros") nn::init::zeros_(layer.weight());
  return layer;
}

void add_activation(nn::Sequential& net, const std::string& name, const std::string& number) {
  if (name == "tanh") net.add("tanh" + number, nn::Tanh());
  if (name == "relu") net.add("relu" + number, nn::ReLU());
  if (name == "leaky_relu") net.add("leaky" + number, nn::LeakyReLU());
  if (name == "sigmoid") net.add("sigmoid" + number, nn::Sigmoid());
  if (name == "gelu") net.add("gelu" + number, nn::GELU());
}

nn::Sequential make_net(const State& state, Rng& rng) {
  nn::Sequential net;
  Index in = state.inputs();
  for (std::size_t i = 0; i < state.hidden.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    net.add("layer" + number, linear(state, in, state.hidden[i], rng));
    add_activation(net, state.activation, number);
    if (state.dropout > 0) net.add("dropout" + number, nn::Dropout(state.dropout));
    in = state.hidden[i];
  }
  net.add("output", linear(state, in, state.outputs(), rng));
  return net;
}

Tensor rows_of(const Tensor& x, const std::vector<Index>& rows) { return index_select(x, 0, from(rows)); }

double norm(const Tensor& x) { return std::sqrt(sum(square(x)).item()); }

std::vector<double> column(const Tensor& h, Index unit) {
  const std::span<const double> all = h.data<double>();
  const auto width = static_cast<std::size_t>(h.size(1));
  std::vector<double> values;
  for (auto i = static_cast<std::size_t>(unit); i < all.size(); i += width) values.push_back(all[i]);
  return values;
}

bool same(const std::vector<double>& a, const std::vector<double>& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::abs(a[i] - b[i]) > 1e-9 * std::max(1.0, std::abs(a[i]))) return false;
  return true;
}

double share_of_flat(const State& state, const std::vector<double>& values) {
  const auto flat = [&](double h) {
    return state.activation == "tanh" ? std::abs(h) > 0.97 : h < 0.015 || h > 0.985;
  };
  return static_cast<double>(std::count_if(values.begin(), values.end(), flat)) /
         static_cast<double>(std::max<std::size_t>(1, values.size()));
}

}  // namespace

std::unique_ptr<optim::Optimizer> make_optimizer(const State& s, const nn::Sequential& net) {
  if (s.optimizer == "sgd")
    return std::make_unique<optim::SGD>(net, optim::SGD::Options{.lr = s.lr, .weight_decay = s.weight_decay});
  if (s.optimizer == "momentum")
    return std::make_unique<optim::SGD>(
        net, optim::SGD::Options{.lr = s.lr, .momentum = 0.9, .weight_decay = s.weight_decay});
  if (s.optimizer == "rmsprop")
    return std::make_unique<optim::RMSprop>(
        net, optim::RMSprop::Options{.lr = s.lr, .weight_decay = s.weight_decay});
  if (s.optimizer == "adagrad")
    return std::make_unique<optim::Adagrad>(
        net, optim::Adagrad::Options{.lr = s.lr, .weight_decay = s.weight_decay});
  if (s.optimizer == "adamw")
    return std::make_unique<optim::AdamW>(net,
                                          optim::AdamW::Options{.lr = s.lr, .weight_decay = s.weight_decay});
  return std::make_unique<optim::Adam>(net, optim::Adam::Options{.lr = s.lr, .weight_decay = s.weight_decay});
}

std::string optimizer_text(const State& s) {
  const std::string name = s.optimizer == "sgd" || s.optimizer == "momentum" ? "SGD"
                           : s.optimizer == "rmsprop"                        ? "RMSprop"
                           : s.optimizer == "adagrad"                        ? "Adagrad"
                           : s.optimizer == "adamw"                          ? "AdamW"
                                                                             : "Adam";
  return fmt::format("optim::{} optimizer(net, {{.lr = {}{}, .weight_decay = {}}});", name, s.lr,
                     s.optimizer == "momentum" ? ", .momentum = 0.9" : "", s.weight_decay);
}

Playground::Playground(State state)
    : state_(std::move(state)),
      rng_(state_.seed),
      data_(make_data(state_, rng_)),
      net_(make_net(state_, rng_)),
      optimizer_(make_optimizer(state_, net_)),
      batch_loss_(NAN),
      norms_(state_.hidden.size() + 1) {
  order_ = rng_.permutation(train_count(state_));
  for (const Edit& change : state_.edits) check(change);
  put_due();
}

std::vector<Index> Playground::batch_rows() const {
  const std::size_t end = std::min(order_.size(), next_ + static_cast<std::size_t>(state_.batch));
  return {order_.begin() + static_cast<std::ptrdiff_t>(next_),
          order_.begin() + static_cast<std::ptrdiff_t>(end)};
}

void Playground::advance() {
  ++steps_;
  next_ += static_cast<std::size_t>(state_.batch);
  if (next_ >= order_.size()) {
    ++epochs_;
    next_ = 0;
    order_ = rng_.permutation(train_count(state_));
  }
  put_due();
}

void Playground::step(bool watched) {
  if (order_.empty()) return;
  const std::vector<Index> rows = batch_rows();
  const Tensor x = rows_of(data_.train.inputs, rows), target = rows_of(data_.train.targets, rows);
  Tape tape(rng_);
  const Tensor loss = loss_of(state_, net_(x), target);
  const Gradients gradients = tape.backward(loss);
  batch_loss_ = loss.item();
  std::vector<Tensor> before;  // of the weights; what is held the optimizer does not write over
  if (watched) {
    for (const nn::NamedSlot& p : net_.parameters())
      if (p.name.ends_with(".weight")) {
        norms_[before.size()] = {norm(p.slot->value()), norm(gradients[p.slot->value()]), 0};
        before.push_back(p.slot->value());
      }
  }
  optimizer_->step(gradients);
  if (watched) {
    std::size_t i = 0;
    for (const nn::NamedSlot& p : net_.parameters())
      if (p.name.ends_with(".weight")) {
        norms_[i].update = norm(p.slot->value() - before[i]);
        ++i;
      }
  }
  advance();
}

Playground::Score Playground::score(const Examples& examples) const {
  Score score;
  if (examples.inputs.size(0) == 0) return score;
  const Tensor y = net_(examples.inputs);
  const auto right = [](const Tensor& says, const Tensor& labels) {
    return mean(cast(equal(says, labels), f64)).item();
  };
  score.loss = loss_of(state_, y, examples.targets).item();
  const double middle = 0;  // of a logit, and of targets -1 and 1
  if (state_.is_digits()) score.accuracy = right(argmax(y), examples.labels);
  if (state_.is_classes()) score.accuracy = right(cast(greater(y, middle), f64), examples.labels);
  return score;
}

std::vector<Tensor> Playground::maps(const Tensor& inputs) const {
  std::vector<Tensor> list{inputs};
  Tensor x = inputs;
  for (std::size_t i = 0; i < net_.size(); ++i) {
    x = net_[i](x);
    const bool ends = i + 1 == net_.size() || dynamic_cast<const nn::Linear*>(&net_[i + 1]) != nullptr;
    if (ends) list.push_back(x);  // of a hidden layer behind its activation
  }
  return list;
}

std::vector<LayerReport> Playground::layers() const {
  const std::vector<Tensor> values = maps(data_.train.inputs);
  std::vector<LayerReport> reports;
  for (std::size_t i = 0; i < norms_.size(); ++i) {
    const Tensor& h = values[i + 1];
    const bool output = i + 1 == norms_.size();
    LayerReport report;
    report.name = output ? "output" : fmt::format("layer{}", i + 1);
    report.units = h.size(1);
    std::vector<std::vector<double>> seen;
    for (Index unit = 0; unit < report.units && h.size() > 0; ++unit) {
      std::vector<double> one = column(h, unit);
      const double top = *std::max_element(one.begin(), one.end());
      report.dead.push_back(!output && state_.activation == "relu" && !(top > 0));
      const bool can_saturate = !output && (state_.activation == "tanh" || state_.activation == "sigmoid");
      report.flat.push_back(can_saturate ? share_of_flat(state_, one) : 0);
      if (std::none_of(seen.begin(), seen.end(), [&](const auto& other) { return same(one, other); }))
        seen.push_back(std::move(one));
    }
    report.distinct = static_cast<Index>(seen.size());
    if (h.size() > 0) {
      report.mean = mean(h).item();
      report.deviation = stddev(h).item();
    }
    report.weight_norm = norms_[i].weight;
    report.gradient_norm = norms_[i].gradient;
    report.update_norm = norms_[i].update;
    reports.push_back(std::move(report));
  }
  return reports;
}

std::vector<Index> Playground::lens_rows(Index rows) const {
  std::vector<Index> list = batch_rows();
  if (rows > 0 && static_cast<std::size_t>(rows) < list.size()) list.resize(static_cast<std::size_t>(rows));
  return list;
}

std::string Playground::lens(Index rows) const {
  const std::vector<Index> which = lens_rows(rows);
  if (which.empty()) fail<ValueError>("[lens] there are no examples: add points first");
  const Tensor x = rows_of(data_.train.inputs, which), target = rows_of(data_.train.targets, which);
  nn::Sequential net = net_;  // a copy: nothing here changes the playground
  const auto optimizer = make_optimizer(state_, net);
  optimizer->load_state(optimizer_->state());
  Trace trace;
  trace.name(x, "x");
  trace.name(target, "labels");
  const auto follow = [&](const std::string& label) {
    Rng rng = rng_;  // dropout as in the step itself, both times
    Tape tape(rng);
    tape.watch(x);
    trace.follow(tape, label);
    return tape.backward(loss_of(state_, net(x), target));
  };
  optimizer->step(follow(fmt::format("step {}", steps_ + 1)));
  (void)follow("the same batch after the update");
  return trace.json(net);
}

// ---- numbers that are changed by hand ----

Index Playground::numbers_of(const std::string& tensor) const {
  if (tensor == "x") return data_.train.inputs.size();
  if (tensor == "labels") return train_count(state_);
  return slot_of(tensor)->value().size();
}

std::shared_ptr<nn::Parameter::Slot> Playground::slot_of(const std::string& tensor) const {
  for (const nn::NamedSlot& p : net_.parameters())
    if (p.name == tensor) return p.slot;
  fail<ValueError>("[edit] there is no {} to change", shown(tensor, 40));
}

void Playground::check(const Edit& change) const {
  const Index size = numbers_of(change.tensor);
  if (change.element < 0 || change.element >= size)
    fail<ValueError>("[edit] {} has {} numbers, and no number {}", change.tensor, size, change.element);
  if (!std::isfinite(change.value)) fail<ValueError>("[edit] expected a finite number");
  if (change.tensor != "labels") return;
  if (state_.is_digits() &&
      !(change.value >= 0 && change.value <= 9 && change.value == std::floor(change.value)))
    fail<ValueError>("[edit] labels: expected a digit from 0 to 9, got {}", change.value);
  const double low = state_.loss == "cross_entropy" ? 0 : -1;
  if (state_.is_classes() && change.value != low && change.value != 1)
    fail<ValueError>("[edit] labels: expected {} or 1, got {}", low, change.value);
}

double Playground::put(const Edit& change) {
  const auto& [step, tensor, element, value] = change;
  Examples& train = data_.train;
  if (tensor == "x") {
    const Index width = state_.inputs(), row = element / width, column = element % width;
    const double old = train.inputs.at(element);
    train.inputs = index_put(train.inputs, {row, column}, value);
    if (state_.is_digits()) return old;
    // The point moves where its feature is a coordinate.
    const std::string& feature = state_.features[static_cast<std::size_t>(column)];
    if (feature == "x" || feature == "y")
      train.points = index_put(train.points, {row, feature == "y" ? 1 : 0}, value);
    return old;
  }
  if (tensor == "labels") {
    const double old = state_.is_digits() ? train.labels.at(element) : train.targets.at(element);
    if (state_.is_digits()) {
      train.labels = index_put(train.labels, {element}, value);
      train.targets = targets_of(state_, train.labels);
    } else {
      train.targets = index_put(train.targets, {element, 0}, value);
      train.labels = index_put(train.labels, {element, 0}, state_.is_classes() ? (value > 0 ? 1 : 0) : value);
    }
    if (state_.is_curve()) train.points = index_put(train.points, {element, 1}, value);
    return old;
  }
  const auto slot = slot_of(tensor);
  const Tensor now = slot->value();
  const std::vector<At> at = now.rank() == 1 ? std::vector<At>{element}
                                             : std::vector<At>{element / now.size(1), element % now.size(1)};
  slot->set(index_put(now, at, value));
  return now.at(element);
}

void Playground::put_due() {
  replaced_.clear();
  for (const Edit& change : state_.edits)
    if (change.step == steps_) replaced_.push_back(put(change));
}

std::vector<Edit>::iterator Playground::first_to_come() {
  return std::find_if(state_.edits.begin(), state_.edits.end(),
                      [&](const Edit& change) { return change.step > steps_; });
}

double Playground::edit(Edit change, Index rows) {
  if (change.tensor == "x" || change.tensor == "labels") {
    const std::vector<Index> which = lens_rows(rows);
    const Index width = change.tensor == "x" ? state_.inputs() : 1;
    const Index here = static_cast<Index>(which.size()) * width;
    if (change.element < 0 || change.element >= here)
      fail<ValueError>("[edit] {} has {} numbers here, and no number {}", change.tensor, here,
                       change.element);
    change.element = which[static_cast<std::size_t>(change.element / width)] * width + change.element % width;
  }
  check(change);
  if (state_.edits.size() >= most_edits)
    fail<ValueError>("[edit] expected at most {} changes: start again without them", most_edits);
  change.step = steps_;
  state_.edits.insert(first_to_come(), change);
  return replaced_.emplace_back(put(change));
}

void Playground::undo() {
  if (replaced_.empty()) fail<ValueError>("[undo] nothing was changed since the last step");
  const auto last = std::prev(first_to_come());
  Edit change = *last;
  change.value = replaced_.back();
  put(change);
  replaced_.pop_back();
  state_.edits.erase(last);
}

}  // namespace elk::play
