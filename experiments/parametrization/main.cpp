// parametrization: does the best learning rate stay the same when the network grows?

#include <algorithm>
#include <cmath>
#include <memory>

#include <fmt/format.h>

#include <elk/autograd/tape.hpp>
#include <elk/data/batches.hpp>
#include <elk/data/digits.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/optim/adaptive.hpp>
#include <lab/program.hpp>
#include <lab/study.hpp>
#include <models/mlp.hpp>

namespace {

using namespace elk;
using namespace elk::lab;

constexpr Index base_width = 64;

// By which networks learn, with what follows from it.
struct Method {
  const char* optimizer;
  bool adaptive;
  double lowest_rate;   // of ten in factors of two
  double checked_rate;  // of the coordinate check
};
constexpr Method sgd{"sgd", false, 0.0125, 0.1}, adam{"adam", true, 0.000125, 0.001};

struct Parametrization {
  const char *option, *name;
};
constexpr Parametrization parametrizations[] = {{"standard", "standard"}, {"mup", "maximal update"}};

// The widths of one parametrization: of each the outcomes of all rates, which rise.
using Sweeps = std::vector<std::span<const Outcome>>;

// The validation loss of a rate; of a run that failed infinite.
double loss_of(const Outcome& outcome, std::size_t seed) {
  const RunSummary& run = outcome.runs[seed];
  return run.status == "done" ? run.val_loss.value_or(INFINITY) : INFINITY;
}

double mean_loss(const Outcome& outcome) {
  double sum = 0;
  for (std::size_t seed = 0; seed < outcome.runs.size(); ++seed) sum += loss_of(outcome, seed);
  return sum / static_cast<double>(outcome.runs.size());
}

// The rate with the lowest loss, of one seed or the mean of all, by its place on the grid.
template <class Loss>
std::size_t lowest(std::span<const Outcome> rates, const Loss& loss) {
  return static_cast<std::size_t>(std::ranges::min_element(rates, {}, loss) - rates.begin());
}
std::size_t best_rate(std::span<const Outcome> rates, std::size_t seed) {
  return lowest(rates, [&](const Outcome& outcome) { return loss_of(outcome, seed); });
}
std::size_t best_rate_of_all(std::span<const Outcome> rates) { return lowest(rates, mean_loss); }

// The geometric mean over seeds of the best rates at each width, and the rate of each seed.
Series best_rates(const std::string& title, const Sweeps& widths) {
  Series series{.title = title};
  const std::size_t seeds = widths.front().front().runs.size();
  series.members.resize(seeds);
  for (const auto& rates : widths) {
    double logs = 0;
    for (std::size_t seed = 0; seed < seeds; ++seed) {
      const double rate = rates[best_rate(rates, seed)].cell.x;
      series.members[seed].push_back(rate);
      logs += std::log(rate);
    }
    series.x.push_back(static_cast<double>(rates.front().cell.config.hidden_widths().front()));
    series.y.push_back(std::exp(logs / static_cast<double>(seeds)));
  }
  return series;
}

// How far the best rate moves from the narrowest network to the widest, in steps of the grid: that of the
// lowest mean loss, and the mean of the seeds' own. And what it costs the widest to learn at the rate of the
// narrowest.
void tell_move(Study& study, const Parametrization& by, const Sweeps& widths) {
  const std::span<const Outcome> narrowest = widths.front(), widest = widths.back();
  const std::size_t seeds = narrowest.front().runs.size();
  std::vector<double> steps;
  bool at_edge = false;
  const auto note_edge = [&](std::size_t at) { at_edge = at_edge || at == 0 || at + 1 == widest.size(); };
  for (std::size_t seed = 0; seed < seeds; ++seed) {
    for (const auto& rates : widths) note_edge(best_rate(rates, seed));
    steps.push_back(static_cast<double>(best_rate(widest, seed)) -
                    static_cast<double>(best_rate(narrowest, seed)));
  }
  const std::size_t narrow = best_rate_of_all(narrowest), wide = best_rate_of_all(widest);
  note_edge(narrow), note_edge(wide);
  if (!std::isfinite(mean_loss(narrowest[narrow]) + mean_loss(widest[wide]))) {
    study.conclude(fmt::format("{}: at every rate a run failed; nothing is concluded", by.name));
    return;
  }
  const double of_all = static_cast<double>(wide) - static_cast<double>(narrow),
               of_seeds = mean_interval(steps).mean,
               cost = mean_loss(widest[narrow]) / mean_loss(widest[wide]) - 1;
  study.number(std::string(by.option) + "_steps", of_all);
  study.number(std::string(by.option) + "_steps_of_seeds", of_seeds);
  if (std::isfinite(cost)) study.number(std::string(by.option) + "_cost", cost);
  const std::string from = narrowest.front().cell.label, to = widest.front().cell.label;
  study.conclude(fmt::format(
      "{}: from {} to {} the best learning rate, that of the lowest mean loss, moves by {:g} step{} of the "
      "grid (0 is not at all; the best rates of {} seeds by {} in the mean), and at the best rate of {} the "
      "validation loss of {}{}{}",
      by.name, from, to, of_all, std::abs(of_all) == 1 ? "" : "s", seeds, decimal(of_seeds), from, to,
      std::isfinite(cost) ? fmt::format(" is {:.1f} % above its lowest", 100 * cost) : " is not finite",
      at_edge ? "; a best rate lies at the grid's edge, the true one may lie beyond" : ""));
}

// The mean size of what a few steps change in the logits: the coordinate check of Yang et al. 2022, appendix
// D.1.
double change_of_logits(const Method& method, bool maximal_update, Index width, Index steps,
                        std::uint64_t seed) {
  Rng rng(seed);
  const Dataset data = digits(1, 0, 256);
  const auto [x, labels] = *Batches(data, 256).begin();
  models::MLP net({.sizes = {data.features(), width, width, 10},
                   .activation = models::activation("relu"),
                   .base_width = maximal_update ? base_width : 0},
                  rng);
  const std::unique_ptr<optim::Optimizer> optimizer = [&]() -> std::unique_ptr<optim::Optimizer> {
    if (method.adaptive)
      return std::make_unique<optim::Adam>(net, optim::Adam::Options{.lr = method.checked_rate});
    return std::make_unique<optim::SGD>(net, optim::SGD::Options{.lr = method.checked_rate});
  }();
  if (maximal_update) models::maximal_update(net, *optimizer, base_width, method.adaptive);
  const Tensor before = net(x);
  for (Index step = 0; step < steps; ++step) {
    Tape tape;
    optimizer->step(tape.backward(cross_entropy(net(x), labels)));
  }
  return mean(abs(net(x) - before)).item();
}

void check_coordinates(Study& study, const Method& method, const std::vector<double>& widths) {
  constexpr Index steps = 3;
  constexpr std::uint64_t seeds = 3;
  std::vector<Series> lines;
  for (const Parametrization& by : parametrizations) {
    Series line{.title = by.name};
    for (const double width : widths) {
      double sum = 0;
      for (std::uint64_t seed = 1; seed <= seeds; ++seed)
        sum +=
            change_of_logits(method, by.option == std::string("mup"), static_cast<Index>(width), steps, seed);
      line.x.push_back(width);
      line.y.push_back(sum / static_cast<double>(seeds));
    }
    study.number(std::string(by.option) + "_logits_grow", line.y.back() / line.y.front());
    lines.push_back(line);
  }
  study.draw("coordinate-check",
             {.title = "What three steps of one rate change in the logits",
              .x_label = "hidden units",
              .y_label = "mean size of the change",
              .series = lines,
              .note = fmt::format("256 built-in digits, two hidden layers, {} at {}, means over 3 seeds",
                                  method.optimizer, method.checked_rate),
              .log_x = true,
              .log_y = true});
}

void ask_by(const Method& method, Study& study) {
  if (study.paper()) throw UsageError("--protocol: the study has no such part; only sound");
  std::vector<double> rates;
  for (int power = 0; power < 10; ++power) rates.push_back(method.lowest_rate * std::pow(2, power));
  rates = study.grid("lrs", rates);
  // Smoke is to end in seconds.
  const std::vector<double> widths =
      study.grid("widths", study.options().smoke ? std::vector<double>{64, 128}
                                                 : std::vector<double>{64, 128, 256, 512, 1024, 2048});
  TrainConfig net = study.base(3);
  net.base_width = base_width;
  net.optimizer = method.optimizer;
  if (!study.options().full && net.dataset != "digits") net.train_size = 10000;
  for (const Parametrization& by : parametrizations) {
    net.param = by.option;
    for (const double width : widths) {
      net.hidden = text(width) + "," + text(width);
      for (const double rate : rates) {
        net.lr = rate;
        study.add({.series = std::string(by.name) + ", width " + text(width),
                   .label = "width " + text(width),
                   .x = rate,
                   .config = net});
      }
    }
  }
  const Outcomes all = study.run();
  std::vector<Series> moves;
  for (std::size_t i = 0; i < std::size(parametrizations); ++i) {
    const Parametrization& by = parametrizations[i];
    const auto part = std::span(all).subspan(i * all.size() / 2, all.size() / 2);
    Sweeps sweeps;
    for (std::size_t begin = 0; begin < part.size(); begin += rates.size())
      sweeps.push_back(part.subspan(begin, rates.size()));
    const std::string title = std::string("Validation loss by learning rate, ") + by.name;
    study.plot(title, "learning rate", part, Metric::val_loss, {.log_x = true, .log_y = true});
    moves.push_back(best_rates(by.name, sweeps));
    tell_move(study, by, sweeps);
  }
  lab::Table table{.title = "Best learning rate by width",
                   .columns = {"width"},
                   .note = "By validation loss; geometric means over seeds."};
  for (const Series& line : moves) table.columns.push_back(line.title);
  for (std::size_t i = 0; i < widths.size(); ++i) {
    table.rows.push_back({text(widths[i])});
    for (const Series& line : moves) table.rows.back().push_back(fmt::format("{:.3g}", line.y[i]));
  }
  study.table(std::move(table));
  study.draw("best-rates", {.title = "Best learning rate by width",
                            .x_label = "hidden units",
                            .y_label = "learning rate",
                            .series = moves,
                            .note = "by validation loss; faint: single seeds",
                            .log_x = true,
                            .log_y = true});
  check_coordinates(study, method, widths);
}

void ask(Study& study) { ask_by(sgd, study); }
void ask_adam(Study& study) { ask_by(adam, study); }

}  // namespace

int main(int argc, char** argv) {
  Question question{
      .program = "parametrization",
      .title = "Parametrization",
      .question =
          "Does the learning rate that is best for a narrow network stay the best when the network "
          "grows, by the standard parametrization and by the maximal update (mup)?",
      .grids = {{"lrs", "learning rates"}, {"widths", "widths of the two hidden layers"}},
      .more = "By SGD; with --adam: by Adam. ./elk parametrization --adam --help"};
  if (!take_flag(argc, argv, "--adam")) return run_study(argc, argv, question, ask);
  question.program = "parametrization-adam";
  question.question =
      "Does the learning rate that is best for a narrow network stay the best when the network grows and "
      "Adam trains it, by the standard parametrization and by the maximal update (mup)?";
  question.called = {"parametrization", "--adam"};
  question.more = "";
  return run_study(argc, argv, question, ask_adam);
}
