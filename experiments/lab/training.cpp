#include <lab/training.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <elk/autograd/tape.hpp>
#include <elk/base/flops.hpp>
#include <elk/data/batches.hpp>
#include <elk/debug/non_finite.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/shape.hpp>
#include <lab/paper.hpp>
#include <lab/program.hpp>

namespace elk::lab {

namespace {

constexpr Index sample_size = 5000;
constexpr const char* checkpoint_format = "elkgrad-checkpoint/1";

train::Loss make_loss(const std::string& name) {
  if (name == "mse")
    return [](const Tensor& logits, const Tensor& labels) {
      return mse(softmax(logits), one_hot(labels, logits.size(1), logits.dtype()));
    };
  if (name == "paper_mean") return paper::mean_loss;
  return cross_entropy;
}

std::unique_ptr<optim::Optimizer> make_optimizer(const TrainConfig& c, const nn::Module& net) {
  if (c.optimizer == "adamw")
    return std::make_unique<optim::AdamW>(net,
                                          optim::AdamW::Options{.lr = *c.lr, .weight_decay = c.weight_decay});
  if (c.optimizer == "adam")
    return std::make_unique<optim::Adam>(net,
                                         optim::Adam::Options{.lr = *c.lr, .weight_decay = c.weight_decay});
  return std::make_unique<optim::SGD>(
      net, optim::SGD::Options{
               .lr = *c.lr, .momentum = c.momentum, .nesterov = c.nesterov, .weight_decay = c.weight_decay});
}

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
      throw ValueError(fmt::format("\"{}\" holds {} numbers, expected {}", name, data.size(), count));
    return {data.begin(), data.end()};
  }
  throw ValueError(fmt::format("\"{}\" is missing", name));
}

}  // namespace

Training::Training(const TrainConfig& config, const TrainTest& data)
    : config_(config),
      train_(data.train),
      test_(data.test),
      rng_(static_cast<std::uint64_t>(config.seed)),
      net_(make_net()),
      optimizer_(make_optimizer(config, net_)),
      schedule_(config.make_schedule()),
      loss_(make_loss(config.loss)) {
  const Index held_out = config.validation.value();
  if (held_out >= train_.size())
    throw UsageError(fmt::format("--validation: the training set has {} examples, {} cannot be held out",
                                 train_.size(), held_out));
  if (held_out > 0) {
    // A stream apart, so that holding out shifts no other draw.
    Rng split_rng = Rng::keyed({static_cast<std::uint32_t>(config.seed), 1});
    std::tie(train_, validation_) = split(train_, held_out, split_rng);
  }
  sample_ = train_.take(0, std::min(train_.size(), held_out > 0 ? held_out : sample_size));
}

models::MLP Training::make_net() {
  models::MLPOptions options{.sizes = config_.layer_sizes(train_),
                             .activation = config_.paper() && config_.activation == "leaky_relu"
                                               ? paper::leaky_relu(config_.leaky_slope)
                                               : models::activation(config_.activation, config_.leaky_slope),
                             .init = nn::init_from(config_.init),
                             .dropout = config_.dropout,
                             .dtype = config_.float_type()};
  if (config_.clip > 0)
    options.clip = config_.paper() ? paper::straight_through_clip(config_.clip) : models::clip(config_.clip);
  return {options, rng_};
}

Tensor Training::objective(const Tensor& x, const Tensor& labels) const {
  const Tensor loss = loss_(net_(x), labels);
  return config_.paper() ? paper::summed(loss, labels.size()) : loss;
}

// What first was not finite, in a computation on x that came `at` some point of the run.
std::string Training::where(const std::string& at, const Tensor& x, const Tensor& labels,
                            const Rng& before) const {
  const std::string first =
      first_non_finite(net_, x, before, [&](const Tensor& input) { return objective(input, labels); });
  if (first.starts_with("parameter "))
    return fmt::format("epoch {}, step {}: the update made {} not finite", batch_ == 0 ? epoch_ : epoch_ + 1,
                       step_, first);
  return fmt::format("{}: the first value that is not finite came from {}", at,
                     first.empty() ? "the loss" : first);
}

