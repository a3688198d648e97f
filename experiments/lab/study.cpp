#include <lab/study.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include <elk/base/format.hpp>
#include <elk/base/machine.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/io/digest.hpp>
#include <lab/gnuplot.hpp>
#include <lab/program.hpp>
#include <lab/provenance.hpp>
#include <lab/report.hpp>
#include <lab/runner.hpp>
#include <lab/trainings.hpp>

namespace elk::lab {

namespace {

using nlohmann::ordered_json;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

Estimate estimate(const Outcome& outcome, Metric metric) {
  const Interval interval = outcome.mean(metric);
  return {interval.mean, interval.low, interval.high, outcome.values(metric)};
}

// Of a function of one's own that knows no epochs, 0.
std::int64_t epochs_of(const Cell& cell) {
  if (cell.settings.empty()) return cell.config.epochs;
  return cell.settings.has("epochs") ? cell.settings.integer("epochs") : 0;
}

std::int64_t tuning_epochs(const Cell& cell) {
  const std::int64_t epochs = epochs_of(cell);
  if (cell.tune_epochs > 0) return std::min(cell.tune_epochs, epochs);
  if (!cell.settings.empty()) return epochs;
  return std::min(epochs, std::clamp<std::int64_t>(epochs / 2, 1, 3));
}

double rate_of(const Cell& cell) {
  return cell.settings.empty() ? *cell.config.lr : cell.settings.number("lr");
}

void set_rate(Cell& cell, double lr) {
  if (cell.settings.empty())
    cell.config.lr = lr;
  else
    cell.settings.set("lr", lr);
}

// What is run to judge a rate: few epochs of a cell.
Cell trial_of(Cell cell) {
  const std::int64_t epochs = tuning_epochs(cell);
  if (!cell.settings.empty()) {
    if (epochs > 0) cell.settings.set("epochs", epochs);
    return cell;
  }
  cell.config.epochs = cell.config.early_stop = epochs;
  cell.config.test_every_epoch = false;
  return cell;
}

// As canonical JSON.
std::string settings_of(const Cell& cell, std::int64_t seed) {
  if (cell.settings.empty()) {
    TrainConfig config = cell.config;
    config.seed = seed;
    return canonical_json(config);
  }
  Settings settings = cell.settings;
  settings.set("seed", seed);
  return settings.to_json();
}

// Whether the study's number is one that a run like ours could give.
std::string agreement(const Outcome& outcome) {
  if (!outcome.cell.reported) return "";
  const std::vector<double> values = outcome.values(Metric::test_accuracy);
  if (values.empty()) return "";
  if (outcome.cell.exact) return percent(values[0]) == percent(*outcome.cell.reported) ? "exactly" : "no";
  const Interval likely = prediction_interval(values);
  if (std::isnan(likely.low)) return "";
  // Rounded as the study printed it.
  return *outcome.cell.reported >= likely.low - 0.00005 && *outcome.cell.reported <= likely.high + 0.00005
             ? "yes"
             : "no";
}

}  // namespace

std::unique_ptr<Work> Study::make_work(const Question& question, const Options& o) {
  if (!question.run)
    return std::make_unique<Trainings>(DataSets(o.data_dir, o.smoke ? 1000 : o.quick ? 12000 : 0));
  std::vector<std::string> expected;
  for (const Metric& metric : question.metrics) expected.push_back(metric.key());
  if (!question.chosen_by.name.empty()) expected.push_back(question.chosen_by.key());
  return std::make_unique<FunctionWork>(question.run, question.data, std::move(expected));
}

struct Study::Inside {
  std::unique_ptr<Work> work;
  std::optional<Store> store;  // none for a dry run, which leaves nothing behind
  std::optional<Runner> runner;
  std::set<std::string> used;                 // keys of the runs behind the results
  std::vector<std::string> shown;             // the settings of each cell, as JSON
  std::set<std::int64_t> seeds;               // of all cells
  std::set<std::string> with;                 // what the runs were computed with, where it was recorded
  std::optional<Results> from;                // whose runs are taken over
  std::map<std::string, const Point*> taken;  // the points they are of, by the keys given to them
  std::int64_t runs = 0;                      // of cells
  std::set<std::string> tuned;                // how learning rates were found
  std::int64_t tuned_cells = 0;
  std::set<std::int64_t> images;
  std::vector<std::pair<std::string, std::string>> checks;

