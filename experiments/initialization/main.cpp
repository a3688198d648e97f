// initialization: how much better are He's and Xavier's initial weights than plain normal ones?

#include <lab/study.hpp>

namespace {

using namespace elk::lab;

void ask(Study& study) {
  using Texts = std::vector<std::string>;
  // The study compared He's (for ReLU) and Xavier's (for sigmoid) with N(0, 1), for one hidden layer.
  for (const std::string& hidden : study.paper() ? Texts{"64"} : Texts{"64", "64,64,64"})
    for (const std::string activation : {"relu", "sigmoid"})
      for (const std::string init : {"he", "xavier", "normal"}) {
        TrainConfig config = study.base(10);
        config.hidden = hidden;
        config.activation = activation;
        config.init = init;
        if (study.paper()) {
          config.loss = "paper_mean";
          config.schedule = "constant";
        }
        study.add({.series = "[784," + hidden + ",10], " + activation,
                   .label = init,
                   .config = config,
                   .tune = !study.paper()});
      }
  const Outcomes all = study.run();
  study.table("Test accuracy by initial weights", "initial weights", all,
              "Standard deviation of the initial weights: he √(2/inputs), xavier √(1/inputs), normal 1.");
  study.plot("Test error by initial weights", "initial weights", all, Metric::test_error,
             {.log_y = true, .names = true});
  for (std::size_t i = 0; i < all.size(); i += 3) {
    const std::span three = std::span(all).subspan(i, 3);
    Plot plot{.title = "Training loss, " + three[0].cell.series,
              .x_label = "epoch",
              .y_label = "training loss",
              .log_y = true};
    for (const Outcome& outcome : three)
      plot.series.push_back(
          study.curve(outcome, outcome.cell.label, [](const auto& row) { return row.train_loss; }));
    study.draw_curves(plot);
    study.best_of(three, "for " + three[0].cell.series + ", initialization");
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run_study(
      argc, argv,
      {.program = "initialization",
       .title = "Initial weights",
       .question = "How much do He's and Xavier's initial weights gain over plain normal ones, and does that "
                   "depend on activation and depth?"},
      ask);
}
