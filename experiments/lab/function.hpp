// A study's runs as a function of your own: from settings to metrics, with a row for every epoch if it has
// epochs.
#pragma once

#include <cmath>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <elk/nn/module.hpp>
#include <elk/optim/schedule.hpp>
#include <elk/train/fit.hpp>
#include <lab/fit/curve.hpp>
#include <lab/settings.hpp>
#include <lab/work.hpp>

namespace elk::lab {

/// What a run came to, by the names of its metrics with _ for spaces: {{"test_loss", 0.12}}.
using Metrics = std::map<std::string, double>;

/// What a run tells of itself while it works. As a callback of train::fit it does so by itself.
class Progress : public train::Callback {
 public:
  /// Ends the run: see check(). No std::exception, so that nobody catches it by mistake.
  struct Stopped {};

  /// Of a run of so many epochs with learning rates by `schedule`; see Work::run.
  Progress(const std::function<bool()>& ended, double bar, std::int64_t epochs, optim::Schedule schedule)
      : ended_(ended), bar_(bar), epochs_(epochs), schedule_(std::move(schedule)) {}

  /// Keeps what an epoch came to, and calls check(). Where row.epoch is 0 they are counted from 1.
  void epoch(train::HistoryRow row);
  /// Throws Stopped where the run is to end: by a signal, as another one could not be kept, or as it is
  /// hopeless. Call it a few times a second.
  void check();
  /// Tells how many parameters the network has, for the tables of results.
  void about(const nn::Module& net) { parameters_ = net.parameter_count(); }
  /// The run counts as diverged, for this reason. So does one whose metrics are not finite.
  void diverged(const std::string& why) { problem_ = why.empty() ? "it diverged" : why; }

  void begun(train::Fit& fit) override;
  void step_done(train::Fit& fit) override;
  void epoch_done(train::Fit& fit) override;

 private:
  friend class FunctionWork;
  friend class Trainings;
  bool over();
  void look();
  bool tell_hopeless(RunSummary& summary, std::vector<train::HistoryRow>& curve);
  void tell_curve(RunSummary& summary, std::vector<train::HistoryRow>& curve);

  const std::function<bool()>& ended_;
  double bar_;
  std::int64_t epochs_;
  optim::Schedule schedule_;
  std::vector<train::HistoryRow> rows_;
  Index parameters_ = 0;
  std::string problem_;
  std::optional<scaling::Estimate> forecast_;  // of a run that is hopeless
  bool stopped_ = false;                       // a fit, which returns
};

/// What a run does. It is called by several threads at once, each with settings of its own, among them
/// "seed"; all that is random must come from that.
using RunFunction = std::function<Metrics(const Settings& settings, Progress& progress)>;

/// The learning rate's schedule over the epochs of a run of these settings. Called for every run, by several
/// threads at once.
using RunSchedule = std::function<optim::Schedule(const Settings& settings)>;

/// The work of a study whose runs are such a function.
class FunctionWork : public Work {
 public:
  /// `data` names the version of all that is read besides the settings; `expected` are the metrics that the
  /// function must return. Without a `schedule` learning rates are taken to be constant.
  FunctionWork(RunFunction function, std::string data, std::vector<std::string> expected,
               RunSchedule schedule = {})
      : function_(std::move(function)),
        data_(std::move(data)),
        expected_(std::move(expected)),
        schedule_(std::move(schedule)) {}

  std::string data(const std::string&) override { return data_; }
  std::string data_name(const std::string&) override { return "version of the study's data"; }
  optim::Schedule schedule(const std::string& settings) override {
    return schedule_of(Settings::parse(settings));
  }
  double estimate(const std::string&) override { return 1; }
  bool run(const std::string& settings, const std::function<bool()>& ended, double bar, RunSummary& summary,
           std::vector<train::HistoryRow>& curve) override;

 private:
  optim::Schedule schedule_of(const Settings& settings) const {
    return schedule_ ? schedule_(settings) : optim::constant();
  }

  RunFunction function_;
  std::string data_;
  std::vector<std::string> expected_;
  RunSchedule schedule_;
};

}  // namespace elk::lab