  Inside(const Question& question, const Options& o) : work(make_work(question, o)) {
    if (!o.from.empty()) {
      from = parse_results(read_file(o.from), o.from);
      if (from->program != question.program || from->protocol != o.protocol || from->dataset != o.dataset)
        fail<UsageError>("--from: expected results of {} on {} by the {} protocol, {} has {} on {} by {}",
                         question.program, o.dataset, o.protocol, o.from, from->program, from->dataset,
                         from->protocol);
    }
    if (o.dry_run) return;
    store.emplace(o.out_dir);
    runner.emplace(*store, *work, RunnerOptions{question.program, static_cast<int>(o.jobs), o.quiet, o.crew});
  }
};

Study::Study(const Question& question, Options options, const std::string& command)
    : question_(question), options_(std::move(options)) {
  results_.program = question.program;
  results_.title = question.title;
  results_.question = question.question;
  results_.protocol = options_.protocol;
  results_.dataset = options_.dataset;
  results_.command = command;
  results_.version = version();
  results_.commit = commit();
  results_.date = utc_date();
  results_.machine = fmt::format("{}, {} jobs of one thread, {}", processor_name(), options_.jobs,
                                 to_string(computed_with()));
  if (question.run) {
    if (question.metrics.empty())
      throw ValueError("[study] a question with a function of its own needs metrics");
    metrics_ = question.metrics;
    if (!question.chosen_by.name.empty()) metrics_.push_back(question.chosen_by);
    judging_ = {question.metrics.front(), question.chosen_by};
    results_.compared = judging_.metric.key();
  }
  inside_ = std::make_unique<Inside>(question, options_);
  if (options_.quick || options_.smoke)
    results_.warnings.push_back(
        "This is a quick look with few examples, epochs and seeds, not the experiment.");
}

Study::~Study() = default;

TrainConfig Study::base(std::int64_t epochs) const {
  TrainConfig config = paper() ? paper_defaults() : TrainConfig();
  config.dataset = options_.dataset;
  config.hidden = "64";
  config.seed = options_.seed;
  config.epochs = this->epochs(epochs);
  if (!paper()) {
    config.optimizer = "sgd";
    config.lr = 0.1;
    config.schedule = "exponential:0.9";
    // Never stops early; the weights of the best epoch are the result.
    config.early_stop = config.epochs;
    if (options_.smoke) config.validation = 200;
    if (options_.quick) config.validation = 2000;
  }
  return config;
}

std::vector<double> Study::grid(const std::string& name, std::vector<double> usual,
                                GridOptions options) const {
  const auto is_whole = [](double value) { return value == std::floor(value); };
  const bool whole = std::all_of(usual.begin(), usual.end(), is_whole);
  for (const auto& [given, list] : options_.grids) {
    if (given != name) continue;
    std::vector<double> values;
    const char* at = list.data();
    const char* const end = at + list.size();
    for (bool more = true; more;) {
      double value = nan;
      const auto [next, error] = std::from_chars(at, end, value);
      more = next != end && *next == ',';
      if (error != std::errc() || !(next == end || more) || !std::isfinite(value) || value < 0 ||
          (value == 0 && !options.zero) || (whole && !is_whole(value)))
        fail<UsageError>(
            "--{}: expected {}numbers {} 0, such as {}, got \"{}\"", name, whole ? "whole " : "",
            options.zero ? "from" : "above",
            fmt::join(std::vector<double>(usual.begin(),
                                          usual.begin() + std::min<std::ptrdiff_t>(
                                                              2, static_cast<std::ptrdiff_t>(usual.size()))),
                      ","),
            list);
      if (std::find(values.begin(), values.end(), value) != values.end())
        fail<UsageError>("--{}: {} is given twice in \"{}\"", name, value, list);
      values.push_back(value);
      at = more ? next + 1 : next;
    }
    return values;
  }
  return thinned(std::move(usual), options.at_least);
}

std::int64_t Study::epochs(std::int64_t usual) const {
  if (options_.epochs > 0) return options_.epochs;
  return options_.smoke   ? std::min<std::int64_t>(usual, 2)
         : options_.quick ? std::min<std::int64_t>(usual, 5)
                          : usual;
}

void Study::add(Cell cell) {
  if (question_.run == nullptr) {
    resolve(cell.config);
  } else if (cell.settings.empty()) {
    throw ValueError(fmt::format("[study] the cell {} has no settings", cell.label));
  }
  waiting_.push_back(std::move(cell));
}

std::vector<RunSummary> Study::run_all(const std::vector<std::string>& settings) {
  auto runs = inside_->runner->run(settings);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunSummary& run = runs[i];
    if (!inside_->used.insert(run.key).second) continue;
    ++results_.cost.runs;
    results_.cost.seconds += run.seconds;
    results_.cost.flops += run.flops;
    if (!run.with.instruction_set.empty()) inside_->with.insert(to_string(run.with));
    if (run.status == "failed") results_.failures.push_back(fmt::format("{}: {}", run.error, run.config));
  }
  return runs;
}

