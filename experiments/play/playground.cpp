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

// With element `at` replaced.
Tensor with(const Tensor& x, Index at, double value) {
  std::vector<double> values;
  for (Index i = 0; i < x.size(); ++i) values.push_back(i == at ? value : x.at(i));
  return from(values, x.shape());
}

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
}

std::vector<Index> Playground::batch_rows() const {
  const std::size_t end = std::min(order_.size(), next_ + static_cast<std::size_t>(state_.batch));
  return {order_.begin() + static_cast<std::ptrdiff_t>(next_),
          order_.begin() + static_cast<std::ptrdiff_t>(end)};
}

void Playground::advance() {
  ++steps_;
  next_ += static_cast<std::size_t>(state_.batch);
  if (next_ < order_.size()) return;
  ++epochs_;
  next_ = 0;
  order_ = rng_.permutation(train_count(state_));
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

double Playground::edit(const Edit& change, Index rows) {
  const auto check = [&](Index size) {
    if (change.element < 0 || change.element >= size)
      fail<ValueError>("[edit] {} has {} numbers here, and no number {}", change.tensor, size,
                       change.element);
    if (!std::isfinite(change.value)) fail<ValueError>("[edit] expected a finite number");
  };
  const std::vector<Index> which = lens_rows(rows);
  Examples& train = data_.train;
  const auto count = static_cast<Index>(which.size());
  if (change.tensor == "x") {
    const Index width = train.inputs.size(1);
    check(count * width);
    const Index row = which[static_cast<std::size_t>(change.element / width)], at = change.element % width;
    const double old = train.inputs.at(row * width + at);
    train.inputs = with(train.inputs, row * width + at, change.value);
    if (!state_.is_digits()) {  // the point moves where its feature is a coordinate
      const std::string& feature = state_.features[static_cast<std::size_t>(at)];
      if (feature == "x") train.points = with(train.points, 2 * row, change.value);
      if (feature == "y") train.points = with(train.points, 2 * row + 1, change.value);
    }
    return old;
  }
  if (change.tensor == "labels") {
    if (state_.is_digits()) fail<ValueError>("[edit] the labels of digits stay");
    check(count);
    const double low = state_.loss == "cross_entropy" ? 0 : -1;
    if (state_.is_classes() && change.value != low && change.value != 1)
      fail<ValueError>("[edit] labels: expected {} or 1, got {}", low, change.value);
    const Index row = which[static_cast<std::size_t>(change.element)];
    const double old = train.targets.at(row);
    train.targets = with(train.targets, row, change.value);
    train.labels = with(train.labels, row, state_.is_classes() ? (change.value > 0 ? 1 : 0) : change.value);
    if (state_.is_curve()) train.points = with(train.points, 2 * row + 1, change.value);
    return old;
  }
  for (const nn::NamedSlot& p : net_.parameters())
    if (p.name == change.tensor) {
      const Tensor value = p.slot->value();
      check(value.size());
      p.slot->set(with(value, change.element, change.value));
      return value.at(change.element);
    }
  fail<ValueError>("[edit] there is no {} to change", shown(change.tensor, 40));
}

}  // namespace elk::play
