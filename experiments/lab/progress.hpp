// Progress on standard error: a bar on a terminal, a line now and then elsewhere.
#pragma once

#include <chrono>
#include <string>

namespace elk::lab {

class Progress {
 public:
  explicit Progress(bool quiet);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// A line of its own.
  void message(const std::string& text);
  /// Redraws the bar: `done` of `total`, and a text beside it. Cheap to call at every step.
  void update(const std::string& label, double done, double total, double loss);
  /// Takes the bar away, before something is printed.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  bool quiet_, terminal_;
  bool drawn_ = false;
  Clock::time_point last_;
};

}  // namespace elk::lab