// What a rate is judged by: the less the better.
double Study::cost_of(const RunSummary& run) const {
  if (run.status != "done") return INFINITY;
  const bool own = question_.run != nullptr;
  const Metric& metric = !own                               ? Metric::val_loss
                         : question_.chosen_by.name.empty() ? judging_.metric
                                                            : question_.chosen_by;
  const double value = value_of(run, metric).value_or(nan);
  return std::isfinite(value) ? (metric.more_is_better ? -value : value) : INFINITY;
}

// Walks from each cell's rate by factors of two to the one of the lowest cost: first with a rate on either
// side, then on, as long as the best lies on the edge of what was tried.
void Study::tune(std::vector<Cell>& cells) {
  constexpr int furthest = 7;  // factors of two to either side
  struct Search {
    Cell* cell;
    Cell trial;
    double start;
    std::map<int, double> cost;  // by the power of two
    int low = -1, high = 1;
  };
  std::vector<Search> searches;
  for (Cell& cell : cells) {
    if (!cell.tune) continue;
    searches.push_back({&cell, trial_of(cell), rate_of(cell), {}});
    ++inside_->tuned_cells;
    inside_->tuned.insert(fmt::format("{} of {}", tuning_epochs(cell), epochs_of(cell)));
  }
  const auto best_of = [](const Search& search) {
    return std::min_element(search.cost.begin(), search.cost.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->first;
  };
  const auto lr_at = [](const Search& search, int power) { return search.start * std::pow(2.0, power); };
  for (;;) {
    std::vector<std::string> settings;
    std::vector<std::pair<Search*, int>> asked;
    for (Search& search : searches)
      for (int power = search.low; power <= search.high; ++power)
        if (search.cost.count(power) == 0) {
          set_rate(search.trial, lr_at(search, power));
          settings.push_back(settings_of(search.trial, options_.seed));
          asked.emplace_back(&search, power);
        }
    if (settings.empty()) break;
    const auto runs = run_all(settings);
    for (std::size_t i = 0; i < runs.size(); ++i) asked[i].first->cost[asked[i].second] = cost_of(runs[i]);
    for (Search& search : searches) {
      const int best = best_of(search);
      if (best == search.low && -search.low < furthest) --search.low;
      if (best == search.high && search.high < furthest) ++search.high;
    }
  }
  for (Search& search : searches) {
    const int best = best_of(search);
    set_rate(*search.cell, lr_at(search, best));
    if (best == search.low || best == search.high)
      warn(fmt::format("{}: the best learning rate, {:g}, lies on the edge of those that were tried",
                       search.cell->label, rate_of(*search.cell)));
  }
}

void Study::dry_run(const std::vector<Cell>& cells) {
  std::int64_t runs = 0, searches = 0;
  double seconds = 0;
  const bool timed = question_.run == nullptr;  // nobody knows how long a function of one's own takes
  for (const Cell& cell : cells) {
    const std::int64_t seeds = seeds_of(cell), epochs = epochs_of(cell);
    const double one = inside_->work->estimate(settings_of(cell, options_.seed));
    double all = one * static_cast<double>(seeds);
    if (cell.tune) {
      ++searches;
      if (timed) all += one * 4 * static_cast<double>(tuning_epochs(cell)) / static_cast<double>(epochs);
    }
    runs += seeds;
    seconds += all;
    fmt::print("{:<40} {} seeds{}{}{}\n", cell.series.empty() ? cell.label : cell.series + ", " + cell.label,
               seeds, epochs > 0 ? fmt::format(", {} epochs", epochs) : "",
               timed ? fmt::format(", about {:.0f} s", all) : "",
               cell.tune ? ", its learning rate found first" : "");
  }
  fmt::print("{} runs, {} searches for a learning rate{}\n", runs, searches,
             timed ? fmt::format(": about {:.0f} s with {} jobs",
                                 seconds / static_cast<double>(options_.jobs), options_.jobs)
                   : "");
  throw DryRunDone();
}

// What results that are taken over have of a cell: its runs, without the seeds' weights and dates.
std::optional<Outcome> Study::told(const Cell& cell) {
  if (!inside_->from) return std::nullopt;
  const auto wanted = ordered_json::parse(settings_of(cell, options_.seed));
  const std::string judged = judging_.metric.key();
  for (const Point& point : inside_->from->points) {
    const auto config = ordered_json::parse(point.config);
    bool same = point.failed == 0;
    for (const auto& [option, value] : config.items())  // options that came later have their defaults
      same =
          same && (option == "seed" || (option == "lr" && cell.tune) || wanted.value(option, value) == value);
    const auto measured = point.measured.find(judged);
    if (!same || measured == point.measured.end()) continue;
    Outcome outcome{cell, {}, point.images, training_examples(point).value_or(0)};
    if (outcome.images == 0 && cell.settings.empty() && cell.config.dataset != "digits")
      outcome.images = 10000;
    if (cell.tune) {
      set_rate(outcome.cell, config.value("lr", nan));
      ++inside_->tuned_cells;
      inside_->tuned.insert(fmt::format("{} of {}", tuning_epochs(cell), epochs_of(cell)));
    }
    const std::size_t seeds = measured->second.values.size();
    for (std::size_t seed = 0; seed < seeds; ++seed) {
      RunSummary run;
      run.key = fmt::format("{}, run {}", &point - inside_->from->points.data(), seed);
      run.status = static_cast<std::int64_t>(seed) < point.diverged ? "diverged" : "done";
      run.config = point.config;
      for (const auto& [name, estimate] : point.measured)
        if (seed < estimate.values.size()) set_value(run, name, estimate.values[seed]);
      run.epochs = epochs_of(cell);
      run.parameters = point.parameters;
      run.flops = point.flops / seeds;
      run.seconds = point.seconds / static_cast<double>(seeds);
      inside_->taken[run.key] = &point;
      inside_->seeds.insert(first_seed(cell) + static_cast<std::int64_t>(seed));
      outcome.runs.push_back(std::move(run));
    }
    return outcome;
  }
  return std::nullopt;
}

void Study::measure(const Outcome& outcome) {
  Point point;
  point.series = outcome.cell.series;
  point.label = outcome.cell.label;
  point.x = outcome.cell.x;
  for (const Metric& metric : metrics_)
    if (std::any_of(outcome.runs.begin(), outcome.runs.end(),
                    [&](const RunSummary& run) { return value_of(run, metric).has_value(); }))
      point.measured[metric.key()] = estimate(outcome, metric);
  point.reported = outcome.cell.reported;
  point.agrees = agreement(outcome);
  const auto rounded = [](double value) {
    return std::isfinite(value) ? std::stod(fmt::format("{:.5g}", value)) : nan;
  };
  for (const RunSummary& run : outcome.runs) {
    point.parameters = std::max(point.parameters, run.parameters);
    point.flops += run.flops;
    point.seconds += run.seconds;
    if (!outcome.cell.config.test_every_epoch) continue;
    const auto rows = history(run);
    if (rows.empty()) continue;
    const auto add = [&](const char* name, const auto& value) {
      std::vector<double>& curve = point.curves[name].emplace_back();
      for (const train::HistoryRow& row : rows) curve.push_back(value(row));
    };
    add("flops", [](const train::HistoryRow& row) { return static_cast<double>(row.flops); });
    add("train_loss", [&](const train::HistoryRow& row) { return rounded(row.train_loss.value_or(nan)); });
    add("test_loss", [&](const train::HistoryRow& row) { return rounded(row.test_loss.value_or(nan)); });
    if (rows.front().val_loss)
      add("val_loss", [&](const train::HistoryRow& row) { return rounded(row.val_loss.value_or(nan)); });
  }
  // Seeds differ in nothing but their draws, so that one list of FLOPs is all of them.
  if (const auto flops = point.curves.find("flops"); flops != point.curves.end() && !flops->second.empty())
    if (std::all_of(flops->second.begin(), flops->second.end(),
                    [&](const auto& list) { return list == flops->second.front(); }))
      flops->second.resize(1);
  point.diverged = outcome.count("diverged");
  point.failed = outcome.count("failed");
  point.config = settings_of(outcome.cell, first_seed(outcome.cell));
  point.images = outcome.images;
  point.examples = outcome.examples;
  inside_->runs += static_cast<std::int64_t>(outcome.runs.size());
  inside_->images.insert(outcome.images);
  results_.points.push_back(std::move(point));
}

Outcomes Study::run() {
  std::vector<Cell> cells = std::exchange(waiting_, {});
  std::vector<std::optional<Outcome>> known;
  std::vector<Cell> missing;
  for (const Cell& cell : cells) {
    known.push_back(told(cell));
    if (!known.back()) missing.push_back(cell);
  }
  if (options_.dry_run) dry_run(missing);
  tune(missing);
  std::vector<std::string> settings;
  for (const Cell& cell : missing) {
    for (std::int64_t i = 0; i < seeds_of(cell); ++i) {
      const std::int64_t seed = first_seed(cell) + i;
      inside_->seeds.insert(seed);
      settings.push_back(settings_of(cell, seed));
    }
  }
  const std::vector<RunSummary> runs = settings.empty() ? std::vector<RunSummary>() : run_all(settings);
  auto next = runs.begin();
  auto cell = missing.begin();
  Outcomes outcomes;
  for (std::optional<Outcome>& taken : known) {
    if (taken) {
      outcomes.push_back(std::move(*taken));
    } else {
      Outcome outcome{std::move(*cell++), {}};
      for (std::int64_t i = 0; i < seeds_of(outcome.cell); ++i) outcome.runs.push_back(*next++);
      if (question_.run == nullptr) {
        auto& trainings = static_cast<Trainings&>(*inside_->work);
        const TrainTest& data = trainings.data_sets()[outcome.cell.config.dataset];
        outcome.images = data.test.size();
        outcome.examples = train_examples(outcome.cell.config, data);
      }
      outcomes.push_back(std::move(outcome));
    }
    const Cell& shown = outcomes.back().cell;
    inside_->shown.push_back(question_.run == nullptr ? to_json(shown.config) : shown.settings.to_json());
    measure(outcomes.back());
  }
  return outcomes;
}

void Study::table(const std::string& title, const std::string& what, std::span<const Outcome> outcomes,
                  const std::string& note) {
  const auto any = [&](auto test) { return std::any_of(outcomes.begin(), outcomes.end(), test); };
  const bool series = any([](const Outcome& o) { return !o.cell.series.empty(); });
  const bool own = question_.run != nullptr;
  const bool reported = any([](const Outcome& o) { return o.cell.reported.has_value(); });
  const bool validated =
      !own && any([](const Outcome& o) { return !std::isnan(o.mean(Metric::val_accuracy).mean); });
  const bool tuned = any([](const Outcome& o) { return o.cell.tune; });
  const bool diverged = any([](const Outcome& o) { return o.count("diverged") > 0; });
  const bool failed = any([](const Outcome& o) { return o.count("failed") > 0; });
  Table table{.title = title, .columns = {}, .rows = {}, .note = note};
  if (series) table.columns.push_back("");
  table.columns.push_back(what);
  if (reported) table.columns.push_back("the study, %");
  for (const Metric& metric : question_.metrics)
    table.columns.push_back(metric.name + (metric.share ? ", %" : ""));
  if (!own) table.columns.push_back("test accuracy, %");
  const bool images = any([](const Outcome& o) { return o.images > 0; });
  if (images) table.columns.push_back("± by images");
  if (reported) table.columns.push_back("agree");
  if (!own) table.columns.push_back("test loss");
  if (validated) table.columns.push_back("validation accuracy, %");
  if (tuned) table.columns.push_back("learning rate");
  if (diverged) table.columns.push_back("diverged");
  if (failed) table.columns.push_back("failed");
  table.columns.push_back("seeds");
  for (const Outcome& outcome : outcomes) {
    std::vector<std::string> row;
    if (series) row.push_back(outcome.cell.series);
    row.push_back(outcome.cell.label);
    if (reported) row.push_back(outcome.cell.reported ? percent(*outcome.cell.reported) : "");
    for (const Metric& metric : question_.metrics) row.push_back(shown(outcome.mean(metric), metric.share));
    if (!own) row.push_back(shown(outcome.mean(Metric::test_accuracy), true));
    const double by = by_images(outcome.mean(Metric::test_accuracy).mean, outcome.images);
    if (images) row.push_back(std::isfinite(by) ? fmt::format("{:.2f}", 100 * by) : "-");
    if (reported) row.push_back(agreement(outcome));
    if (!own) row.push_back(shown(outcome.mean(Metric::test_loss), false));
    if (validated) row.push_back(shown(outcome.mean(Metric::val_accuracy), true));
    if (tuned) row.push_back(fmt::format("{:g}", rate_of(outcome.cell)));
    if (diverged) row.push_back(std::to_string(outcome.count("diverged")));
    if (failed) row.push_back(std::to_string(outcome.count("failed")));
    row.push_back(std::to_string(outcome.runs.size()));
    table.rows.push_back(std::move(row));
  }
  this->table(std::move(table));
}

void Study::table(Table table) { results_.tables.push_back(std::move(table)); }

void Study::plot(const std::string& title, const std::string& x_label, std::span<const Outcome> outcomes,
                 const Metric& metric, PlotOptions options, std::vector<Series> extra) {
  const bool share = metric.share;
  const double scale = share ? 100 : 1;
  Plot plot;
  plot.title = title;
  plot.x_label = x_label;
  plot.y_label = metric.name + (share ? ", %" : "");
  plot.log_x = options.log_x;
  plot.log_y = options.log_y;
  std::vector<std::string> names;
  for (const Outcome& outcome : outcomes) {
    auto line = std::find_if(plot.series.begin(), plot.series.end(),
                             [&](const Series& series) { return series.title == outcome.cell.series; });
    if (line == plot.series.end()) {
      plot.series.push_back({});
      line = std::prev(plot.series.end());
      line->title = outcome.cell.series;
    }
    double x = outcome.cell.x;
    if (options.names) {
      const auto at = std::find(names.begin(), names.end(), outcome.cell.label);
      x = static_cast<double>(at - names.begin());
      if (at == names.end()) names.push_back(outcome.cell.label);
    }
    const Interval mean = outcome.mean(metric);
    line->x.push_back(x);
    line->y.push_back(mean.mean * scale);
    // What is normal about accuracies ends where they do; NaN stays.
    line->low.push_back(scale * (share && mean.low < 0 ? 0 : mean.low));
    line->high.push_back(scale * (share && mean.high > 1 ? 1 : mean.high));
    const std::vector<double> values = outcome.values(metric);
    if (line->members.size() < values.size())
      line->members.resize(values.size(), std::vector<double>(line->x.size() - 1, nan));
    for (std::size_t i = 0; i < line->members.size(); ++i)
      line->members[i].push_back(i < values.size() ? values[i] * scale : nan);
  }
  if (options.names) plot.x_names = names;
  // One seed has no interval.
  for (Series& line : plot.series)
    if (std::all_of(line.low.begin(), line.low.end(), [](double low) { return std::isnan(low); })) {
      line.low.clear(), line.high.clear(), line.members.clear();
    }
  for (Series& line : extra) plot.series.push_back(std::move(line));
  draw("", std::move(plot));
}

std::vector<train::HistoryRow> Study::history(const RunSummary& run) {
  if (const auto taken = inside_->taken.find(run.key); taken != inside_->taken.end()) {
    const auto& curves = taken->second->curves;
    const std::size_t seed = std::stoul(run.key.substr(run.key.rfind(' ') + 1));
    const auto curve = [&](const char* name) -> const std::vector<double>* {
      const auto at = curves.find(name);
      if (at == curves.end() || at->second.empty()) return nullptr;
      return &at->second[std::min(seed, at->second.size() - 1)];
    };
    const auto *flops = curve("flops"), *train = curve("train_loss"), *val = curve("val_loss"),
               *test = curve("test_loss");
    std::vector<train::HistoryRow> rows;
    if (flops == nullptr || train == nullptr || test == nullptr) return rows;
    for (std::size_t i = 0; i < std::min({flops->size(), train->size(), test->size()}); ++i) {
      train::HistoryRow& row = rows.emplace_back();
      row.epoch = static_cast<std::int64_t>(i + 1);
      row.flops = static_cast<std::uint64_t>((*flops)[i]);
      row.train_loss = (*train)[i];
      row.test_loss = (*test)[i];
      if (val != nullptr && i < val->size()) row.val_loss = (*val)[i];
    }
    return rows;
  }
  return inside_->store->curve(run.key);
}

Series Study::curve(const Outcome& outcome, const std::string& title, const Value& value) {
  Series line;
  line.title = title;
  std::vector<std::vector<double>> by_epoch;
  for (const RunSummary& run : outcome.runs) {
    const auto rows = history(run);
    line.members.emplace_back();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i == line.x.size()) {
        line.x.push_back(static_cast<double>(rows[i].epoch));
        by_epoch.emplace_back();
      }
      const double found = value(rows[i]).value_or(nan);
      line.members.back().push_back(found);
      by_epoch[i].push_back(found);
    }
  }
  for (std::vector<double>& member : line.members) member.resize(line.x.size(), nan);
  for (const auto& values : by_epoch) {
    const Interval mean = mean_interval(values);
    line.y.push_back(mean.mean);
    if (outcome.runs.size() < 2) continue;
    line.low.push_back(mean.low);
    line.high.push_back(mean.high);
  }
  if (outcome.runs.size() < 2) line.members.clear();
  return line;
}

