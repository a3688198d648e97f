// bench: measures kernels, operations, training steps, and training side by side with other programs.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <regex>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <elk/io/atomic_file.hpp>
#include <lab/command_line.hpp>
#include <lab/plot.hpp>
#include <lab/program.hpp>
#include <lab/provenance.hpp>
#include <lab/run_folder.hpp>

#include "child.hpp"
#include "machine.hpp"
#include "micro.hpp"
#include "peers.hpp"
#include "report.hpp"

namespace {

using namespace elk;
using namespace elk::bench;
using namespace elk::lab;
using nlohmann::ordered_json;
namespace fs = std::filesystem;
namespace po = boost::program_options;

struct Options {
  bool quick = false, smoke = false, scaling = false, json = false, quiet = false, list = false;
  int pairs = 5, core = -1;
  std::string filter, out_dir, data_dir;
  std::string help;  // the text to print instead of running, if any
};

Options parse(int argc, char** argv) {
  Options o;
  std::string core;
  po::options_description known("Options");
  auto add = known.add_options();
  add("quick", po::bool_switch(&o.quick),
      "about two minutes: short measurements, two pairs, the small networks");
  add("scaling", po::bool_switch(&o.scaling),
      "measures how the cost of training grows with width, depth, batch and data, and draws it, in place of "
      "the tables");
  add("filter", po::value(&o.filter)->value_name("REGEX"),
      "only names that match the regular expression; see --list");
  add("list", po::bool_switch(&o.list), "prints the names of what would be measured and ends");
  add("pairs", po::value(&o.pairs)->value_name("N")->default_value(5),
      "runs of each program in a side-by-side comparison");
  add("core", po::value(&core)->value_name("N"),
      "the processor to measure on (default: the last one); none = any");
  add("smoke", po::bool_switch(&o.smoke), "for tests: hardly measures at all");
  add("out-dir", po::value(&o.out_dir)->value_name("DIR"),
      "folder of bench.md and bench.json (default: the next free runs/bench-N)");
  add("data-dir", po::value(&o.data_dir)->value_name("DIR"),
      "where MNIST is (default: $ELK_DATA_DIR, else data); ./elk data mnist downloads it");
  add("json", po::bool_switch(&o.json), "prints bench.json in place of bench.md");
  add("quiet", po::bool_switch(&o.quiet), "no progress");
  add("help", "print this and end");
  add("version", "print the version and end");
  po::variables_map values;
  const std::vector<std::string> others =
      parse_options(std::vector<std::string>(argv + 1, argv + argc), known, values);
  o.help = help_or_version(
      values,
      "Usage: ./elk bench [options]\n"
      "Measures kernels, operations and whole training steps, and trains on MNIST side by side with "
      "PyTorch, NumPy\n"
      "and plain loops around oneDNN, as far as these are installed; on one core. Prints tables in "
      "Markdown.\n\n",
      {&known},
      "\nExit codes: 0 done, 1 a measurement failed, 2 wrong usage, 130 or 143 stopped by a signal "
      "(what was "
      "measured\nis kept).\n");
  if (!o.help.empty()) return o;
  po::notify(values);
  if (!others.empty()) throw UsageError(fmt::format("unexpected argument '{}'", others.front()));
  if (o.pairs < 1 || o.pairs > 1000)
    throw UsageError(fmt::format("--pairs: expected a number from 1 to 1000, got {}", o.pairs));
  if ((o.quick || o.smoke) && values["pairs"].defaulted()) o.pairs = o.smoke ? 1 : 2;
  o.core = default_core();
  if (core == "none") {
    o.core = -1;
  } else if (!core.empty()) {
    if (core.size() > 3 || core.find_first_not_of("0123456789") != std::string::npos)
      throw UsageError(fmt::format("--core: expected the number of a processor or none, got \"{}\"", core));
    o.core = std::stoi(core);
  }
  o.data_dir = data_folder(o.data_dir);
  return o;
}

std::regex expression(const std::string& text) try {
  return std::regex(text);
} catch (const std::regex_error&) {
  throw UsageError(fmt::format("--filter: \"{}\" is no regular expression", text));
}

// What is measured: benchmarks by their program, layers, which have a peer each, and rows of the side-by-side
// table.
struct Plan {
  std::vector<Benchmark> benchmarks, layers;
  std::vector<Row> rows;
};

Plan make_plan(const Options& o, const std::string& programs) {
  const std::regex filter = expression(o.filter);
  const auto unwanted = [&](const auto& item) { return !std::regex_search(item.name, filter); };
  using Names = std::vector<std::string>;
  Plan plan;
  plan.benchmarks = list_benchmarks(
      programs, o.scaling ? Names{"bench_scaling"} : Names{"bench_kernels", "bench_ops", "bench_steps"});
  if (!o.scaling) {
    plan.layers = list_benchmarks(programs, {"bench_layers"});
    plan.rows = side_by_side_rows();
  }
  if (o.quick) std::erase_if(plan.rows, [](const Row& row) { return !row.small; });
  for (Row& row : plan.rows)
    if (o.quick || o.smoke) row.epochs = 2;
  std::erase_if(plan.benchmarks, unwanted);
  std::erase_if(plan.layers, unwanted);
  std::erase_if(plan.rows, unwanted);
  return plan;
}

class Bench {
 public:
  Bench(const Options& options, Plan plan, std::string programs, const std::string& command)
      : options_(options), plan_(std::move(plan)), programs_(std::move(programs)) {
    report_ = {{"format", "elkgrad-bench/1"},
               {"status", "stopped"},
               {"date", utc_date()},
               {"command", command},
               {"core", options.core},
               {"machine", machine()},
               {"compiler", compiler()},
               {"versions", versions()},
               {"left_out", ordered_json::array()},
               {"side_by_side", ordered_json::array()},
               {"layers", ordered_json::array()},
               {"benchmarks", ordered_json::array()},
               {"scaling", ordered_json::object()}};
    if (options_.out_dir.empty()) {
      folder_ = new_run_folder("bench");
    } else {
      folder_ = options_.out_dir;
      if (fs::exists(folder_ + "/bench.json"))
        throw UsageError(
            fmt::format("--out-dir: {} holds a bench.json already; choose another folder", folder_));
    }
    held_.emplace(RunFolder::for_new(folder_));
  }

