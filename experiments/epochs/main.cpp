// epochs: when does a network begin to overfit, and does that depend on its size?

#include <algorithm>
#include <cmath>

#include <lab/study.hpp>

namespace {

using namespace elk::lab;
using elk::train::HistoryRow;

void ask(Study& study) {
  const auto add = [&](const std::string& label, TrainConfig config) {
    config.test_every_epoch = true;
    study.add({.label = label,
               .x = static_cast<double>(config.hidden_widths().front()),
               .config = config,
               .tune = !study.paper()});
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
  Table when{.title = "Where the test loss is lowest",
             .columns = {"network", "epoch (each seed)", "lowest test loss", "test loss at the end", "rise"}};
  for (const Outcome& outcome : all) {
    Plot plot{.title = outcome.cell.label, .x_label = "epoch", .y_label = "loss", .log_y = true};
    plot.series = {
        study.curve(outcome, "training loss", [](const HistoryRow& row) { return row.train_loss; }),
        study.curve(outcome, "test loss", [](const HistoryRow& row) { return row.test_loss; })};
    study.draw("", plot);
    std::vector<double> lowest, last;
    std::string epochs;
    for (const RunSummary& run : outcome.runs) {
      const auto rows = study.history(run);
      if (run.status != "done" || rows.empty()) continue;
      const auto at =
          std::min_element(rows.begin(), rows.end(), [](const HistoryRow& a, const HistoryRow& b) {
            return a.test_loss.value_or(INFINITY) < b.test_loss.value_or(INFINITY);
          });
      lowest.push_back(*at->test_loss);
      last.push_back(*rows.back().test_loss);
      epochs += (epochs.empty() ? "" : ", ") + std::to_string(at->epoch);
    }
    if (lowest.empty()) continue;
    const Difference rise = paired_difference(last, lowest);
    when.rows.push_back({outcome.cell.label, epochs, with_interval(mean_interval(lowest)),
                         with_interval(mean_interval(last)), with_interval(rise)});
    study.conclude(outcome.cell.label + ": the test loss is lowest at epoch " + epochs +
                   " and then rises by " + with_interval(rise) +
                   " to the end: " + (rise.low > 0 ? "it overfits" : "no rise is resolved"));
  }
  study.table(when);
}

}  // namespace

int main(int argc, char** argv) {
  return run_study(
      argc, argv,
      {.program = "epochs",
       .title = "Epochs and overfitting",
       .question = "When does a network begin to overfit as it trains on and on, and does that depend on its "
                   "size?",
       .grids = {{"widths", "hidden widths"}}},
      ask);
}
