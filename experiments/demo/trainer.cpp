#include "trainer.hpp"

#include <algorithm>
#include <chrono>
#include <exception>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <elk/base/parallel.hpp>
#include <elk/train/fit.hpp>
#include <lab/training.hpp>

namespace elk::demo {

using nlohmann::ordered_json;

namespace {

constexpr auto wait = std::chrono::milliseconds(500), pause = std::chrono::milliseconds(50);

std::string event(const char* name, const std::string& json) {
  return fmt::format("event: {}\ndata: {}\n\n", name, json);
}

std::string dump(const ordered_json& object) {
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string describe(const lab::TrainConfig& config, Index epochs) {
  return fmt::format("trained here on {}: hidden {}, {}, {} epoch{}", config.dataset,
                     config.hidden.empty() ? "none" : config.hidden, *config.activation, epochs,
                     epochs == 1 ? "" : "s");
}

}  // namespace

lab::TrainConfig quick_config(const std::string& dataset, std::uint32_t seed) {
  lab::TrainConfig config;
  config.dataset = dataset;
  config.hidden = "256";
  config.validation = 1000;
  config.epochs = dataset == "digits" ? 12 : 4;
  // People do not draw as the set's writers did.
  config.augment = "rotate:10,scale:0.1,shear:10,elastic:1";
  config.seed = seed;
  return config;
}

// Tells of the steps, and ends the run when that is asked for.
class Trainer::Report : public train::Callback {
 public:
  Report(Trainer& trainer, const lab::Training& training, const lab::TrainConfig& config)
      : trainer_(trainer), training_(training), config_(config), early_(trainer.slot_.get() == nullptr) {}

  void begun(train::Fit& fit) override { stop_if_asked(fit); }
  void step_done(train::Fit& fit) override {
    stop_if_asked(fit);
    const auto now = std::chrono::steady_clock::now();
    if (now - told_ < pause && fit.batch() < fit.batches()) return;
    told_ = now;
    const std::string progress = dump({{"epoch", fit.epoch() + 1},
                                       {"epochs", fit.options().epochs},
                                       {"batch", fit.batch()},
                                       {"batches", fit.batches()},
                                       {"loss", fit.loss()}});
    trainer_.tell([&] { trainer_.progress_ = progress; });
  }
  void epoch_done(train::Fit& fit) override {
    const train::HistoryRow& row = fit.result().history.back();
    if (early_ && !row.diverged)
      trainer_.slot_.set(std::make_shared<Network>(models::Model{training_.info(), training_.net()},
                                                   describe(config_, row.epoch)));
    std::string text = train::to_jsonl({row});
    text.pop_back();
    trainer_.tell([&] { trainer_.epochs_.push_back(text); });
  }

 private:
  void stop_if_asked(train::Fit& fit) {
    const std::lock_guard lock(trainer_.mutex_);
    if (trainer_.cancelled_) fit.stop();
  }

  Trainer& trainer_;
  const lab::Training& training_;
  const lab::TrainConfig& config_;
  bool early_;
  std::chrono::steady_clock::time_point told_;
};

template <class Change>
void Trainer::tell(Change change) {
  const std::lock_guard lock(mutex_);
  change();
  ++version_;
  changed_.notify_all();
}

Trainer::~Trainer() {
  cancel();
  if (thread_.joinable()) thread_.join();
}

std::optional<int> Trainer::start(const lab::TrainConfig& config) {
  const std::lock_guard lock(mutex_);
  if (running_) return std::nullopt;
  if (thread_.joinable()) thread_.join();  // it has told its end and has nothing more to do
  running_ = true;
  cancelled_ = false;
  ++run_;
  version_ = 1;
  start_ = dump({{"run", run_},
                 {"dataset", config.dataset},
                 {"hidden", config.hidden},
                 {"activation", *config.activation},
                 {"lr", *config.lr},
                 {"augment", config.augment},
                 {"epochs", config.epochs},
                 {"seed", config.seed}});
  progress_.clear();
  end_.clear();
  epochs_.clear();
  changed_.notify_all();
  thread_ = std::thread([this, config] { train(config); });
  return run_;
}

void Trainer::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
}

bool Trainer::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

int Trainer::last() const {
  const std::lock_guard lock(mutex_);
  return run_;
}

void Trainer::train(const lab::TrainConfig& config) {
  std::string end;
  try {
    end = train_to_end(config);
  } catch (const std::exception& error) {
    end = dump({{"status", "failed"}, {"problem", error.what()}});
  }
  tell([&] {
    end_ = end;
    running_ = false;
  });
}

// Returns what is told of the end.
std::string Trainer::train_to_end(const lab::TrainConfig& config) {
  set_threads(std::clamp(available_processors() - 1, 1, 256));  // one is for whoever draws meanwhile
  const TrainTest data = data_.get(config.dataset);
  lab::Training training(config, data);
  Report report(*this, training, config);
  const lab::TrainingResult result = training.run({&report});
  if (result.status == train::Status::stopped) return dump({{"status", "cancelled"}});
  if (result.status == train::Status::diverged)
    return dump({{"status", "diverged"}, {"problem", result.problem}});
  slot_.set(std::make_shared<Network>(models::Model{training.info(), training.net()},
                                      describe(config, config.epochs)));
  return dump({{"status", "done"},
               {"test_accuracy", result.test.accuracy},
               {"test_loss", result.test.loss},
               {"epochs", result.history.size()},
               {"seconds", result.seconds},
               {"flops", result.history.empty() ? 0 : result.history.back().flops},
               {"parameters", training.net().parameter_count()}});
}

std::string Trainer::news(Reader& reader) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, wait, [&] { return run_ != reader.run || version_ != reader.version; });
  reader.over = run_ != reader.run || !end_.empty();
  if (run_ != reader.run) return event("end", dump({{"status", "replaced"}}));
  if (version_ == reader.version) return ":\n\n";
  std::string text;
  if (reader.version == 0) text += event("start", start_);
  for (; reader.epochs < epochs_.size(); ++reader.epochs) text += event("epoch", epochs_[reader.epochs]);
  if (!end_.empty())
    text += event("end", end_);
  else if (!progress_.empty())
    text += event("progress", progress_);
  reader.version = version_;
  return text;
}

}  // namespace elk::demo
