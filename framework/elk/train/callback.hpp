// Callbacks: what else happens while a network is fitted.
#pragma once

#include <string>

#include <elk/io/safetensors.hpp>
#include <elk/optim/plateau.hpp>
#include <elk/train/history.hpp>

namespace elk::train {

class Fit;

/// Derive and override what is of interest; the Fit tells where the run is, and can be stopped. Callbacks are
/// called in the order of their list, so put a Checkpoint behind what it has to keep.
class Callback {
 public:
  virtual ~Callback() = default;

  /// Before the first step, or before a run goes on.
  virtual void begun(Fit&) {}
  /// After an update.
  virtual void step_done(Fit&) {}
  /// After the last step of an epoch: measurements of one's own may be added to `row`.
  virtual void measure(Fit&, HistoryRow&) {}
  /// When the epoch's row has entered the history.
  virtual void epoch_done(Fit&) {}
  /// When the run is over or was stopped: fit.result() tells which.
  virtual void ended(Fit&) {}

  /// What a checkpoint has to keep of this callback, as named tensors.
  virtual State state() const { return {}; }
  /// Takes over what state() gave in another process; throws, and changes nothing, where it is not that.
  virtual void load_state(const State&) {}

 protected:
  Callback() = default;
  Callback(const Callback&) = default;
  Callback& operator=(const Callback&) = default;
};

/// Finishes the run after `patience` epochs without a lower val_loss, and in the end puts the weights back
/// that had the lowest. Each run begins anew. (L. Prechelt, "Early stopping - but when?", 1998.)
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
  ReduceLROnPlateau(optim::Optimizer& optimizer, const Options& options) : plateau_(optimizer, options) {}

  /// ValueError when the fit has a schedule, which sets the rate as well, or no accuracy where that is asked
  /// for.
  void begun(Fit& fit) override;
  void epoch_done(Fit& fit) override;
  State state() const override { return plateau_.state(); }
  void load_state(const State& state) override { plateau_.load_state(state); }

 private:
  optim::ReduceLROnPlateau plateau_;
};

/// Keeps the run in a file, after every epoch and when it is stopped. Where the file is there already, the
/// run goes on from it, to the same bits as if it had never stopped.
class Checkpoint : public Callback {
 public:
  /// `about` is kept in the file beside the run, for example its configuration.
  explicit Checkpoint(std::string path, Metadata about = {});

  /// FileError when the file is damaged or of another run.
  void begun(Fit& fit) override;
  void epoch_done(Fit& fit) override;
  void ended(Fit& fit) override;

 private:
  std::string path_;
  Metadata about_;
};

/// Keeps the history in a file of JSON Lines, each with a digest, by which parse_jsonl notices what changed
/// at rest. Behind a Checkpoint in the list, it begins with that one's.
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
