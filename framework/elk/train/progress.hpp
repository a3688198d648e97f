// Progress of a training run on standard error: a bar on a terminal, a line now and then elsewhere.
#pragma once

#include <chrono>
#include <string>

#include <elk/train/callback.hpp>

namespace elk::train {

/// Shows the epoch under way, and a row for each that is done.
class Progress : public Callback {
 public:
  /// `quiet` shows nothing at all.
  explicit Progress(bool quiet = false);
  ~Progress() override { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// A line of its own.
  void message(const std::string& text);
  /// Takes the bar away, before something is printed.
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
