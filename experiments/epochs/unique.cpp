#include "unique.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <lab/program.hpp>
#include <lab/repeats.hpp>
#include <lab/streams.hpp>

namespace {

using namespace elk::lab;

// What a cell sees: `unique` images, `epochs` times each.
struct Diet {
  double width, unique, epochs;
};

// The rate that the search begins at: the best one of most cells.
constexpr double first_rate_of_repeats = 0.4;

void tell_losses(Study& study, const std::string& of, std::span<const Outcome> outcomes,
                 std::span<const Diet> diets) {
  std::map<double, Series> lines;  // by how often each image is seen
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const Interval loss = outcomes[i].mean(Metric::test_loss);
    if (!std::isfinite(loss.mean)) continue;
    Series& line = lines[diets[i].epochs];
    line.title = diets[i].epochs == 1 ? "once" : text(diets[i].epochs) + " times";
    line.x.push_back(diets[i].unique * diets[i].epochs);
    line.y.push_back(loss.mean);
    line.low.push_back(loss.low);
    line.high.push_back(loss.high);
  }
  Plot plot{.title = begun("Test loss of " + of + " by images seen"),
            .x_label = "images seen",
            .y_label = "test loss",
            .note = "bands: 95 % intervals over seeds",
            .legend_title = "each is seen",
            .log_x = true,
            .log_y = true};
  for (auto& [epochs, line] : lines) {
    if (std::any_of(line.low.begin(), line.low.end(), [](double low) { return !(low > 0); }))
      line.low.clear(), line.high.clear();
    plot.series.push_back(std::move(line));
  }
  if (!plot.series.empty()) study.draw("losses-" + text(diets.front().width), std::move(plot));
}

}  // namespace

void ask_unique(Study& study) {
  const Study::Options& options = study.options();
  if (study.paper()) throw UsageError("--protocol: the study has no such part; only sound");
  if (options.epochs > 0) throw UsageError("--epochs: how often images are seen is a grid here; see --times");
  if (options.dataset != "digits")
    throw UsageError(fmt::format(
        "--dataset: expected digits, of which there are new ones without end, got \"{}\"", options.dataset));
  std::vector<double> seen{8000, 16000, 32000, 64000, 128000}, times{1, 2, 4, 8, 16, 32, 64}, widths{64, 256};
  if (options.quick) seen = {4000, 8000, 16000, 32000}, times = {1, 2, 4, 8, 16}, widths = {64};
  if (options.smoke) seen = {500, 1000, 2000, 4000}, times = {1, 2, 4}, widths = {16};
  seen = study.grid("seen", seen, {.at_least = seen.size()});
  times = study.grid("times", times, {.at_least = times.size()});
  widths = study.grid("widths", widths, {.at_least = widths.size()});
  std::sort(seen.begin(), seen.end());
  std::sort(times.begin(), times.end());
  constexpr double fewest = 10 * stream_batch;
  if (seen.back() > 1e9)
    throw UsageError(fmt::format("--seen: expected at most 1e9 images, got {:g}", seen.back()));

  std::vector<Diet> diets;
  for (const double width : widths)
    for (const double images : seen)
      for (const double epochs : times) {
        const double unique = std::round(images / epochs);
        if (unique < fewest) continue;
        diets.push_back({width, unique, epochs});
        study.add(
            {.series = "width " + text(width) + ", " + text(images) + " seen",
             .label = epochs == 1 ? "new images" : fmt::format("{:g} images {:g} times", unique, epochs),
             .x = epochs,
             .settings = {{"dataset", options.dataset},
                          {"hidden", static_cast<std::int64_t>(width)},
                          {"examples", static_cast<std::int64_t>(unique * epochs)},
                          {"unique", static_cast<std::int64_t>(unique)},
                          {"lr", first_rate_of_repeats}},
             .tune = true});
      }
  if (diets.empty())
    throw UsageError(
        fmt::format("--seen and --times: expected cells of at least {:g} images, got none", fewest));
  study.tell_cost();
  const Outcomes all = study.run();

  const std::size_t cells = diets.size() / widths.size();
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const auto part = std::span(all).subspan(i * cells, cells);
    const auto fed = std::span(diets).subspan(i * cells, cells);
    RepeatQuestion question{.of = "width " + text(widths[i]),
                            .key = text(widths[i]),
                            .seed = static_cast<std::uint64_t>(options.seed)};
    if (options.smoke) question.resamples = 50;
    for (std::size_t k = 0; k < cells; ++k)
      question.cells.push_back({fed[k].unique, fed[k].epochs, part[k].values(Metric::test_loss)});
    tell(study, answer(question));
    tell_losses(study, question.of, part, fed);
  }
  study.table("Runs", "data", all, "As many images are seen in each group.");
  study.check(
      "data",
      "images that are seen once are drawn for their run, others for each seed; of those that are seen again "
      "a run has the first of the same series, in another order in every epoch");
  study.check("schedule", "the rate falls to 0 along half a cosine that ends with the run, whatever it sees");
  study.check(
      "learning rates",
      "found for each cell, at its full length: a long run over few images may take a lower one, which is "
      "all that holds it back from overfitting");
}

elk::lab::Question question_of_unique() {
  return {.program = "epochs-unique",
          .title = "Repeated images",
          .question = "What is it worth to see images again and again, compared with as many new ones?",
          .grids = {{"seen", "numbers of images seen"},
                    {"times", "how often each image is seen"},
                    {"widths", "hidden widths"}},
          .dataset = "digits",
          .metrics = {Metric::test_loss},
          .chosen_by = Metric::val_loss,
          .work = stream_runs,
          .called = {"epochs", "--unique"}};
}
