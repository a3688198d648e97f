// data_size: how do accuracy and loss grow with the training data, and does the size of the network matter
// there?

#include <algorithm>

#include <lab/joint.hpp>
#include <lab/law.hpp>

namespace {

using namespace elk::lab;

void ask(Study& study) {
  const std::vector<double> sizes = study.grid(
      "sizes", study.options().smoke ? std::vector<double>{100, 200, 400}
                                     : std::vector<double>{500, 1000, 2000, 5000, 10000, 20000, 50000});
  for (const double width : study.grid("widths", {32, 128, 512}))
    for (const double size : sizes) {
      // As many steps for all, as far as a hundred epochs allow: the best epoch by validation counts.
      TrainConfig config =
          study.base(std::clamp<std::int64_t>(static_cast<std::int64_t>(500000 / size), 10, 100));
      config.hidden = text(width);
      config.train_size = static_cast<std::int64_t>(size);
      if (study.paper()) config.schedule = "constant";
      study.add({.series = "width " + text(width),
                 .label = text(size),
                 .x = size,
                 .config = config,
                 .tune = !study.paper()});
    }
  const Outcomes all = study.run();
  study.table("Test accuracy by training examples", "examples", all);
  study.plot("Test accuracy by training examples", "training examples", all, Metric::test_accuracy,
             {.log_x = true});
  study.plot("Test loss by training examples", "training examples", all, Metric::test_loss,
             {.log_x = true, .log_y = true});
  for (std::size_t begin = 0; begin < all.size(); begin += sizes.size()) {
    const std::span sweep = std::span(all).subspan(begin, sizes.size());
    Outcome more = sweep.back(), fewer = sweep.size() > 1 ? sweep[sweep.size() - 2] : sweep.front();
    more.cell.label += " examples", fewer.cell.label += " examples";
    study.compare(more, fewer, "For " + more.cell.series + ", ");
    tell_law(study,
             {"L(D) of " + more.cell.series, "the number of examples", "data_" + more.cell.config.hidden,
              "what a net of " + more.cell.series + " leaves, whatever the data"},
             sweep, [](const Outcome& outcome) { return outcome.cell.x; });
  }
  tell_joint(study, all);
}

}  // namespace

int main(int argc, char** argv) {
  return run_study(
      argc, argv,
      {.program = "data_size",
       .title = "Training data",
       .question = "How do accuracy and loss grow with the number of training examples, and does the size of "
                   "the network matter there? (The study says so without an experiment.)",
       .grids = {{"sizes", "numbers of training examples"}, {"widths", "hidden widths"}}},
      ask);
}
