// depth: do more hidden layers help, and do they make ReLU unstable?

#include <lab/study.hpp>

namespace {

using namespace elk::lab;

void ask(Study& study) {
  const bool paper = study.paper();
  const std::string width = paper ? "32" : "128";
  for (const std::string activation : {"relu", "sigmoid"})
    for (const double depth : study.grid("depths", {0, 1, 2, 3, 4, 6, 8}, {.zero = true})) {
      TrainConfig config = study.base(10);
      config.hidden.clear();
      for (int layer = 0; layer < static_cast<int>(depth); ++layer)
        config.hidden += (layer > 0 ? "," : "") + width;
      config.activation = activation;
      config.init = activation == "sigmoid" ? "xavier" : "he";
      if (paper) {
        // As where the study met two layers (PAPER 3.2).
        config.init = "normal";
        config.loss = "paper_mean";
        config.schedule = "constant";
      }
      study.add({.series = activation == "relu" ? "ReLU" : activation,
                 .label = text(depth),
                 .x = depth,
                 .config = config,
                 .tune = !paper});
    }
  const Outcomes all = study.run();
  study.table("Test accuracy by depth, layers of " + width, "hidden layers", all,
              "Trained by plain SGD, without momentum: what a network learns with it is no bound of what it "
              "can learn.");
  study.plot("Test error by depth, layers of " + width, "hidden layers", all, Metric::test_error,
             {.log_y = true});
  study.plot("Test loss by depth, layers of " + width, "hidden layers", all, Metric::test_loss,
             {.log_y = true});
  const std::size_t depths = all.size() / 2;
  for (const std::size_t begin : {std::size_t{0}, depths}) {
    const std::span sweep = std::span(all).subspan(begin, depths);
    study.best_of(sweep, "for " + sweep[0].cell.series + ", depth");
  }
  for (std::size_t i = 0; i < depths; ++i) {
    if (all[i].cell.x < 2) continue;
    Outcome relu = all[i], sigmoid = all[depths + i];
    relu.cell.label = "ReLU", sigmoid.cell.label = "sigmoid";
    study.compare(relu, sigmoid, "With " + all[i].cell.label + " hidden layers, trained by plain SGD, ");
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run_study(
      argc, argv,
      {.program = "depth",
       .title = "Depth",
       .question = "Do more hidden layers help, and do they make ReLU unstable where a sigmoid is safe? (The "
                   "study says so without an experiment.)",
       .grids = {{"depths", "numbers of hidden layers"}}},
      ask);
}
