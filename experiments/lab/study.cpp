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
#include <elk/base/parallel.hpp>
#include <elk/data/load.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/io/digest.hpp>
#include <lab/command_line.hpp>
#include <lab/distributed/ranks.hpp>
#include <lab/gnuplot.hpp>
#include <lab/program.hpp>
#include <lab/provenance.hpp>
#include <lab/report.hpp>
#include <lab/runner.hpp>
#include <lab/shell.hpp>

namespace elk::lab {

namespace {

namespace po = boost::program_options;
using nlohmann::ordered_json;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct DryRunDone {};

// Shown in percent.
bool is_share(Metric metric) {
  return metric == Metric::test_accuracy || metric == Metric::test_error || metric == Metric::val_accuracy;
}

std::optional<double> of(const RunSummary& run, Metric metric) {
  switch (metric) {
    case Metric::test_accuracy: return run.test_accuracy;
    case Metric::test_error: return run.test_accuracy ? std::optional(1 - *run.test_accuracy) : std::nullopt;
    case Metric::test_loss: return run.test_loss;
    case Metric::val_accuracy: return run.val_accuracy;
    case Metric::val_loss: return run.val_loss;
    case Metric::train_loss: return run.train_loss;
  }
  return std::nullopt;
}

// "98.41 ± 0.06", of an accuracy in percent.
std::string shown(const Interval& interval, bool accuracy) {
  if (!std::isfinite(interval.mean)) return "-";
  const double scale = accuracy ? 100 : 1;
  const int decimals = accuracy ? 2 : 4;
  if (std::isnan(interval.low)) return fmt::format("{:.{}f}", interval.mean * scale, decimals);
  return fmt::format("{:.{}f} ± {:.{}f}", interval.mean * scale, decimals,
                     (interval.high - interval.mean) * scale, decimals);
}

Estimate estimate(const Outcome& outcome, Metric metric) {
  const Interval interval = outcome.mean(metric);
  return {interval.mean, interval.low, interval.high, outcome.values(metric)};
}

// With a capital letter.
std::string begun(std::string sentence) {
  if (sentence[0] >= 'a' && sentence[0] <= 'z') sentence[0] = static_cast<char>(sentence[0] - 'a' + 'A');
  return sentence;
}

std::int64_t tuning_epochs(const Cell& cell) {
  if (cell.tune_epochs > 0) return std::min(cell.tune_epochs, cell.config.epochs);
  return std::clamp<std::int64_t>(cell.config.epochs / 2, 1, 3);
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

std::string name(Metric metric) {
  switch (metric) {
    case Metric::test_accuracy: return "test accuracy";
    case Metric::test_error: return "test error";
    case Metric::test_loss: return "test loss";
    case Metric::val_accuracy: return "validation accuracy";
    case Metric::val_loss: return "validation loss";
    case Metric::train_loss: return "training loss";
  }
  return "";
}

std::string text(double number) { return fmt::format("{:g}", number); }
std::string decimal(double number) { return fmt::format("{:.2f}", number); }
std::string with_interval(const Interval& loss) { return shown(loss, false); }
std::string flops_text(double flops) { return fmt::format("{:.2e}", flops); }
std::string percent(double share) { return fmt::format("{:.2f}", 100 * share); }

std::vector<double> Outcome::values(Metric metric) const {
  std::vector<double> all;
  for (const RunSummary& run : runs)
    if (run.status != "failed") all.push_back(of(run, metric).value_or(nan));
  return all;
}

Interval Outcome::mean(Metric metric) const {
  const std::vector<double> all = values(metric);
  return all.empty() ? Interval{nan, nan, nan} : mean_interval(all);
}

int Outcome::count(const std::string& status) const {
  return static_cast<int>(
      std::count_if(runs.begin(), runs.end(), [&](const RunSummary& run) { return run.status == status; }));
}

std::pair<std::vector<double>, std::vector<double>> pairs_of(const Outcome& a, const Outcome& b,
                                                             Metric metric) {
  std::pair<std::vector<double>, std::vector<double>> pairs;
  for (std::size_t i = 0; i < std::min(a.runs.size(), b.runs.size()); ++i) {
    if (a.runs[i].status == "failed" || b.runs[i].status == "failed") continue;
    pairs.first.push_back(of(a.runs[i], metric).value_or(nan));
    pairs.second.push_back(of(b.runs[i], metric).value_or(nan));
  }
  return pairs;
}

std::string tell_difference(const Outcome& a, const Outcome& b, Metric metric, const Judgement& found) {
  const double scale = is_share(metric) ? 100 : 1;
  const char* unit = is_share(metric) ? " points" : "";
  const int decimals = is_share(metric) ? 2 : 4;
  if (std::isnan(found.mean))
    return fmt::format("{} and {} cannot be compared by {}: no run of both came to its end", a.cell.label,
                       b.cell.label, name(metric));
  if (std::isnan(found.low))
    return fmt::format("{} and {} differ by {:.{}f}{} of {} in {}: one seed, which resolves nothing",
                       a.cell.label, b.cell.label, found.mean * scale, decimals, unit, name(metric),
                       std::min(a.runs.size(), b.runs.size()) == 1 ? "one run each" : "too few runs");
  const double half = (found.high - found.mean) * scale;
  if (found.stands) {
    const bool a_better = (found.mean > 0) == is_share(metric);
    return fmt::format("{} is better than {} by {:.{}f} ± {:.{}f}{} of {} ({} seeds)",
                       a_better ? a.cell.label : b.cell.label, a_better ? b.cell.label : a.cell.label,
                       std::abs(found.mean) * scale, decimals, half, decimals, unit, name(metric),
                       found.pairs);
  }
  std::string sentence =
      fmt::format("the difference between {} and {} is {:.{}f} ± {:.{}f}{} of {}: ", a.cell.label,
                  b.cell.label, found.mean * scale, decimals, half, decimals, unit, name(metric));
  if (found.equal)
    return sentence + fmt::format("shown to be less than {:.2f} points either way", 100 * equal_within);
  sentence += found.resolved() ? "not resolved among all comparisons of this report"
                               : fmt::format("not resolved by {} seeds", found.pairs);
  if (is_share(metric))
    sentence += fmt::format(", nor shown to be less than {:.2f} points", 100 * equal_within);
  return sentence;
}

namespace {

// "0.001, 0.004 to 0.016, 0.2": those of `chosen`, by their places among `outcomes`; three and more numbers
// in a row, but for `left_out`, are a range. Where even these are many: how many there are between the first
// and the last.
std::string listed(std::span<const Outcome> outcomes, const std::vector<bool>& chosen, std::size_t left_out) {
  constexpr std::size_t most = 8;
  const auto is_number = [&](std::size_t i) {
    double value = 0;
    const std::string& label = outcomes[i].cell.label;
    const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), value);
    return error == std::errc() && end == label.data() + label.size();
  };
  std::vector<std::string> parts;
  std::size_t count = 0, first = outcomes.size(), last = 0;
  bool numbers = true;
  for (std::size_t i = 0; i < outcomes.size();) {
    if (!chosen[i]) {
      ++i;
      continue;
    }
    std::vector<std::size_t> row;
    for (; i < outcomes.size() && (chosen[i] || i == left_out); ++i)
      if (chosen[i]) row.push_back(i);
    first = std::min(first, row.front()), last = row.back(), count += row.size();
    const bool all_numbers = std::all_of(row.begin(), row.end(), is_number);
    numbers = numbers && all_numbers;
    if (row.size() > 2 && all_numbers)
      parts.push_back(outcomes[row.front()].cell.label + " to " + outcomes[row.back()].cell.label);
    else
      for (const std::size_t at : row) parts.push_back(outcomes[at].cell.label);
  }
  if (parts.size() > most && numbers)
    return fmt::format("{} others from {} to {}", count, outcomes[first].cell.label,
                       outcomes[last].cell.label);
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

const Outcome& best(std::span<const Outcome> outcomes) {
  if (outcomes.empty()) throw ValueError("[study] there are no outcomes to take the best of");
  const auto score = [](const Outcome& outcome) {
    const double validation = outcome.mean(Metric::val_accuracy).mean;
    const double found = std::isnan(validation) ? outcome.mean(Metric::test_accuracy).mean : validation;
    return std::isnan(found) ? -1 : found;
  };
  return *std::max_element(outcomes.begin(), outcomes.end(),
                           [&](const Outcome& a, const Outcome& b) { return score(a) < score(b); });
}

std::string tell_best(std::span<const Outcome> outcomes, const std::string& what,
                      const std::vector<Judgement>& others) {
  const Outcome& first = best(outcomes);
  const auto place = static_cast<std::size_t>(&first - outcomes.data());
  if (std::isnan(first.mean(Metric::test_accuracy).mean))
    return fmt::format("{}: no run came to its end, so that none is the best", what);
  const bool validated = !std::isnan(first.mean(Metric::val_accuracy).mean);
  std::vector<bool> same(outcomes.size()), worse(outcomes.size());
  for (std::size_t i = 0, other = 0; i < outcomes.size(); ++i) {
    if (i == place) continue;
    const Judgement& found = others.at(other++);
    (found.stands && found.mean > 0 ? worse : same)[i] = true;
  }
  std::string sentence =
      fmt::format("{} {} is the best by {}: test accuracy {} %", what, first.cell.label,
                  validated ? "validation" : "test accuracy", shown(first.mean(Metric::test_accuracy), true));
  if (first.runs.size() < 2) return sentence + "; one seed tells it apart from no other";
  if (const std::string list = listed(outcomes, worse, place); !list.empty())
    sentence += fmt::format("; it is better than {}", list);
  if (const std::string list = listed(outcomes, same, place); !list.empty())
    sentence += fmt::format("; {} seeds do not tell it apart from {}", first.runs.size(), list);
  return sentence;
}

namespace {

DataSets data_sets(const Study::Options& o) {
  return DataSets(o.data_dir, o.smoke ? 1000 : o.quick ? 12000 : 0);
}

}  // namespace

struct Study::Inside {
  DataSets data;
  std::optional<Store> store;  // none for a dry run, which leaves nothing behind
  std::optional<Runner> runner;
  std::set<std::string> used;                 // keys of the runs behind the results
  std::vector<TrainConfig> shown;             // one of each cell
  std::set<std::int64_t> seeds;               // of all cells
  std::set<std::string> with;                 // what the runs were computed with, where it was recorded
  std::optional<Results> from;                // whose runs are taken over
  std::map<std::string, const Point*> taken;  // the points they are of, by the keys given to them
  std::int64_t runs = 0;                      // of cells
  std::set<std::string> tuned;                // how learning rates were found
  std::int64_t tuned_cells = 0;
  std::set<std::int64_t> images;
  std::vector<std::pair<std::string, std::string>> checks;

  Inside(const Question& question, const Options& o) : data(data_sets(o)) {
    if (!o.from.empty()) {
      from = parse_results(read_file(o.from), o.from);
      if (from->program != question.program || from->protocol != o.protocol || from->dataset != o.dataset)
        fail<UsageError>("--from: expected results of {} on {} by the {} protocol, {} has {} on {} by {}",
                         question.program, o.dataset, o.protocol, o.from, from->program, from->dataset,
                         from->protocol);
    }
    if (o.dry_run) return;
    store.emplace(o.out_dir);
    runner.emplace(*store, data, RunnerOptions{question.program, static_cast<int>(o.jobs), o.quiet, o.crew});
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
  config.epochs = options_.epochs > 0 ? options_.epochs
                  : options_.smoke    ? std::min<std::int64_t>(epochs, 2)
                  : options_.quick    ? std::min<std::int64_t>(epochs, 5)
                                      : epochs;
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

void Study::add(Cell cell) {
  resolve(cell.config);
  waiting_.push_back(std::move(cell));
}

std::vector<RunSummary> Study::run_all(const std::vector<TrainConfig>& configs) {
  auto runs = inside_->runner->run(configs);
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

// Walks from each cell's rate by factors of two to the one with the lowest validation loss: first with a rate
// on either side, then on, as long as the best lies on the edge of what was tried.
void Study::tune(std::vector<Cell>& cells) {
  constexpr int furthest = 7;  // factors of two to either side
  struct Search {
    Cell* cell;
    TrainConfig config;
    double start;
    std::map<int, double> loss;  // by the power of two
    int low = -1, high = 1;
  };
  std::vector<Search> searches;
  for (Cell& cell : cells) {
    if (!cell.tune) continue;
    TrainConfig config = cell.config;
    config.epochs = tuning_epochs(cell);
    config.early_stop = config.epochs;
    config.seed = options_.seed;
    config.test_every_epoch = false;
    searches.push_back({&cell, config, *config.lr, {}});
    ++inside_->tuned_cells;
    inside_->tuned.insert(fmt::format("{} of {}", config.epochs, cell.config.epochs));
  }
  const auto best_of = [](const Search& search) {
    return std::min_element(search.loss.begin(), search.loss.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->first;
  };
  const auto lr_at = [](const Search& search, int power) { return search.start * std::pow(2.0, power); };
  for (;;) {
    std::vector<TrainConfig> configs;
    std::vector<std::pair<Search*, int>> asked;
    for (Search& search : searches)
      for (int power = search.low; power <= search.high; ++power)
        if (search.loss.count(power) == 0) {
          TrainConfig config = search.config;
          config.lr = lr_at(search, power);
          configs.push_back(config);
          asked.emplace_back(&search, power);
        }
    if (configs.empty()) break;
    const auto runs = run_all(configs);
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const double loss = runs[i].status == "done" ? runs[i].val_loss.value_or(nan) : nan;
      asked[i].first->loss[asked[i].second] = std::isfinite(loss) ? loss : INFINITY;
    }
    for (Search& search : searches) {
      const int best = best_of(search);
      if (best == search.low && -search.low < furthest) --search.low;
      if (best == search.high && search.high < furthest) ++search.high;
    }
  }
  for (Search& search : searches) {
    const int best = best_of(search);
    search.cell->config.lr = lr_at(search, best);
    if (best == search.low || best == search.high)
      warn(fmt::format("{}: the best learning rate, {:g}, lies on the edge of those that were tried",
                       search.cell->label, *search.cell->config.lr));
  }
}

void Study::dry_run(const std::vector<Cell>& cells) {
  std::int64_t runs = 0, searches = 0;
  double seconds = 0;
  for (const Cell& cell : cells) {
    const TrainTest& data = inside_->data[cell.config.dataset];
    const double one = estimated_seconds(cell.config, data);
    const std::int64_t seeds = seeds_of(cell);
    double all = one * static_cast<double>(seeds);
    if (cell.tune) {
      ++searches;
      all += one * 4 * static_cast<double>(tuning_epochs(cell)) / static_cast<double>(cell.config.epochs);
    }
    runs += seeds;
    seconds += all;
    fmt::print("{:<40} {} seeds, {} epochs, about {:.0f} s{}\n",
               cell.series.empty() ? cell.label : cell.series + ", " + cell.label, seeds, cell.config.epochs,
               all, cell.tune ? ", its learning rate found first" : "");
  }
  fmt::print("{} runs, {} searches for a learning rate: about {:.0f} s with {} jobs\n", runs, searches,
             seconds / static_cast<double>(options_.jobs), options_.jobs);
  throw DryRunDone();
}

// What results that are taken over have of a cell: its runs, without the seeds' weights and dates.
std::optional<Outcome> Study::told(const Cell& cell) {
  if (!inside_->from) return std::nullopt;
  const auto wanted = ordered_json::parse(canonical_json(cell.config));
  for (const Point& point : inside_->from->points) {
    const auto config = ordered_json::parse(point.config);
    bool same = point.failed == 0;
    for (const auto& [option, value] : config.items())  // options that came later have their defaults
      same =
          same && (option == "seed" || (option == "lr" && cell.tune) || wanted.value(option, value) == value);
    const auto accuracy = point.measured.find("test_accuracy");
    if (!same || accuracy == point.measured.end()) continue;
    Outcome outcome{cell, {}, point.images, training_examples(point).value_or(0)};
    if (outcome.images == 0 && cell.config.dataset != "digits") outcome.images = 10000;
    if (cell.tune) {
      outcome.cell.config.lr = config.value("lr", nan);
      ++inside_->tuned_cells;
      inside_->tuned.insert(fmt::format("{} of {}", tuning_epochs(cell), cell.config.epochs));
    }
    const std::size_t seeds = accuracy->second.values.size();
    for (std::size_t seed = 0; seed < seeds; ++seed) {
      const auto value = [&](const char* name) -> std::optional<double> {
        const auto at = point.measured.find(name);
        if (at == point.measured.end() || seed >= at->second.values.size()) return std::nullopt;
        return at->second.values[seed];
      };
      RunSummary run;
      run.key = fmt::format("{}, run {}", &point - inside_->from->points.data(), seed);
      run.status = static_cast<std::int64_t>(seed) < point.diverged ? "diverged" : "done";
      run.config = point.config;
      run.test_accuracy = value("test_accuracy"), run.test_loss = value("test_loss");
      run.val_accuracy = value("validation_accuracy"), run.val_loss = value("validation_loss");
      run.train_loss = value("training_loss");
      run.epochs = cell.config.epochs;
      run.parameters = point.parameters;
      run.flops = point.flops / seeds;
      run.seconds = point.seconds / static_cast<double>(seeds);
      inside_->taken[run.key] = &point;
      inside_->seeds.insert((cell.exact ? cell.config.seed : options_.seed) +
                            static_cast<std::int64_t>(seed));
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
  for (const Metric metric :
       {Metric::test_accuracy, Metric::test_loss, Metric::val_accuracy, Metric::val_loss, Metric::train_loss})
    if (std::any_of(outcome.runs.begin(), outcome.runs.end(),
                    [&](const RunSummary& run) { return of(run, metric).has_value(); })) {
      std::string key = name(metric);
      std::replace(key.begin(), key.end(), ' ', '_');
      point.measured[key] = estimate(outcome, metric);
    }
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
  point.config = canonical_json(outcome.cell.config);
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
  std::vector<TrainConfig> configs;
  for (const Cell& cell : missing) {
    for (std::int64_t i = 0; i < seeds_of(cell); ++i) {
      TrainConfig config = cell.config;
      if (!cell.exact) config.seed = options_.seed + i;
      inside_->seeds.insert(config.seed);
      configs.push_back(config);
    }
  }
  const std::vector<RunSummary> runs = configs.empty() ? std::vector<RunSummary>() : run_all(configs);
  auto next = runs.begin();
  auto cell = missing.begin();
  Outcomes outcomes;
  for (std::optional<Outcome>& taken : known) {
    if (taken) {
      outcomes.push_back(std::move(*taken));
    } else {
      Outcome outcome{std::move(*cell++), {}};
      for (std::int64_t i = 0; i < seeds_of(outcome.cell); ++i) outcome.runs.push_back(*next++);
      const TrainTest& data = inside_->data[outcome.cell.config.dataset];
      outcome.images = data.test.size();
      outcome.examples = train_examples(outcome.cell.config, data);
      outcomes.push_back(std::move(outcome));
    }
    inside_->shown.push_back(outcomes.back().cell.config);
    measure(outcomes.back());
  }
  return outcomes;
}

void Study::table(const std::string& title, const std::string& what, std::span<const Outcome> outcomes,
                  const std::string& note) {
  const auto any = [&](auto test) { return std::any_of(outcomes.begin(), outcomes.end(), test); };
  const bool series = any([](const Outcome& o) { return !o.cell.series.empty(); });
  const bool reported = any([](const Outcome& o) { return o.cell.reported.has_value(); });
  const bool validated = any([](const Outcome& o) { return !std::isnan(o.mean(Metric::val_accuracy).mean); });
  const bool tuned = any([](const Outcome& o) { return o.cell.tune; });
  const bool diverged = any([](const Outcome& o) { return o.count("diverged") > 0; });
  const bool failed = any([](const Outcome& o) { return o.count("failed") > 0; });
  Table table{.title = title, .columns = {}, .rows = {}, .note = note};
  if (series) table.columns.push_back("");
  table.columns.push_back(what);
  if (reported) table.columns.push_back("the study, %");
  table.columns.push_back("test accuracy, %");
  const bool images = any([](const Outcome& o) { return o.images > 0; });
  if (images) table.columns.push_back("± by images");
  if (reported) table.columns.push_back("agree");
  table.columns.push_back("test loss");
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
    row.push_back(shown(outcome.mean(Metric::test_accuracy), true));
    const double by = by_images(outcome.mean(Metric::test_accuracy).mean, outcome.images);
    if (images) row.push_back(std::isfinite(by) ? fmt::format("{:.2f}", 100 * by) : "-");
    if (reported) row.push_back(agreement(outcome));
    row.push_back(shown(outcome.mean(Metric::test_loss), false));
    if (validated) row.push_back(shown(outcome.mean(Metric::val_accuracy), true));
    if (tuned) row.push_back(fmt::format("{:g}", *outcome.cell.config.lr));
    if (diverged) row.push_back(std::to_string(outcome.count("diverged")));
    if (failed) row.push_back(std::to_string(outcome.count("failed")));
    row.push_back(std::to_string(outcome.runs.size()));
    table.rows.push_back(std::move(row));
  }
  this->table(std::move(table));
}

void Study::table(Table table) { results_.tables.push_back(std::move(table)); }

void Study::plot(const std::string& title, const std::string& x_label, std::span<const Outcome> outcomes,
                 Metric metric, PlotOptions options, std::vector<Series> extra) {
  const bool share = is_share(metric);
  const double scale = share ? 100 : 1;
  Plot plot;
  plot.title = title;
  plot.x_label = x_label;
  plot.y_label = name(metric) + (share ? ", %" : "");
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

void Study::compare(const Outcome& a, const Outcome& b, const std::string& before, Metric metric) {
  const auto pairs = pairs_of(a, b, metric);
  const Family::Place place =
      family_.add(name(metric), pairs.first, pairs.second, is_share(metric) ? equal_within : 0,
                  canonical_json(a.cell.config), canonical_json(b.cell.config));
  sentences_.push_back([a, b, before, metric, place](const std::vector<Judgement>& all) {
    std::string sentence = tell_difference(a, b, metric, place.in(all));
    if (before.ends_with("? ")) sentence = begun(std::move(sentence));
    return before + sentence;
  });
}

void Study::best_of(std::span<const Outcome> outcomes, const std::string& what) {
  const Outcome& first = best(outcomes);
  std::vector<Family::Place> places;
  for (const Outcome& outcome : outcomes) {
    if (&outcome == &first) continue;
    const auto pairs = pairs_of(first, outcome, Metric::test_accuracy);
    places.push_back(family_.add(name(Metric::test_accuracy), pairs.first, pairs.second, 0,
                                 canonical_json(first.cell.config), canonical_json(outcome.cell.config)));
  }
  sentences_.push_back(
      [own = Outcomes(outcomes.begin(), outcomes.end()), what, places](const std::vector<Judgement>& all) {
        std::vector<Judgement> others;
        for (const Family::Place& place : places) others.push_back(place.in(all));
        return tell_best(own, what, others);
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
  const auto& configs = inside_->shown;
  const auto any = [&](auto test) { return std::any_of(configs.begin(), configs.end(), test); };
  std::set<std::int64_t> held_out;
  for (const TrainConfig& config : configs) held_out.insert(config.validation.value_or(0));
  const bool validated = *held_out.rbegin() > 0;
  const bool every_epoch = any([](const TrainConfig& config) { return config.test_every_epoch; });
  auto& list = results_.checklist;
  list.emplace_back(
      "counted",
      fmt::format("{} runs of {} cells; one that diverged counts with its test accuracy. FLOPs are those "
                  "that ran in training, {}evaluations not among them",
                  inside_->runs, results_.points.size(),
                  inside_->tuned_cells > 0 ? "searches for learning rates included, " : ""));
  list.emplace_back("tuned",
                    inside_->tuned_cells == 0
                        ? "nothing: every cell has the question's own settings"
                        : fmt::format("the learning rate of {} cells, on seed {} alone, by steps of two, by "
                                      "validation loss after {} epochs of the run that it was used for",
                                      inside_->tuned_cells, options_.seed, fmt::join(inside_->tuned, ", ")));
  list.emplace_back(
      "chosen", validated ? "the epoch whose weights count, by validation loss; whatever is called the best "
                            "by validation, by validation accuracy"
                          : "nothing by validation: the last epoch counts, and whatever is called the best "
                            "is so on the test set that it is told of");
  list.emplace_back(
      "held out",
      validated
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
  list.emplace_back("intervals",
                    fmt::format("± is half of a 95 % interval over seeds, for {}; \"± by images\" is what "
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
    const auto config = ordered_json::parse(to_json(inside_->shown[i]));
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

namespace {

struct Line {
  Study::Options options;
  std::string help;
};

Line parse(int argc, char** argv, const Question& question) {
  Line line;
  Study::Options& o = line.options;
  std::string config_file;
  bool print_config = false;
  std::vector<std::string> lists(question.grids.size());
  const auto number = [](std::int64_t& field) { return po::value(&field)->value_name("N"); };
  po::options_description experiment("The experiment"), running("Running"), all;
  auto add = experiment.add_options();
  add("protocol", po::value(&o.protocol)->value_name("P"),
      "sound (default): mean gradients, held-out examples choose, the test set is used once; or paper: the "
      "study's own "
      "configuration");
  add("dataset", po::value(&o.dataset)->value_name("NAME"),
      fmt::format("digits (built in), mnist, fashion-mnist or cifar-10; default {}, with --smoke digits",
                  question.dataset)
          .c_str());
  add("seeds", number(o.seeds),
      "runs of every cell, with seeds from --seed on; default 5, with --quick 3, --smoke 2");
  add("seed", number(o.seed), "the first seed; default 100, the study's");
  add("epochs", number(o.epochs), "passes over the training examples; default: depends on the question");
  for (std::size_t i = 0; i < question.grids.size(); ++i)
    add(question.grids[i].name, po::value(&lists[i])->value_name("A,B,..."), question.grids[i].help);
  add("quick", po::bool_switch(&o.quick), "about a minute: fewer cells, examples, epochs and seeds");
  add("smoke", po::bool_switch(&o.smoke), "seconds: very little of everything, only to see that it works");
  add("full", po::bool_switch(&o.full), "the largest grid there is");
  add = running.add_options();
  add("dry-run", po::bool_switch(&o.dry_run), "print the cells and the time they may take, and end");
  add("jobs", number(o.jobs),
      "runs at once, each on one thread; default: the number of processors; results do not depend on it");
  add("out-dir", po::value(&o.out_dir)->value_name("DIR"),
      fmt::format("folder of the runs, the plots and the report; default runs/{}. Runs that it has are not "
                  "made again",
                  question.program)
          .c_str());
  add("from", po::value(&o.from)->value_name("FILE"),
      "a results.json: take its runs and make the report from them again; only missing runs are made");
  add("data-dir", po::value(&o.data_dir)->value_name("DIR"),
      "where the data files are; default: $ELK_DATA_DIR, or data");
  add("moving-average", number(o.moving_average), "smooth the lines of plots over N points");
  add("config", po::value(&config_file)->value_name("FILE"),
      "read options from a JSON file; options given here override them");
  add("print-config", po::bool_switch(&print_config), "print the options as JSON and end");
  add("quiet", po::bool_switch(&o.quiet), "no progress, only the result");
  add("json", po::bool_switch(&o.json), "print results.json in place of tables");
  add("help", "print this and end");
  add("version", "print the version and end");
  all.add(experiment).add(running);

  po::variables_map values;
  const auto others = parse_options({argv + std::min(argc, 1), argv + argc}, all, values);
  if (!others.empty()) fail<UsageError>("unexpected argument \"{}\"", others.front());
  if (values.count("config") > 0) store_config_file(values["config"].as<std::string>(), all, values);
  po::notify(values);
  line.help = help_or_version(
      values, fmt::format("Usage: ./elk {} [options]\n\n{}\n\n", question.program, question.question),
      {&experiment, &running},
      "\n"
      "Exit codes: 0 done, 1 a run failed, 2 wrong usage, 130 or 143 stopped by a signal; the same command "
      "continues.\n");
  if (!line.help.empty()) return line;

  if (o.protocol != "sound" && o.protocol != "paper")
    fail<UsageError>("--protocol: expected sound, paper, got \"{}\"", o.protocol);
  if (o.quick + o.smoke + o.full > 1) fail<UsageError>("--quick, --smoke and --full: give one of them");
  if (values.count("seeds") == 0) o.seeds = o.smoke ? 2 : o.quick ? 3 : 5;
  if (values.count("jobs") == 0) o.jobs = available_processors();
  if (o.dataset.empty()) o.dataset = o.smoke ? "digits" : question.dataset;
  const auto& known = dataset_names();
  if (std::find(known.begin(), known.end(), o.dataset) == known.end())
    fail<UsageError>("--dataset: expected {}, got \"{}\"", fmt::join(known, ", "), o.dataset);
  const auto given_in_range = [&](const char* option, std::int64_t value, double low, double high) {
    if (values.count(option) > 0) in_range(option, static_cast<double>(value), low, high);
  };
  given_in_range("seeds", o.seeds, 1, 10000);
  given_in_range("seed", o.seed, 0, 4294957295);
  given_in_range("epochs", o.epochs, 1, 1e6);
  given_in_range("jobs", o.jobs, 1, 256);
  given_in_range("moving-average", o.moving_average, 1, 1000);
  if (o.out_dir.empty()) o.out_dir = fmt::format("runs/{}", question.program);
  o.data_dir = data_folder(o.data_dir);
  for (std::size_t i = 0; i < question.grids.size(); ++i)
    if (values.count(question.grids[i].name) > 0) o.grids.emplace_back(question.grids[i].name, lists[i]);
  if (print_config) {
    ordered_json object{
        {"protocol", o.protocol}, {"dataset", o.dataset}, {"seeds", o.seeds}, {"seed", o.seed}};
    if (o.epochs > 0) object["epochs"] = o.epochs;
    for (const auto& [grid, list] : o.grids) object[grid] = list;
    object.update({{"quick", o.quick}, {"smoke", o.smoke}, {"full", o.full}});
    line.help = object.dump(2) + "\n";
  }
  return line;
}

}  // namespace

int run_study(int argc, char** argv, const Question& question, void (*ask)(Study&)) {
  const auto lead = [&](int count, char** words, Ranks& ranks) -> int {
    Line line = parse(count, words, question);
    if (!line.help.empty()) {
      fmt::print("{}", line.help);
      return exit_done;
    }
    catch_signals();
    if (ranks.size() > 1) {
      line.options.crew = &ranks;
      line.options.jobs = ranks.size() - 1;
    }
    std::vector<std::string> command{question.program};
    command.insert(command.end(), words + 1, words + count);
    if (!line.options.from.empty()) command = without_places(std::move(command));
    Study study(question, line.options, elk_command(command));
    try {
      ask(study);
    } catch (const DryRunDone&) {
      return exit_done;
    } catch (const Runner::Stopped&) {
      say(fmt::format(
          "{}: stopped; what was complete is kept in {}, and the same command continues from there\n",
          question.program, line.options.out_dir));
      return 128 + stop_signal();
    }
    return study.finish();
  };
  return run_on_ranks(argc, argv, [&](int count, char** words, Ranks& ranks) -> int {
    if (ranks.first()) {
      const int code = lead(count, words, ranks);
      dismiss(ranks, question.program);
      return code;
    }
    catch_signals();
    DataSets data = data_sets(parse(count, words, question).options);
    work(ranks, data);
    return exit_done;
  });
}

}  // namespace elk::lab
