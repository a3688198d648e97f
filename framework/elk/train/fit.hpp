// fit: trains a network on examples: images and labels, or any inputs and targets.
//
//   elk::train::Checkpoint checkpoint("run.safetensors");  // killed and started again, it continues
//   elk::train::Progress progress;
//   const auto result = elk::train::fit(net, adam, train, rng, {.epochs = 20, .callbacks = {&progress,
//   &checkpoint}});
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/base/precision.hpp>
#include <elk/data/augment.hpp>
#include <elk/data/examples.hpp>
#include <elk/ops/loss.hpp>
#include <elk/optim/moving_average.hpp>
#include <elk/optim/optimizer.hpp>
#include <elk/optim/schedule.hpp>
#include <elk/train/callback.hpp>
#include <elk/train/evaluate.hpp>
#include <elk/train/history.hpp>
#include <elk/train/parts.hpp>

namespace elk::optim {
class LBFGS;
}

/// Training and evaluation.
namespace elk::train {

/// Options of fit.
struct FitOptions {
  Loss loss = cross_entropy;              ///< of a batch; this is minimised
  Index epochs = 10;                      ///< passes over the training data, including those of a loaded run
  Index batch_size = 50;                  ///< the last batch of an epoch may be short
  std::optional<DType> dtype = {};        ///< of the batches; default: that of the network's parameters
  Precision precision = Precision::full;  ///< of products in training; evaluation is always in full
  /// Schedule of the optimizer's learning rate, called before every step. Without one, the rate is the
  /// optimizer's own, which callbacks may change.
  optim::Schedule schedule = {};
  /// How images change from epoch to epoch; with mixup the loss gets soft targets (N, classes).
  std::optional<Augment> augment = {};
  /// Changes the gradients before the step: [](auto g) { return optim::clip_norm(std::move(g), 1); }
  std::function<Gradients(Gradients)> gradients = {};
  /// The loss for evaluation, if it is a different one.
  Loss evaluation_loss = {};
  Forward forward = {};  ///< how to call the network, if net(batch.x) is not enough
  /// Decay of a moving average of the weights, corrected for its bias: see optim::MovingAverage. Training
  /// goes on with the weights, and everything else is done with their average: after an epoch the network has
  /// it while it is measured and callbacks are called, and again after a run that was not stopped.
  /// Checkpoints hold both. Running statistics, and any other floating-point buffer that training changes,
  /// are averaged alike, so that they fit the averaged weights. 0: no average.
  double average_decay = 0;
  /// Cuts each batch into this many parts. The result depends only on this number: see Parts. 1: the batch as
  /// a whole. With parts the loss must be a mean over the examples.
  Index parts = 1;
  /// How ranks send the gradients of their parts; bf16 rounds them, on one rank too: see Parts.
  Precision wire = Precision::full;
  /// Processes that share the parts, and evaluate and step together; each begins with the state of rank 0.
  /// All have the same data, options and callbacks. Only callbacks at the end of the list that do not change
  /// the run may differ: let only rank 0 show and write. Must outlive the run.
  Team* team = nullptr;
  Examples validation = {};  ///< evaluated after every epoch, if given
  /// The examples on which train_loss is measured after every epoch. Without them, train_loss is the plain
  /// mean over the epoch's batches of the loss before each update.
  Examples train_sample = {};
  std::vector<Callback*> callbacks = {};  ///< must outlive the run
};

/// How a run ended: a stopped run can continue, a diverged run met a loss that is not finite.
enum class Status { finished, stopped, diverged };

/// The result of a run.
struct Result {
  Status status = Status::finished;
  std::vector<HistoryRow> history;
  std::string problem;  ///< where a diverged run first met a value that is not finite
};

/// A training run: it can be stopped before any step, saved, and continued with the same bits.
class Fit {
 public:
  /// Orders and dropout are drawn from `rng`; the optimizer's current rate is the base of the schedule. All
  /// arguments given by reference must outlive the run, and the network's members must stay where they are.
  /// The first step throws TapeError when `net` uses a parameter that its fields() do not list. ValueError,
  /// ShapeError or DTypeError for invalid options or data.
  Fit(nn::Module& net, optim::Optimizer& optimizer, const Examples& data, Rng& rng, FitOptions options);
  /// With L-BFGS, which computes loss and gradients itself, several times a step. An epoch is one of its
  /// steps: ValueError unless all data are one batch, and for the options parts, team and gradients.
  Fit(nn::Module& net, optim::LBFGS& optimizer, const Examples& data, Rng& rng, FitOptions options);