// Trains what is left of the running epoch. False when it was stopped or diverged (then `problem` says
// where).
bool Training::train_epoch(const Hooks& hooks, std::string& problem) {
  using Clock = std::chrono::steady_clock;
  if (order_.empty()) {
    order_ = rng_.permutation(train_.size());
    batch_ = 0;
    loss_sum_ = epoch_seconds_ = 0;
  }
  const Batches batches(train_, config_.batch_size, order_, config_.float_type(), batch_);
  for (auto it = batches.begin(); it != batches.end(); ++it) {
    if (hooks.should_stop()) return false;
    const auto start = Clock::now();
    const std::uint64_t flops_before = flops();
    const auto [x, labels] = *it;
    const Rng before = rng_;
    double loss;
    optimizer_->set_lr(schedule_(
        *config_.lr,
        static_cast<double>(epoch_) + static_cast<double>(batch_) / static_cast<double>(batches.count())));
    {
      Tape tape(rng_);
      const Tensor y = objective(x, labels);
      loss = y.item();
      if (std::isfinite(loss)) optimizer_->step(tape.backward(y));
    }
    if (!std::isfinite(loss)) {
      problem = where(fmt::format("epoch {}, step {}", epoch_ + 1, step_ + 1), x, labels, before);
      return false;
    }
    ++batch_;
    ++step_;
    flops_ += flops() - flops_before;
    loss_sum_ += loss;
    epoch_seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
    hooks.step_done(batch_, batches.count(), loss);
  }
  return true;
}

HistoryRow Training::finish_epoch() {
  HistoryRow row{
      .epoch = epoch_ + 1, .step = step_, .lr = optimizer_->lr(), .flops = flops_, .seconds = epoch_seconds_};
  const DType dtype = config_.float_type();
  if (config_.paper()) {
    row.train_loss = loss_sum_ / static_cast<double>(batch_);
    const train::Evaluation test = train::evaluate(net_, test_, loss_, dtype);
    row.test_loss = test.loss;
    row.test_accuracy = test.accuracy;
  } else {
    row.train_loss = train::evaluate(net_, sample_, loss_, dtype).loss;
  }
  if (*config_.validation > 0) {
    const train::Evaluation held_out = train::evaluate(net_, validation_, loss_, dtype);
    row.val_loss = held_out.loss;
    row.val_accuracy = held_out.accuracy;
  }
  for (const auto& loss : {row.train_loss, row.val_loss, row.test_loss})
    if (loss && !std::isfinite(*loss)) row.diverged = true;
  order_.clear();
  batch_ = 0;
  ++epoch_;
  return row;
}

void Training::keep_best(double val_loss) {
  if (config_.early_stop == 0) return;
  if (best_.empty() || val_loss < best_loss_) {
    best_ = net_.state();
    best_loss_ = val_loss;
    epochs_since_best_ = 0;
  } else {
    ++epochs_since_best_;
  }
}

bool Training::should_end() const {
  const bool diverged = !history_.empty() && history_.back().diverged;
  return diverged || epoch_ >= config_.epochs ||
         (config_.early_stop > 0 && epochs_since_best_ >= config_.early_stop);
}

Result Training::run(const Hooks& hooks) {
  Result result;
  while (!should_end()) {
    HistoryRow row;
    if (train_epoch(hooks, result.problem)) {
      row = finish_epoch();
      if (row.diverged) {
        const auto [x, labels] = gather(train_, std::vector<Index>{0}, config_.float_type());
        result.problem = where(fmt::format("the end of epoch {}", epoch_), x, labels, rng_);
      }
    } else if (result.problem.empty()) {
      result.status = Status::stopped;
      return result;
    } else {
      row = {.epoch = epoch_ + 1,
             .step = step_,
             .train_loss = std::numeric_limits<double>::quiet_NaN(),
             .lr = optimizer_->lr(),
             .flops = flops_,
             .seconds = epoch_seconds_,
             .diverged = true};
    }
    if (!row.diverged && row.val_loss) keep_best(*row.val_loss);
    history_.push_back(row);
    hooks.epoch_done(row);
  }
  if (!history_.empty() && history_.back().diverged) {
    result.status = Status::diverged;
    if (result.problem.empty()) result.problem = fmt::format("epoch {}", history_.back().epoch);
  } else if (!best_.empty()) {
    net_.load_state(best_);
  }
  result.test = train::evaluate(net_, test_, loss_, config_.float_type());
  for (const HistoryRow& row : history_) result.seconds += row.seconds;
  return result;
}

