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
#include <string_view>
#include <vector>

#include <lab/crew.hpp>
#include <lab/function.hpp>
#include <lab/outcome.hpp>
#include <lab/plot.hpp>
#include <lab/results.hpp>

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
  const char* dataset =
      "mnist";  ///< or a word for several: then cells name theirs, and the program reads the option
  std::int64_t digits = 0;  ///< so many of the built-in digits to learn from, in place of 10,000
  /// In place of networks that `train` knows: what a run of a cell's settings does.
  RunFunction run = {};
  /// The schedule of such a run's learning rate, where it is not constant: --stop-hopeless predicts its end
  /// by it.
  RunSchedule schedule = {};
  /// That it returns; outcomes are compared by the first one. Of networks that `train` knows: what tables
  /// show besides test accuracy and loss, such as "tta accuracy" of those that have it.
  std::vector<Metric> metrics = {};
  /// Another one that it returns, by which learning rates and the best outcome are chosen: of held-out
  /// examples, so that the test set decides nothing. Without it, the first of `metrics` decides.
  Metric chosen_by = {};
  std::string data = {};  ///< names the version of what it reads: with another name, all runs are made anew
  /// In place of `run`, work of cells' settings that reads a data set; it is told the one of --dataset and
  /// the folder of --data-dir.
  std::function<std::unique_ptr<Work>(const std::string& dataset, const std::string& data_dir)> work = {};

  /// What it is called by, where that is not the program's name: {"epochs", "--unique"}.
  std::vector<std::string> called = {};
  const char* more = "";  ///< what --help says beneath the question

  std::vector<std::string> command() const {
    return called.empty() ? std::vector<std::string>{program} : called;
  }
  /// Whether cells have settings, not configurations of networks that `train` knows.
  bool own() const { return run != nullptr || work != nullptr; }
};

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
    bool stop_hopeless = false;
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

  /// Of `usual` epochs as many as --quick, --smoke or --epochs leave.
  std::int64_t epochs(std::int64_t usual) const;

  /// The values of --<name>, or `usual`; of these --quick takes four and --smoke two, or `at_least`.
  /// UsageError for what is no list of different numbers above 0 (with `zero`: from 0 on) up to `most`, whole
  /// ones where all of `usual` are.
  struct GridOptions {
    bool zero = false;
    std::size_t at_least = 2;
    double most = 1e9;
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
  /// Says how long what was added may take.
  void tell_cost() const;
  /// Runs what was added since the last time, as far as the store lacks it.
  Outcomes run();

  /// A table: a row for each outcome.
  void table(const std::string& title, const std::string& what, std::span<const Outcome> outcomes,
             const std::string& note = "");
  void table(Table table);
  /// Draws a metric against x: mean, 95 % band and single seeds, a line for each series. `extra` lines are
  /// drawn too.
  void plot(const std::string& title, const std::string& x_label, std::span<const Outcome> outcomes,
            const Metric& metric, PlotOptions options = {}, std::vector<Series> extra = {});
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
               const std::optional<Metric>& metric = {});
  void best_of(std::span<const Outcome> outcomes, const std::string& what);
  /// Likewise of any numbers paired by seed, in what `group` is the unit of.
  void compare(const std::string& group, std::span<const double> a, std::span<const double> b,
               const std::function<std::string(const Judgement&)>& sentence);
  /// What the report's table of what was done with the data says besides.
  void check(const std::string& name, const std::string& text);
  void warn(const std::string& sentence);
  /// A number of the results, by its name. ValueError for a name that another one has.
  void number(const std::string& name, double value);

  /// The data set that runs of this name read. ValueError where they are functions of one's own.
  const TrainTest& data(const std::string& name) const;

  const std::string& folder() const { return options_.out_dir; }

 private:
  friend int run_study(int argc, char** argv, const Question& question, void (*ask)(Study&));
  struct Inside;
  struct DryRunDone {};
  static std::unique_ptr<Work> make_work(const Question& question, const Options& options);
  std::vector<RunSummary> run_all(const std::vector<std::string>& settings,
                                  const std::vector<double>& bars = {});
  /// By which learning rates are chosen.
  const Metric& rate_metric() const;
  double cost_of(const RunSummary& run) const;
  void check_stop_hopeless() const;
  void tune(std::vector<Cell>& cells);
  void find_rates(const std::vector<Cell*>& cells, bool by_short_runs);
  std::string plan(const std::vector<Cell>& cells, bool each) const;
  std::optional<Outcome> told(const Cell& cell);
  void measure(const Outcome& outcome);
  void fill_checklist();
  std::string how_rates_were_found();
  int finish();
  /// By which learning rates are judged.
  std::int64_t judging_seeds() const { return std::min<std::int64_t>(options_.seeds, 3); }
  std::int64_t seeds_of(const Cell& cell) const { return cell.exact ? 1 : options_.seeds; }
  std::int64_t first_seed(const Cell& cell) const { return cell.exact ? cell.config.seed : options_.seed; }
  // Of run i of a cell. Two ensembles have no network in common.
  std::int64_t seed_of(const Cell& cell, std::int64_t i) const {
    return first_seed(cell) + i * cell.config.ensemble;
  }

  Question question_;
  Options options_;
  Results results_;
  std::vector<Metric> metrics_ = {Metric::test_accuracy, Metric::test_loss, Metric::val_accuracy,
                                  Metric::val_loss, Metric::train_loss};
  Judging judging_;
  std::vector<Cell> waiting_;
  Family family_;
  using Sentence = std::function<std::string(const std::vector<Judgement>&)>;
  std::vector<Sentence> sentences_;
  std::unique_ptr<Inside> inside_;
  bool told_of_gnuplot_ = false;
};

/// Whether the arguments have `flag`, by which a program is asked another question; takes it out of them.
bool take_flag(int& argc, char** argv, std::string_view flag);

/// The main of a program: reads the options, asks, and writes results.json, report.html and the plots.
int run_study(int argc, char** argv, const Question& question, void (*ask)(Study&));

}  // namespace elk::lab
