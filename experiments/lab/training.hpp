// One training run: from a configuration and data to a trained network and its history.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <elk/debug/doctor.hpp>
#include <elk/train/fit.hpp>
#include <lab/config.hpp>
#include <models/model_file.hpp>

namespace elk::lab {

/// How a run went. What a stopped one has besides the history is not to be used.
struct TrainingResult : train::Result {
  train::Evaluation test{};     ///< of the final weights, or with early stopping of the best
  std::int64_t best_epoch = 0;  ///< whose weights those are
  std::optional<double> train_loss = {}, val_loss = {}, val_accuracy = {};  ///< of that epoch
  /// With --tta, of the same weights: the accuracy over the views of each image, of the test set and of those
  /// held out, if any are.
  std::optional<double> tta_accuracy = {}, tta_val_accuracy = {};
  double seconds = 0;  ///< of training
};

/// What came of an ensemble: `networks` is what came of each of its networks, `net` them as one (see
/// models::as_one). The test set is measured on `net`, and all that is of examples held out is the mean of
/// the networks' own, for what one held out another one learned from. The history has their epochs, one after
/// another; it diverged if one did. Of one network it is the same as that. `ended` as in Training::run.
TrainingResult ensemble_result(const TrainConfig& config, const std::vector<TrainingResult>& networks,
                               const nn::Module& net, const Dataset& test,
                               const std::function<bool()>& ended = {});

/// What `train` does for one network, without its files and messages. The test set never influences it.
///
/// Losses of an epoch are measured after it: train_loss on the first examples of the training set, as many as
/// are held out (5,000 when none are), val_loss on those held out. Under the paper protocol train_loss is the
/// study's: the plain mean over the epoch's batches of the loss before each update; and the test set is
/// measured after every epoch.
class Training {
 public:
  /// `config` must be resolved, and be of one network: see TrainConfig::member. UsageError when the data are
  /// too few for it.
  Training(const TrainConfig& config, const TrainTest& data);

  /// Trains to the end, or until one of the callbacks stops it; with a train::Checkpoint among them, from
  /// where its file is. With a team, its processes share the parts of every batch; see train::FitOptions.
  /// Predictions over views take long: they end where `ended` says so, and the run counts as stopped.
  TrainingResult run(std::vector<train::Callback*> callbacks = {}, train::Team* team = nullptr,
                     const std::function<bool()>& ended = {});

  /// What elk::doctor says of the network at hand and 256 training examples.
  Diagnosis examine() const;

  const nn::Sequential& net() const { return net_; }
  const Dataset& train_data() const { return train_; }
  /// What its model file says about the network.
  models::ModelInfo info() const;

 private:
  Training(const TrainConfig& config, const std::pair<Dataset, Dataset>& parts, const Dataset& test);
  nn::Sequential make_net();

  TrainConfig config_;
  Dataset train_, validation_, test_;
  train::FitOptions options_;
  Rng rng_;  // weights, then orders and dropout, in the study's order of draws
  nn::Sequential net_;
  std::unique_ptr<optim::Optimizer> optimizer_;
};

}  // namespace elk::lab
