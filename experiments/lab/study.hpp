// An experiment program: it states its question, its grid and what to show; the rest is here.
//
//   // width: does a wider hidden layer predict better, and where does that end?
//   void ask(Study& study) {
//     for (const double width : study.grid("widths", {32, 64, 128, 256})) {
//       TrainConfig config = study.base(15);
//       config.hidden = text(width);
//       study.add({.label = text(width), .x = width, .config = config, .tune = true});
//     }
//     const Outcomes& nets = study.run();
//     study.table("Accuracy by width", "width", nets);
//     study.plot("Test accuracy by width", "hidden units", nets, Metric::test_accuracy, {.log_x = true});
//     study.best_of(nets, "width");
//   }
//   int main(int argc, char** argv) { return run_study(argc, argv, {.program = "width", ...}, ask); }
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <lab/config.hpp>
#include <lab/crew.hpp>
#include <lab/plot.hpp>
#include <lab/results.hpp>
#include <lab/statistics.hpp>
#include <lab/store.hpp>

namespace elk::lab {

/// An option that replaces a grid of the question: --widths 32,64.
struct GridOption {
  const char *name, *help;
};

struct Question {
  const char* program;
  const char* title;
  const char* question;  ///< in a sentence or two
  std::vector<GridOption> grids = {};
  const char* dataset = "mnist";
};

/// A point of the grid: a configuration that is run with every seed.
struct Cell {
  std::string series = "";  ///< the line of a plot that it belongs to
  std::string label;        ///< what a table calls it
  double x = 0;             ///< where a plot has it
  TrainConfig config;
  std::optional<double> reported = {};  ///< the study's test accuracy, 0 to 1
  bool exact =
      false;  ///< the study gave its seed, config.seed: only that is run, and its number must come out
  bool tune = false;  ///< find the learning rate first, on one seed with few epochs, from config.lr on
  std::int64_t tune_epochs = 0;  ///< 0 = half of the epochs, three at most
};

enum class Metric { test_accuracy, test_error, test_loss, val_accuracy, val_loss, train_loss };
/// "test accuracy"
std::string name(Metric metric);

/// What came of a cell.
struct Outcome {
  Cell cell;                     ///< with the learning rate that was found
  std::vector<RunSummary> runs;  ///< one a seed, in the order of the seeds; the failed ones too
  std::int64_t images = 0;       ///< of the test set; 0: not known
  std::int64_t examples = 0;     ///< to learn from; 0: not known

  /// One number a run that did not fail.
  std::vector<double> values(Metric metric) const;
  Interval mean(Metric metric) const;
  int count(const std::string& status) const;
};
using Outcomes = std::vector<Outcome>;

/// A metric of two outcomes, paired by seed; seeds that failed on either side are left out.
std::pair<std::vector<double>, std::vector<double>> pairs_of(const Outcome& a, const Outcome& b,
                                                             Metric metric);
/// Accuracies that differ by less may be called equal, where a test says so.
constexpr double equal_within = 0.002;
/// "width 540 is better than width 925 by 0.20 ± 0.08 points of test accuracy (5 seeds)", or, where the
/// difference does not stand among all of the report, "the difference between ... is 0.01 ± 0.08 points ...:
/// not resolved by 5 seeds, nor shown to be less than 0.20 points".
std::string tell_difference(const Outcome& a, const Outcome& b, Metric metric, const Judgement& found);
/// Which outcome validation prefers; under the paper protocol, which has none, the test set.
const Outcome& best(std::span<const Outcome> outcomes);
/// How good the best is, and which of the others it is better than; `others` has a judgement of its
/// difference to each other outcome, in their order.
std::string tell_best(std::span<const Outcome> outcomes, const std::string& what,
                      const std::vector<Judgement>& others);

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

struct PlotOptions {
  bool log_x = false, log_y = false;
  bool names = false;  ///< the x axis shows the labels, not numbers
};

class Study {
 public:
  struct Options {
    std::string protocol = "sound", dataset, out_dir, data_dir, from;
    std::int64_t seeds = 5, seed = 100, jobs = 0, epochs = 0, moving_average = 0;
    bool quick = false, smoke = false, full = false, dry_run = false, quiet = false, json = false;
    std::vector<std::pair<std::string, std::string>> grids;  // those given, by their names
    Crew* crew = nullptr;                                    // who does the runs; null: threads
  };
  Study(const Question& question, Options options, const std::string& command);
  ~Study();
  Study(const Study&) = delete;
  Study& operator=(const Study&) = delete;

