#include <lab/training.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <elk/ops/activation.hpp>
#include <elk/ops/shape.hpp>
#include <lab/paper.hpp>
#include <lab/program.hpp>
#include <models/mlp.hpp>
#include <models/residual_mlp.hpp>

namespace elk::lab {

namespace {

constexpr Index sample_size = 5000;

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

// The study measures the test set after every epoch.
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
    : config_(config),
      train_(data.train),
      test_(data.test),
      rng_(static_cast<std::uint64_t>(config.seed)),
      net_(make_net()),
      optimizer_(make_optimizer(config, net_)) {
  const Index held_out = config.validation.value();
  if (held_out >= train_.size())
    throw UsageError(fmt::format("--validation: the training set has {} examples, {} cannot be held out",
                                 train_.size(), held_out));
  const train::Loss loss = make_loss(config.loss);
  options_ = {.loss = loss,
              .epochs = config.epochs,
              .batch_size = config.batch_size,
              .dtype = config.float_type(),
              .schedule = config.make_schedule(),
              .evaluation_loss = loss};
  if (held_out > 0) {
    // A stream apart, so that holding out shifts no other draw.
    Rng split_rng = Rng::keyed({static_cast<std::uint32_t>(config.seed), 1});
    std::tie(train_, options_.validation) = split(train_, held_out, split_rng);
  }
  if (config.paper())
    options_.loss = [loss](const Tensor& logits, const Tensor& labels) {
      return paper::summed(loss(logits, labels), labels.size());
    };
  else
    options_.train_sample = train_.take(0, std::min(train_.size(), held_out > 0 ? held_out : sample_size));
}

nn::Sequential Training::make_net() {
  const nn::Init init = nn::init_from(config_.init);
  const DType dtype = config_.float_type();
  const std::vector<Index> sizes = config_.layer_sizes(train_);
  const nn::Function activation = config_.paper() && *config_.activation == "leaky_relu"
                                      ? paper::leaky_relu(config_.leaky_slope)
                                      : models::activation(*config_.activation, config_.leaky_slope);
  if (config_.model == "residual_mlp")
    return models::ResidualMLP({.inputs = sizes.front(),
                                .width = sizes[1],
                                .classes = sizes.back(),
                                .blocks = static_cast<Index>(sizes.size()) - 2,
                                .activation = activation,
                                .init = init,
                                .dropout = config_.dropout,
                                .dtype = dtype},
                               rng_);
  models::MLPOptions options{
      .sizes = sizes, .activation = activation, .init = init, .dropout = config_.dropout, .dtype = dtype};
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
          .dtype = config_.float_type(),
          .dataset = config_.dataset,
          .classes = train_.classes,
          .input_shape = train_.sample_shape()};
}

TrainingResult Training::run(std::vector<train::Callback*> callbacks) {
  TestEveryEpoch test_every_epoch(test_);
  std::optional<train::EarlyStopping> early_stopping;
  if (config_.early_stop > 0)
    callbacks.insert(callbacks.begin(), &early_stopping.emplace(config_.early_stop));
  if (config_.paper()) callbacks.insert(callbacks.begin(), &test_every_epoch);
  options_.callbacks = std::move(callbacks);
  TrainingResult result{train::fit(net_, *optimizer_, train_, rng_, options_)};
  if (result.status != train::Status::stopped)
    result.test = train::evaluate(net_, test_, options_.evaluation_loss, config_.float_type());
  for (const train::HistoryRow& row : result.history) result.seconds += row.seconds;
  return result;
}

}  // namespace elk::lab