void Training::save_checkpoint(const std::string& path) const {
  const Rng::State& rng = rng_.state();
  State all;
  add(all, "model.", net_.state());
  add(all, "optimizer.", optimizer_->state());
  add(all, "best.", best_);
  all.push_back({"rng.key", from(std::vector<std::int64_t>(rng.key.begin(), rng.key.end()))});
  all.push_back({"rng.position", from(std::vector<std::int64_t>{rng.position, rng.has_gauss})});
  all.push_back({"rng.gauss", from(std::vector<double>{rng.gauss})});
  all.push_back({"order", from(order_)});
  all.push_back(
      {"position", from(std::vector<std::int64_t>{epoch_, batch_, step_, static_cast<std::int64_t>(flops_),
                                                  epochs_since_best_})});
  all.push_back({"sums", from(std::vector<double>{loss_sum_, epoch_seconds_, best_loss_})});
  save_safetensors(
      path, all,
      {{"format", checkpoint_format}, {"config", to_json(config_)}, {"history", to_jsonl(history_)}});
}

void Training::load_checkpoint(const std::string& path) {
  const SafetensorsFile file = load_safetensors(path);
  const auto text = [&](const char* key) {
    const auto at = file.metadata.find(key);
    if (at == file.metadata.end())
      throw FileError(fmt::format("[checkpoint] {}: the metadata lacks \"{}\"", path, key));
    return at->second;
  };
  if (const std::string format = text("format"); format != checkpoint_format)
    throw FileError(fmt::format("[checkpoint] {}: expected format \"{}\", found \"{}\"", path,
                                checkpoint_format, format));
  try {
    const auto key = numbers<std::int64_t>(file.tensors, "rng.key", 624);
    const auto at = numbers<std::int64_t>(file.tensors, "rng.position", 2);
    Rng::State rng{{}, static_cast<int>(at[0]), at[1] != 0, numbers<double>(file.tensors, "rng.gauss", 1)[0]};
    std::transform(key.begin(), key.end(), rng.key.begin(),
                   [](auto word) { return static_cast<std::uint32_t>(word); });
    const auto position = numbers<std::int64_t>(file.tensors, "position", 5);
    const auto sums = numbers<double>(file.tensors, "sums", 3);
    const auto order = numbers<std::int64_t>(file.tensors, "order", 0);
    const Index batches = (train_.size() + config_.batch_size - 1) / config_.batch_size;
    if ((!order.empty() && static_cast<Index>(order.size()) != train_.size()) || position[1] < 0 ||
        position[1] > batches)
      throw ValueError(
          fmt::format("it belongs to {} training examples, the data have {}", order.size(), train_.size()));
    const std::vector<HistoryRow> history = parse_jsonl(text("history"), path);
    // The row of an epoch that diverged before its end is there already.
    const bool broken_off = !order.empty() && !history.empty() && history.back().diverged;
    if (position[0] + broken_off != static_cast<std::int64_t>(history.size()))
      throw ValueError(
          fmt::format("it is in epoch {}, its history has {} epochs", position[0] + 1, history.size()));
    rng_.set_state(rng);
    net_.load_state(part_of(file.tensors, "model."));
    optimizer_->load_state(part_of(file.tensors, "optimizer."));
    best_ = part_of(file.tensors, "best.");
    order_ = order;
    epoch_ = position[0];
    batch_ = position[1];
    step_ = position[2];
    flops_ = static_cast<std::uint64_t>(position[3]);
    epochs_since_best_ = position[4];
    loss_sum_ = sums[0];
    epoch_seconds_ = sums[1];
    best_loss_ = sums[2];
    history_ = history;
  } catch (const FileError&) {
    throw;
  } catch (const Error& error) {
    throw FileError(fmt::format("[checkpoint] {}: {}", path, error.what()));
  }
}

}  // namespace elk::lab