  int run() {
    const double load = report_["machine"]["load_average"];
    if (load > 0.5)
      message(fmt::format("other programs are busy here (load average {:.2f}): expect noise", load));
    int code = exit_done;
    try {
      measure_benchmarks();
      measure_layers();
      measure_side_by_side();
      report_["status"] = failed_ ? "failed" : "done";
      code = failed_ ? exit_failed : exit_done;
    } catch (const Stopped&) {
      code = 128 + stop_signal();
    }
    if (options_.scaling) draw_scaling();
    save();
    fmt::print("{}", options_.json ? report_.dump(2) + "\n" : markdown(report_));
    message(fmt::format("{} {}/bench.md and bench.json",
                        code > 2 ? "stopped; what was measured is in" : "written:", folder_));
    return code;
  }

 private:
  void message(const std::string& text) const {
    if (!options_.quiet) say(fmt::format("bench: {}\n", text));
  }
  void progress(const std::string& name, const std::string& result) {
    message(fmt::format("[{}/{}] {}  {}", done_,
                        plan_.benchmarks.size() + plan_.layers.size() + plan_.rows.size(), name, result));
  }
  void leave_out(const std::string& reason) {
    report_["left_out"].push_back(reason.substr(0, reason.find('\n')));
    say(fmt::format("bench: left out: {}\n", reason));
  }
  void failed(const std::string& name, const std::string& reason) {
    failed_ = true;
    leave_out(fmt::format("{}: {}", name, reason));
  }
  void save() const {
    write_file_atomically(folder_ + "/bench.json", report_.dump(2) + "\n");
    write_file_atomically(folder_ + "/bench.md", markdown(report_));
  }

  void measure_benchmarks() {
    if (plan_.benchmarks.empty() && !fs::exists(programs_ + "/bench_ops"))
      leave_out(
          "kernels, operations and steps: Google Benchmark is not installed (on Debian: apt-get install "
          "libbenchmark-dev)");
    for (const Benchmark& benchmark : plan_.benchmarks) {
      ++done_;
      try {
        const ordered_json result = measure(benchmark, effort(), options_.core);
        if (options_.scaling)
          add_scaling(result);
        else
          report_["benchmarks"].push_back(result);
        progress(benchmark.name,
                 result.contains("error") ? result["error"].get<std::string>() : duration(result["seconds"]));
      } catch (const std::exception& error) {  // one that fails is no reason to lose the others
        failed(benchmark.name, error.what());
      }
    }
    save();
  }

  Effort effort() const {
    return options_.smoke ? Effort{1e-4, 1} : options_.quick ? Effort{0.01, 3} : Effort{};
  }

