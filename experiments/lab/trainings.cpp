#include <lab/trainings.hpp>

#include <algorithm>
#include <cmath>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <elk/data/digits.hpp>
#include <elk/data/load.hpp>
#include <lab/digest.hpp>
#include <lab/function.hpp>
#include <lab/program.hpp>
#include <lab/training.hpp>
#include <lab/views.hpp>
#include <models/ensemble.hpp>

namespace elk::lab {

std::vector<std::string> sets_named(const std::string& option) {
  const std::vector<std::string>& known = dataset_names();
  if (option == all_sets) return known;
  std::vector<std::string> names;
  std::istringstream list(option);
  for (std::string name; std::getline(list, name, ',');) {
    if (std::find(known.begin(), known.end(), name) == known.end() ||
        std::find(names.begin(), names.end(), name) != names.end())
      throw UsageError(fmt::format("--dataset: expected {}, some of these, each once, or {}, got \"{}\"",
                                   fmt::join(known, ", "), all_sets, option));
    names.push_back(name);
  }
  return names;
}

const DataSets::Loaded& DataSets::get(const std::string& name) {
  auto at = loaded_.find(name);
  if (at == loaded_.end()) {
    const Index few_tests = std::max<Index>(few_ / 5, 1);
    // Drawing all digits would take longer than training on a few of them.
    TrainTest data = few_ > 0 && name == "digits"      ? digits_train_test(digits_seed, few_, few_tests)
                     : digits_ > 0 && name == "digits" ? digits_train_test(digits_seed, digits_, 10000)
                                                       : load_dataset(name, folder_, digits_seed);
    if (few_ > 0) {
      data.train = data.train.take(0, std::min(few_, data.train.size()));
      data.test = data.test.take(0, std::min(few_tests, data.test.size()));
    }
    std::string digest = data_digest(data);
    at = loaded_.emplace(name, Loaded{std::move(data), std::move(digest)}).first;
  }
  return at->second;
}

Index train_examples(const TrainConfig& config, const TrainTest& data) {
  return config.train_size > 0 ? config.train_size : data.train.size() - *config.validation;
}

double estimated_seconds(const TrainConfig& config, const TrainTest& data) {
  const std::vector<Index> sizes = config.layer_sizes(data.train);
  double weights = 0;
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) weights += static_cast<double>(sizes[i] * sizes[i + 1]);
  if (config.model == "residual_mlp")  // whose blocks hold a second square matrix
    for (std::size_t i = 1; i + 1 < sizes.size(); ++i) weights += static_cast<double>(sizes[i] * sizes[i]);
  // FLOP/s of a core, and seconds of a step, of Adam for a weight, to change a pixel, and to draw a number of
  // noise: of this decade
  const double rate = config.float_type() == f64 ? 80e9 : 180e9, step = 25e-6, adam = 1.5e-9, pixel = 12e-9,
               draw = 40e-9;
  const auto examples = static_cast<double>(train_examples(config, data));
  double measured = 2 * static_cast<double>(*config.validation);
  if (config.test_every_epoch) measured += static_cast<double>(data.test.size());
  double example = 6 * weights / rate;
  example +=
      (step + (config.optimizer == "sgd" ? 0 : adam * weights)) / static_cast<double>(config.batch_size);
  if (!config.augment.empty()) {
    const bool of_two = parse_augment(config.augment).mixup > 0;
    example += (of_two ? 2 : 1) * pixel * static_cast<double>(sizes.front());
  }
  if (config.noise > 0)
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) example += draw * static_cast<double>(sizes[i]);
  const double apply = 2 * weights / rate;
  double seconds = static_cast<double>(config.epochs) * (examples * example + measured * apply);
  if (config.tta != "none") {  // at the end
    const std::size_t views = lab::views(config.tta, parse_augment(config.augment)).size();
    seconds +=
        static_cast<double>(views) * static_cast<double>(*config.validation + data.test.size()) * apply;
  }
  return static_cast<double>(config.ensemble) * seconds;
}

namespace {

// Of a run that need not be read as a whole for it.
std::string dataset_of(const std::string& settings) {
  return nlohmann::json::parse(settings).at("dataset").get<std::string>();
}

}  // namespace

std::string Trainings::data(const std::string& settings) { return sets_.digest(dataset_of(settings)); }

std::string Trainings::data_name(const std::string& settings) {
  return "data set of the name " + dataset_of(settings);
}

optim::Schedule Trainings::schedule(const std::string& settings) {
  return parse_canonical(settings).make_schedule();
}

double Trainings::estimate(const std::string& settings) {
  const TrainConfig config = parse_canonical(settings);
  return estimated_seconds(config, sets_[config.dataset]);
}

bool Trainings::run(const std::string& settings, const std::function<bool()>& ended, double bar,
                    RunSummary& summary, std::vector<train::HistoryRow>& curve) {
  const TrainConfig config = parse_canonical(settings);
  const TrainTest& data = sets_[config.dataset];
  Progress progress(ended, bar, config.epochs, config.make_schedule());
  std::vector<TrainingResult> results;
  std::vector<nn::Sequential> networks;
  for (std::int64_t i = 0; i < config.ensemble; ++i) {
    Training training(config.member(i), data);
    results.push_back(training.run({&progress}, nullptr, ended));
    if (results.back().status == train::Status::stopped) return progress.tell_hopeless(summary, curve);
    networks.push_back(training.net());
  }
  const nn::Sequential net = models::as_one(networks);
  const TrainingResult result = ensemble_result(config, results, net, data.test, ended);
  if (result.status == train::Status::stopped) return false;
  summary.status = result.status == train::Status::diverged ? "diverged" : "done";
  summary.error = result.problem;
  summary.test_loss = result.test.loss;
  summary.test_accuracy = result.test.accuracy;
  if (result.tta_accuracy) summary.metrics["tta_accuracy"] = *result.tta_accuracy;
  if (result.tta_val_accuracy) summary.metrics["tta_val_accuracy"] = *result.tta_val_accuracy;
  if (config.ensemble > 1) {
    double sum = 0;
    for (const TrainingResult& one : results) sum += one.test.accuracy;
    summary.metrics["single_accuracy"] = sum / static_cast<double>(results.size());
  }
  summary.best_epoch = result.best_epoch;
  summary.train_loss = result.train_loss;
  summary.val_loss = result.val_loss;
  summary.val_accuracy = result.val_accuracy;
  summary.epochs = static_cast<std::int64_t>(result.history.size());
  summary.steps = result.history.back().step;
  summary.flops = result.history.back().flops;
  summary.parameters = net.parameter_count();
  curve = result.history;
  return true;
}

}  // namespace elk::lab
