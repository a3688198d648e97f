// advise: which width, how many images and which learning rate suit a budget of compute?

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <elk/io/atomic_file.hpp>
#include <lab/command_line.hpp>
#include <lab/fit/isoflop.hpp>
#include <lab/law.hpp>
#include <lab/program.hpp>
#include <lab/results.hpp>

namespace {

namespace po = boost::program_options;
using namespace elk;
using namespace elk::lab;
using scaling::JointCell;

// A cell of isoflop's grid.
struct Run {
  JointCell cell;
  double width = 0, lr = 0;
};
using Runs = std::vector<Run>;

struct Read {
  std::map<std::string, Runs> budgets;  // by what the points call them
  std::string dataset;
  double least = HUGE_VAL, most = 0;  // FLOPs
  double images = 0;  // there were so many to learn from, seen again and again; 0: without end
};

Read read(const std::string& given) {
  const std::string file = std::filesystem::is_directory(given) ? given + "/results.json" : given;
  if (!std::filesystem::exists(file))
    throw UsageError(fmt::format(
        "{}: there is no such file; expected the folder of ./elk isoflop, or its results.json", file));
  const Results results = parse_results(read_file(file), file);
  if (results.program != "isoflop")
    throw UsageError(fmt::format("{}: expected results of isoflop, got those of {}", file, results.program));
  Read read;
  read.dataset = results.dataset;
  for (const Point& point : results.points) {
    const auto losses = point.measured.find("test_loss");
    const auto config = nlohmann::json::parse(point.config, nullptr, false);
    const auto examples = training_examples(point);
    if (losses == point.measured.end() || !examples || point.parameters <= 0 || !config.is_object() ||
        !config.contains("lr") || !config["lr"].is_number() || !(config["lr"].get<double>() > 0))
      continue;
    Run run{{static_cast<double>(point.parameters), static_cast<double>(*examples), {}}, point.x};
    run.lr = config["lr"];
    run.cell.losses = usable_losses(losses->second.values);
    read.images = std::max(read.images, static_cast<double>(point.unique));
    const double flops = 6 * run.cell.n * run.cell.d;
    if (run.cell.losses.empty()) continue;
    read.least = std::min(read.least, flops), read.most = std::max(read.most, flops);
    read.budgets[point.series].push_back(std::move(run));
  }
  if (read.budgets.empty())
    throw ValueError(
        fmt::format("[advise] expected runs with a test loss and a learning rate, got none in {}", file));
  if (read.images == 0 && read.dataset != "digits")
    throw ValueError(
        fmt::format("[advise] {} does not tell how many images of {} there were; ./elk isoflop --dataset {} "
                    "--from {} adds it",
                    file, read.dataset, read.dataset, file));
  return read;
}

std::vector<scaling::Budget> budgets_of(const Read& read) {
  std::vector<scaling::Budget> budgets;
  for (const auto& [name, runs] : read.budgets) {
    budgets.push_back({6 * runs.front().cell.n * runs.front().cell.d, {}});
    for (const Run& run : runs) budgets.back().cells.push_back(run.cell);
    std::sort(budgets.back().cells.begin(), budgets.back().cells.end(),
              [](const JointCell& a, const JointCell& b) { return a.n < b.n; });
  }
  return budgets;
}

// At the best size by the law of the parabolas' lowest losses; at another one, or where there are too few, by
// the joint law, give or take what cells lie off it.
scaling::Estimate expected_loss(const std::vector<scaling::Budget>& budgets, bool best, double n, double d,
                                std::size_t resamples, elk::Rng& rng) {
  if (best && scaling::advised_by_line(budgets)) {
    const scaling::Report report =
        fit_lowest(budgets, {.predict_at = {6 * n * d}, .resamples = resamples}, rng);
    return report.prediction(0);
  }
  std::vector<JointCell> cells;
  for (const scaling::Budget& budget : budgets)
    cells.insert(cells.end(), budget.cells.begin(), budget.cells.end());
  const scaling::JointReport report =
      fit_joint_cells(cells, {}, {.predict_at = {{n, d}}, .resamples = resamples}, rng);
  scaling::Estimate loss = report.predictions.front();
  const double off = std::exp(1.96 * report.fit.residual);
  loss.interval = {loss.interval.low / off, loss.interval.high * off};
  return loss;
}

// Of nets of one hidden layer, whose parameters grow with the width along a line.
struct Sizes {
  double at_zero = 0, a_unit = 0;

