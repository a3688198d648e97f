// What a study says of its outcomes: tables, plots, sentences, the report.
#include <algorithm>
#include <cmath>
#include <set>

#include <nlohmann/json.hpp>

#include <elk/base/format.hpp>
#include <elk/io/digest.hpp>
#include <lab/gnuplot.hpp>
#include <lab/program.hpp>
#include <lab/report.hpp>
#include <lab/statistics.hpp>
#include <lab/study_inside.hpp>

namespace elk::lab {

namespace {

using nlohmann::ordered_json;

Estimate estimate(const Outcome& outcome, const Metric& metric) {
  const Interval interval = outcome.mean(metric);
  return {interval.mean, interval.low, interval.high, outcome.values(metric)};
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
  point.unique = outcome.unique;
  inside_->runs += static_cast<std::int64_t>(outcome.runs.size());
  inside_->images.insert(outcome.images);
  results_.points.push_back(std::move(point));
}

void Study::table(const std::string& title, const std::string& what, std::span<const Outcome> outcomes,
                  const std::string& note) {
  const auto any = [&](auto test) { return std::any_of(outcomes.begin(), outcomes.end(), test); };
  const bool series = any([](const Outcome& o) { return !o.cell.series.empty(); });
  const bool own = question_.own();
  const bool reported = any([](const Outcome& o) { return o.cell.reported.has_value(); });
  const auto measured = [&](const Metric& metric) {
    return any([&](const Outcome& o) { return !std::isnan(o.mean(metric).mean); });
  };
  const bool validated = !own && measured(Metric::val_accuracy);
  const bool tuned = any([](const Outcome& o) { return o.cell.tune; });
  const bool diverged = any([](const Outcome& o) { return o.count("diverged") > 0; });
  const bool failed = any([](const Outcome& o) { return o.count("failed") > 0; });
  std::vector<Metric> metrics = question_.metrics;
  if (!own) std::erase_if(metrics, [&](const Metric& metric) { return !measured(metric); });
  Table table{.title = title, .columns = {}, .rows = {}, .note = note};
  if (series) table.columns.push_back("");
  table.columns.push_back(what);
  if (reported) table.columns.push_back("the study, %");
  for (const Metric& metric : metrics) table.columns.push_back(metric.name + (metric.share ? ", %" : ""));
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
    for (const Metric& metric : metrics) row.push_back(shown(outcome.mean(metric), metric.share));
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
void Study::number(const std::string& name, double value) {
  if (!results_.numbers.emplace(name, value).second)
    throw ValueError(fmt::format("[study] expected a name for each number, got \"{}\" twice", name));
}

std::string Study::how_rates_were_found() {
  std::string text = fmt::format(
      "the learning rate of {} cell{}, by steps of two, by {} at the full length of the runs{}",
      inside_->tuned_cells, inside_->tuned_cells == 1 ? "" : "s", rate_metric().name,
      judging_seeds() == 1 ? ", of one seed" : fmt::format(", the mean of {} seeds", judging_seeds()));
  std::vector<std::string> begun;
  for (const auto& [few, epochs] : inside_->begun_by) begun.push_back(fmt::format("{} of {}", few, epochs));
  if (!begun.empty())
    text += fmt::format(". Runs of one seed, of {} epochs, told where to begin", fmt::join(begun, ", "));
  if (options_.stop_hopeless && !inside_->searched.empty()) {
    const double spared =
        static_cast<double>(inside_->spared_epochs) / static_cast<double>(inside_->searched_epochs);
    text += fmt::format(
        ". Of the {} runs by which they were found, {} were stopped as hopeless: forecasts did not let them "
        "get down to what the best rate of the rounds before had reached. That spared {:.0f} % of the epochs",
        inside_->searched.size(), inside_->hopeless, 100 * spared);
    number("search_runs", static_cast<double>(inside_->searched.size()));
    number("hopeless_runs", static_cast<double>(inside_->hopeless));
    number("spared_epochs", spared);
  }
  return text;
}

// After M. Li et al. 2025.
void Study::fill_checklist() {
  const bool own = question_.own();
  std::set<std::int64_t> held_out;
  bool every_epoch = false, last_epoch = false;
  for (const std::string& settings : inside_->shown) {
    const auto config = ordered_json::parse(settings);
    if (own) continue;
    held_out.insert(config.at("validation").get<std::int64_t>());
    every_epoch = every_epoch || config.at("test-every-epoch").get<bool>();
    last_epoch = last_epoch || config.at("early-stop").get<std::int64_t>() == 0;
  }
  const bool validated = own ? !question_.chosen_by.name.empty() : *held_out.rbegin() > 0;
  const bool tuned = inside_->tuned_cells + inside_->told_rates > 0;
  auto& list = results_.checklist;
  list.emplace_back(
      "counted",
      fmt::format("{} runs of {} cells; one that diverged counts with its {}. FLOPs are those that {}, "
                  "{}evaluations not among them",
                  inside_->runs, results_.points.size(), judging_.metric.name,
                  own ? "the runs tell of" : "ran in training",
                  tuned ? "searches for learning rates included, " : ""));
  std::vector<std::string> rates;
  if (inside_->tuned_cells > 0) rates.push_back(how_rates_were_found());
  // An earlier version may have found them in another way.
  if (inside_->told_rates > 0) {
    const auto& told = inside_->from->checklist;
    const auto row = std::find_if(told.begin(), told.end(), [](const auto& r) { return r.first == "tuned"; });
    rates.push_back(row == told.end() ? "the results do not say how they were found" : row->second);
  }
  list.emplace_back("tuned", tuned ? fmt::format("{}", fmt::join(rates, "; of the runs taken over: "))
                                   : "nothing: every cell has the question's own settings");
  list.emplace_back(
      "chosen",
      own ? fmt::format("whatever is called the best, by {}; within a run, what its function chooses",
                        validated ? question_.chosen_by.name : judging_.metric.name)
      : validated
          ? fmt::format("the epoch whose weights count, by validation loss{}; whatever is called the best "
                        "by validation, by validation accuracy",
                        last_epoch ? ", or the last one of runs that do not stop early" : "")
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
    // Less what it spent on cells that are not among these.
    for (const Point& point : from.points) {
      if (std::any_of(inside_->taken.begin(), inside_->taken.end(),
                      [&](const auto& taken) { return taken.second == &point; }))
        continue;
      results_.cost.runs -= seeds(point) + point.failed;
      results_.cost.seconds -= point.seconds;
      results_.cost.flops -= point.flops;
    }
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
    std::erase_if(common, [&](const auto& item) {
      const auto at = config.find(item.first);  // some are there only where they are not the default
      return at == config.end() || text_of(*at) != item.second;
    });
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
