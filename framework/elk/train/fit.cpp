#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include <elk/autograd/scope.hpp>
#include <elk/base/flops.hpp>
#include <elk/base/format.hpp>
#include <elk/data/batches.hpp>
#include <elk/debug/non_finite.hpp>
#include <elk/io/digest.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/nn/uses.hpp>
#include <elk/optim/check.hpp>
#include <elk/optim/lbfgs.hpp>
#include <elk/train/fit.hpp>

namespace elk::train {

namespace {

constexpr const char* checkpoint_format = "elkgrad-checkpoint/1";

void add(State& all, const std::string& prefix, const State& part) {
  for (const NamedTensor& item : part) all.push_back({prefix + item.name, item.value});
}

State part_of(const State& all, const std::string& prefix) {
  State part;
  for (const NamedTensor& item : all)
    if (item.name.starts_with(prefix)) part.push_back({item.name.substr(prefix.size()), item.value});
  return part;
}

// The one tensor `name`, as numbers of type T.
template <class T>
std::vector<T> numbers(const State& all, const std::string& name, std::size_t count) {
  for (const NamedTensor& item : all) {
    if (item.name != name) continue;
    const auto data = item.value.data<T>();
    if (count != 0 && data.size() != count)
      fail<ValueError>("\"{}\" holds {} numbers, expected {}", name, data.size(), count);
    return {data.begin(), data.end()};
  }
  fail<ValueError>("\"{}\" is missing", name);
}

// An order in which all examples come, each once.
void check_order(const std::vector<Index>& order) {
  const auto size = static_cast<Index>(order.size());
  std::vector<bool> seen(order.size());
  for (const Index row : order) {
    if (row < 0 || row >= size) fail<ValueError>("its order has example {} of {}", row, size);
    if (seen[static_cast<std::size_t>(row)]) fail<ValueError>("its order has example {} twice", row);
    seen[static_cast<std::size_t>(row)] = true;
  }
}

void check_flag(const char* name, std::int64_t flag) {
  if (flag != 0 && flag != 1) fail<ValueError>("\"{}\" holds {}, expected 0 or 1", name, flag);
}

// Of a file: the run goes on counting, and must not overflow.
constexpr std::int64_t highest_count = std::int64_t{1} << 62;

// A data set that is measured after every epoch, if there is one: what is wrong with it must not wait for the
// end of the first.
void check_measured(const char* option, const Examples& measured, const Examples& trained) {
  if (!measured.defined()) return;
  if (measured.size() == 0)
    fail<ShapeError>("[fit] {}: the data set \"{}\" is empty", option, measured.name());
  const Dataset *const a = measured.images(), *const b = trained.images();
  if (a != nullptr && b != nullptr && a->features() != b->features())
    fail<ShapeError>("[fit] {}: its examples are {}, those to train on {}", option, a->sample_shape(),
                     b->sample_shape());
}

std::string callback_prefix(std::size_t i) { return fmt::format("callback{}.", i); }

}  // namespace

Fit::Fit(nn::Module& net, optim::Optimizer& optimizer, const Examples& data, Rng& rng, FitOptions options)
    : Fit(net, optimizer, &optimizer, nullptr, data, rng, std::move(options)) {}

Fit::Fit(nn::Module& net, optim::LBFGS& optimizer, const Examples& data, Rng& rng, FitOptions options)
    : Fit(net, optimizer, nullptr, &optimizer, data, rng, std::move(options)) {
  if (options_.batch_size < data.size())
    fail<ValueError>("[fit] L-BFGS needs all {} examples in one batch: write .batch_size = {}, got {}",
                     data.size(), data.size(), options_.batch_size);
  if (options_.parts > 1 || options_.team != nullptr || options_.gradients)
    fail<ValueError>(
        "[fit] L-BFGS computes loss and gradients itself: leave out the options parts, team and gradients");
}

Fit::Fit(nn::Module& net, optim::AnyOptimizer& optimizer, optim::Optimizer* by_gradients,
         optim::LBFGS* by_loss, const Examples& data, Rng& rng, FitOptions options)
    : net_(net),
      optimizer_(optimizer),
      by_gradients_(by_gradients),
      by_loss_(by_loss),
      data_(data),
      rng_(rng),
      options_(std::move(options)),
      base_lr_(optimizer.lr()),
      rate_(base_lr_) {
  if (data.size() == 0) fail<ShapeError>("[fit] the data set \"{}\" is empty", data.name());
  if (options_.augment && data.images() == nullptr) fail<ValueError>("[fit] only images can be augmented");
  if (options_.epochs < 0) fail<ValueError>("[fit] epochs must be at least 0, got {}", options_.epochs);
  if (options_.batch_size < 1)
    fail<ValueError>("[fit] the batch size must be at least 1, got {}", options_.batch_size);
  const Parts parts(options_.parts, options_.team, options_.wire);
  if (options_.parts > 1) parts_ = parts;
  if (!(options_.average_decay >= 0 && options_.average_decay < 1))
    fail<ValueError>("[fit] average_decay must be from 0 to below 1, got {}", options_.average_decay);
  if (options_.average_decay > 0) average_.emplace(net, options_.average_decay);
  const std::vector<nn::NamedSlot> parameters = net.parameters();
  uses_ = net.uses();
  uses_->listen();
  if (!options_.dtype) options_.dtype = parameters.empty() ? f32 : parameters[0].slot->value().dtype();
  if (!is_float(*options_.dtype)) fail<DTypeError>("[fit] expected f32 or f64, got {}", *options_.dtype);
  if (!options_.loss) fail<ValueError>("[fit] the options have no loss");
  for (std::size_t i = 0; i < options_.callbacks.size(); ++i)
    if (options_.callbacks[i] == nullptr) fail<ValueError>("[fit] callback {} is null", i);
  check_measured("validation", options_.validation, data);
  check_measured("train_sample", options_.train_sample, data);
  if (!options_.evaluation_loss) options_.evaluation_loss = options_.loss;
}

Index Fit::batches() const {
  return data_.size() / options_.batch_size + (data_.size() % options_.batch_size != 0 ? 1 : 0);
}

// In epochs, 2.5 in the middle of the third.
double Fit::position() const {
  return static_cast<double>(epoch_) + static_cast<double>(batch_) / static_cast<double>(batches());
}

Tensor Fit::objective(const Batch& batch) const {
  return options_.loss(options_.forward ? options_.forward(batch) : net_(batch.x), batch.labels);
}

Evaluation Fit::measure(const Examples& data) const {
  const PrecisionScope full(Precision::full);  // a hook may ask within a step
  return evaluate(net_, data, options_.evaluation_loss, *options_.dtype, 1000, options_.forward);
}

void Fit::each(void (Callback::*call)(Fit&)) {
  for (Callback* callback : options_.callbacks) (callback->*call)(*this);
}

// What first was not finite, in a computation on x that came `at` some point of the run.
std::string Fit::where(const std::string& at, const Batch& batch, const Rng& before) const {
  const std::string first = first_non_finite(net_, batch.x, before, [&](const Tensor& input) {
    return objective({input, batch.labels, batch.others});
  });
  if (first.starts_with("parameter "))
    return fmt::format("epoch {}, step {}: the update made {} not finite", batch_ == 0 ? epoch_ : epoch_ + 1,
                       step_, first);
  return fmt::format("{}: the first value that is not finite came from {}", at,
                     first.empty() ? "the loss" : first);
}

void Fit::set_rate() {
  if (!options_.schedule) return;
  if (optimizer_.lr() != rate_)
    fail<ValueError>(
        "[fit] the learning rate is {}, and the schedule had set it to {}: leave the schedule out where "
        "others change the rate",
        optimizer_.lr(), rate_);
  rate_ = options_.schedule(base_lr_, position());
  optimizer_.set_lr(rate_);
}

void Fit::update(Gradients gradients) {
  if (options_.gradients) gradients = options_.gradients(std::move(gradients));
  if (uses_ != nullptr) uses_->check("fit", net_.parameters(), &gradients);
  by_gradients_->step(gradients);
  if (uses_ != nullptr) std::exchange(uses_, nullptr)->stop();
}

// By L-BFGS, from gradients that nobody else sees. Returns the loss before the step.
double Fit::step_by_loss(const Batch& batch) {
  const auto loss = [&] {
    const Tensor y = objective(batch);
    if (uses_ != nullptr) uses_->check("fit", net_.parameters());
    return y;
  };
  const double first = by_loss_->step(loss, rng_);
  if (uses_ != nullptr) std::exchange(uses_, nullptr)->stop();
  return first;
}

// Trains what is left of the epoch. False when it was stopped or diverged (then the result has a problem).
bool Fit::train_epoch() {
  using Clock = std::chrono::steady_clock;
  if (order_.empty()) {
    order_ = rng_.permutation(data_.size());
    batch_ = 0;
    loss_sum_ = epoch_seconds_ = 0;
  }
  Batches batches(data_, options_.batch_size, order_, *options_.dtype, batch_);
  if (options_.augment) batches = batches.augmented(*options_.augment, epoch_);
  for (auto it = batches.begin(); it != batches.end(); ++it) {
    if (stopping()) return false;
    const auto start = Clock::now();
    std::uint64_t flops_before = flops();
    const Batch batch = [&] {
      if (parts_) return Batch();  // they are gathered one by one
      const Stage stage("batch");
      return *it;
    }();
    Index bad_part = 0;
    const Rng before = rng_;
    std::vector<Tensor> statistics;
    for (const Tensor* buffer : buffers_) statistics.push_back(*buffer);
    set_rate();
    try {
      const PrecisionScope scope(options_.precision);
      if (parts_) {
        const auto check = [&](const Gradients& gradients) {
          if (uses_ != nullptr) uses_->check("fit", net_.parameters(), &gradients);
        };
        Parts::Step step = parts_->backward(
            net_, rng_, it, [&](const Batch& part) { return objective(part); }, {stop_asked_, check});
        loss_ = step.loss;
        stop_agreed_ = step.stop;
        bad_part = std::max<Index>(step.bad_part, 0);
        flops_before = flops() - step.flops;  // those of other ranks count too
        if (std::isfinite(loss_)) update(std::move(step.gradients));
      } else if (by_loss_ != nullptr) {
        loss_ = step_by_loss(batch);
      } else {
        Tape tape(rng_);
        const Tensor y = objective(batch);
        loss_ = y.item();
        if (std::isfinite(loss_)) update(tape.backward(y));
      }
    } catch (...) {
      rng_ = before;  // run() takes this step once more
      for (std::size_t i = 0; i < buffers_.size(); ++i) *buffers_[i] = statistics[i];
      throw;
    }
    if (!std::isfinite(loss_)) {
      const std::string at = fmt::format("epoch {}, step {}", epoch_ + 1, step_ + 1);
      result_.problem = parts_
                            ? where(at, it.part(bad_part, parts_->count()), Parts::stream(before, bad_part))
                            : where(at, batch, before);
      return false;
    }
    ++batch_;
    ++step_;
    if (average_) update_average(statistics);
    flops_ += flops() - flops_before;
    loss_sum_ += loss_;
    epoch_seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
    each(&Callback::step_done);
  }
  return true;
}

// With the state after a step, before which the buffers were as `before`.
void Fit::update_average(const std::vector<Tensor>& before) {
  const double decay = average_->corrected_decay(step_);
  average_->update(decay);
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    const Tensor& now = *buffers_[i];
    Tensor& average = buffer_averages_[i];
    if (average.defined())
      average = decay * average + (1 - decay) * now;
    else if (is_float(now.dtype()) && now.id() != before[i].id())
      average = now;
  }
}