void Study::draw(const std::string& file, Plot plot) {
  plot.moving_average = static_cast<int>(options_.moving_average);
  const std::string base = file.empty() ? fmt::format("plot-{}", results_.pictures.size() + 1) : file;
  if (const std::string problem = lab::draw(plot, options_.out_dir + "/" + base); !problem.empty()) {
    const std::string sentence = fmt::format("no plot \"{}\": {}", plot.title, problem);
    if (!gnuplot_hangs()) {
      warn(sentence);
    } else {  // the same for all plots to come, and what the program waited for
      results_.warnings.push_back(sentence);
      if (!std::exchange(told_of_gnuplot_, true)) say(fmt::format("{}: {}\n", question_.program, sentence));
    }
  }
  results_.pictures.push_back({plot.title, base});
}

void Study::draw_curves(const Plot& plot) {
  if (std::any_of(plot.series.begin(), plot.series.end(), [](const Series& line) { return !line.x.empty(); }))
    draw("", plot);
}

void Study::conclude(const std::string& sentence) {
  sentences_.push_back([sentence](const std::vector<Judgement>&) { return sentence; });
}

void Study::compare(const Outcome& a, const Outcome& b, const std::string& before,
                    const std::optional<Metric>& by) {
  const Metric metric = by.value_or(judging_.metric);
  const auto pairs = pairs_of(a, b, metric);
  const Family::Place place =
      family_.add(metric.name, pairs.first, pairs.second, metric.share ? equal_within : 0,
                  settings_of(a.cell, first_seed(a.cell)), settings_of(b.cell, first_seed(b.cell)));
  sentences_.push_back([a, b, before, metric, place](const std::vector<Judgement>& all) {
    std::string sentence = tell_difference(a, b, metric, place.in(all));
    if (before.ends_with("? ")) sentence = begun(std::move(sentence));
    return before + sentence;
  });
}

