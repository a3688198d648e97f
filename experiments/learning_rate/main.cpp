// learning_rate: which learning rates work, and does the best one depend on the size of the network?

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <map>

#include <lab/study.hpp>

namespace {

using namespace elk::lab;

constexpr double usable = 0.9;  // a test accuracy that a rate must reach with every seed

// Read off the study's figures (PAPER 3.5).
const std::map<double, double> sigmoid_reported = {{0.001, 0.920}, {0.005, 0.951}, {0.010, 0.957},
                                                   {0.015, 0.967}, {0.030, 0.946}, {0.050, 0.934},
                                                   {0.080, 0.918}, {0.100, 0.899}};
const std::map<double, double> relu_reported = {{0.0001, 0.905}, {0.0005, 0.938}, {0.0010, 0.954},
                                                {0.0020, 0.962}, {0.0040, 0.969}, {0.0080, 0.940},
                                                {0.0100, 0.935}};

// Two grids of the study in one: rates from `from` to `to`, of which each counts `divisor` to the one.
struct Steps {
  int from, to;
  double divisor;
};
std::vector<double> rates_of(std::initializer_list<Steps> parts) {
  std::vector<double> rates;
  for (const Steps& part : parts)
    for (int i = part.from; i <= part.to; ++i) rates.push_back(i / part.divisor);
  return rates;
}

// From where to where every rate is usable; the rates come in rising order.
std::string usable_rates(const std::string& what, std::span<const Outcome> rates) {
  const auto good = [](const Outcome& outcome) {
    const std::vector<double> values = outcome.values(Metric::test_accuracy);
    return std::all_of(values.begin(), values.end(), [](double accuracy) { return accuracy >= usable; });
  };
  const std::string rule = " (90 % with every seed)";
  const auto first = std::find_if(rates.begin(), rates.end(), good);
  if (first == rates.end()) return what + ": no rate is usable" + rule;
  const auto end = std::find_if_not(first, rates.end(), good);
  return what + ": rates are usable" + rule + " from " + first->cell.label + " to " +
         std::prev(end)->cell.label +
         (end == rates.end() ? ", the highest that was tried" : "; " + end->cell.label + " is not");
}

// The sweep of one network; its rates come in rising order.
void tell(Study& study, std::span<const Outcome> rates) {
  const std::string& what = rates.front().cell.series;
  study.best_of(rates, "for " + what + ", the rate");
  study.conclude(usable_rates(what, rates));
}

void add(Study& study, const TrainConfig& net, const std::string& series, const std::vector<double>& rates,
         const std::map<double, double>& reported = {}) {
  for (const double rate : rates) {
    TrainConfig config = net;
    config.lr = rate;
    const auto at = reported.find(rate);
    study.add({.series = series,
               .label = text(rate),
               .x = rate,
               .config = config,
               .reported = at != reported.end() ? std::optional(at->second) : std::nullopt});
  }
}

void show(Study& study, const std::string& title, std::span<const Outcome> all) {
  study.table(title, "learning rate", all);
  study.plot(title, "learning rate", all, Metric::test_accuracy, {.log_x = true});
  study.plot("Test loss by learning rate", "learning rate", all, Metric::test_loss,
             {.log_x = true, .log_y = true});
}

void as_the_study(Study& study) {
  TrainConfig net = study.base(3);
  net.loss = "paper_mean";
  net.schedule = "constant";
  net.activation = "sigmoid";
  net.init = "xavier";
  const std::vector<double> rates = study.grid("lrs", rates_of({{1, 200, 1000}, {21, 100, 100}}));
  add(study, net, "sigmoid, xavier", rates, sigmoid_reported);
  net.activation = "relu";
  net.init = "he";
  add(study, net, "ReLU, he", study.grid("lrs", rates_of({{1, 100, 10000}, {2, 50, 100}})), relu_reported);
  const Outcomes all = study.run();
  const std::span sigmoid = std::span(all).first(rates.size()), relu = std::span(all).subspan(rates.size());
  show(study, "Test accuracy by learning rate, sigmoid", sigmoid);
  show(study, "Test accuracy by learning rate, ReLU", relu);
  tell(study, sigmoid);
  tell(study, relu);
}

// Whether the best rate moves with the width: the slope of log(best rate) against log(width), a line for each
// seed. Where all seeds choose one rate of the grid, that is no certainty: a best rate lies anywhere within
// half a step of the one that was chosen, and the intervals say so.
void tell_slope(Study& study, std::span<const std::span<const Outcome>> widths) {
  std::vector<double> slopes;
  Series best_rates{.title = "best rate of each seed (geometric mean)"};
  const std::size_t seeds = widths.front().front().runs.size();
  const std::span<const Outcome> grid = widths.front();
  const double step =
      std::log(grid[grid.size() - 1].cell.x / grid[0].cell.x) / static_cast<double>(grid.size() - 1);
  const auto both = [](double by_seeds, double by_grid) { return std::hypot(by_seeds, by_grid); };
  for (const auto& rates : widths)
    best_rates.x.push_back(static_cast<double>(rates.front().cell.config.hidden_widths().front()));
  best_rates.members.resize(seeds);
  for (std::size_t seed = 0; seed < seeds; ++seed) {
    double sx = 0, sy = 0, sxx = 0, sxy = 0;
    const auto n = static_cast<double>(widths.size());
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const auto& best_run =
          *std::max_element(widths[i].begin(), widths[i].end(), [&](const Outcome& a, const Outcome& b) {
            return a.runs[seed].val_accuracy.value_or(0) < b.runs[seed].val_accuracy.value_or(0);
          });
      const double x = std::log(best_rates.x[i]), y = std::log(best_run.cell.x);
      best_rates.members[seed].push_back(best_run.cell.x);
      sx += x, sy += y, sxx += x * x, sxy += x * y;
    }
    slopes.push_back((n * sxy - sx * sy) / (n * sxx - sx * sx));
  }
  for (std::size_t i = 0; i < widths.size(); ++i) {
    std::vector<double> logs;
    for (std::size_t seed = 0; seed < seeds; ++seed) logs.push_back(std::log(best_rates.members[seed][i]));
    const Interval mean = mean_interval(logs);
    best_rates.y.push_back(std::exp(mean.mean));
    const double half = both(mean.high - mean.mean, step / 2);
    best_rates.low.push_back(std::exp(mean.mean - half));
    best_rates.high.push_back(std::exp(mean.mean + half));
  }
  study.draw("best-rates", {.title = "Best learning rate by width",
                            .x_label = "hidden units",
                            .y_label = "learning rate",
                            .series = {best_rates},
                            .note = "bands: 95 % over seeds, and half a step of the grid",
                            .log_x = true,
                            .log_y = true});
  // Errors of rounding, even within a step, have a variance of step² / 12; a slope divides it by the spread
  // of its x.
  double mean_x = 0, spread = 0;
  for (const double width : best_rates.x) mean_x += std::log(width) / static_cast<double>(widths.size());
  for (const double width : best_rates.x) spread += std::pow(std::log(width) - mean_x, 2);
  const Interval over_seeds = mean_interval(slopes);
  const double half = both(over_seeds.high - over_seeds.mean, 1.96 * step / std::sqrt(12 * spread));
  const Interval slope{over_seeds.mean, over_seeds.mean - half, over_seeds.mean + half};
  study.number("best_rate_slope", slope.mean);
  study.number("best_rate_slope_low", slope.low);
  study.number("best_rate_slope_high", slope.high);
  const bool moves = slope.low > 0 || slope.high < 0;
  constexpr std::size_t widths_for_a_law = 5;
  study.conclude("Over " + std::to_string(widths.size()) +
                 " widths the best learning rate goes as width to the power of " + decimal(slope.mean) +
                 " (95 % interval " + decimal(slope.low) + " to " + decimal(slope.high) + ", " +
                 std::to_string(seeds) + " seeds and the grid's steps): " +
                 (moves ? "it moves with the size" : "no move with the size is resolved") +
                 (widths.size() < widths_for_a_law ? ", and the exponent of so few widths is no law" : ""));
}

