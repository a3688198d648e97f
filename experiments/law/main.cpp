// law: which law describes the loss by the size of networks and of data, and what does it predict?

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <elk/data/csv.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/io/digest.hpp>
#include <lab/command_line.hpp>
#include <lab/gnuplot.hpp>
#include <lab/joint.hpp>
#include <lab/program.hpp>
#include <lab/provenance.hpp>
#include <lab/report.hpp>
#include <lab/results.hpp>
#include <lab/shell.hpp>

namespace {

namespace po = boost::program_options;
using namespace elk;
using namespace elk::lab;
using scaling::JointCell;

// What the files hold, and what has to be said of it.
struct Measured {
  std::vector<JointCell> cells;
  std::set<std::string> programs, protocols, datasets, commits, machines, dates;
  std::int64_t runs = 0, diverged = 0, failed = 0, left_out = 0;
  Cost cost;
};

void add(Measured& measured, const Results& results, const std::string& file, const std::string& metric) {
  measured.programs.insert(results.program);
  measured.protocols.insert(results.protocol);
  measured.datasets.insert(results.dataset);
  measured.commits.insert(results.commit);
  measured.machines.insert(results.machine);
  measured.dates.insert(results.date);
  measured.cost.runs += results.cost.runs;
  measured.cost.seconds += results.cost.seconds;
  measured.cost.flops += results.cost.flops;
  const bool whole = !made_with(results, "--quick") && !made_with(results, "--smoke");
  std::size_t before = measured.cells.size();
  for (const Point& point : results.points) {
    const auto found = point.measured.find(metric == "test_error" ? "test_accuracy" : metric);
    const auto examples = whole || point.examples > 0 ? training_examples(point) : std::nullopt;
    measured.diverged += point.diverged;
    measured.failed += point.failed;
    if (found == point.measured.end() || !examples || point.parameters <= 0) {
      ++measured.left_out;
      continue;
    }
    JointCell cell{static_cast<double>(point.parameters), static_cast<double>(*examples),
                   found->second.values};
    if (metric == "test_error")
      for (double& value : cell.losses) value = 1 - value;
    measured.runs += static_cast<std::int64_t>(cell.losses.size());
    measured.cells.push_back(std::move(cell));
  }
  if (measured.cells.size() == before)
    throw ValueError(
        fmt::format("[law] expected points with a {}, their parameters and their training examples, got none "
                    "in {}",
                    metric, file));
}

// Columns n, d and loss; rows of one N and D are its seeds.
void add_csv(Measured& measured, const std::string& file) {
  const elk::Table table = read_csv(file, {.missing = {}});
  const auto column = [&](std::initializer_list<const char*> names) {
    for (const char* name : names)
      if (std::find(table.names().begin(), table.names().end(), name) != table.names().end())
        return table.column(name);
    throw ValueError(fmt::format("expected a column {}, got {}", fmt::join(names, " or "),
                                 fmt::join(table.names(), ", ")));
  };
  const Tensor n = column({"n", "parameters"}), d = column({"d", "train-size"}),
               loss = column({"loss", "test_loss"});
  std::map<std::pair<double, double>, std::vector<double>> cells;
  for (Index i = 0; i < table.rows(); ++i) {
    if (!(n.at(i) > 0) || !(d.at(i) > 0) || std::isinf(n.at(i)) || std::isinf(d.at(i)))
      throw ValueError(
          fmt::format("{}: expected N and D above 0, got {:g} and {:g}", table.place(i), n.at(i), d.at(i)));
    cells[{n.at(i), d.at(i)}].push_back(loss.at(i));
    measured.diverged += !std::isfinite(loss.at(i));
    ++measured.runs;
  }
  if (cells.empty()) throw ValueError("expected rows, got none");
  for (auto& [size, losses] : cells) measured.cells.push_back({size.first, size.second, std::move(losses)});
}

Measured read(const std::vector<std::string>& files, const std::string& metric) {
  Measured measured;
  std::set<std::filesystem::path> seen;
  for (const std::string& given : files) {
    const std::string file = std::filesystem::is_directory(given) ? given + "/results.json" : given;
    if (!std::filesystem::exists(file))
      throw UsageError(
          fmt::format("{}: there is no such file; expected the folder of an experiment, its results.json, or "
                      "a CSV file",
                      file));
    if (!seen.insert(std::filesystem::canonical(file)).second)
      throw UsageError(fmt::format("{} is given twice: its runs would count twice", file));
    if (!file.ends_with(".csv")) {
      add(measured, parse_results(read_file(file), file), file, metric);
      continue;
    }
    try {
      add_csv(measured, file);
    } catch (const ValueError& error) {
      throw FileError(fmt::format("[law] {}: {}", file, error.what()));
    }
  }
  return measured;
}

// How far the law is off for cells that it was not fitted to.
void check_law(JointAnswer& found, const Measured& others, const std::string& name,
               const std::string& metric) {
  lab::Table table{
      .title = "Predicted, of " + name,
      .columns = {"N", "D", "measured", "predicted", "off by"},
      .note =
          "Measured: the mean over seeds. None of these cells was fitted, unless it is among the others."};
  double sum = 0;
  for (const JointCell& cell : others.cells) {
    const double mean = mean_interval(cell.losses).mean;
    if (!std::isfinite(mean) || mean <= 0) continue;
    const double predicted = found.best.fit.law(cell.n, cell.d);
    sum += std::abs(predicted / mean - 1);
    table.rows.push_back({text(cell.n), text(cell.d), fmt::format("{:.4f}", mean),
                          fmt::format("{:.4f}", predicted),
                          fmt::format("{:.1f} %", 100 * (predicted / mean - 1))});
  }
  if (table.rows.empty()) {
    found.warnings.push_back(fmt::format("{} has no cell with a {} to check", name, metric));
    return;
  }
  const double error = sum / static_cast<double>(table.rows.size());
  found.numbers["joint_check_error"] = error;
  found.sentences.push_back(fmt::format("Of the {} cells of {} it is off by {:.1f} % on average",
                                        table.rows.size(), name, 100 * error));
  found.tables.push_back(std::move(table));
}

std::string joined(const std::set<std::string>& texts) { return fmt::format("{}", fmt::join(texts, ", ")); }

int run_law(int argc, char** argv) {
  std::string out_dir = "runs/law", metric = "test_loss", config_file;
  std::vector<double> n, d;
  std::string check;
  std::int64_t hold_out = 0, resamples = 1000, seed = 100;
  bool quiet = false, json = false, print_config = false;
  po::options_description options("Options"), running("Running");
  auto add_option = options.add_options();
  add_option("metric", po::value(&metric)->value_name("M"),
             "test_loss (default), test_error or validation_loss");
  add_option("n", po::value(&n)->composing()->value_name("N"), "with --d: predict a network of N parameters");
  add_option("d", po::value(&d)->composing()->value_name("D"),
             "with --n: on D training examples; both may be given several times");
  add_option("check", po::value(&check)->value_name("RESULTS"),
             "predict the cells of other results with the law");
  add_option("hold-out", po::value(&hold_out)->value_name("K"),
             "predict the K largest cells, by N times D, from the others; default a seventh");
  add_option("resamples", po::value(&resamples)->value_name("N"),
             "resamples of each kind for the intervals; default 1000");
  add_option("seed", po::value(&seed)->value_name("N"), "seed of the resamples; default 100");
  add_option = running.add_options();
  add_option("out-dir", po::value(&out_dir)->value_name("DIR"),
             "folder of the report and the plot; default runs/law");
  add_option("config", po::value(&config_file)->value_name("FILE"),
             "read options from a JSON file; options given here override them");
  add_option("print-config", po::bool_switch(&print_config), "print the options as JSON and end");
  add_option("quiet", po::bool_switch(&quiet), "no warnings, only the result");
  add_option("json", po::bool_switch(&json), "print results.json in place of tables");
  add_option("help", "print this and end");
  add_option("version", "print the version and end");
  po::options_description all;
  all.add(options).add(running);
  po::variables_map values;
  const auto files = parse_options({argv + std::min(argc, 1), argv + argc}, all, values);
  if (values.count("config") > 0) store_config_file(values["config"].as<std::string>(), all, values);
  po::notify(values);
  if (const std::string help = help_or_version(
          values,
          "Usage: ./elk law RESULTS... [options]\n\n"
          "Fits L(N, D) = E + A N^-α + B D^-β, and forms with fewer terms, to the losses of networks of N\n"
          "parameters on D training examples. RESULTS are folders of experiments, their results.json, or\n"
          "CSV files with columns n, d and loss, one row for each run.\n\n"
          "  ./elk law runs/data_size\n"
          "  ./elk law runs/data_size --n 1e6 --d 200000\n"
          "  ./elk law mine.csv --hold-out 3\n\n",
          {&options, &running}, "\nExit codes: 0 done, 1 no law can be fitted, 2 wrong usage.\n");
      !help.empty()) {
    fmt::print("{}", help);
    return exit_done;
  }
  if (metric != "test_loss" && metric != "test_error" && metric != "validation_loss")
    throw UsageError(
        fmt::format("--metric: expected test_loss, test_error, validation_loss, got \"{}\"", metric));
  if (n.size() != d.size())
    throw UsageError(fmt::format("--n and --d: give as many of each, got {} and {}", n.size(), d.size()));
  JointQuestion question;
  for (std::size_t i = 0; i < n.size(); ++i) {
    in_range("n", n[i], 1, 1e18);
    in_range("d", d[i], 1, 1e18);
    question.predict_at.emplace_back(n[i], d[i]);
  }
  if (values.count("hold-out") > 0) in_range("hold-out", static_cast<double>(hold_out), 1, 1e6);
  in_range("resamples", static_cast<double>(resamples), 10, 1e6);
  in_range("seed", static_cast<double>(seed), 0, 4294957295);
  if (print_config) {
    nlohmann::ordered_json object{{"metric", metric}, {"resamples", resamples}, {"seed", seed}};
    if (hold_out > 0) object["hold-out"] = hold_out;
    if (!check.empty()) object["check"] = check;
    fmt::print("{}\n", object.dump(2));
    return exit_done;
  }
  if (files.empty())
    throw UsageError("expected results, such as runs/data_size, its results.json, or a CSV file");

  const Measured measured = read(files, metric);
  question.cells = measured.cells;
  question.metric = metric == "test_loss"    ? "test loss"
                    : metric == "test_error" ? "test error"
                                             : "validation loss";
  question.hold_out = static_cast<std::size_t>(hold_out);
  question.resamples = static_cast<std::size_t>(resamples);
  question.seed = static_cast<std::uint64_t>(seed);
  JointAnswer found = answer(question);
  if (!check.empty()) check_law(found, read({check}, metric), check, question.metric);
  if (measured.left_out > 0)
    found.warnings.push_back(
        fmt::format("{} points lack a {}, their parameters or their training examples, and are left out",
                    measured.left_out, question.metric));

  Results results;
  results.program = "law";
  results.title = "Laws of size and data";
  results.question =
      "Which law do losses follow over the size of nets and of data, and what does it predict?";
  results.protocol =
      measured.protocols.size() == 1 ? *measured.protocols.begin() : joined(measured.protocols);
  results.dataset = joined(measured.datasets);
  results.compared = metric;
  results.tables = std::move(found.tables);
  for (std::string& sentence : found.sentences) results.verdicts.push_back(sentence + ".");
  results.warnings = found.warnings;
  results.numbers = found.numbers;
  results.cost = measured.cost;
  results.machine = joined(measured.machines);
  results.version = version();
  results.commit = joined(measured.commits);
  results.date = measured.dates.empty() ? utc_date() : *measured.dates.rbegin();
  std::vector<std::string> command{"law"};
  command.insert(command.end(), argv + 1, argv + argc);
  results.command = elk_command(without_places(std::move(command)));
  results.checklist = {
      {"counted",
       fmt::format(
           "{} runs of {} cells, of {}; N: all parameters, D: the training examples that differ, however "
           "often each was seen",
           measured.runs, measured.cells.size(),
           measured.programs.empty() ? std::string("a CSV file") : joined(measured.programs))},
      {"tuned", "nothing here; the results tell what was tuned for them"},
      {"chosen",
       "the form of the law, by cells left out one at a time; intervals are of the form that was chosen"},
      {"held out",
       fmt::format(
           "the largest cells by N times D, once, to see whether the law of the others predicts them")},
      {"excluded",
       fmt::format(
           "{} runs that diverged to a {} that is not finite or failed, {} points that lack something",
           measured.diverged + measured.failed, question.metric, measured.left_out)},
      {"fitted",
       "by variable projection, Huber's loss of log residuals at 1.345 robust standard deviations, from 36 "
       "pairs "
       "of exponents"},
      {"intervals",
       "95 %, over seeds and over cells, for this test set: another one would move all cells together"}};
  std::filesystem::create_directories(out_dir);
  for (std::size_t i = 0; i < found.plots.size(); ++i) {
    const std::string file = i == 0 ? "law" : fmt::format("law-{}", i + 1);
    const Plot& plot = found.plots[i].second;
    if (const std::string problem = draw(plot, out_dir + "/" + file); !problem.empty())
      results.warnings.push_back(fmt::format("no plot \"{}\": {}", plot.title, problem));
    results.pictures.push_back({plot.title, file});
  }
  if (!quiet)
    for (const std::string& warning : results.warnings) say(fmt::format("law: {}\n", warning));
  else if (gnuplot_hangs())  // which took a minute
    say(fmt::format("law: {}\n", results.warnings.back()));
  write_report(out_dir, results);
  if (json) {
    fmt::print("{}", with_digest(to_json(results)));
  } else {
    for (const lab::Table& table : results.tables) fmt::print("{}\n", to_text(table));
    for (const std::string& sentence : results.verdicts) fmt::print("{}\n", sentence);
    fmt::print("{}\n", out_dir + "/report.html");
  }
  return exit_done;
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, run_law); }