void Study::best_of(std::span<const Outcome> outcomes, const std::string& what) {
  const Outcome& first = best(outcomes, judging_);
  std::vector<Family::Place> places;
  for (const Outcome& outcome : outcomes) {
    if (&outcome == &first) continue;
    const auto pairs = pairs_of(first, outcome, judging_.metric);
    places.push_back(family_.add(judging_.metric.name, pairs.first, pairs.second, 0,
                                 settings_of(first.cell, first_seed(first.cell)),
                                 settings_of(outcome.cell, first_seed(outcome.cell))));
  }
  sentences_.push_back([own = Outcomes(outcomes.begin(), outcomes.end()), what, places,
                        judging = judging_](const std::vector<Judgement>& all) {
    std::vector<Judgement> others;
    for (const Family::Place& place : places) others.push_back(place.in(all));
    return tell_best(own, what, others, judging);
  });
}

void Study::compare(const std::string& group, std::span<const double> a, std::span<const double> b,
                    const std::function<std::string(const Judgement&)>& sentence) {
  const Family::Place place = family_.add(group, a, b);
  sentences_.push_back(
      [place, sentence](const std::vector<Judgement>& all) { return sentence(place.in(all)); });
}

void Study::check(const std::string& name, const std::string& text) {
  inside_->checks.emplace_back(name, text);
}
void Study::warn(const std::string& sentence) {
  results_.warnings.push_back(sentence);
  if (!options_.quiet) say(fmt::format("{}: {}\n", question_.program, sentence));
}
void Study::number(const std::string& name, double value) { results_.numbers[name] = value; }

