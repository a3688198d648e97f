// Progress of a training run on standard error: a bar on a terminal, a line now and then elsewhere.
#pragma once

#include <chrono>
#include <string>

#include <elk/train/callback.hpp>

namespace elk::train {

/// Shows the current epoch, and a row for each epoch that is done.
class Progress : public Callback {
 public:
  /// `quiet` shows nothing at all.
  explicit Progress(bool quiet = false);
  ~Progress() override { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Prints a separate line.
  void message(const std::string& text);
  /// Removes the bar, before something is printed.
  void clear();

  void step_done(Fit& fit) override;
  void epoch_done(Fit& fit) override;

 private:
  using Clock = std::chrono::steady_clock;
  bool quiet_, terminal_;
  bool drawn_ = false;
  Clock::time_point last_;
};

}  // namespace elk::train
