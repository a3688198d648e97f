#include <lab/training.hpp>

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include <elk/data/statistics.hpp>
#include <elk/nn/normalize.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/shape.hpp>
#include <lab/paper.hpp>
#include <lab/program.hpp>
#include <lab/views.hpp>
#include <models/mlp.hpp>
#include <models/residual_mlp.hpp>

namespace elk::lab {

namespace {

constexpr Index sample_size = 5000;

// Labels are i64 (N), or soft targets (N, classes) where images are mixed.
train::Loss make_loss(const std::string& name, double label_smoothing) {
  if (name == "mse")
    return [](const Tensor& logits, const Tensor& labels) {
      return mse(softmax(logits),
                 labels.dtype() == i64 ? one_hot(labels, logits.size(1), logits.dtype()) : labels);
    };
  if (name == "paper_mean") return paper::mean_loss;
  if (label_smoothing == 0) return cross_entropy;
  return [label_smoothing](const Tensor& logits, const Tensor& labels) {
    return cross_entropy(logits, labels, {.label_smoothing = label_smoothing});
  };
}

std::unique_ptr<optim::Optimizer> standard_optimizer(const TrainConfig& c, const nn::Module& net) {
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

std::unique_ptr<optim::Optimizer> make_optimizer(const TrainConfig& c, const nn::Module& net) {
  std::unique_ptr<optim::Optimizer> optimizer = standard_optimizer(c, net);
  if (c.maximal_update()) models::maximal_update(net, *optimizer, c.base_width, c.optimizer != "sgd");
  return optimizer;
}

// The examples to learn from and those held out.
std::pair<Dataset, Dataset> hold_out(const TrainConfig& config, const Dataset& data) {
  const Index count = config.validation.value();
  if (count >= data.size())
    throw UsageError(fmt::format("--validation: the training set has {} examples, {} cannot be held out",
                                 data.size(), count));
  // Streams apart, so that neither shifts another draw.
  const auto seed = static_cast<std::uint32_t>(config.seed);
  std::pair<Dataset, Dataset> parts{data, data.take(0, 0)};
  if (count > 0) {
    Rng rng = Rng::keyed({seed, 1});
    parts = split(data, count, rng);
  }
  const Index left = parts.first.size();
  if (config.train_size > left)
    throw UsageError(fmt::format("--train-size: there are {} examples to learn from, {} were asked for", left,
                                 config.train_size));
  if (config.train_size > 0 && config.train_size < left) {
    Rng rng = Rng::keyed({seed, 3});
    parts.first = split(parts.first, config.train_size, rng).second;
  }
  return parts;
}

// An example alone has neither deviation nor direction from the mean of its batch, which is itself.
void check_batches(const TrainConfig& config, Index examples) {
  const Index rest = examples % config.batch_size, last = rest > 0 ? rest : config.batch_size;
  if (config.batch_norm && last < 2 * config.parts)
    throw UsageError(fmt::format(
        "--batch-norm: needs two examples or more in each {}, the last batch of {} in batches of {} has {}: "
        "give another --batch-size or --train-size",
        config.parts > 1 ? fmt::format("of the {} parts of a batch", config.parts) : "batch", examples,
        config.batch_size, last));
}

// Nothing without --tta or images. Where `ended` says so it ends, and the result is that of a stopped run.
std::optional<double> over_views(const TrainConfig& config, const nn::Module& net, const Dataset& images,
                                 const std::function<bool()>& ended, TrainingResult& result) {
  if (config.tta == "none" || images.size() == 0) return std::nullopt;
  try {
    return accuracy_of_views(net, images, views(config.tta, parse_augment(config.augment)),
                             config.float_type(), ended);
  } catch (const ViewsEnded&) {
    result.status = train::Status::stopped;
    return std::nullopt;
  }
}

// Of the weights that are the run's result; `result` gets the test set's part.
void test_network(const TrainConfig& config, const nn::Module& net, const Dataset& test,
                  const std::function<bool()>& ended, TrainingResult& result) {
  result.test = train::evaluate(net, test, make_loss(config.loss, 0), config.float_type());
  result.tta_accuracy = over_views(config, net, test, ended, result);
}

// The epoch whose weights are a run's result: with early stopping the best one, else the last one.
const train::HistoryRow& tested_epoch(const TrainConfig& config, const std::vector<train::HistoryRow>& rows) {
  if (config.early_stop == 0) return rows.back();
  const auto loss = [](const train::HistoryRow& row) {
    const double value = row.val_loss.value_or(INFINITY);
    return std::isfinite(value) ? value : INFINITY;
  };
  return *std::min_element(rows.begin(), rows.end(),
                           [&](const auto& a, const auto& b) { return loss(a) < loss(b); });
}

class TestEveryEpoch : public train::Callback {
 public:
  explicit TestEveryEpoch(const Dataset& test) : test_(test) {}
  void measure(train::Fit& fit, train::HistoryRow& row) override {
    const train::Evaluation found = fit.measure(test_);
    row.test_loss = found.loss;
    row.test_accuracy = found.accuracy;
  }

 private:
  const Dataset& test_;
};

}  // namespace

Training::Training(const TrainConfig& config, const TrainTest& data)
    : Training(config, hold_out(config, data.train), data.test) {}

Training::Training(const TrainConfig& config, const std::pair<Dataset, Dataset>& parts, const Dataset& test)
    : config_(config),
      train_(parts.first),
      validation_(parts.second),
      test_(test),
      rng_(static_cast<std::uint64_t>(config.seed)),
      net_(make_net()),
      optimizer_(make_optimizer(config, net_)) {
  check_batches(config, train_.size());
  const train::Loss loss = make_loss(config.loss, 0);
  options_ = {.loss = make_loss(config.loss, config.label_smoothing),
              .epochs = config.epochs,
              .batch_size = config.batch_size,
              .schedule = config.make_schedule((train_.size() + config.batch_size - 1) / config.batch_size),
              .evaluation_loss = loss,
              .average_decay = config.ema,
              .parts = config.parts};
  if (config.precision == "bf16") options_.precision = Precision::bf16;
  if (config.wire == "bf16") options_.wire = Precision::bf16;
  if (validation_.size() > 0) options_.validation = validation_;
  if (!config.augment.empty())
    options_.augment.emplace(parse_augment(config.augment), static_cast<std::uint32_t>(config.seed));
  if (config.paper())
    options_.loss = [loss](const Tensor& logits, const Tensor& labels) {
      return paper::summed(loss(logits, labels), labels.size(0));
    };
  else
    options_.train_sample =
        train_.take(0, std::min(train_.size(), validation_.size() > 0 ? validation_.size() : sample_size));
}

nn::Sequential Training::make_net() {
  const nn::Init init = nn::init_from(config_.init);
  const DType dtype = config_.float_type();
  const std::vector<Index> sizes = config_.layer_sizes(train_);
  nn::Sequential input;
  if (config_.normalize == "whiten") {
    const Whitening whitening = pca_whitening(train_);
    input.add(nn::Whiten(whitening.mean, whitening.matrix, dtype));
  } else if (config_.normalize != "none") {
    const PixelStatistics pixels =
        pixel_statistics(train_, config_.normalize == "channel" ? Per::channel : Per::pixel);
    input.add(nn::Normalize(pixels.mean, pixels.scale, dtype));
  }
  const nn::Function activation = config_.paper() && *config_.activation == "leaky_relu"
                                      ? paper::leaky_relu(config_.leaky_slope)
                                      : models::activation(*config_.activation, config_.leaky_slope);
  if (config_.model == "residual_mlp")
    return models::ResidualMLP({.input = input,
                                .inputs = sizes.front(),
                                .width = sizes[1],
                                .classes = sizes.back(),
                                .blocks = static_cast<Index>(sizes.size()) - 2,
                                .activation = activation,
                                .init = init,
                                .dropout = config_.dropout,
                                .dtype = dtype},
                               rng_);
  models::MLPOptions options{.input = input,
                             .sizes = sizes,
                             .activation = activation,
                             .init = init,
                             .dropout = config_.dropout,
                             .batch_norm = config_.batch_norm,
                             .noise = config_.noise,
                             .base_width = config_.maximal_update() ? config_.base_width : 0,
                             .dtype = dtype};
  if (config_.clip > 0)
    options.clip = config_.paper() ? paper::straight_through_clip(config_.clip) : models::clip(config_.clip);
  return models::MLP(options, rng_);
}

models::ModelInfo Training::info() const {
  return {.kind = config_.model,
          .sizes = config_.layer_sizes(train_),
          .activation = *config_.activation,
          .leaky_slope = config_.leaky_slope,
          .clip = config_.clip,
          .batch_norm = config_.batch_norm,
          .normalize =
              config_.normalize == "none" || config_.normalize == "whiten" ? config_.normalize : "standard",
          .dtype = config_.float_type(),
          .dataset = config_.dataset,
          .classes = train_.classes,
          .input_shape = train_.sample_shape(),
          .augment = config_.augment};
}

Diagnosis Training::examine() const {
  constexpr Index examples = 256;
  Rng rng = Rng::keyed({static_cast<std::uint32_t>(config_.seed), 2});
  std::vector<Index> rows = rng.permutation(train_.size());
  rows.resize(static_cast<std::size_t>(std::min(examples, train_.size())));
  const auto [x, labels] = gather(train_, rows, config_.float_type());
  const auto classes = static_cast<double>(train_.classes.size());
  return doctor(net_, x, labels,
                {.loss = options_.evaluation_loss,
                 .expected_loss = config_.loss == "cross_entropy" ? std::log(classes)
                                                                  : (classes - 1) / (classes * classes),
                 .optimizer = [this](const nn::Module& net) { return make_optimizer(config_, net); },
                 .lr = *config_.lr});
}

TrainingResult Training::run(std::vector<train::Callback*> callbacks, train::Team* team,
                             const std::function<bool()>& ended) {
  options_.team = team;
  TestEveryEpoch test_every_epoch(test_);
  std::optional<train::EarlyStopping> early_stopping;
  if (config_.early_stop > 0)
    callbacks.insert(callbacks.begin(), &early_stopping.emplace(config_.early_stop));
  if (config_.test_every_epoch) callbacks.insert(callbacks.begin(), &test_every_epoch);
  options_.callbacks = std::move(callbacks);
  TrainingResult result{train::fit(net_, *optimizer_, train_, rng_, options_)};
  for (const train::HistoryRow& row : result.history) result.seconds += row.seconds;
  if (result.status == train::Status::stopped) return result;
  const train::HistoryRow& tested = tested_epoch(config_, result.history);
  result.best_epoch = tested.epoch;
  result.train_loss = tested.train_loss;
  result.val_loss = tested.val_loss;
  result.val_accuracy = tested.val_accuracy;
  test_network(config_, net_, test_, ended, result);
  result.tta_val_accuracy = over_views(config_, net_, validation_, ended, result);
  return result;
}

TrainingResult ensemble_result(const TrainConfig& config, const std::vector<TrainingResult>& networks,
                               const nn::Module& net, const Dataset& test,
                               const std::function<bool()>& ended) {
  if (networks.size() == 1) return networks.front();
  TrainingResult all;
  const auto mean = [&](std::optional<double> TrainingResult::*of) {
    std::optional<double> sum = 0;
    for (const TrainingResult& one : networks)
      sum = sum && one.*of ? std::optional(*sum + *(one.*of)) : std::nullopt;
    return sum ? std::optional(*sum / static_cast<double>(networks.size())) : std::nullopt;
  };
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const TrainingResult& one = networks[i];
    if (one.status == train::Status::diverged && all.status != one.status) {
      all.status = one.status;
      all.problem = fmt::format("{}, in the network of seed {}", one.problem,
                                config.member(static_cast<std::int64_t>(i)).seed);
    }
    const train::HistoryRow before = all.history.empty() ? train::HistoryRow{} : all.history.back();
    for (train::HistoryRow row : one.history) {
      row.epoch += before.epoch;
      row.step += before.step;
      row.flops += before.flops;
      all.history.push_back(row);
    }
    all.seconds += one.seconds;
  }
  all.best_epoch = all.history.back().epoch;
  all.train_loss = mean(&TrainingResult::train_loss);
  all.val_loss = mean(&TrainingResult::val_loss);
  all.val_accuracy = mean(&TrainingResult::val_accuracy);
  all.tta_val_accuracy = mean(&TrainingResult::tta_val_accuracy);
  test_network(config, net, test, ended, all);
  return all;
}

}  // namespace elk::lab