// After M. Li et al. 2025.
void Study::fill_checklist() {
  const bool own = question_.run != nullptr;
  std::set<std::int64_t> held_out;
  bool every_epoch = false;
  for (const std::string& settings : inside_->shown) {
    const auto config = ordered_json::parse(settings);
    if (own) continue;
    held_out.insert(config.at("validation").get<std::int64_t>());
    every_epoch = every_epoch || config.at("test-every-epoch").get<bool>();
  }
  const bool validated = own ? !question_.chosen_by.name.empty() : *held_out.rbegin() > 0;
  auto& list = results_.checklist;
  list.emplace_back(
      "counted",
      fmt::format("{} runs of {} cells; one that diverged counts with its {}. FLOPs are those that {}, "
                  "{}evaluations not among them",
                  inside_->runs, results_.points.size(), judging_.metric.name,
                  own ? "the runs tell of" : "ran in training",
                  inside_->tuned_cells > 0 ? "searches for learning rates included, " : ""));
  list.emplace_back(
      "tuned", inside_->tuned_cells == 0
                   ? "nothing: every cell has the question's own settings"
                   : fmt::format("the learning rate of {} cells, on seed {} alone, by steps of two, by {} "
                                 "after {} epochs of the run that it was used for",
                                 inside_->tuned_cells, options_.seed,
                                 !own        ? Metric::val_loss.name
                                 : validated ? question_.chosen_by.name
                                             : judging_.metric.name,
                                 fmt::join(inside_->tuned, ", ")));
  list.emplace_back(
      "chosen",
      own         ? fmt::format("whatever is called the best, by {}; within a run, what its function chooses",
                        validated ? question_.chosen_by.name : judging_.metric.name)
      : validated ? "the epoch whose weights count, by validation loss; whatever is called the best "
                    "by validation, by validation accuracy"
                  : "nothing by validation: the last epoch counts, and whatever is called the best "
                    "is so on the test set that it is told of");
  list.emplace_back(
      "held out",
      own ? "what the runs' function holds out"
      : validated
          ? fmt::format("{} training examples, from training; the test set, {}", fmt::join(held_out, " or "),
                        every_epoch ? "measured after every epoch, by which nothing is chosen"
                                    : "measured once a run")
          : "no training examples");
  list.emplace_back("excluded", results_.failures.empty()
                                    ? "nothing"
                                    : fmt::format("{} runs that failed", results_.failures.size()));
  list.emplace_back(
      "compared",
      family_.size() == 0
          ? "nothing: no two outcomes are compared"
          : fmt::format("{} pairs, by seed, as one family: what is called better stands by Holm's correction "
                        "for all of them at 5 %, and their variances borrow from one another (Smyth 2004)",
                        family_.size()));
  inside_->images.erase(0);
  const std::string test_set =
      inside_->images.empty() ? "this test set"
                              : fmt::format("this test set of {} images", fmt::join(inside_->images, " or "));
  list.emplace_back(
      "intervals",
      own ? "± is half of a 95 % interval over seeds"
          : fmt::format("± is half of a 95 % interval over seeds, for {}; \"± by images\" is what "
                        "another test set of as many may move an accuracy at most",
                        test_set));
  if (inside_->from && !inside_->taken.empty())
    list.emplace_back("told again",
                      fmt::format("from the runs of {} by commit {}, whose texts and statistics are new",
                                  inside_->from->date, inside_->from->commit));
  list.insert(list.end(), inside_->checks.begin(), inside_->checks.end());
}