  double parameters(double width) const { return at_zero + a_unit * width; }
  double width(double n) const { return (n - at_zero) / a_unit; }
};

Sizes sizes_of(const Runs& runs) {
  const auto [low, high] = std::minmax_element(runs.begin(), runs.end(),
                                               [](const Run& a, const Run& b) { return a.width < b.width; });
  const double a_unit = (high->cell.n - low->cell.n) / (high->width - low->width);
  return {low->cell.n - a_unit * low->width, a_unit};
}

// The rates that were found, as powers of N and D, by least squares.
double rate_at(const Runs& runs, double n, double d) {
  double mean[3] = {};
  const auto logs = [](const Run& run) {
    return std::array<double, 3>{std::log(run.cell.n), std::log(run.cell.d), std::log(run.lr)};
  };
  const auto count = static_cast<double>(runs.size());
  for (const Run& run : runs)
    for (std::size_t k = 0; k < 3; ++k) mean[k] += logs(run)[k] / count;
  // Not 0 where all runs have one N or one D.
  double nn = 1e-6, dd = 1e-6, nd = 0, nr = 0, dr = 0;
  for (const Run& run : runs) {
    const auto at = logs(run);
    const double x = at[0] - mean[0], y = at[1] - mean[1], r = at[2] - mean[2];
    nn += x * x, dd += y * y, nd += x * y, nr += x * r, dr += y * r;
  }
  const double determinant = nn * dd - nd * nd;
  const double by_n = (nr * dd - dr * nd) / determinant, by_d = (dr * nn - nr * nd) / determinant;
  return std::exp(mean[2] + by_n * (std::log(n) - mean[0]) + by_d * (std::log(d) - mean[1]));
}

int run_advise(int argc, char** argv) {
  std::string config_file;
  double flops = 0, data = 0;
  std::int64_t resamples = 1000, seed = 100;
  bool json = false, print_config = false;
  po::options_description options("Options");
  auto add = options.add_options();
  add("flops", po::value(&flops)->value_name("C"), "the compute to spend, in FLOPs, C = 6 N D");
  add("data", po::value(&data)->value_name("D"), "as many images there are, each to be seen once");
  add("resamples", po::value(&resamples)->value_name("N"),
      "resamples of each kind for the intervals; default 1000");
  add("seed", po::value(&seed)->value_name("N"), "seed of the resamples; default 100");
  add("config", po::value(&config_file)->value_name("FILE"),
      "read options from a JSON file; options given here override them");
  add("print-config", po::bool_switch(&print_config), "print the options as JSON and end");
  add("json", po::bool_switch(&json), "print one JSON object");
  add("help", "print this and end");
  add("version", "print the version and end");
  po::variables_map values;
  const auto files = parse_options({argv + std::min(argc, 1), argv + argc}, options, values);
  if (values.count("config") > 0) store_config_file(values["config"].as<std::string>(), options, values);
  po::notify(values);
  if (const std::string help =
          help_or_version(values,
                          "Usage: ./elk advise [RESULTS] --flops C [options]\n\n"
                          "Tells how to spend C FLOPs, by the runs of ./elk isoflop. RESULTS is its folder "
                          "or its results.json;\n"
                          "default runs/isoflop.\n\n"
                          "  ./elk advise --flops 1e12\n"
                          "  ./elk advise --flops 1e12 --data 500000\n\n",
                          {&options}, "\nExit codes: 0 done, 1 no law can be fitted, 2 wrong usage.\n");
      !help.empty()) {
    fmt::print("{}", help);
    return exit_done;
  }
  if (values.count("flops") > 0) in_range("flops", flops, 1, 1e30);
  if (values.count("data") > 0) in_range("data", data, 1, 1e18);
  in_range("resamples", static_cast<double>(resamples), 10, 1e6);
  in_range("seed", static_cast<double>(seed), 0, 4294957295);
  if (print_config) {
    nlohmann::ordered_json object{{"resamples", resamples}, {"seed", seed}};
    if (flops > 0) object["flops"] = flops;
    if (data > 0) object["data"] = data;
    fmt::print("{}\n", object.dump(2));
    return exit_done;
  }
  if (values.count("flops") == 0) throw UsageError("--flops: expected the compute to spend, such as 1e12");
  if (files.size() > 1) throw UsageError(fmt::format("unexpected argument \"{}\"", files[1]));

  const std::string file = files.empty() ? "runs/isoflop" : files.front();
  const Read found = read(file);
  constexpr double beyond = 10;
  if (flops < found.least / beyond || flops > found.most * beyond)
    throw UsageError(fmt::format("--flops: {} knows budgets from {} to {}; expected {} to {}, got {}", file,
                                 flops_text(found.least), flops_text(found.most),
                                 flops_text(found.least / beyond), flops_text(found.most * beyond),
                                 flops_text(flops)));
  const bool fresh = found.images == 0;
  if (data > 0 && !fresh)
    throw UsageError(fmt::format(
        "--data: the runs of {} see the images of {} again and again; how fewer would do they do not tell",
        file, found.dataset));
  Runs runs;
  for (const auto& [name, of] : found.budgets) runs.insert(runs.end(), of.begin(), of.end());
  const std::vector<scaling::Budget> budgets = budgets_of(found);
  double n = scaling::advised_size(budgets, flops);
  const bool best = !(data > 0) || flops / (6 * n) <= data;
  if (!best) n = flops / (6 * data);  // what compute is left makes the net larger
  double largest = 0;
  for (const Run& run : runs) largest = std::max(largest, run.cell.n);
  if (n > beyond * largest)
    throw UsageError(
        fmt::format("--data: {:g} images leave compute for {:.3g} parameters; {} knows nets of up to {:.3g}",
                    data, n, file, largest));
  const Sizes sizes = sizes_of(runs);
  const double width = std::max(1.0, std::round(sizes.width(n)));
  n = sizes.parameters(width);
  double images = std::round(flops / (6 * n));
  if (data > 0) images = std::min(images, data);
  const double unique = fresh ? images : std::min(images, found.images);
  Rng rng(static_cast<std::uint64_t>(seed));
  const scaling::Estimate loss =
      expected_loss(budgets, best, n, images, static_cast<std::size_t>(resamples), rng);
  const double lr = rate_at(runs, n, images);
  const scaling::Regret regret = scaling::regret(budgets);
  if (json) {
    nlohmann::ordered_json object{{"width", width},
                                  {"images", unique},
                                  {"epochs", images / unique},
                                  {"lr", std::stod(fmt::format("{:.2g}", lr))},
                                  {"test_loss", loss.value},
                                  {"test_loss_low", loss.interval.low},
                                  {"test_loss_high", loss.interval.high}};
    if (regret.told > 0) object["regret"] = regret.worst;
    fmt::print("{}\n", object.dump(2));
    return exit_done;
  }
  fmt::print(
      "hidden units        {:.0f}\nimages              {:.0f}\nepochs              {:.3g}\n"
      "learning rate       {:.2g}\nexpected test loss  {}\n",
      width, unique, images / unique, lr, shown(loss));
  if (regret.told > 0)
    fmt::print(
        "\nBy the advice of the other budgets, {} of {} would have lost at most {} of their best test "
        "loss.\n",
        regret.told, budgets.size(), share(regret.worst));
  return exit_done;
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, run_advise); }
