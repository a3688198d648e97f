// Curves for TensorBoard, as the event files that it reads: tensorboard --logdir runs
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include <elk/train/callback.hpp>

namespace elk::train {

/// Writes losses, accuracies and the learning rate of each epoch; use a separate folder for each run:
///
///   TensorBoard board("runs/lr-0.1");
///   train::fit(net, adam, data, rng, {.callbacks = {&board}});
///
/// Their names are "loss/train", "loss/validation", "accuracy/validation", "lr" and so on, over the number of
/// updates. A run that continues begins another file in the folder; put it after a Checkpoint in the list.
class TensorBoard : public Callback {
 public:
  /// Makes the folder. `every` also writes the loss of every so many steps, as "loss/step"; 0: none.
  /// FileError when it cannot be made or written, ValueError for a negative number.
  explicit TensorBoard(std::string folder, std::int64_t every = 0);

  /// Writes your own number, at `step` of the curve `name`. FileError when the disk is full.
  void scalar(const std::string& name, double value, std::int64_t step);
  /// The event file.
  const std::string& path() const { return path_; }

  void begun(Fit& fit) override;
  void step_done(Fit& fit) override;
  void epoch_done(Fit& fit) override;

 private:
  void write(const std::string& event);
  std::string path_;
  std::int64_t every_;
  std::shared_ptr<std::FILE> file_;
  std::size_t rows_ = 0;  // of the history, written or not this run's
};

}  // namespace elk::train
