#include <lab/study.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include <nlohmann/json.hpp>

#include <elk/base/format.hpp>
#include <elk/base/machine.hpp>
#include <elk/io/atomic_file.hpp>
#include <lab/forecast.hpp>
#include <lab/program.hpp>
#include <lab/provenance.hpp>
#include <lab/statistics.hpp>
#include <lab/study_inside.hpp>
#include <lab/trainings.hpp>

namespace elk::lab {

namespace {

using nlohmann::ordered_json;

}  // namespace

std::int64_t epochs_of(const Cell& cell) {
  if (cell.settings.empty()) return cell.config.epochs;
  return cell.settings.has("epochs") ? cell.settings.integer("epochs") : 0;
}

double rate_of(const Cell& cell) {
  return cell.settings.empty() ? *cell.config.lr : cell.settings.number("lr");
}

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

namespace {

void set_rate(Cell& cell, double lr) {
  if (cell.settings.empty())
    cell.config.lr = lr;
  else
    cell.settings.set("lr", lr);
}

// A search for a rate begins with shorter runs of so many epochs; 0: at once with the cell's own.
std::int64_t short_epochs(const Cell& cell) {
  if (!cell.settings.empty()) return 0;
  const std::int64_t few = std::max<std::int64_t>(3, cell.config.epochs / 5);
  return 2 * few <= cell.config.epochs ? few : 0;
}

// What is run to judge a rate. At the full length, the runs of the rate that is chosen are the cell's own.
Cell trial_of(Cell cell, std::int64_t few) {
  if (few > 0) {
    cell.config.epochs = cell.config.early_stop = few;
    cell.config.test_every_epoch = false;
  }
  cell.config.ensemble = 1;  // its networks are all alike
  return cell;
}

}  // namespace

std::unique_ptr<Work> Study::make_work(const Question& question, const Options& o) {
  if (question.work) return question.work(o.dataset, o.data_dir);
  const Index few = o.smoke ? 1000 : o.quick ? 12000 : 0;
  if (!question.run) return std::make_unique<Trainings>(DataSets(o.data_dir, few, question.digits));
  std::vector<std::string> expected;
  for (const Metric& metric : question.metrics) expected.push_back(metric.key());
  if (!question.chosen_by.name.empty()) expected.push_back(question.chosen_by.key());
  return std::make_unique<FunctionWork>(question.run, question.data, std::move(expected), question.schedule);
}

Study::Inside::Inside(const Question& question, const Options& o) : work(make_work(question, o)) {
  if (!o.from.empty()) {
    from = parse_results(read_file(o.from), o.from);
    if (from->program != question.program || from->protocol != o.protocol || from->dataset != o.dataset)
      fail<UsageError>("--from: expected results of {} on {} by the {} protocol, {} has {} on {} by {}",
                       question.program, o.dataset, o.protocol, o.from, from->program, from->dataset,
                       from->protocol);
    if (from->data != question.data)
      fail<UsageError>("--from: expected results of the data \"{}\", {} has those of \"{}\"", question.data,
                       o.from, from->data);
    for (const auto& [option, given] : {std::pair("--quick", o.quick), std::pair("--smoke", o.smoke)})
      if (made_with(*from, option) != given)
        fail<UsageError>("--from: {} was made {} {}, which takes other data", o.from,
                         given ? "without" : "with", option);
  }
  if (o.dry_run) return;
  store.emplace(o.out_dir);
  runner.emplace(*store, *work, RunnerOptions{question.program, static_cast<int>(o.jobs), o.quiet, o.crew});
}

Study::Study(const Question& question, Options options, const std::string& command)
    : question_(question), options_(std::move(options)) {
  results_.program = question.program;
  results_.title = question.title;
  results_.question = question.question;
  results_.protocol = options_.protocol;
  results_.dataset = options_.dataset;
  results_.data = question.data;
  results_.command = command;
  results_.version = version();
  results_.commit = commit();
  results_.date = utc_date();
  results_.machine = fmt::format("{}, {} jobs of one thread, {}", processor_name(), options_.jobs,
                                 to_string(computed_with()));
  if (question.own()) {
    if (question.metrics.empty())
      throw ValueError("[study] a question with a function of its own needs metrics");
    metrics_ = question.metrics;
    if (!question.chosen_by.name.empty()) metrics_.push_back(question.chosen_by);
    judging_ = {question.metrics.front(), question.chosen_by};
    results_.compared = judging_.metric.key();
  } else {
    metrics_.insert(metrics_.end(), question.metrics.begin(), question.metrics.end());
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
          value > options.most || (value == 0 && !options.zero) || (whole && !is_whole(value)))
        fail<UsageError>(
            "--{}: expected {}numbers {} 0{}, such as {}, got \"{}\"", name, whole ? "whole " : "",
            options.zero ? "from" : "above",
            std::isfinite(options.most) ? fmt::format(" up to {:g}", options.most) : "",
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

const TrainTest& Study::data(const std::string& name) const {
  if (question_.own()) throw ValueError("[study] the function of a study of one's own has its own data");
  return static_cast<Trainings&>(*inside_->work).data_sets()[name];
}

void Study::add(Cell cell) {
  if (!question_.own()) {
    resolve(cell.config);
  } else if (cell.settings.empty()) {
    throw ValueError(fmt::format("[study] the cell {} has no settings", cell.label));
  }
  waiting_.push_back(std::move(cell));
}

std::vector<RunSummary> Study::run_all(const std::vector<std::string>& settings,
                                       const std::vector<double>& bars) {
  auto runs = inside_->runner->run(settings, bars);
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

const Metric& Study::rate_metric() const {
  if (!question_.own()) return Metric::val_loss;
  return question_.chosen_by.name.empty() ? judging_.metric : question_.chosen_by;
}

// What a rate is judged by: the less the better.
double Study::cost_of(const RunSummary& run) const {
  if (run.status != "done") return INFINITY;
  const Metric& metric = rate_metric();
  const double value = value_of(run, metric).value_or(nan);
  return std::isfinite(value) ? (metric.more_is_better ? -value : value) : INFINITY;
}

void Study::check_stop_hopeless() const {
  if (!options_.stop_hopeless) return;
  std::int64_t longest = -1;
  for (const Cell& cell : waiting_)
    if (cell.tune) longest = std::max(longest, epochs_of(cell));
  if (longest < 0)
    throw UsageError(
        "--stop-hopeless: it ends runs by which learning rates are found, and here none are searched");
  if (question_.own() && question_.chosen_by.key() != Metric::val_loss.key())
    throw UsageError(
        "--stop-hopeless: it predicts validation losses, by which the learning rates of this program are not "
        "chosen");
  if (longest < fewest_epochs)
    fail<UsageError>(
        "--stop-hopeless: expected learning rates that are found in at least {} epochs, here it is {}: fewer "
        "predict nothing",
        fewest_epochs, longest);
}

// Finds the rates at the full length of the runs: one that is best for few epochs need not be best for many.
// Shorter runs tell where to begin, so that few long ones are needed.
void Study::tune(std::vector<Cell>& cells) {
  std::vector<Cell*> all, begun;
  for (Cell& cell : cells) {
    if (!cell.tune) continue;
    all.push_back(&cell);
    ++inside_->tuned_cells;
    const std::int64_t few = short_epochs(cell);
    if (few == 0) continue;
    begun.push_back(&cell);
    inside_->begun_by.emplace(few, epochs_of(cell));
  }
  find_rates(begun, true);
  find_rates(all, false);
}

// Walks from each cell's rate by factors of two to the one of the lowest cost: first with a rate on either
// side, then on, as long as the best lies on the edge of what was tried. At the full length neighbours differ
// by no more than seeds do, so several judge.
//
// With --stop-hopeless the first rate is alone at first, so that the others have a bar from the start: the
// worst seed of the best rate of the rounds before, never of runs that are under way, on which jobs and time
// have an influence.
void Study::find_rates(const std::vector<Cell*>& cells, bool by_short_runs) {
  constexpr int furthest = 7;  // factors of two to either side
  struct Search {
    Cell* cell;
    Cell trial;
    double start;
    std::map<int, std::vector<double>> costs;  // of the seeds, by the power of two
    int low, high;
    double bar = INFINITY;
  };
  const int first = options_.stop_hopeless ? 0 : 1;
  std::vector<Search> searches;
  for (Cell* cell : cells)
    searches.push_back(
        {cell, trial_of(*cell, by_short_runs ? short_epochs(*cell) : 0), rate_of(*cell), {}, -first, first});
  const auto best_of = [](const Search& search) {
    const auto sum = [](const auto& rate) {
      return std::accumulate(rate.second.begin(), rate.second.end(), 0.0);
    };
    return std::min_element(search.costs.begin(), search.costs.end(),
                            [&](const auto& a, const auto& b) { return sum(a) < sum(b); })
        ->first;
  };
  const auto lr_at = [](const Search& search, int power) { return search.start * std::pow(2.0, power); };
  for (;;) {
    std::vector<std::string> settings;
    std::vector<double> bars;
    std::vector<std::pair<Search*, int>> asked;
    for (Search& search : searches)
      for (int power = search.low; power <= search.high; ++power)
        if (search.costs.count(power) == 0) {
          set_rate(search.trial, lr_at(search, power));
          for (std::int64_t i = 0; i < (by_short_runs ? 1 : judging_seeds()); ++i) {
            settings.push_back(settings_of(search.trial, seed_of(search.trial, i)));
            bars.push_back(search.bar);
            asked.emplace_back(&search, power);
          }
        }
    if (settings.empty()) break;
    const auto runs = run_all(settings, bars);
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const auto& [search, power] = asked[i];
      const std::int64_t epochs = epochs_of(search->trial);
      double cost = cost_of(runs[i]);
      // One that was run without a bar must count as it would with it.
      if (std::isfinite(bars[i]) && std::isfinite(cost) &&
          was_hopeless(inside_->store->curve(runs[i].key), epochs, inside_->work->schedule(settings[i]),
                       bars[i]))
        cost = INFINITY;
      search->costs[power].push_back(cost);
      if (!options_.stop_hopeless || !inside_->searched.insert(runs[i].key).second) continue;
      inside_->searched_epochs += epochs;
      if (runs[i].status != "hopeless") continue;
      ++inside_->hopeless;
      inside_->spared_epochs += epochs - runs[i].epochs;
    }
    for (Search& search : searches) {
      const int best = best_of(search);
      if (options_.stop_hopeless) search.bar = *std::ranges::max_element(search.costs.at(best));
      if (best == search.low && -search.low < furthest) --search.low;
      if (best == search.high && search.high < furthest) ++search.high;
    }
  }
  for (Search& search : searches) {
    const int best = best_of(search);
    set_rate(*search.cell, lr_at(search, best));
    if (!by_short_runs && (best == search.low || best == search.high))
      warn(fmt::format("{}: the best learning rate, {:g}, lies on the edge of those that were tried",
                       search.cell->label, rate_of(*search.cell)));
  }
}

// In words; with `each`, a line for every cell before it.
std::string Study::plan(const std::vector<Cell>& cells, bool each) const {
  std::int64_t runs = 0, searches = 0;
  double seconds = 0;
  const bool timed = question_.run == nullptr;  // nobody knows how long a function of one's own takes
  std::string lines;
  for (const Cell& cell : cells) {
    const std::int64_t seeds = seeds_of(cell), epochs = epochs_of(cell);
    const double one = inside_->work->estimate(settings_of(cell, options_.seed));
    double all = one * static_cast<double>(seeds);
    if (cell.tune) {
      ++searches;
      // Some four shorter runs and two rates more at the full length, or else four of these.
      const std::int64_t few = short_epochs(cell);
      const auto judges = static_cast<double>(judging_seeds());
      if (timed)
        all += one * (few > 0 ? 2 * judges + 4 * static_cast<double>(few) / static_cast<double>(epochs)
                              : 4 * judges);
    }
    runs += seeds;
    seconds += all;
    if (each)
      lines += fmt::format("{:<40} {} seeds{}{}{}\n",
                           cell.series.empty() ? cell.label : cell.series + ", " + cell.label, seeds,
                           epochs > 0 ? fmt::format(", {} epochs", epochs) : "",
                           timed ? fmt::format(", about {:.0f} s", all) : "",
                           cell.tune ? ", its learning rate found first" : "");
  }
  return lines + fmt::format("{} runs, {} searches for a learning rate{}", runs, searches,
                             timed ? fmt::format(": about {:.0f} s with {} jobs",
                                                 seconds / static_cast<double>(options_.jobs), options_.jobs)
                                   : "");
}

void Study::tell_cost() const {
  if (!options_.quiet && !options_.dry_run)
    say(fmt::format("{}: {}\n", question_.program, plan(waiting_, false)));
}

// What results that are taken over have of a cell: its runs, without the seeds' weights and dates.
std::optional<Outcome> Study::told(const Cell& cell) {
  if (!inside_->from) return std::nullopt;
  const auto wanted = ordered_json::parse(settings_of(cell, first_seed(cell)));
  TrainConfig plain;
  resolve(plain);
  const auto usual = ordered_json::parse(canonical_json(plain));
  const std::string judged = judging_.metric.key();
  const auto wanted_seeds = static_cast<std::size_t>(seeds_of(cell));
  for (const Point& point : inside_->from->points) {
    const auto config = ordered_json::parse(point.config, nullptr, false);
    if (!config.is_object())
      throw FileError(fmt::format("{}: expected the configuration of a run as an object, got \"{}\"",
                                  options_.from, point.config));
    bool same = point.failed == 0;
    for (const auto& [option, value] : config.items())
      same = same && wanted.contains(option) && (wanted[option] == value || (option == "lr" && cell.tune));
    // Of options that came later results have the defaults, but for those that are written only where they
    // are used.
    for (const auto& [option, value] : wanted.items())
      same = same && (config.contains(option) || (cell.settings.empty() && usual.contains(option)));
    const auto measured = point.measured.find(judged);
    if (!same || measured == point.measured.end()) continue;
    const std::size_t seeds = measured->second.values.size();
    if (seeds < wanted_seeds || (seeds > wanted_seeds && point.diverged > 0)) continue;
    Outcome outcome{cell, {}, point.images, training_examples(point).value_or(0)};
    outcome.unique =
        point.unique > 0 ? point.unique : inside_->work->unique(settings_of(cell, options_.seed));
    if (outcome.images == 0 && cell.settings.empty() && cell.config.dataset != "digits")
      outcome.images = 10000;
    if (cell.tune) {
      set_rate(outcome.cell, config.value("lr", nan));
      ++inside_->told_rates;
    }
    for (std::size_t seed = 0; seed < wanted_seeds; ++seed) {
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
      inside_->seeds.insert(seed_of(cell, static_cast<std::int64_t>(seed)));
      outcome.runs.push_back(std::move(run));
    }
    return outcome;
  }
  return std::nullopt;
}

Outcomes Study::run() {
  check_stop_hopeless();
  // There may be a hundred thousand: nothing large is held twice.
  std::map<std::size_t, Outcome> known;  // by the numbers of their cells
  std::vector<Cell> missing;
  const std::size_t cells = waiting_.size();
  for (std::size_t i = 0; i < cells; ++i) {
    if (auto taken = told(waiting_[i]))
      known.emplace(i, std::move(*taken));
    else
      missing.push_back(std::move(waiting_[i]));
  }
  waiting_ = {};
  if (options_.dry_run) {
    fmt::print("{}\n", plan(missing, true));
    throw DryRunDone();
  }
  tune(missing);
  std::vector<std::string> settings;
  for (const Cell& cell : missing) {
    for (std::int64_t i = 0; i < seeds_of(cell); ++i) {
      const std::int64_t seed = seed_of(cell, i);
      inside_->seeds.insert(seed);
      settings.push_back(settings_of(cell, seed));
    }
  }
  std::vector<RunSummary> runs = settings.empty() ? std::vector<RunSummary>() : run_all(settings);
  settings = {};
  auto next = runs.begin();
  auto cell = missing.begin();
  Outcomes outcomes;
  outcomes.reserve(cells);
  for (std::size_t number = 0; number < cells; ++number) {
    if (const auto taken = known.find(number); taken != known.end()) {
      outcomes.push_back(std::move(taken->second));
    } else {
      Outcome outcome{std::move(*cell++), {}};
      for (std::int64_t i = 0; i < seeds_of(outcome.cell); ++i) outcome.runs.push_back(std::move(*next++));
      if (question_.own()) {
        if (outcome.cell.settings.has("examples"))
          outcome.examples = outcome.cell.settings.integer("examples");
        outcome.unique = inside_->work->unique(settings_of(outcome.cell, options_.seed));
      } else {
        const TrainTest& data = this->data(outcome.cell.config.dataset);
        outcome.images = data.test.size();
        outcome.examples = train_examples(outcome.cell.config, data);
      }
      outcomes.push_back(std::move(outcome));
    }
    const Cell& shown = outcomes.back().cell;
    inside_->shown.push_back(!question_.own() ? to_json(shown.config) : shown.settings.to_json());
    measure(outcomes.back());
  }
  return outcomes;
}

}  // namespace elk::lab
