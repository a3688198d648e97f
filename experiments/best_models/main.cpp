// best_models: how good do the study's recipes get, and how good can a multilayer perceptron get?

#include <lab/study.hpp>

namespace {

using namespace elk::lab;

TrainConfig recipe(const Study& study, const char* dataset, std::int64_t epochs) {
  TrainConfig config = study.base(epochs);
  if (!study.options().smoke) config.dataset = dataset;
  return config;
}

// With --tta: over several views of each image.
const Metric tta_accuracy{"tta accuracy", true, true};

void draw(Study& study, const Outcomes& all) {
  Series reported{.title = "the study", .style = SeriesStyle::points};
  Series views{.title = "over several views", .style = SeriesStyle::points};
  for (std::size_t i = 0; i < all.size(); ++i) {
    reported.x.push_back(static_cast<double>(i));
    reported.y.push_back(100 * *all[i].cell.reported);
    if (all[i].cell.config.tta == "none") continue;
    views.x.push_back(static_cast<double>(i));
    views.y.push_back(100 * all[i].mean(tta_accuracy).mean);
  }
  std::vector<Series> points{reported};
  if (!views.x.empty()) points.push_back(views);
  study.plot("Test accuracy", "", all, Metric::test_accuracy, {.names = true}, points);
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

// What today's recipes have in common.
TrainConfig today(const Study& study, const char* dataset, const char* model, const char* hidden,
                  std::int64_t epochs) {
  TrainConfig config = recipe(study, dataset, epochs);
  config.model = model;
  config.hidden = hidden;
  config.optimizer = "adamw";
  config.lr = 1e-3;
  config.schedule = "cosine";
  config.weight_decay = 0.05;
  config.batch_size = 100;
  return config;
}

// Returns the data set that each is for, which the quick test replaces by the digits.
std::vector<std::string> add_recipes(Study& study) {
  const std::vector<double> sizes = study.grid("ensembles", {1});
  std::vector<std::string> sets;
  const auto add = [&](const std::string& set, TrainConfig config, double reported) {
    for (const double size : sizes) {
      sets.push_back(set);
      config.ensemble = static_cast<std::int64_t>(size);
      study.add({.label = config.dataset + ": " + config.model + " " + config.hidden +
                          (config.augment.empty() ? ", not augmented" : "") +
                          (size > 1 ? ", ensemble of " + text(size) : ""),
                 .config = config,
                 .reported = reported});
    }
  };

  const auto batch_normalized = [&](std::int64_t epochs, double noise) {
    TrainConfig config = today(study, "mnist", "mlp", "1000,500,250,250,250", epochs);
    config.batch_norm = true;
    config.noise = noise;
    config.label_smoothing = 0.1;
    config.ema = 0.999;
    config.optimizer = "adam";
    config.lr = 2e-3;
    config.weight_decay = 0;
    // Here and below: the last epoch is the result. The lowest validation loss, of labels that are not
    // smoothed, may be an early one.
    config.early_stop = 0;
    return config;
  };
  add("mnist", batch_normalized(40, 0.3), 0.9851);

  // Its test loss tells of the data's floor; smoothed labels raise those of the other recipes.
  TrainConfig mnist = today(study, "mnist", "mlp", "512,512", 30);
  mnist.augment = "shift:2,rotate:10,scale:0.1,elastic:1";
  mnist.dropout = 0.1;
  add("mnist", mnist, 0.9851);

  TrainConfig best_mnist = batch_normalized(60, 0.1);
  best_mnist.augment = "shift:2,rotate:10,scale:0.1,elastic:1,mixup:0.4";
  best_mnist.tta = "shift";
  add("mnist", best_mnist, 0.9851);

  TrainConfig fashion = today(study, "fashion-mnist", "residual_mlp", "256,256,256", 30);
  fashion.augment = "shift:1,flip";
  fashion.normalize = "pixel";
  fashion.dropout = 0.1;
  fashion.label_smoothing = 0.1;
  fashion.ema = 0.999;
  add("fashion-mnist", fashion, 0.8967);

  TrainConfig cifar = today(study, "cifar-10", "residual_mlp", "384,384,384,384", 60);
  cifar.augment = "crop:4,flip,mixup:0.4";
  cifar.normalize = "channel";
  cifar.label_smoothing = 0.1;
  cifar.ema = 0.999;
  cifar.tta = study.options().smoke ? "flip,shift:4:4" : "flip,shift:4:2";  // 18 views, or 50
  cifar.early_stop = 0;
  add("cifar-10", cifar, 0.60);
  return sets;
}

void soundly(Study& study) {
  const std::vector<std::string> sets = add_recipes(study);
  const Outcomes all = study.run();
  study.table(
      "Recipes of today", "network", all,
      "A cosine schedule, with AdamW; batch normalization and noise with Adam. The result of a "
      "recipe with early stopping is the epoch that validation chooses, that of the others the last one. "
      "\"tta accuracy\" is by the mean of the probabilities over several views of each image: of MNIST "
      "itself and shifted by a pixel to each corner, of CIFAR-10 shifted by up to four pixels along both "
      "axes in steps of two (four with --smoke), and the mirror images of these. All else is of the image "
      "alone; \"agree\" tells whether a run like these could have given the study's number.");
  draw(study, all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Outcome& outcome = all[i];
    const bool views = outcome.cell.config.tta != "none";
    const double accuracy = outcome.mean(Metric::test_accuracy).mean;
    const double errors = 1 - (views ? outcome.mean(tta_accuracy).mean : accuracy);
    const double reported = 1 - *outcome.cell.reported;
    const std::int64_t size = outcome.cell.config.ensemble;
    study.number(sets[i] + (outcome.cell.config.augment.empty() ? "_not_augmented" : "") +
                     (size > 1 ? "_ensemble_" + std::to_string(size) : "") + (views ? "_over_views" : "") +
                     "_fewer_errors",
                 1 - errors / reported);
    study.conclude(
        outcome.cell.label + ": " + percent(1 - errors) + " % " +
        (views ? "over several views of each image, " + percent(accuracy) + " % of the image alone, " : "") +
        "against the study's " + percent(1 - reported) + " %: " + percent(1 - errors / reported) +
        " % fewer errors");
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
       .grids = {{"ensembles", "how many networks predict together, default 1: 1,5"}},
       .metrics = {tta_accuracy}},
      ask);
}
