// loss: does cross-entropy always beat squared error?

#include <lab/study.hpp>

namespace {

using namespace elk::lab;

void as_the_study(Study& study) {
  // Its "mean" is cross-entropy at twice the learning rate, so that is what it compared (PAPER 4).
  struct Reported {
    int epochs;
    double mean, cross_entropy;
  };
  for (const Reported& row : {Reported{2, 0.9283, 0.9589}, {6, 0.9397, 0.9596}, {10, 0.8606, 0.9502}})
    for (const std::string loss : {"paper_mean", "cross_entropy"}) {
      TrainConfig config = study.base(row.epochs);
      config.loss = loss;
      config.schedule = "constant";
      study.add({.series = loss == "paper_mean" ? "\"mean\"" : "cross-entropy",
                 .label = std::to_string(row.epochs) + " epochs",
                 .x = static_cast<double>(row.epochs),
                 .config = config,
                 .reported = loss == "paper_mean" ? row.mean : row.cross_entropy});
    }
  const Outcomes all = study.run();
  study.table("Test accuracy by loss", "epochs", all,
              "The study's \"mean\" has the gradient of cross-entropy, doubled: what is compared are two "
              "learning rates.");
  study.plot("Test accuracy by loss", "epochs", all, Metric::test_accuracy);
  for (std::size_t i = 0; i + 1 < all.size(); i += 2) {
    Outcome mean = all[i], cross = all[i + 1];
    mean.cell.label = "\"mean\"", cross.cell.label = "cross-entropy";
    study.compare(cross, mean, "After " + all[i].cell.label + ": ");
  }
}

void soundly(Study& study) {
  for (const double width : study.grid("widths", {64, 400}))
    for (const std::string loss : {"cross_entropy", "mse"}) {
      TrainConfig config = study.base(15);
      config.hidden = text(width);
      config.loss = loss;
      if (loss == "mse") config.lr = 1.6;  // its gradients are smaller
      study.add({.series = "width " + text(width),
                 .label = loss == "mse" ? "squared error" : "cross-entropy",
                 .x = width,
                 .config = config,
                 .tune = true});
    }
  const Outcomes all = study.run();
  study.table("Test accuracy by loss", "loss", all,
              "Each loss with its own learning rate. Test losses are of their own kind.");
  study.plot("Test accuracy by loss", "loss", all, Metric::test_accuracy, {.names = true});
  for (std::size_t i = 0; i + 1 < all.size(); i += 2)
    study.compare(all[i], all[i + 1], "For " + all[i].cell.series + ", ");
}

void ask(Study& study) { study.paper() ? as_the_study(study) : soundly(study); }

}  // namespace

int main(int argc, char** argv) {
  return run_study(
      argc, argv,
      {.program = "loss",
       .title = "Loss functions",
       .question = "Does cross-entropy beat squared error, when each has the learning rate that suits it?",
       .grids = {{"widths", "hidden widths"}}},
      ask);
}