// Gives the network the averages, or its weights back.
void Fit::use_average(bool use) {
  if (!average_ || use == averaged_ || step_ == 0) return;
  average_->swap();
  for (std::size_t i = 0; i < buffers_.size(); ++i)
    if (buffer_averages_[i].defined()) std::swap(*buffers_[i], buffer_averages_[i]);
  averaged_ = use;
}

void Fit::finish_epoch() {
  use_average(true);
  try {
    end_epoch();
  } catch (...) {
    use_average(false);
    throw;
  }
  use_average(false);
}

void Fit::end_epoch() {
  HistoryRow row{
      .epoch = epoch_ + 1, .step = step_, .lr = optimizer_.lr(), .flops = flops_, .seconds = epoch_seconds_};
  row.train_loss = options_.train_sample.defined() ? measure(options_.train_sample).loss
                                                   : loss_sum_ / static_cast<double>(batch_);
  if (options_.validation.defined()) {
    const Evaluation held_out = measure(options_.validation);
    row.val_loss = held_out.loss;
    if (!std::isnan(held_out.accuracy)) row.val_accuracy = held_out.accuracy;
  }
  for (Callback* callback : options_.callbacks) callback->measure(*this, row);
  for (const auto& loss : {row.train_loss, row.val_loss, row.test_loss})
    if (loss && !std::isfinite(*loss)) row.diverged = true;
  if (row.diverged) {
    std::vector<Index> rows{0};
    if (data_.size() > 1) rows.push_back(1);  // BatchNorm1d cannot train on one example
    const Batch first = data_.gather(rows, *options_.dtype);
    result_.problem = where(fmt::format("the end of epoch {}", epoch_ + 1), first, rng_);
  }
  // Nothing throws from here on.
  order_.clear();
  batch_ = 0;
  ++epoch_;
  add_row(row);
}

