// Callbacks: further actions while a network is fitted.
#pragma once

#include <string>

#include <elk/io/safetensors.hpp>
#include <elk/optim/plateau.hpp>
#include <elk/train/history.hpp>

namespace elk::train {

class Fit;

/// Derive from it and override what you need. The Fit says where the run is, and can be stopped. Callbacks
/// are called in the order of their list, so put a Checkpoint after the callbacks whose state it has to save.
class Callback {
 public:
  virtual ~Callback() = default;

  /// Before the first step, or before a run continues.
  virtual void begun(Fit&) {}
  /// After an update.
  virtual void step_done(Fit&) {}
  /// After the last step of an epoch: you can add your own measurements to `row`.
  virtual void measure(Fit&, HistoryRow&) {}
  /// After the epoch's row was added to the history.
  virtual void epoch_done(Fit&) {}
  /// When the run is over or was stopped; fit.result() says which.
  virtual void ended(Fit&) {}

  /// The state of this callback that a checkpoint has to save, as named tensors.
  virtual State state() const { return {}; }
  /// Takes over the result of state() from another process. For anything else it throws and changes nothing.
  virtual void load_state(const State&) {}

 protected:
  Callback() = default;
  Callback(const Callback&) = default;
  Callback& operator=(const Callback&) = default;
};

/// Finishes the run after `patience` epochs without a lower val_loss, and at the end restores the weights
/// with the lowest val_loss. Each run starts counting again. (L. Prechelt, "Early stopping - but when?",
/// 1998.)
class EarlyStopping : public Callback {
 public:
  /// ValueError unless patience is at least 1.
  explicit EarlyStopping(std::int64_t patience);

  /// ValueError when the fit has no validation data.
  void begun(Fit& fit) override;
  void epoch_done(Fit& fit) override;
  void ended(Fit& fit) override;
  State state() const override;
  void load_state(const State& state) override;

 private:
  std::int64_t patience_;
  std::int64_t waited_ = 0;  // epochs since the best
  double best_loss_ = 0;
  State best_;
};

/// Lowers the rate of the fit's optimizer when the val_loss stops improving (the val_accuracy, with
/// larger_is_better; the train_loss of a fit without validation data). See optim::ReduceLROnPlateau.
class ReduceLROnPlateau : public Callback {
 public:
  using Options = optim::ReduceLROnPlateau::Options;
  /// The optimizer must outlive it.
  ReduceLROnPlateau(optim::AnyOptimizer& optimizer, const Options& options) : plateau_(optimizer, options) {}

  /// ValueError when the fit has a schedule, which also sets the rate, or when it has no accuracy but
  /// larger_is_better is set.
  void begun(Fit& fit) override;
  void epoch_done(Fit& fit) override;
  State state() const override { return plateau_.state(); }
  void load_state(const State& state) override { plateau_.load_state(state); }

 private:
  optim::ReduceLROnPlateau plateau_;
};

/// Saves the run to a file, after every epoch and when it is stopped. If the file exists already, the run
/// continues from it, with the same bits as if it had never stopped.
class Checkpoint : public Callback {
 public:
  /// `about` is saved in the file with the run, for example its configuration.
  explicit Checkpoint(std::string path, Metadata about = {});

  /// FileError when the file is damaged or belongs to another run.
  void begun(Fit& fit) override;
  void epoch_done(Fit& fit) override;
  void ended(Fit& fit) override;

 private:
  std::string path_;
  Metadata about_;
};

/// Writes the history to a file of JSON Lines, each with a digest, by which parse_jsonl notices changes of
/// the file. After a Checkpoint in the list, it begins with the history of the checkpoint.
class HistoryFile : public Callback {
 public:
  explicit HistoryFile(std::string path) : path_(std::move(path)) {}

  void begun(Fit& fit) override { write(fit); }
  void epoch_done(Fit& fit) override { write(fit); }

 private:
  void write(const Fit& fit) const;
  std::string path_;
};

}  // namespace elk::train
