// results: lists, filters and exports the runs of a store.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <elk/train/history.hpp>
#include <lab/command_line.hpp>
#include <lab/forecast.hpp>
#include <lab/program.hpp>
#include <lab/selection.hpp>
#include <lab/store.hpp>

namespace {

namespace po = boost::program_options;
using namespace elk;
using namespace elk::lab;
using nlohmann::ordered_json;

std::string number(const std::optional<double>& value) {
  return !value ? "" : std::isfinite(*value) ? fmt::format("{}", *value) : "nan";
}

// A field of CSV (RFC 4180).
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted;
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return fmt::format("\"{}\"", quoted);
}

// What is shown of a run, but for its options.
std::vector<std::pair<std::string, std::string>> outcome(const RunSummary& run) {
  return {{"best_epoch", std::to_string(run.best_epoch)}, {"epochs", std::to_string(run.epochs)},
          {"train_loss", number(run.train_loss)},         {"val_loss", number(run.val_loss)},
          {"val_accuracy", number(run.val_accuracy)},     {"test_loss", number(run.test_loss)},
          {"test_accuracy", number(run.test_accuracy)},   {"parameters", std::to_string(run.parameters)},
          {"flops", std::to_string(run.flops)},           {"seconds", fmt::format("{:.3f}", run.seconds)}};
}

// Of what functions of one's own measured, the names in any of the rows.
std::set<std::string> metrics_of(const std::vector<ListedRun>& rows) {
  std::set<std::string> names;
  for (const ListedRun& row : rows)
    for (const auto& [name, value] : row.run.metrics) names.insert(name);
  return names;
}

std::optional<double> metric_of(const ListedRun& row, const std::string& name) {
  const auto at = row.run.metrics.find(name);
  return at == row.run.metrics.end() ? std::nullopt : std::optional(at->second);
}

void print_csv(const std::vector<ListedRun>& rows, const std::vector<std::string>& options) {
  constexpr const char* origin[] = {"date", "version", "commit", "processor", "instruction_set",
                                    "blas", "error"};
  std::vector<std::string> head{"key", "status"};
  for (const std::string& option : options) head.push_back(field(option));
  for (const auto& [name, value] : outcome({})) head.push_back(name);
  const std::set<std::string> metrics = metrics_of(rows);
  for (const std::string& name : metrics) head.push_back(field(name));
  head.insert(head.end(), std::begin(origin), std::end(origin));
  fmt::print("{}\n", fmt::join(head, ","));
  for (const ListedRun& row : rows) {
    std::vector<std::string> fields{row.run.key, row.run.status};
    for (const std::string& option : options) fields.push_back(field(option_of(row, option)));
    for (const auto& [name, value] : outcome(row.run)) fields.push_back(value);
    for (const std::string& name : metrics) fields.push_back(number(metric_of(row, name)));
    for (const std::string& value : {row.run.date, row.run.version, row.run.commit, row.run.processor,
                                     row.run.with.instruction_set, row.run.with.blas, row.run.error})
      fields.push_back(field(value));
    fmt::print("{}\n", fmt::join(fields, ","));
  }
}

// Lines of as many cells each.
void print_aligned(const std::vector<std::vector<std::string>>& cells) {
  std::vector<std::size_t> widths(cells.front().size());
  for (const auto& line : cells)
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  std::string text;
  for (const auto& line : cells) {
    for (std::size_t i = 0; i < line.size(); ++i)
      text += fmt::format("{}{:>{}}", i > 0 ? "  " : "", line[i], widths[i]);
    text += "\n";
  }
  fmt::print("{}", text);
}