void soundly(Study& study) {
  std::vector<double> rates;
  for (int power = 0; power < 10; ++power) rates.push_back(0.01 * std::pow(2, power));
  rates = study.grid("lrs", rates);
  TrainConfig net = study.base(5);
  net.activation = "sigmoid";
  net.init = "xavier";
  add(study, net, "sigmoid, width 64", rates);
  net.activation = "relu";
  net.init = "he";
  const std::vector<double> widths =
      study.grid("widths", study.options().full ? std::vector<double>{32, 64, 128, 256, 512, 1024, 2048}
                                                : std::vector<double>{32, 64, 128, 256, 512, 1024});
  for (const double width : widths) {
    net.hidden = text(width);
    add(study, net, "ReLU, width " + net.hidden, rates);
  }
  const Outcomes all = study.run();
  show(study, "Test accuracy by learning rate", all);
  std::vector<std::span<const Outcome>> sweeps;
  for (std::size_t begin = 0; begin < all.size(); begin += rates.size())
    sweeps.push_back(std::span(all).subspan(begin, rates.size()));
  for (const auto& sweep : sweeps) tell(study, sweep);
  if (sweeps.size() > 2) tell_slope(study, std::span(sweeps).subspan(1));  // without the sigmoid's
}

void ask(Study& study) { study.paper() ? as_the_study(study) : soundly(study); }

}  // namespace

int main(int argc, char** argv) {
  return run_study(
      argc, argv,
      {.program = "learning_rate",
       .title = "Learning rate",
       .question = "Which learning rates work for a sigmoid and a ReLU network, and does the best one move "
                   "with the size of the network?",
       .grids = {{"lrs", "learning rates"}, {"widths", "hidden widths of the ReLU networks"}}},
      ask);
}
