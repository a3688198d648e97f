// best_models: how good do the study's recipes get, and how good can a multilayer perceptron get?

#include <lab/study.hpp>

namespace {

using namespace elk::lab;

TrainConfig recipe(const Study& study, const char* dataset, std::int64_t epochs) {
  TrainConfig config = study.base(epochs);
  if (!study.options().smoke) config.dataset = dataset;
  return config;
}

void draw(Study& study, const Outcomes& all) {
  Series reported{.title = "the study", .style = SeriesStyle::points};
  for (const Outcome& outcome : all) {
    reported.x.push_back(static_cast<double>(reported.x.size()));
    reported.y.push_back(100 * *outcome.cell.reported);
  }
  study.plot("Test accuracy", "", all, Metric::test_accuracy, {.names = true}, {reported});
}

// PAPER 3.9
void as_the_study(Study& study) {
  TrainConfig mnist = recipe(study, "mnist", 15);
  mnist.hidden = "925";
  mnist.clip = 9e9;
  study.add({.label = "mnist: [784,925,10]", .config = mnist, .reported = 0.9851, .exact = true});

  TrainConfig fashion = recipe(study, "fashion-mnist", 30);
  fashion.hidden = "128";
  fashion.loss = "paper_mean";
  fashion.seed = 104;
  study.add({.label = "fashion-mnist: [784,128,10]", .config = fashion, .reported = 0.8967, .exact = true});

  TrainConfig cifar = recipe(study, "cifar-10", 30);  // the study does not say how many
  cifar.hidden = "1024";
  cifar.activation = "sigmoid";
  cifar.init = "xavier";
  cifar.loss = "paper_mean";
  cifar.batch_size = 64;
  study.add({.label = "cifar-10: [3072,1024,10]", .config = cifar, .reported = 0.60, .exact = true});

  const Outcomes all = study.run();
  study.table("The study's recipes", "network", all,
              "How many epochs CIFAR-10 had the study does not say; plain multilayer perceptrons elsewhere "
              "reach 50-58 %.");
  draw(study, all);
  for (const Outcome& outcome : all)
    study.conclude(outcome.cell.label + " reaches " + percent(outcome.mean(Metric::test_accuracy).mean) +
                   " %, the study reports " + percent(*outcome.cell.reported) + " %");
}

void soundly(Study& study) {
  struct Recipe {
    const char *dataset, *hidden, *model, *augment, *normalize;
    double dropout, reported, label_smoothing = 0, ema = 0;
    double noise = 0;  // with batch normalization
  };
  for (const Recipe& r :
       {Recipe{"mnist", "1000,500,250,250,250", "mlp", "", "none", 0, 0.9851, 0.1, 0.999, 0.3},
        Recipe{"mnist", "512,512", "mlp", "shift:2,rotate:10,scale:0.1,elastic:1", "none", 0.1, 0.9851},
        Recipe{"fashion-mnist", "256,256,256", "residual_mlp", "shift:1,flip", "pixel", 0.1, 0.8967, 0.1,
               0.999},
        Recipe{"cifar-10", "256,256,256", "residual_mlp", "crop:4,flip", "channel", 0.1, 0.60}}) {
    TrainConfig config = recipe(study, r.dataset, r.noise > 0 ? 40 : 30);
    config.model = r.model;
    config.hidden = r.hidden;
    config.augment = r.augment;
    config.normalize = r.normalize;
    config.dropout = r.dropout;
    config.label_smoothing = r.label_smoothing;
    config.ema = r.ema;
    config.optimizer = "adamw";
    config.lr = 1e-3;
    config.schedule = "cosine";
    config.weight_decay = 0.05;
    config.batch_size = 100;
    if (r.noise > 0) {
      config.batch_norm = true;
      config.noise = r.noise;
      config.optimizer = "adam";
      config.lr = 2e-3;
      config.weight_decay = 0;
      // The last epoch is the result: the lowest validation loss, of labels that are not smoothed, may be an
      // early one.
      config.early_stop = 0;
    }
    for (const double size : study.grid("ensembles", {1})) {
      config.ensemble = static_cast<std::int64_t>(size);
      study.add({.label = config.dataset + ": " + r.model + " " + r.hidden +
                          (config.augment.empty() ? ", not augmented" : "") +
                          (size > 1 ? ", ensemble of " + text(size) : ""),
                 .config = config,
                 .reported = r.reported});
    }
  }
  const Outcomes all = study.run();
  study.table(
      "Recipes of today", "network", all,
      "AdamW with a cosine schedule, augmentation, dropout; not augmented: Adam, batch normalization and "
      "noise, and its last epoch. The epoch of the others is chosen by validation. \"agree\" tells whether a "
      "run like these could have given the study's number.");
  draw(study, all);
  for (const Outcome& outcome : all) {
    const double errors = 1 - outcome.mean(Metric::test_accuracy).mean, reported = 1 - *outcome.cell.reported;
    const std::int64_t size = outcome.cell.config.ensemble;
    study.number(outcome.cell.config.dataset + (outcome.cell.config.augment.empty() ? "_not_augmented" : "") +
                     (size > 1 ? "_ensemble_" + std::to_string(size) : "") + "_fewer_errors",
                 1 - errors / reported);
    study.conclude(outcome.cell.label + ": " + percent(1 - errors) + " % against the study's " +
                   percent(1 - reported) + " %: " + percent(1 - errors / reported) + " % fewer errors");
  }
}

void ask(Study& study) { study.paper() ? as_the_study(study) : soundly(study); }

}  // namespace

int main(int argc, char** argv) {
  return run_study(
      argc, argv,
      {.program = "best_models",
       .title = "Best models",
       .question = "How good are the study's recipes for MNIST, Fashion-MNIST and CIFAR-10, and how good can "
                   "a multilayer perceptron get?",
       .grids = {{"ensembles", "how many networks predict together, default 1: 1,5"}}},
      ask);
}
