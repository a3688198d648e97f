// leaky_slope: does a leaky ReLU gain from its slope, and from which?

#include <lab/study.hpp>

namespace {

using namespace elk::lab;

void ask(Study& study) {
  for (const double slope :
       study.grid("slopes", {0, 0.001, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1}, {.zero = true})) {
    TrainConfig config = study.base(10);
    config.activation = "leaky_relu";
    config.leaky_slope = slope;
    if (study.paper()) {
      config.loss = "paper_mean";
      config.schedule = "constant";
    }
    study.add({.label = text(slope), .x = slope, .config = config, .tune = !study.paper()});
  }
  const Outcomes all = study.run();
  study.table("Test accuracy by slope", "slope", all,
              "Slope 0 is ReLU, slope 1 a network without any activation.");
  study.plot("Test accuracy by slope", "slope below 0", all, Metric::test_accuracy);
  study.best_of(all, "slope");
  Outcome leaky = best(all), relu = all.front();
  leaky.cell.label = "slope " + leaky.cell.label, relu.cell.label = "slope " + relu.cell.label;
  if (leaky.cell.x != relu.cell.x) study.compare(leaky, relu);
}

}  // namespace

int main(int argc, char** argv) {
  return run_study(argc, argv,
                   {.program = "leaky_slope",
                    .title = "Slope of the leaky ReLU",
                    .question = "Does a leaky ReLU gain from its slope below 0, and from which?",
                    .grids = {{"slopes", "slopes below 0"}}},
                   ask);
}