void Fit::add_row(HistoryRow row) {
  result_.history.push_back(row);
  each(&Callback::epoch_done);
}

bool Fit::is_over() const {
  const bool diverged = !result_.history.empty() && result_.history.back().diverged;
  return diverged || finish_asked_ || epoch_ >= options_.epochs;
}

Result Fit::run() {
  use_average(false);
  stop_asked_ = stop_agreed_ = false;
  result_.status = Status::finished;
  each(&Callback::begun);
  if (options_.team != nullptr) join();
  train();
  each(&Callback::ended);
  return result_;
}

void Fit::train() {
  // However it ends, the next run with the optimizer begins at its own rate, not at this schedule's last.
  const struct Rate {
    Fit& fit;
    ~Rate() {
      if (fit.options_.schedule) fit.optimizer_.set_lr(fit.rate_ = fit.base_lr_);
    }
  } rate{*this};
  buffers_ = detail::buffers(net_);
  buffer_averages_.resize(buffers_.size());
  while (!is_over() && result_.status != Status::stopped) {
    if (train_epoch())
      finish_epoch();
    else if (result_.problem.empty())
      result_.status = Status::stopped;
    else
      add_row({.epoch = epoch_ + 1,
               .step = step_,
               .train_loss = std::numeric_limits<double>::quiet_NaN(),
               .lr = optimizer_.lr(),
               .flops = flops_,
               .seconds = epoch_seconds_,
               .diverged = true});
  }
  if (!result_.history.empty() && result_.history.back().diverged) {
    result_.status = Status::diverged;
    if (result_.problem.empty()) result_.problem = fmt::format("epoch {}", result_.history.back().epoch);
  }
  use_average(result_.status != Status::stopped);
}