  /// Trains from where the run is to its end, or until it is stopped. A loss that is not finite ends it as
  /// diverged. If the network, the loss, a hook or a callback throws, the run is where it was before the
  /// interrupted step or end of an epoch, including running statistics, and run() continues from there with
  /// the same bits. ValueError if somebody changes the rate that a schedule sets.
  Result run();

  /// For callbacks: ends the run before the next step, so that it can be continued later. The run of a team
  /// ends after the next step, if any rank calls it.
  void stop() { stop_asked_ = true; }
  /// For callbacks: makes the current epoch the last one.
  void finish() { finish_asked_ = true; }

  /// The network that is fitted.
  nn::Module& net() { return net_; }
  const optim::AnyOptimizer& optimizer() const { return optimizer_; }
  const Examples& data() const { return data_; }
  const FitOptions& options() const { return options_; }
  /// The result of the run so far.
  const Result& result() const { return result_; }
  /// Epochs done.
  Index epoch() const { return epoch_; }
  /// Batches done in the current epoch, out of batches().
  Index batch() const { return batch_; }
  Index batches() const;
  /// Updates so far.
  std::int64_t step() const { return step_; }
  /// The loss of the batch before its update.
  double loss() const { return loss_; }
  /// The network on `data`, by the loss of evaluation.
  Evaluation measure(const Examples& data) const;

  /// Everything that is needed to continue, as one file: the states of network, optimizer, average, callbacks
  /// and Rng, the position in the epoch, the history; and `about`.
  void save(const std::string& path, const Metadata& about = {}) const;
  /// FileError when the file is damaged or belongs to another run; then nothing has changed.
  void load(const std::string& path);

 private:
  Fit(nn::Module& net, optim::AnyOptimizer& optimizer, optim::Optimizer* by_gradients, optim::LBFGS* by_loss,
      const Examples& data, Rng& rng, FitOptions options);
  Tensor objective(const Batch& batch) const;
  void update(Gradients gradients);
  double step_by_loss(const Batch& batch);
  bool stopping() const { return parts_ && options_.team != nullptr ? stop_agreed_ : stop_asked_; }
  SafetensorsFile pack() const;
  void unpack(const SafetensorsFile& file, const std::string& path);
  void join();
  void train();
  void set_rate();
  void update_average(const std::vector<Tensor>& before);
  void use_average(bool use);
  bool train_epoch();
  void finish_epoch();
  void end_epoch();
  void add_row(HistoryRow row);
  bool is_over() const;
  double position() const;
  std::string where(const std::string& at, const Batch& batch, const Rng& before) const;
  void each(void (Callback::*call)(Fit&));

  nn::Module& net_;
  optim::AnyOptimizer& optimizer_;
  optim::Optimizer* by_gradients_;  // it, or null for
  optim::LBFGS* by_loss_;
  Examples data_;
  Rng& rng_;
  FitOptions options_;
  std::optional<Parts> parts_;
  std::optional<optim::MovingAverage> average_;
  bool averaged_ = false;  // the network has the averages, and average_ the weights
  double base_lr_;
  double rate_;                          // that the schedule last set
  std::vector<Tensor*> buffers_;         // of the network
  std::vector<Tensor> buffer_averages_;  // of those that training changes; as average_, they swap places

  Index epoch_ = 0;
  Index batch_ = 0;
  std::int64_t step_ = 0;
  std::vector<Index> order_;  // of the epoch under way; empty between epochs
  std::uint64_t flops_ = 0;
  double loss_ = 0;
  double loss_sum_ = 0, epoch_seconds_ = 0;  // of the epoch under way
  bool stop_asked_ = false, finish_asked_ = false;
  bool stop_agreed_ = false;            // of a team
  std::shared_ptr<detail::Uses> uses_;  // until the first step
  Result result_;
};

/// Fits `net` to `data` and returns the result; train::fit(net, adam, {x, y}, rng, {.loss = mse}) for tensors
/// of examples. See Fit.
Result fit(nn::Module& net, optim::Optimizer& optimizer, const Examples& data, Rng& rng,
           FitOptions options = {});
/// The same with L-BFGS, on all data at once: {.batch_size = x.size(0)}.
Result fit(nn::Module& net, optim::LBFGS& optimizer, const Examples& data, Rng& rng, FitOptions options = {});

}  // namespace elk::train
