// Work: what the runs of a study are, whatever they compute.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <elk/optim/schedule.hpp>
#include <lab/store.hpp>

namespace elk::lab {

/// What a Runner has to know of its runs. Settings are canonical JSON: names sorted, no spaces.
class Work {
 public:
  virtual ~Work() = default;

  /// The digest of the data that a run reads, a part of the run's key. Called by one thread, for every run,
  /// before the first one begins.
  virtual std::string data(const std::string& settings) = 0;
  /// What a message calls that data: "data set of the name mnist".
  virtual std::string data_name(const std::string& settings) = 0;
  /// Of runs whose examples are a number of those seen: how many different ones there are, each seen as often
  /// as it comes to; 0: without end, or not known. Called by one thread.
  virtual std::int64_t unique(const std::string&) { return 0; }
  /// The learning rate's schedule over the epochs of a run, by which its end is predicted.
  virtual optim::Schedule schedule(const std::string&) { return optim::constant(); }
  /// Seconds that a run takes on one thread of this machine, roughly: for order and progress.
  virtual double estimate(const std::string& settings) = 0;
  /// Does a run and fills in what came of it, but for `summary`'s origin and time. False when `ended`, which
  /// it asks often, told it to end. It may also end, as hopeless, when its curve shows that its validation
  /// loss will not get down to `bar` (which is infinite for most runs). What it throws makes it a failed run.
  /// Called by several threads at once.
  virtual bool run(const std::string& settings, const std::function<bool()>& ended, double bar,
                   RunSummary& summary, std::vector<train::HistoryRow>& curve) = 0;

 protected:
  Work() = default;
  Work(const Work&) = default;
  Work& operator=(const Work&) = default;
};

}  // namespace elk::lab
