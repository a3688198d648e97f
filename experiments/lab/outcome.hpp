// What came of the cells of a study: metrics over seeds, and sentences that compare them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <lab/config.hpp>
#include <lab/settings.hpp>
#include <lab/statistics.hpp>
#include <lab/store.hpp>

namespace elk::lab {

/// A number that a run is measured by.
struct Metric {
  std::string name;             ///< "test accuracy"
  bool share = false;           ///< from 0 to 1, shown in percent
  bool more_is_better = false;  ///< of a loss, less is

  /// As files name it: "test_accuracy".
  std::string key() const;

  static const Metric test_accuracy, test_error, test_loss, val_accuracy, val_loss, train_loss;
};
inline const Metric Metric::test_accuracy{"test accuracy", true, true};
inline const Metric Metric::test_error{"test error", true, false};
inline const Metric Metric::test_loss{"test loss"};
inline const Metric Metric::val_accuracy{"validation accuracy", true, true};
inline const Metric Metric::val_loss{"validation loss"};
inline const Metric Metric::train_loss{"training loss"};

/// A point of the grid: a configuration that is run with every seed.
struct Cell {
  std::string series = "";              ///< the line of a plot that it belongs to
  std::string label;                    ///< what a table calls it
  double x = 0;                         ///< where a plot has it
  TrainConfig config = {};              ///< of a network that `train` knows
  Settings settings = {};               ///< in its place, where runs are a function of one's own
  std::optional<double> reported = {};  ///< the study's test accuracy, 0 to 1
  bool exact =
      false;  ///< the study gave its seed, config.seed: only that is run, and its number must come out
  bool tune = false;  ///< find the learning rate first, from "lr" on, at the full length
};

/// What came of a cell.
struct Outcome {
  Cell cell;                     ///< with the learning rate that was found
  std::vector<RunSummary> runs;  ///< one a seed, in the order of the seeds; the failed ones too
  std::int64_t images = 0;       ///< of the test set; 0: not known
  std::int64_t examples = 0;     ///< to learn from; 0: not known
  std::int64_t unique = 0;       ///< see Point::unique

  /// One number a run that did not fail.
  std::vector<double> values(const Metric& metric) const;
  Interval mean(const Metric& metric) const;
  int count(const std::string& status) const;
};
using Outcomes = std::vector<Outcome>;

/// A metric of two outcomes, paired by seed; seeds that failed on either side are left out.
std::pair<std::vector<double>, std::vector<double>> pairs_of(const Outcome& a, const Outcome& b,
                                                             const Metric& metric);
/// Accuracies that differ by less may be called equal, where a test says so.
constexpr double equal_within = 0.002;
/// "width 540 is better than width 925 by 0.20 ± 0.08 points of test accuracy (5 seeds)", or, where the
/// difference does not stand among all of the report, "the difference between ... is 0.01 ± 0.08 points ...:
/// not resolved by 5 seeds, nor shown to be less than 0.20 points".
std::string tell_difference(const Outcome& a, const Outcome& b, const Metric& metric, const Judgement& found);
/// By what outcomes are compared, and what the best one is chosen by where runs have it.
struct Judging {
  Metric metric = Metric::test_accuracy;
  Metric chosen_by = Metric::val_accuracy;
};
/// Which outcome is the best by what the best are chosen by; where runs have no such number, as those of the
/// paper protocol, by the metric itself.
const Outcome& best(std::span<const Outcome> outcomes, const Judging& judging = {});
/// How good the best is, and which of the others it is better than; `others` has a judgement of its
/// difference to each other outcome, in their order.
std::string tell_best(std::span<const Outcome> outcomes, const std::string& what,
                      const std::vector<Judgement>& others, const Judging& judging = {});

/// The metric of a run, of those that it was measured by.
std::optional<double> value_of(const RunSummary& run, const Metric& metric);
/// Sets it, by its key.
void set_value(RunSummary& run, const std::string& key, double value);
/// "98.41 ± 0.06" of a share, in percent; "0.0512 ± 0.0004".
std::string shown(const Interval& interval, bool share);
/// With a capital letter.
std::string begun(std::string sentence);

/// A number as in --widths: 64, 0.05.
std::string text(double number);
/// A number with two decimals: "-0.42".
std::string decimal(double number);
/// A loss and its interval: "0.0512 ± 0.0004".
std::string with_interval(const Interval& loss);
/// FLOPs with three digits: "1.23e+12".
std::string flops_text(double flops);
/// 0.98123 as "98.12".
std::string percent(double share);

}  // namespace elk::lab
