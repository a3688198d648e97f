// epochs: when does a network begin to overfit, and does that depend on its size?

#include <algorithm>
#include <cmath>
#include <string_view>

#include <lab/epochs.hpp>
#include <lab/study.hpp>

#include "unique.hpp"

namespace {

using namespace elk::lab;
using elk::train::HistoryRow;

void ask(Study& study) {
  const auto add = [&](const std::string& label, TrainConfig config) {
    config.test_every_epoch = true;
    study.add(
        {.label = label,
         .x = static_cast<double>(config.hidden_widths().front()),
         .config = config,
         .tune = !study.paper(),
         .tune_epochs = config.epochs / 5});  // a rate that is best for three epochs is too high for all
  };
  TrainConfig config = study.base(100);
  config.schedule = "constant";
  if (study.paper()) {
    config.loss = "paper_mean";
    add("[784,64,10], \"mean\", no decay (the figure)", config);
    config.loss = "cross_entropy";
    config.schedule = "exponential:0.9";
    config.hidden = "400";
    add("[784,400,10], cross-entropy, decay (the text)", config);
  } else {
    for (const double width : study.grid("widths", {32, 64, 256})) {
      config.hidden = text(width);
      config.schedule = "constant";
      add("width " + config.hidden, config);
    }
    config.schedule = "exponential:0.9";
    add("width " + config.hidden + ", decay 0.9", config);
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
  if (study.paper())
    study.conclude(
        "Without held-out examples no epoch can be chosen but by the test loss itself, whose lowest value "
        "is below its last one on a flat curve as well: of a rise nothing is concluded");
  if (!when.rows.empty()) study.table(when);
}

}  // namespace

int main(int argc, char** argv) {
  // Another question, with options of its own.
  const auto unique = std::find(argv, argv + argc, std::string_view("--unique"));
  if (unique != argv + argc) {
    std::vector<char*> others(argv, unique);
    others.insert(others.end(), unique + 1, argv + argc);
    others.push_back(nullptr);  // as behind argv's last
    return run_study(argc - 1, others.data(), question_of_unique(), ask_unique);
  }
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
