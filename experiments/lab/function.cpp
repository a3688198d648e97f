#include <lab/function.hpp>

#include <cmath>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <lab/forecast.hpp>
#include <lab/outcome.hpp>

namespace elk::lab {

bool Progress::over() { return stopped_ || forecast_ || ended_(); }

void Progress::check() {
  if (over()) throw Stopped();
}

// At the epoch that came last.
void Progress::look() {
  if (std::isfinite(bar_) && !forecast_) forecast_ = hopeless(rows_, epochs_, schedule_, bar_);
}

void Progress::epoch(train::HistoryRow row) {
  // Files have them in a row from 1 on.
  const auto next = static_cast<std::int64_t>(rows_.size()) + 1;
  if (row.epoch != 0 && row.epoch != next)
    throw ValueError(fmt::format("[progress] expected epoch {}, got {}", next, row.epoch));
  row.epoch = next;
  rows_.push_back(row);
  look();
  check();
}

void Progress::begun(train::Fit& fit) {
  about(fit.net());
  step_done(fit);
}

void Progress::step_done(train::Fit& fit) {
  if (!over()) return;
  stopped_ = true;
  fit.stop();
}

void Progress::epoch_done(train::Fit& fit) {
  rows_.push_back(fit.result().history.back());
  rows_.back().epoch = static_cast<std::int64_t>(rows_.size());
  if (rows_.back().diverged) diverged(fit.result().problem);
  look();
  step_done(fit);
}

void Progress::tell_curve(RunSummary& summary, std::vector<train::HistoryRow>& curve) {
  curve = std::move(rows_);
  summary.epochs = static_cast<std::int64_t>(curve.size());
  if (!curve.empty()) {
    summary.steps = curve.back().step;
    summary.flops = curve.back().flops;
  }
  summary.parameters = parameters_;
}

// False if it is not.
bool Progress::tell_hopeless(RunSummary& summary, std::vector<train::HistoryRow>& curve) {
  if (!forecast_) return false;
  summary.status = "hopeless";
  summary.metrics = {{"forecast", forecast_->value},
                     {"forecast_low", forecast_->interval.low},
                     {"forecast_high", forecast_->interval.high}};
  tell_curve(summary, curve);
  return true;
}

bool FunctionWork::run(const std::string& text, const std::function<bool()>& ended, double bar,
                       RunSummary& summary, std::vector<train::HistoryRow>& curve) {
  const Settings settings = Settings::parse(text);
  Progress progress(ended, bar, settings.has("epochs") ? settings.integer("epochs") : 0,
                    schedule_of(settings));
  Metrics metrics;
  try {
    metrics = function_(settings, progress);
  } catch (const Progress::Stopped&) {
    return progress.tell_hopeless(summary, curve);
  }
  if (progress.stopped_) return progress.tell_hopeless(summary, curve);
  for (const std::string& name : expected_)
    if (metrics.count(name) == 0)
      throw ValueError(
          fmt::format("the run returned no \"{}\", which the study has among its metrics", name));
  for (const auto& [name, value] : metrics) {
    set_value(summary, name, value);
    if (!std::isfinite(value) && progress.problem_.empty())
      progress.diverged(fmt::format("its {} is {}", name, value));
  }
  summary.status = progress.problem_.empty() ? "done" : "diverged";
  summary.error = progress.problem_;
  progress.tell_curve(summary, curve);
  summary.best_epoch = summary.epochs;
  return true;
}

}  // namespace elk::lab
