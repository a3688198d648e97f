#include <lab/function.hpp>

#include <cmath>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <lab/outcome.hpp>

namespace elk::lab {

void Progress::check() {
  if (ended_()) throw Stopped();
}

void Progress::epoch(train::HistoryRow row) {
  // Files have them in a row from 1 on.
  const auto next = static_cast<std::int64_t>(rows_.size()) + 1;
  if (row.epoch != 0 && row.epoch != next)
    throw ValueError(fmt::format("[progress] expected epoch {}, got {}", next, row.epoch));
  row.epoch = next;
  rows_.push_back(row);
  check();
}

void Progress::begun(train::Fit& fit) {
  about(fit.net());
  step_done(fit);
}

void Progress::step_done(train::Fit& fit) {
  if (!ended_()) return;
  stopped_ = true;
  fit.stop();
}

void Progress::epoch_done(train::Fit& fit) {
  rows_.push_back(fit.result().history.back());
  rows_.back().epoch = static_cast<std::int64_t>(rows_.size());
  if (rows_.back().diverged) diverged(fit.result().problem);
  step_done(fit);
}

bool FunctionWork::run(const std::string& text, const std::function<bool()>& ended, RunSummary& summary,
                       std::vector<train::HistoryRow>& curve) {
  Progress progress(ended);
  Metrics metrics;
  try {
    metrics = function_(Settings::parse(text), progress);
  } catch (const Progress::Stopped&) {
    return false;
  }
  if (progress.stopped_) return false;
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
  curve = std::move(progress.rows_);
  summary.epochs = summary.best_epoch = static_cast<std::int64_t>(curve.size());
  if (!curve.empty()) {
    summary.steps = curve.back().step;
    summary.flops = curve.back().flops;
  }
  summary.parameters = progress.parameters_;
  return true;
}

}  // namespace elk::lab