SafetensorsFile Fit::pack() const {
  const Rng::State& rng = rng_.state();
  State all;
  State weights = net_.state(), averages;
  if (average_) averages = average_->state();
  const std::vector<std::string> names = detail::buffer_names(net_);
  for (std::size_t i = 0; i < buffer_averages_.size(); ++i)
    if (buffer_averages_[i].defined()) averages.push_back({names[i], buffer_averages_[i]});
  if (averaged_)  // the one is in the place of the other
    for (NamedTensor& average : averages)
      std::swap(average.value, std::find_if(weights.begin(), weights.end(), [&](const auto& w) {
                                 return w.name == average.name;
                               })->value);
  add(all, "model.", weights);
  add(all, "average.", averages);
  add(all, "optimizer.", optimizer_.state());
  for (std::size_t i = 0; i < options_.callbacks.size(); ++i)
    add(all, callback_prefix(i), options_.callbacks[i]->state());
  all.push_back({"rng.key", from(std::vector<std::int64_t>(rng.key.begin(), rng.key.end()))});
  all.push_back({"rng.position", from(std::vector<std::int64_t>{rng.position, rng.has_gauss})});
  all.push_back({"rng.gauss", from(std::vector<double>{rng.gauss})});
  all.push_back({"order", from(order_)});
  all.push_back(
      {"position", from(std::vector<std::int64_t>{epoch_, batch_, step_, static_cast<std::int64_t>(flops_),
                                                  finish_asked_, options_.batch_size})});
  all.push_back({"sums", from(std::vector<double>{loss_sum_, epoch_seconds_})});
  return {all, {{"format", checkpoint_format}, {"history", to_jsonl(result_.history)}}};
}

