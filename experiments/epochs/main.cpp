// epochs: when does a network begin to overfit, and does that depend on its size?

#include <algorithm>
#include <cmath>
#include <map>

#include <lab/epochs.hpp>
#include <lab/study.hpp>

#include "unique.hpp"

namespace {

using namespace elk::lab;
using elk::train::HistoryRow;

void ask(Study& study) {
  const auto add = [&](const std::string& label, TrainConfig config, bool tune) {
    config.test_every_epoch = true;
    study.add({.label = label,
               .x = static_cast<double>(config.hidden_widths().front()),
               .config = config,
               .tune = tune});
  };
  TrainConfig config = study.base(100);
  config.schedule = "constant";
  if (study.paper()) {
    config.loss = "paper_mean";
    add("[784,64,10], \"mean\", no decay (the figure)", config, false);
    config.loss = "cross_entropy";
    config.schedule = "exponential:0.9";
    config.hidden = "400";
    add("[784,400,10], cross-entropy, decay (the text)", config, false);
  } else {
    const std::vector<double> widths = study.grid("widths", {32, 64, 256});
    // How far the loss rises in so many epochs depends on the rate too: sizes are compared at one rate as
    // well.
    for (const bool tune : {true, false})
      for (const double width : widths) {
        config.hidden = text(width);
        add("width " + config.hidden + (tune ? "" : ", rate " + text(*config.lr)), config, tune);
      }
    config.schedule = "exponential:0.9";
    add("width " + config.hidden + ", decay 0.9", config, true);
  }
  const Outcomes all = study.run();
  study.table("Results", "network", all,
              study.paper() ? "Of the last epoch." : "Of the epoch with the lowest validation loss.");
  Table when{
      .title = "The epoch that validation chooses, and the last one",
      .columns = {"network", "epoch (each seed)", "its test loss", "test loss at the end", "rise"},
      .note = study.paper()
                  ? "Without held-out examples the lowest test loss chooses, from which the last one can "
                    "only rise: how much by chance is not known."
                  : "Of runs without a curve nothing is told."};
  struct Rise {
    double width;
    std::string label;
    std::vector<double> by_seed = {};
  };
  // At constant rates, where every seed has its curve; by whether the rate was tuned.
  std::map<bool, std::vector<Rise>> rises;
  if (!study.paper()) {
    Plot sizes{.title = "Test loss of all sizes at one rate",
               .x_label = "epoch",
               .y_label = "test loss",
               .log_y = true};
    for (const Outcome& outcome : all)
      if (!outcome.cell.tune)
        sizes.series.push_back(
            study.curve(outcome, outcome.cell.label, [](const HistoryRow& row) { return row.test_loss; }));
    study.draw_curves(sizes);
  }
  for (const Outcome& outcome : all) {
    Plot plot{.title = outcome.cell.label, .x_label = "epoch", .y_label = "loss", .log_y = true};
    plot.series = {
        study.curve(outcome, "training loss", [](const HistoryRow& row) { return row.train_loss; }),
        study.curve(outcome, "test loss", [](const HistoryRow& row) { return row.test_loss; })};
    study.draw_curves(plot);
    std::vector<double> chosen, last;
    std::string epochs;
    bool learns_on = true;
    for (const RunSummary& run : outcome.runs) {
      const auto rows = study.history(run);
      if (run.status != "done" || rows.empty()) continue;
      const HistoryRow& at = rows[chosen_epoch(rows)];
      chosen.push_back(at.test_loss.value_or(NAN));
      last.push_back(rows.back().test_loss.value_or(NAN));
      learns_on = learns_on && rows.back().train_loss < at.train_loss;
      epochs += (epochs.empty() ? "" : ", ") + std::to_string(at.epoch);
    }
    if (chosen.empty()) continue;
    const Difference rise = paired_difference(last, chosen);
    when.rows.push_back({outcome.cell.label, epochs, with_interval(mean_interval(chosen)),
                         with_interval(mean_interval(last)), with_interval(rise)});
    if (study.paper()) continue;  // which has no epoch to pair the last one with
    if (outcome.cell.config.schedule == "constant" && chosen.size() == outcome.runs.size()) {
      Rise& of_width = rises[outcome.cell.tune].emplace_back(Rise{outcome.cell.x, outcome.cell.label});
      for (std::size_t i = 0; i < chosen.size(); ++i) of_width.by_seed.push_back(last[i] - chosen[i]);
    }
    study.compare(
        "test loss", last, chosen, [epochs, label = outcome.cell.label, learns_on](const Judgement& found) {
          return label + ": validation chooses epoch " + epochs +
                 ", and from there the test loss changes by " + with_interval(found) + " to the end: " +
                 (!found.stands    ? "no rise is resolved"
                  : found.mean < 0 ? "it learns on"
                  : learns_on      ? "it overfits, as the training loss falls on"
                                   : "it rises, and so does the training loss");
        });
  }
  for (const auto& [tuned, by_width] : rises) {
    if (by_width.size() < 2) continue;
    const auto [narrowest, widest] = std::minmax_element(
        by_width.begin(), by_width.end(), [](const Rise& a, const Rise& b) { return a.width < b.width; });
    study.compare("rise of the test loss", widest->by_seed, narrowest->by_seed,
                  [tuned, narrow = narrowest->label, wide = widest->label](const Judgement& found) {
                    return "The difference between the rise of " + wide + " and that of " + narrow + " is " +
                           with_interval(found) +
                           (tuned ? ", each at the rate that was found for it: " : ": ") +
                           (!found.stands    ? "not resolved"
                            : found.mean > 0 ? "the larger network overfits more"
                                             : "the larger network overfits less");
                  });
  }
  if (study.paper())
    study.conclude(
        "Without held-out examples no epoch can be chosen but by the test loss itself, whose lowest value "
        "is below its last one on a flat curve as well: of a rise nothing is concluded");
  if (!when.rows.empty()) study.table(when);
}

}  // namespace

int main(int argc, char** argv) {
  // Another question, with options of its own.
  if (take_flag(argc, argv, "--unique")) return run_study(argc, argv, question_of_unique(), ask_unique);
  return run_study(
      argc, argv,
      {.program = "epochs",
       .title = "Epochs and overfitting",
       .question = "When does a network begin to overfit as it trains on and on, and does that depend on its "
                   "size?",
       .grids = {{"widths", "hidden widths"}},
       .more = "With --unique: what is it worth to see images again and again? ./elk epochs --unique --help"},
      ask);
}