  void measure_layers() {
    if (plan_.layers.empty()) return;
    const std::string peer = peers_folder() + "/libtorch_layers";
    message("preparing the program to compare layers with (the first time it is built)");
    Finished version{1, "", ""};
    try {
      if (!options_.smoke) build_peers();  // for minutes, where libtorch is new
      if (fs::exists(peer)) version = run_child({peer, "--version"}, -1);
    } catch (const Error& error) {
      leave_out(fmt::format("peers that could not be built: {}", error.what()));
    }
    if (version.code != 0)
      return leave_out(
          "layers beside PyTorch in C++: not installed (on Debian: apt-get install libtorch-dev)");
    report_["versions"]["libtorch"] = version.out.substr(0, version.out.find('\n'));
    for (const Benchmark& layer : plan_.layers) {
      ++done_;
      try {
        report_["layers"].push_back(
            measure_pairs(layer, peer, effort(), options_.pairs, options_.core, [&](double ratio) {
              progress(layer.name, fmt::format("{:.2f} times as fast as the peer", ratio));
            }));
      } catch (const std::exception& error) {  // one that fails is no reason to lose the others
        failed(layer.name, error.what());
      }
      save();
    }
  }

  void measure_side_by_side() {
    if (plan_.rows.empty()) return;
    std::unique_ptr<SideBySide> table;
    message("preparing MNIST and the programs to compare with (the first time some of them are built)");
    try {
      table =
          std::make_unique<SideBySide>(programs_ + "/train", plan_.rows, options_.data_dir, options_.core);
    } catch (const FileError& error) {
      leave_out(fmt::format("training side by side: {}", error.what()));
      return;
    }
    for (const std::string& reason : table->left_out()) leave_out(reason);
    report_["versions"].update(table->versions());
    for (const Row& row : plan_.rows) {
      ++done_;
      if (!table->has(row)) continue;
      try {
        report_["side_by_side"].push_back(table->measure(row, options_.pairs, [&](double ratio) {
          progress(row.name, fmt::format("{:.2f} times as fast as the peer", ratio));
        }));
      } catch (const std::exception& error) {  // one that fails is no reason to lose the others
        failed(row.name, error.what());
      }
      save();
    }
  }

  // scaling/<what>/<size>
  void add_scaling(const ordered_json& result) {
    if (result.contains("error")) return;
    const std::string name = result["name"];
    const auto slash = name.rfind('/');
    const std::string what = name.substr(8, slash - 8);
    ordered_json row{{"size", std::stol(name.substr(slash + 1))},
                     {"seconds", result["seconds"]},
                     {"flops_per_second", result["counters"].value("flops", 0.0)}};
    ordered_json& rows = report_["scaling"][what];
    if (!rows.empty()) {
      const auto growth = [&](const char* key) {
        return std::log(row[key].get<double>() / rows.back()[key].get<double>());
      };
      row["order"] = growth("seconds") / growth("size");
    }
    rows.push_back(row);
  }

  void draw_scaling() {
    Plot plot{"Cost of training 784-128-10 at batch 50, one of its sizes varied", "size", "seconds", {}};
    plot.log_x = plot.log_y = true;
    for (const auto& [what, rows] : report_["scaling"].items()) {
      Series series{what + (what == "data" ? " (an epoch)" : " (a step)"), {}, {}};
      for (const ordered_json& row : rows) {
        series.x.push_back(row["size"]);
        series.y.push_back(row["seconds"]);
      }
      plot.series.push_back(series);
    }
    if (const std::string problem = draw(plot, folder_ + "/scaling"); !problem.empty())
      say(fmt::format("bench: no plot: {}\n", problem));
  }

  const Options& options_;
  Plan plan_;
  std::string programs_, folder_;
  std::optional<RunFolder> held_;  // so that no other process writes there
  ordered_json report_;
  std::size_t done_ = 0;
  bool failed_ = false;
};

int run_bench(int argc, char** argv) {
  const Options options = parse(argc, argv);
  if (!options.help.empty()) {
    fmt::print("{}", options.help);
    return exit_done;
  }
  catch_signals();
  // Of all programs started: one thread each, whatever library they use.
  for (const char* variable : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"})
    setenv(variable, "1", 1);
  setenv("ELK_DATA_DIR", options.data_dir.c_str(), 1);
  const std::string programs = fs::read_symlink("/proc/self/exe").parent_path();
  Plan plan = make_plan(options, programs);
  if (options.list) {
    for (const Benchmark& benchmark : plan.benchmarks) fmt::print("{}\n", benchmark.name);
    for (const Benchmark& layer : plan.layers) fmt::print("{}\n", layer.name);
    for (const Row& row : plan.rows) fmt::print("{}\n", row.name);
    return exit_done;
  }
  if (plan.benchmarks.empty() && plan.layers.empty() && plan.rows.empty())
    throw UsageError(fmt::format("--filter: nothing has a name with \"{}\"; see --list", options.filter));
  const std::vector<std::string> words(argv + 1, argv + argc);
  return Bench(options, std::move(plan), programs, fmt::format("./elk bench {}", fmt::join(words, " ")))
      .run();
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, run_bench); }