// The options in which the runs differ, and what came out.
void print_table(const std::vector<ListedRun>& rows, const std::vector<std::string>& options) {
  std::vector<std::vector<std::string>> cells;
  std::vector<std::string> head{"key", "status"};
  std::vector<std::string> telling;
  for (const std::string& option : options) {
    std::set<std::string> values;
    for (const ListedRun& row : rows) values.insert(option_of(row, option));
    if (values.size() > 1) telling.push_back(option);
  }
  head.insert(head.end(), telling.begin(), telling.end());
  head.insert(head.end(), {"epochs", "test loss", "test accuracy"});
  const std::set<std::string> metrics = metrics_of(rows);
  head.insert(head.end(), metrics.begin(), metrics.end());
  head.push_back("seconds");
  cells.push_back(head);
  const auto shown = [](const std::optional<double>& value) {
    return !value ? "-" : std::isfinite(*value) ? fmt::format("{:.4f}", *value) : "nan";
  };
  for (const ListedRun& row : rows) {
    std::vector<std::string> line{row.run.key.substr(0, 8), row.run.status};
    for (const std::string& option : telling) line.push_back(option_of(row, option));
    line.insert(line.end(),
                {std::to_string(row.run.epochs), shown(row.run.test_loss), shown(row.run.test_accuracy)});
    for (const std::string& name : metrics) line.push_back(shown(metric_of(row, name)));
    line.push_back(fmt::format("{:.1f}", row.run.seconds));
    cells.push_back(std::move(line));
  }
  print_aligned(cells);
  for (const ListedRun& row : rows)
    if (!row.run.error.empty())
      fmt::print("{} {}: {}\n", row.run.key.substr(0, 8), row.run.status, row.run.error);
}

// How well the first 30 % of the epochs predict where the curves of the runs end.
void print_forecast(const std::vector<ListedRun>& rows, Store& store) {
  struct Curve {
    std::vector<double> losses, rates;
  };
  std::vector<Curve> curves;
  std::size_t least = std::numeric_limits<std::size_t>::max(), most = 0;
  const auto seen = [](std::size_t epochs) {
    return static_cast<std::size_t>(seen_of(static_cast<std::int64_t>(epochs)));
  };
  for (const ListedRun& row : rows) {
    const auto networks = row.options.find("ensemble");
    if (row.run.status != "done" || (networks != row.options.end() && networks->second != "1")) continue;
    const std::vector<train::HistoryRow> epochs = store.curve(row.run.key);
    Curve curve{lowest_losses(epochs), rates_of(epochs)};
    const std::size_t count = curve.losses.size();
    if (seen(count) < scaling::fewest_losses) continue;
    least = std::min(least, count), most = std::max(most, count);
    curves.push_back(std::move(curve));
  }
  if (curves.empty())
    throw ValueError(
        "[results] no run of one network that is done has a validation or test loss above 0 for each of at "
        "least 7 epochs");
  std::vector<std::vector<std::string>> cells{
      {"form", "error, median", "90 of 100", "interval holds", "end is below", "above"}};
  const auto line = [&](const std::string& name, const auto& forecast) {
    std::vector<double> errors;
    std::size_t below = 0, above = 0;
    for (const auto& [losses, rates] : curves) {
      const scaling::Estimate found = forecast(std::span(losses).first(seen(losses.size())), rates);
      errors.push_back(std::abs(found.value / losses.back() - 1));
      below += losses.back() < found.interval.low;
      above += losses.back() > found.interval.high;
    }
    std::sort(errors.begin(), errors.end());
    const auto percent_of = [&](std::size_t count) {
      return fmt::format("{:.1f} %", 100 * static_cast<double>(count) / static_cast<double>(errors.size()));
    };
    cells.push_back({name, fmt::format("{:.1f} %", 100 * errors[errors.size() / 2]),
                     fmt::format("{:.1f} %", 100 * errors[errors.size() * 9 / 10]),
                     percent_of(errors.size() - below - above), percent_of(below), percent_of(above)});
  };
  for (const scaling::CurveForm form : scaling::curve_forms)
    line(name(form), [&](std::span<const double> losses, std::span<const double> rates) {
      return scaling::forecast(losses, rates, form);
    });
  line("broken, in that of all three laws",
       [](std::span<const double> losses, std::span<const double> rates) {
         return scaling::forecast(losses, rates);
       });
  fmt::print(
      "The lowest validation loss (without one, test loss) of {} runs of {} epochs, predicted after 30 % of "
      "them\n",
      curves.size(), least == most ? std::to_string(most) : fmt::format("{} to {}", least, most));
  print_aligned(cells);
  if (curves.size() < rows.size())
    fmt::print(
        "{} others are left out: not done, fewer than 7 epochs, no such loss of every epoch, or an "
        "ensemble\n",
        rows.size() - curves.size());
}