void Fit::save(const std::string& path, const Metadata& about) const {
  SafetensorsFile file = pack();
  file.metadata.insert(about.begin(), about.end());
  save_safetensors(path, file.tensors, with_digest(file.tensors, file.metadata));
}

void Fit::load(const std::string& path) { unpack(load_safetensors(path), path); }

// Takes over what pack() gave; `path` names it in messages.
void Fit::unpack(const SafetensorsFile& file, const std::string& path) {
  const auto text = [&](const char* key) {
    const auto at = file.metadata.find(key);
    if (at == file.metadata.end()) fail<FileError>("[checkpoint] {}: the metadata lacks \"{}\"", path, key);
    return at->second;
  };
  if (const std::string format = text("format"); format != checkpoint_format)
    fail<FileError>("[checkpoint] {}: expected format \"{}\", found \"{}\"", path, checkpoint_format, format);
  try {
    check_digest(file);
    const auto key = numbers<std::int64_t>(file.tensors, "rng.key", 624);
    if (!std::all_of(key.begin(), key.end(), [](auto word) { return std::in_range<std::uint32_t>(word); }))
      fail<ValueError>("\"rng.key\" holds more than words of 32 bits");
    const auto at = numbers<std::int64_t>(file.tensors, "rng.position", 2);
    if (!std::in_range<int>(at[0])) fail<ValueError>("\"rng.position\" holds {}", at[0]);
    check_flag("rng.position", at[1]);
    Rng::State rng{{}, static_cast<int>(at[0]), at[1] != 0, numbers<double>(file.tensors, "rng.gauss", 1)[0]};
    std::transform(key.begin(), key.end(), rng.key.begin(),
                   [](auto word) { return static_cast<std::uint32_t>(word); });
    const auto position = numbers<std::int64_t>(file.tensors, "position", 6);
    for (const std::int64_t count : {position[0], position[1], position[2]})
      if (count < 0 || count > highest_count)
        fail<ValueError>("\"position\" holds {}, expected counts from 0 to 2^62", count);
    check_flag("position", position[4]);
    const auto sums = numbers<double>(file.tensors, "sums", 2);
    if (!(sums[1] >= 0)) fail<ValueError>("\"sums\" holds {} seconds", sums[1]);
    const auto order = numbers<std::int64_t>(file.tensors, "order", 0);
    if ((!order.empty() && static_cast<Index>(order.size()) != data_.size()) || position[1] > batches())
      fail<ValueError>("it belongs to {} training examples, the data have {}", order.size(), data_.size());
    check_order(order);
    // Other batches would take some examples twice and others never.
    if (!order.empty() && position[5] != options_.batch_size)
      fail<ValueError>("it stopped in the middle of an epoch in batches of {}, which those of {} cannot end",
                       position[5], options_.batch_size);
    const std::vector<HistoryRow> history = parse_jsonl(text("history"), path);
    // The row of an epoch that diverged before its end is there already.
    const bool broken_off = !order.empty() && !history.empty() && history.back().diverged;
    if (position[0] + broken_off != static_cast<std::int64_t>(history.size()))
      fail<ValueError>("it is in epoch {}, its history has {} epochs", position[0] + 1, history.size());
    // What may be refused comes first.
    Rng checked = rng_;
    checked.set_state(rng);
    const State net_before = net_.state(), optimizer_before = optimizer_.state();
    State averages = part_of(file.tensors, "average.");
    if (!average_ && !averages.empty())
      fail<ValueError>("it holds a moving average of the weights, for which the run has no average_decay");
    if (average_ && averages.empty())
      fail<ValueError>("it holds no moving average of the weights, which the run has an average_decay for");
    const std::vector<std::string> names = detail::buffer_names(net_);
    const std::vector<Tensor*> buffers = detail::buffers(net_);
    std::vector<Tensor> buffer_averages(buffers.size());
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      const auto found = std::find_if(averages.begin(), averages.end(),
                                      [&](const NamedTensor& item) { return item.name == names[i]; });
      if (found == averages.end()) continue;
      const Tensor& now = *buffers[i];
      optim::check_loaded("moving_average", names[i], found->value, now.shape(), now.dtype());
      buffer_averages[i] = found->value;
      averages.erase(found);
    }
    const State average_before = average_ ? average_->state() : State();
    std::vector<State> callbacks_before;
    for (const Callback* callback : options_.callbacks) callbacks_before.push_back(callback->state());
    std::size_t loaded = 0;  // callbacks
    try {
      net_.load_state(part_of(file.tensors, "model."));
      optimizer_.load_state(part_of(file.tensors, "optimizer."));
      if (average_) average_->load_state(averages);
      for (; loaded < options_.callbacks.size(); ++loaded)
        options_.callbacks[loaded]->load_state(part_of(file.tensors, callback_prefix(loaded)));
    } catch (...) {
      net_.load_state(net_before);
      optimizer_.load_state(optimizer_before);
      if (average_) average_->load_state(average_before);
      while (loaded-- > 0) options_.callbacks[loaded]->load_state(callbacks_before[loaded]);
      throw;
    }
    averaged_ = false;
    buffer_averages_ = buffer_averages;
    rng_ = checked;
    order_ = order;
    epoch_ = position[0];
    batch_ = position[1];
    step_ = position[2];
    flops_ = static_cast<std::uint64_t>(position[3]);
    finish_asked_ = position[4] != 0;
    loss_sum_ = sums[0];
    epoch_seconds_ = sums[1];
    result_.history = history;
  } catch (const FileError&) {
    throw;
  } catch (const Error& error) {
    fail<FileError>("[checkpoint] {}: {}", path, error.what());
  }
}

// All ranks of a team go on from where rank 0 is.
void Fit::join() {
  Team& team = *options_.team;
  agree(team, "data and options",
        fmt::format("{} examples in batches of {}, {} epochs, {}, {} parts{}", data_.size(),
                    options_.batch_size, options_.epochs, *options_.dtype, options_.parts,
                    options_.wire == Precision::bf16 ? ", bf16 on the wire" : "") +
            (average_ ? fmt::format(", an average of decay {}", options_.average_decay) : ""));
  std::string bytes;
  if (team.rank() == 0) {
    const SafetensorsFile file = pack();
    bytes = format_safetensors(file.tensors, file.metadata);
  }
  team.broadcast(bytes);
  if (team.rank() != 0) unpack(parse_safetensors(bytes, "rank 0"), "rank 0");
}

Result fit(nn::Module& net, optim::Optimizer& optimizer, const Examples& data, Rng& rng, FitOptions options) {
  return Fit(net, optimizer, data, rng, std::move(options)).run();
}

Result fit(nn::Module& net, optim::LBFGS& optimizer, const Examples& data, Rng& rng, FitOptions options) {
  return Fit(net, optimizer, data, rng, std::move(options)).run();
}

}  // namespace elk::train