  bool paper() const { return options_.protocol == "paper"; }
  const Options& options() const { return options_; }

  /// The protocol's configuration for `epochs` epochs, fewer with --quick and --smoke, or those of --epochs.
  /// Sound: sgd, mean gradients, decay 0.9, the weights of the best epoch by validation. Paper: the study's
  /// (see `train --help`).
  TrainConfig base(std::int64_t epochs) const;

  /// The values of --<name>, or `usual`; of these --quick takes four and --smoke two, or `at_least`.
  /// UsageError for what is no list of different numbers above 0 (with `zero`: from 0 on), whole ones where
  /// all of `usual` are.
  struct GridOptions {
    bool zero = false;
    std::size_t at_least = 2;
  };
  std::vector<double> grid(const std::string& name, std::vector<double> usual, GridOptions options) const;
  std::vector<double> grid(const std::string& name, std::vector<double> usual) const {
    return grid(name, std::move(usual), GridOptions());
  }
  /// The same thinning for any list.
  template <class T>
  std::vector<T> thinned(std::vector<T> all, std::size_t at_least = 2) const {
    const std::size_t most = std::max<std::size_t>(at_least, options_.smoke   ? 2
                                                             : options_.quick ? 4
                                                                              : all.size());
    if (all.size() <= most) return all;
    std::vector<T> some;
    for (std::size_t i = 0; i < most; ++i) some.push_back(all[i * (all.size() - 1) / (most - 1)]);
    return some;
  }

  void add(Cell cell);
  /// Runs what was added since the last time, as far as the store lacks it.
  Outcomes run();

  /// A table: a row for each outcome.
  void table(const std::string& title, const std::string& what, std::span<const Outcome> outcomes,
             const std::string& note = "");
  void table(Table table);
  /// Draws a metric against x: mean, 95 % band and single seeds, a line for each series. `extra` lines are
  /// drawn too.
  void plot(const std::string& title, const std::string& x_label, std::span<const Outcome> outcomes,
            Metric metric, PlotOptions options = {}, std::vector<Series> extra = {});
  /// Draws a curve over epochs for each outcome, likewise: `value` picks it from an epoch.
  using Value = std::function<std::optional<double>(const train::HistoryRow&)>;
  Series curve(const Outcome& outcome, const std::string& title, const Value& value);
  void draw(const std::string& file, Plot plot);
  /// Draws a plot of curves, unless it has none: of results that were taken over they may be lacking.
  void draw_curves(const Plot& plot);
  std::vector<train::HistoryRow> history(const RunSummary& run);

  /// A sentence of the verdict.
  void conclude(const std::string& sentence);
  /// A sentence that compares. All comparisons of a report are one family (see Family), so that it is written
  /// when all are known. `before` begins it.
  void compare(const Outcome& a, const Outcome& b, const std::string& before = "",
               Metric metric = Metric::test_accuracy);
  void best_of(std::span<const Outcome> outcomes, const std::string& what);
  /// Likewise of any numbers paired by seed, in what `group` is the unit of.
  void compare(const std::string& group, std::span<const double> a, std::span<const double> b,
               const std::function<std::string(const Judgement&)>& sentence);
  /// What the report's table of what was done with the data says besides.
  void check(const std::string& name, const std::string& text);
  void warn(const std::string& sentence);
  void number(const std::string& name, double value);

  const std::string& folder() const { return options_.out_dir; }

 private:
  friend int run_study(int argc, char** argv, const Question& question, void (*ask)(Study&));
  struct Inside;
  std::vector<RunSummary> run_all(const std::vector<TrainConfig>& configs);
  void tune(std::vector<Cell>& cells);
  void dry_run(const std::vector<Cell>& cells);
  std::optional<Outcome> told(const Cell& cell);
  void measure(const Outcome& outcome);
  void fill_checklist();
  int finish();
  std::int64_t seeds_of(const Cell& cell) const { return cell.exact ? 1 : options_.seeds; }

  Question question_;
  Options options_;
  Results results_;
  std::vector<Cell> waiting_;
  Family family_;
  using Sentence = std::function<std::string(const std::vector<Judgement>&)>;
  std::vector<Sentence> sentences_;
  std::unique_ptr<Inside> inside_;
  bool told_of_gnuplot_ = false;
};

/// The main of a program: reads the options, asks, and writes results.json, report.html and the plots.
int run_study(int argc, char** argv, const Question& question, void (*ask)(Study&));

}  // namespace elk::lab
