// One training run: from a configuration and data to a trained network and its history.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <elk/data/dataset.hpp>
#include <elk/optim/optimizer.hpp>
#include <elk/train/evaluate.hpp>
#include <lab/config.hpp>
#include <lab/history.hpp>
#include <models/mlp.hpp>

namespace elk::lab {

enum class Status { finished, stopped, diverged };

struct Result {
  Status status = Status::finished;
  train::Evaluation
      test{};           ///< of the final weights, or with early stopping of the best; absent when stopped
  double seconds = 0;   ///< of training
  std::string problem;  ///< where a diverged run first met a value that is not finite
};

/// A run can be stopped before any step, saved, and continued to the same bits. The test set never influences
/// it.
///
/// Losses of an epoch are measured after it: train_loss on the first examples of the training set, as many as
/// are held out (5,000 when none are), val_loss on those held out. Under the paper protocol train_loss is the
/// study's: the plain mean over the epoch's batches of the loss before each update; and the test set is
/// measured after every epoch.
class Training {
 public:
  /// `config` must be resolved. UsageError when the data are too few for it.
  Training(const TrainConfig& config, const TrainTest& data);

  struct Hooks {
    std::function<void(const HistoryRow&)> epoch_done = [](const HistoryRow&) {};
    std::function<void(std::int64_t batch, std::int64_t batches, double loss)> step_done = [](auto, auto,
                                                                                              auto) {};
    std::function<bool()> should_stop = [] { return false; };
  };
  /// Trains from where the run is to its end.
  Result run(const Hooks& hooks);

  /// Everything that continuing needs, as one file.
  void save_checkpoint(const std::string& path) const;
  /// FileError when the file is damaged or of a different run.
  void load_checkpoint(const std::string& path);

  const models::MLP& net() const { return net_; }
  const std::vector<HistoryRow>& history() const { return history_; }
  const Dataset& train_data() const { return train_; }
  const Dataset& validation_data() const { return validation_; }
  std::int64_t steps() const { return step_; }

 private:
  models::MLP make_net();
  Tensor objective(const Tensor& x, const Tensor& labels) const;
  bool train_epoch(const Hooks& hooks, std::string& problem);
  HistoryRow finish_epoch();
  void keep_best(double val_loss);
  bool should_end() const;
  std::string where(const std::string& at, const Tensor& x, const Tensor& labels, const Rng& before) const;

  TrainConfig config_;
  Dataset train_, validation_, test_;
  Dataset sample_;  // of the training set, for train_loss
  Rng rng_;         // weights, then orders and dropout, in the study's order of draws
  models::MLP net_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  optim::Schedule schedule_;
  train::Loss loss_;

  // The position in the run.
  std::int64_t epoch_ = 0;    // finished
  std::int64_t batch_ = 0;    // finished in the running epoch
  std::int64_t step_ = 0;     // updates so far
  std::vector<Index> order_;  // of the running epoch; empty between epochs
  std::uint64_t flops_ = 0;
  double loss_sum_ = 0, epoch_seconds_ = 0;  // of the running epoch
  std::vector<HistoryRow> history_;
  State best_;
  double best_loss_ = 0;
  std::int64_t epochs_since_best_ = 0;
};

}  // namespace elk::lab
