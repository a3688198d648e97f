// isoflop: how large a network, and how many images, make the most of a budget of compute?

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <lab/isoflop.hpp>
#include <lab/law.hpp>
#include <lab/program.hpp>
#include <lab/streams.hpp>
#include <lab/study.hpp>

namespace {

using namespace elk::lab;

// Whether it is drawn without end, and the size of a net for it.
struct Data {
  bool fresh;
  double features, classes;
};

Data data_of(const std::string& dataset) {
  if (dataset == "cifar-10") return {false, 3072, 10};
  return {dataset == "digits", 784, 10};
}

double parameters(const Data& data, double width) {
  return (data.features + 1) * width + (width + 1) * data.classes;
}

// The rate that the search begins at: the best one of most cells.
constexpr double first_rate = 0.8;

// What compute buys.
void tell_lowest(Study& study, const std::vector<scaling::Budget>& budgets) {
  const auto fit = [&](const scaling::Options& options, elk::Rng& rng) {
    return fit_lowest(budgets, options, rng);
  };
  const auto hold_out = [&](std::size_t largest, const scaling::Options& options, elk::Rng& rng) {
    return hold_out_lowest(budgets, largest, options, rng);
  };
  const auto law = tell_law(study, {"The lowest loss L(C)", "compute", "lowest", "what no compute buys"},
                            budgets.size(), {fit, hold_out});
  if (!law) return;
  Series points{.title = "the parabolas' lowest losses", .style = SeriesStyle::points};
  for (const scaling::Point& point : law->points) points.x.push_back(point.x), points.y.push_back(point.loss);
  study.draw("lowest", {.title = "The lowest loss by compute",
                        .x_label = "training compute C = 6 N D, FLOPs",
                        .y_label = "test loss",
                        .series = {points, line_of(*law)},
                        .log_x = true,
                        .log_y = true});
}

void ask(Study& study) {
  const Study::Options& options = study.options();
  if (study.paper()) throw UsageError("--protocol: the study has no such part; only sound");
  if (options.epochs > 0)
    throw UsageError("--epochs: the length of a run follows from its budget; see --budgets");
  const Data data = data_of(options.dataset);
  std::vector<double> budgets{2e9, 6e9, 1.8e10, 5.4e10, 1.62e11};
  std::vector<double> widths{10, 16, 26, 34, 42, 54, 68, 86, 110, 178};
  if (!data.fresh) widths = {10, 16, 27, 35, 45, 58, 76, 99, 128, 165, 215, 362};
  if (options.quick) budgets = {2e9, 5e9, 1.25e10, 3.2e10}, widths = {8, 16, 32, 64, 128};
  if (options.smoke) budgets = {3e7, 6e7, 1.2e8, 2.4e8}, widths = {4, 6, 8, 12};
  if (data.features > 784)  // as many images
    for (double& budget : budgets) budget *= 4;
  budgets = study.grid("budgets", budgets, {.at_least = budgets.size(), .most = INFINITY});
  widths = study.grid("widths", widths, {.at_least = widths.size()});
  std::sort(budgets.begin(), budgets.end());
  std::sort(widths.begin(), widths.end());

  for (const double budget : budgets)
    for (const double width : widths) {
      const double examples = std::round(budget / (6 * parameters(data, width)));
      constexpr double fewest = 10 * stream_batch;
      if (!(examples >= fewest && examples <= 2147483648.0))
        throw UsageError(fmt::format(
            "--budgets: {:g} FLOPs train a net of width {:g} on {:g} images; expected {:g} to 2^31", budget,
            width, examples, fewest));
      study.add({.series = flops_text(budget),
                 .label = text(width),
                 .x = width,
                 .settings = {{"dataset", options.dataset},
                              {"hidden", static_cast<std::int64_t>(width)},
                              {"examples", static_cast<std::int64_t>(examples)},
                              {"lr", first_rate}},
                 .tune = true});
    }
  study.tell_cost();
  const Outcomes all = study.run();

  IsoflopQuestion question{.width = [data](double n) { return (n - data.classes) / parameters(data, 1); }};
  question.seed = static_cast<std::uint64_t>(options.seed);
  if (options.smoke) question.resamples = 50;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Outcome& outcome = all[i];
    if (i % widths.size() == 0) question.budgets.push_back({budgets[i / widths.size()], {}});
    question.budgets.back().cells.push_back({parameters(data, outcome.cell.x),
                                             static_cast<double>(outcome.examples),
                                             outcome.values(Metric::test_loss)});
  }
  const IsoflopAnswer found = answer(question);
  tell(study, found);

  if (found.budgets.size() >= sizes_for_a_law) tell_lowest(study, found.budgets);

  study.table("Runs by budget and width", "width", all,
              data.fresh
                  ? "Every image is seen once."
                  : fmt::format("Images are seen again and again: epochs = D / {}.", all.front().unique));
  study.table(compute_table(std::span(all).last(widths.size())));
  study.check("data",
              data.fresh
                  ? "every run sees each of its images once; they are drawn for it, others for each seed"
                  : fmt::format("D counts images seen; after {} they are seen again", all.front().unique));
  study.check("schedule",
              "the rate falls to 0 along half a cosine that ends with the run; no warmup, whose "
              "length might suit some sizes better than others (Porian et al. 2024)");
  study.check("compute",
              fmt::format("budgets are C = 6 N D, N with the last layer and all biases (Porian et al. "
                          "2024); what ran is in the table of compute. Batches of {} for all sizes: "
                          "they are not tuned",
                          stream_batch));
  study.check("best sizes",
              "of test losses, without runs that diverged; rates were chosen by the validation loss of other "
              "images, from which no run learns");
  study.check(
      "the joint law",
      "its fit minimizes a mean of Huber's losses, and one that has not converged gives no answer; its "
      "intervals are resamples of seeds and cells. Of Hoffmann et al. the minimizer stopped early and "
      "the intervals were too narrow (Besiroglu et al. 2024)");
}

}  // namespace

int main(int argc, char** argv) {
  return run_study(
      argc, argv,
      {.program = "isoflop",
       .title = "The best use of compute",
       .question =
           "How large a net should be trained, and on how many images, where only compute is limited, "
           "and how does that grow with compute?",
       .grids = {{"budgets", "budgets of compute, in FLOPs, C = 6 N D"}, {"widths", "hidden widths"}},
       .dataset = "digits",
       .metrics = {Metric::test_loss},
       .chosen_by = Metric::val_loss,
       .work = stream_runs},
      ask);
}