int Study::finish() {
  const std::vector<Judgement> judgements = family_.judge();
  for (const Sentence& sentence : sentences_) {
    results_.verdicts.push_back(begun(sentence(judgements)) + ".");
  }
  fill_checklist();
  if (inside_->from && !inside_->taken.empty()) {
    const Results& from = *inside_->from;
    if (inside_->used.empty())
      results_.machine = from.machine, results_.version = from.version, results_.commit = from.commit,
      results_.date = from.date;
    else
      results_.machine = from.machine + "; " + results_.machine;
    results_.cost.runs += from.cost.runs;
    results_.cost.seconds += from.cost.seconds;
    results_.cost.flops += from.cost.flops;
  }
  if (inside_->with.size() > 1)
    warn(
        fmt::format("the runs were computed with different instruction sets or libraries ({}): a run's last "
                    "digits depend "
                    "on them",
                    fmt::join(inside_->with, "; ")));
  results_.status = results_.failures.empty() ? "done" : "failed";
  // What all runs have in common.
  const auto text_of = [](const ordered_json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
  };
  std::vector<std::pair<std::string, std::string>> common;
  for (std::size_t i = 0; i < inside_->shown.size(); ++i) {
    const auto config = ordered_json::parse(inside_->shown[i]);
    if (i == 0) {
      for (const auto& [option, value] : config.items())
        if (option != "seed") common.emplace_back(option, text_of(value));
      continue;
    }
    std::erase_if(common, [&](const auto& item) { return text_of(config[item.first]) != item.second; });
  }
  results_.configuration = std::move(common);
  const auto [first, last] = std::pair(*inside_->seeds.begin(), *inside_->seeds.rbegin());
  if (last - first + 1 == static_cast<std::int64_t>(inside_->seeds.size()) && first < last)
    results_.configuration.emplace_back("seeds", fmt::format("{} ... {}", first, last));
  else
    results_.configuration.emplace_back("seeds", fmt::format("{}", fmt::join(inside_->seeds, ", ")));
  write_report(options_.out_dir, results_);
  if (options_.json) {
    fmt::print("{}", with_digest(to_json(results_)));  // as results.json
  } else {
    for (const Table& table : results_.tables) fmt::print("{}\n", to_text(table));
    for (const std::string& sentence : results_.verdicts) fmt::print("{}\n", sentence);
    fmt::print("{}\n", options_.out_dir + "/report.html");
  }
  return results_.failures.empty() ? exit_done : exit_failed;
}

}  // namespace elk::lab