int run_results(int argc, char** argv) {
  std::vector<std::string> where;
  bool csv = false, json = false, curves = false, forecast = false;
  po::options_description options("Options");
  auto add = options.add_options();
  add("where", po::value(&where)->composing()->value_name("NAME=VALUE"),
      "only runs with this status or option, such as status=failed or hidden=64; may be given several times");
  add("csv", po::bool_switch(&csv), "all columns as CSV");
  add("json", po::bool_switch(&json), "the lines of the store, one for each run");
  add("curves", po::bool_switch(&curves), "with --json: the epochs of the runs in place of the runs");
  add("forecast", po::bool_switch(&forecast),
      "how well the first 30 % of the epochs predict the loss at the end, by several laws of learning "
      "curves");
  add("help", "print this and end");
  add("version", "print the version and end");
  po::variables_map values;
  const auto folders = parse_options({argv + std::min(argc, 1), argv + argc}, options, values);
  po::notify(values);
  if (const std::string text = help_or_version(
          values,
          "Usage: ./elk results DIR [options]\n\nLists the runs that an experiment keeps in its folder.\n\n"
          "  ./elk results runs/width\n"
          "  ./elk results runs/width --where status=diverged\n"
          "  ./elk results runs/width --csv > width.csv\n"
          "  ./elk results runs/width --forecast\n\n",
          {&options}, "");
      !text.empty()) {
    fmt::print("{}", text);
    return exit_done;
  }
  if (folders.size() != 1) throw UsageError("expected one folder, such as runs/width");
  if (csv && json) throw UsageError("--csv and --json: give one of them");
  if (forecast && (csv || json)) throw UsageError("--forecast goes with neither --csv nor --json");
  if (curves && !json) throw UsageError("--curves: goes with --json");
  if (!Store::exists(folders[0]))
    throw UsageError(fmt::format("{} holds no runs: there is no {}/summaries.jsonl", folders[0], folders[0]));
  Store store(folders[0], Store::Access::read);

  std::vector<ListedRun> rows;
  for (RunSummary& run : store.runs()) rows.push_back(listed(std::move(run)));
  const std::vector<std::string> names = option_names(rows);
  for (const std::string& text : where) {
    const Condition condition = parse_condition(text, names);
    std::erase_if(rows, [&](const ListedRun& row) { return !meets(row, condition); });
  }
  if (csv) {
    print_csv(rows, names);
  } else if (json) {
    for (const ListedRun& row : rows) {
      if (curves) {
        for (const auto& epoch : store.curve(row.run.key))
          fmt::print("{{\"key\":\"{}\",{}", row.run.key, train::to_jsonl({epoch}).substr(1));
        continue;
      }
      ordered_json object{{"key", row.run.key}, {"status", row.run.status}, {"error", row.run.error}};
      object["config"] = ordered_json::parse(row.run.config);
      for (const auto& [name, value] : outcome(row.run))
        object[name] = value.empty() || value == "nan" ? ordered_json() : ordered_json::parse(value);
      if (!row.run.metrics.empty()) object["metrics"] = row.run.metrics;
      fmt::print("{}\n", object.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
    }
  } else if (rows.empty()) {
    fmt::print("no runs\n");
  } else if (forecast) {
    print_forecast(rows, store);
  } else {
    print_table(rows, names);
  }
  return exit_done;
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, run_results); }
