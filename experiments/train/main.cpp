// train: trains a multilayer perceptron on a data set and prints its test accuracy.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <elk/base/parallel.hpp>
#include <elk/data/load.hpp>
#include <elk/debug/profile.hpp>
#include <elk/debug/summary.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/io/digest.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/train/parts.hpp>
#include <elk/train/progress.hpp>
#include <lab/command_line.hpp>
#include <lab/config.hpp>
#include <lab/digest.hpp>
#include <lab/distributed/ranks.hpp>
#include <lab/plot.hpp>
#include <lab/program.hpp>
#include <lab/provenance.hpp>
#include <lab/run_folder.hpp>
#include <lab/shell.hpp>
#include <lab/training.hpp>
#include <models/ensemble.hpp>
#include <models/model_file.hpp>

namespace {

using namespace elk;
using namespace elk::lab;
using train::HistoryRow;

std::string cell(const std::optional<double>& value, int width, int decimals) {
  if (!value) return fmt::format("{:>{}}", "-", width);
  if (!std::isfinite(*value)) return fmt::format("{:>{}}", std::isnan(*value) ? "nan" : "inf", width);
  if (*value >= 1e5) return fmt::format("{:>{}.3e}", *value, width);
  return fmt::format("{:>{}.{}f}", *value, width, decimals);
}

// Losses of the paper protocol are compared digit by digit with the study's.
void print_header(const TrainConfig& config) {
  if (config.paper())
    fmt::print("epoch     train loss   test loss  test accuracy        lr  seconds\n");
  else
    fmt::print("epoch  train loss    val loss   val accuracy        lr  seconds\n");
}

void print_row(const TrainConfig& config, const HistoryRow& row) {
  fmt::print("{:5}  {}  {}  {}  {:8.3g}  {:7.2f}\n", row.epoch,
             cell(row.train_loss, config.paper() ? 13 : 10, config.paper() ? 10 : 4),
             cell(config.paper() ? row.test_loss : row.val_loss, 10, 4),
             cell(config.paper() ? row.test_accuracy : row.val_accuracy, 13, 4), row.lr, row.seconds);
  std::fflush(stdout);
}

std::string draw_curves(const TrainConfig& config, const std::vector<HistoryRow>& history,
                        const std::string& path) {
  Series train{"training loss", {}, {}}, held_out{config.paper() ? "test loss" : "validation loss", {}, {}},
      accuracy{config.paper() ? "test accuracy" : "validation accuracy", {}, {}};
  const auto add = [](Series& series, std::int64_t epoch, const std::optional<double>& value) {
    if (!value) return;
    series.x.push_back(static_cast<double>(epoch));
    series.y.push_back(*value);
  };
  for (const HistoryRow& row : history) {
    add(train, row.epoch, row.train_loss);
    add(held_out, row.epoch, config.paper() ? row.test_loss : row.val_loss);
    add(accuracy, row.epoch, config.paper() ? row.test_accuracy : row.val_accuracy);
  }
  Plot plot{fmt::format("{}: hidden {}, {}, {} lr {:g}, batch {}", config.dataset,
                        config.hidden.empty() ? "none" : config.hidden, *config.activation, config.optimizer,
                        *config.lr, config.batch_size),
            "epoch",
            "loss per example",
            {train}};
  if (!held_out.x.empty()) plot.series.push_back(held_out);
  if (!accuracy.x.empty()) {
    plot.right_label = "accuracy";
    plot.right.push_back(accuracy);
  }
  return draw(plot, path);
}

// The command that goes on with the run in `folder`.
std::string resuming(const std::string& folder, const RunOptions& run) {
  std::vector<std::string> words{"train", "--resume"};
  // A value that looks like an option has to be given with =.
  const auto add = [&](const std::string& option, const std::string& value) {
    if (value.starts_with("--"))
      words.push_back(option + "=" + value);
    else
      words.insert(words.end(), {option, value});
  };
  add("--out-dir", folder);
  if (run.data_dir_given) add("--data-dir", run.data_dir);
  return elk_command(words, launcher());
}

void stop_if_asked(train::Fit& fit) {
  if (stop_signal() != 0) fit.stop();
}

// All that ranks but 0 do beside training.
class StopWhenAsked : public train::Callback {
 public:
  void begun(train::Fit& fit) override { stop_if_asked(fit); }
  void step_done(train::Fit& fit) override { stop_if_asked(fit); }
};

constexpr auto measuring = "predicting over several views of each image";

// What the user sees of a run while it goes on, and what `--resume` finds of it.
class Report : public train::Callback {
 public:
  /// `go_on` is the command that resumes the run; `begin` is called when it is known to go on.
  Report(const TrainConfig& config, const std::string& folder, std::string go_on, bool table,
         train::Progress& progress, std::function<void()> begin)
      : config_(config),
        folder_(folder),
        go_on_(std::move(go_on)),
        table_(table),
        progress_(progress),
        begin_(std::move(begin)) {}

  void begun(train::Fit& fit) override {
    const auto& rows = fit.result().history;
    if (const auto done = static_cast<std::int64_t>(rows.size()); done > config_.epochs)
      throw UsageError(fmt::format("--epochs: the run has done {} already", done));
    begin_();
    write_file_atomically(folder_ + "/config.json", with_digest(recorded_json(config_)));
    if (table_) {
      print_header(config_);
      for (const HistoryRow& row : rows) print_row(config_, row);
    }
    stop_if_asked(fit);
  }
  void step_done(train::Fit& fit) override { stop_if_asked(fit); }
  void epoch_done(train::Fit& fit) override {
    if (table_) print_row(config_, fit.result().history.back());
    stop_if_asked(fit);
  }
  void ended(train::Fit& fit) override {
    if (fit.result().status != train::Status::stopped) {
      if (config_.tta != "none") progress_.message(measuring);
      return;
    }
    told_ = true;
    say(fmt::format("train: stopped in epoch {} after step {}; continue with: {}\n", fit.epoch() + 1,
                    fit.step(), go_on_));
  }
  /// Whether it has said that the run is stopped; it has not where that was among the views.
  bool told() const { return told_; }

 private:
  const TrainConfig& config_;
  const std::string& folder_;
  std::string go_on_;
  bool table_, told_ = false;
  train::Progress& progress_;
  std::function<void()> begin_;
};

// Where the time of a step goes: a profile of 200 steps in training, or of what there is. The first steps are
// left out, in which memory and caches are cold; what happens between epochs is, too.
class StepProfile : public train::Callback {
 public:
  explicit StepProfile(const std::string& trace) : trace_(trace) { profile_.pause(); }

  void begun(train::Fit& fit) override {
    const std::int64_t to_come = (fit.options().epochs - fit.epoch()) * fit.batches() - fit.batch();
    warm_up_ = std::min<std::int64_t>(10, to_come / 10);
    measure_if(true);
  }
  void step_done(train::Fit& fit) override {
    ++steps_;
    measure_if(fit.batch() < fit.batches());
  }
  void epoch_done(train::Fit&) override { measure_if(true); }
  void ended(train::Fit&) override {
    profile_.pause();
    profile_.write_trace(trace_);
  }
  std::string table() const { return to_string(profile_); }

 private:
  void measure_if(bool in_epoch) {
    const bool now = in_epoch && steps_ >= warm_up_ && steps_ < warm_up_ + 200;
    now ? profile_.resume() : profile_.pause();
  }

  Profile profile_;
  std::string trace_;
  std::int64_t warm_up_ = 0, steps_ = 0;
};

int examine(const Training& training, bool as_json) {
  const Diagnosis diagnosis = training.examine();
  if (as_json) {
    nlohmann::ordered_json findings = nlohmann::ordered_json::array();
    for (const Finding& finding : diagnosis.findings)
      findings.push_back({{"severity", name(finding.severity)},
                          {"check", finding.check},
                          {"measured", finding.measured},
                          {"expected", finding.expected},
                          {"advice", finding.advice}});
    fmt::print("{}\n", nlohmann::ordered_json{{"severity", name(diagnosis.severity())},
                                              {"findings", std::move(findings)}}
                           .dump());
  } else {
    fmt::print("{}\n{}", to_string(summary(training.net(), Shape{training.train_data().features()})),
               to_string(diagnosis));
  }
  return diagnosis.severity() == Severity::problem ? exit_failed : exit_done;
}

// The folders of an ensemble's networks, in the one of the whole: each is that of a run of its own, as
// `train` with that seed would leave it. Throws before anything is written when one of them holds something
// else.
std::vector<RunFolder> member_folders(const TrainConfig& config, const std::string& folder, bool resume,
                                      const std::string& data_digest) {
  std::vector<RunFolder> all;
  for (std::int64_t i = 0; i < config.ensemble; ++i) {
    const std::string own = fmt::format("{}/member-{}", folder, i + 1);
    std::error_code error;
    // One that is not there was not begun.
    const std::string checkpoint = own + "/checkpoint.safetensors";
    if (!resume || !std::filesystem::exists(checkpoint, error)) {
      if (resume && std::filesystem::exists(own + "/config.json", error))
        throw FileError(
            fmt::format("[checkpoint] {}: it is missing, other files of its run are there", checkpoint));
      all.push_back(RunFolder::for_new(own));
      continue;
    }
    all.push_back(RunFolder::of_run(own));
    const RunRecord record = read_run_record(own);
    auto found = nlohmann::json::parse(record.config, nullptr, false),
         expected = nlohmann::json::parse(to_json(config.member(i)));
    if (found.is_object()) found["epochs"] = expected["epochs"];
    if (found != expected || record.data_digest != data_digest)
      throw UsageError(
          fmt::format("--resume: {} holds another run than network {} of the ensemble, of seed {}", own,
                      i + 1, config.member(i).seed));
  }
  return all;
}

void print_results(const TrainConfig& config, const std::vector<TrainingResult>& networks,
                   const TrainingResult& whole) {
  for (std::size_t i = 0; config.ensemble > 1 && i < networks.size(); ++i) {
    const TrainingResult& one = networks[i];
    fmt::print("seed {}: {}test accuracy {:.4f}\n", config.member(static_cast<std::int64_t>(i)).seed,
               one.val_accuracy ? fmt::format("validation accuracy {:.4f}, ", *one.val_accuracy) : "",
               one.test.accuracy);
  }
  if (whole.tta_val_accuracy)
    fmt::print("{}validation accuracy with --tta {}: {:.4f}\n", networks.size() > 1 ? "mean " : "",
               config.tta, *whole.tta_val_accuracy);
  if (whole.tta_accuracy)
    fmt::print("test accuracy with --tta {}: {:.4f}\n", config.tta, *whole.tta_accuracy);
  fmt::print("test accuracy {:.4f}\n", whole.test.accuracy);
}

void add_views(const TrainingResult& result, nlohmann::ordered_json& object) {
  if (result.tta_accuracy) object["tta_accuracy"] = *result.tta_accuracy;
  if (result.tta_val_accuracy) object["tta_val_accuracy"] = *result.tta_val_accuracy;
}

nlohmann::ordered_json members_json(const TrainConfig& config, const std::vector<TrainingResult>& networks) {
  auto list = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const TrainingResult& one = networks[i];
    nlohmann::ordered_json object{{"seed", config.member(static_cast<std::int64_t>(i)).seed},
                                  {"test_accuracy", one.test.accuracy},
                                  {"test_loss", one.test.loss}};
    if (one.val_accuracy) object["val_accuracy"] = *one.val_accuracy;
    add_views(one, object);
    list.push_back(std::move(object));
  }
  return list;
}

// Other ranks train what rank 0 has read; of the files of a run they need none.
int train_along(const std::string& read, const Ranks& ranks) {
  const auto told = nlohmann::json::parse(read);
  const TrainConfig config = parse_canonical(told.at("config").get<std::string>());
  const auto threads = told.at("threads").get<int>();
  catch_signals();
  set_threads(threads > 0 ? threads : std::min(ranks.processors(), 256));
  const TrainTest data =
      load_dataset(config.dataset, data_folder(told.at("data_dir").get<std::string>()), digits_seed);
  train::agree(*ranks.team(), "data", data_digest(data));
  train::agree(*ranks.team(), "instruction set and BLAS", to_string(computed_with()));
  StopWhenAsked stop;
  for (std::int64_t i = 0; i < config.ensemble; ++i) {
    Training training(config.member(i), data);
    if (training.run({&stop}, ranks.team()).status != train::Status::stopped) continue;
    (void)ranks.stop_signal();
    break;
  }
  return exit_done;
}

int run_train(int argc, char** argv, Ranks& ranks) {
  std::string told;
  if (!ranks.first()) {
    ranks.broadcast(told);
    return told.empty() ? exit_done : train_along(told, ranks);
  }
  CommandLine line = parse_train(argc, argv);
  const TrainConfig& config = line.config;
  const RunOptions& run = line.run;
  if (run.profile && config.ensemble > 1)
    throw UsageError("--profile: measures the training of one network, without --ensemble");
  const bool trains = line.help.empty() && !run.print_config && !run.doctor;
  if (trains && config.parts < ranks.size())
    throw UsageError(fmt::format("--parts: {} ranks share a batch in {} parts or more, got {}", ranks.size(),
                                 ranks.size(), config.parts));
  if (trains)
    told = nlohmann::json{{"config", canonical_json(config)},
                          {"threads", run.threads},
                          {"data_dir", run.data_dir_given ? run.data_dir : ""}}
               .dump();
  ranks.broadcast(told);
  if (!line.help.empty()) {
    fmt::print("{}", line.help);
    return exit_done;
  }
  if (run.print_config) {
    fmt::print("{}", to_json(config));
    return exit_done;
  }

  catch_signals();
  set_threads(run.threads > 0 ? static_cast<int>(run.threads) : std::min(ranks.processors(), 256));
  train::Progress progress(run.quiet);
  progress.message(config.dataset == "digits" ? "drawing the digits"
                                              : fmt::format("reading {}", config.dataset));
  const TrainTest data = load_dataset(config.dataset, run.data_dir, digits_seed);
  std::optional<Training> training(std::in_place, config.member(0), data);

  if (config.precision == "bf16" && !bf16_available())
    say("train: --precision bf16: this processor does not multiply matrices of bf16 (AMX); continuing in "
        "f32\n");
  if (run.doctor) return examine(*training, run.json);

  const std::string digest = data_digest(data);
  const ComputedWith with = computed_with();
  if (ranks.team() != nullptr) {
    train::agree(*ranks.team(), "data", digest);
    train::agree(*ranks.team(), "instruction set and BLAS", to_string(with));
  }
  const RunFolder held = run.resume            ? RunFolder::of_run(run.out_dir)
                         : run.out_dir.empty() ? RunFolder::for_new(new_run_folder("train"))
                                               : RunFolder::for_new(run.out_dir);
  const std::string& folder = held.path();
  if (!line.resumed.data_digest.empty() && digest != line.resumed.data_digest)
    throw UsageError(
        fmt::format("--data-dir: the run to resume had another data set of the name {}: SHA-256 {}, found {}",
                    config.dataset, line.resumed.data_digest, digest));
  if (!line.resumed.with.instruction_set.empty() && line.resumed.with != with)
    say(fmt::format(
        "train: the run began on {} and continues with {}: its bits differ from those without the change\n",
        to_string(line.resumed.with), to_string(with)));
  const bool several = config.ensemble > 1;
  const std::vector<RunFolder> own_folders =
      several ? member_folders(config, folder, run.resume, digest) : std::vector<RunFolder>();
  progress.message(
      fmt::format("{} examples to train on, {} held out, {} to test on; {}{} parameters; run in {}",
                  training->train_data().size(), *config.validation, data.test.size(),
                  several ? fmt::format("{} networks of ", config.ensemble) : "",
                  training->net().parameter_count(), folder));

  const auto about = [&](const TrainConfig& of) {
    return Metadata{{"config", to_json(of)},
                    {"data_digest", digest},
                    {"instruction_set", with.instruction_set},
                    {"blas", with.blas}};
  };
  // What an ensemble's folder tells of the whole, as that of a run.
  const auto write_whole = [&] {
    if (!several) return;
    save_safetensors(folder + "/checkpoint.safetensors", {}, with_digest(State{}, about(config)));
    write_file_atomically(folder + "/config.json", with_digest(recorded_json(config)));
  };
  if (!run.resume) write_whole();
  // Predictions over views, which take long, end too; those of several ranks go on together.
  const auto ended = [&] { return ranks.team() == nullptr && stop_signal() != 0; };
  const auto stopped = [&](bool is_told, const std::string& among) {
    if (!is_told)
      say(fmt::format("train: stopped among the views{}; continue with: {}\n", among, resuming(folder, run)));
    return 128 + ranks.stop_signal();
  };
  std::vector<TrainingResult> results;
  std::vector<nn::Sequential> networks;
  for (std::int64_t i = 0; i < config.ensemble; ++i) {
    const TrainConfig one = config.member(i);
    const std::string& own = several ? own_folders[static_cast<std::size_t>(i)].path() : folder;
    if (!training) training.emplace(one, data);
    // The first file that is written: a folder with a checkpoint is a run, and it tells of what.
    train::Checkpoint checkpoint(own + "/checkpoint.safetensors", about(one));
    train::HistoryFile history(own + "/history.jsonl");
    const bool table = !run.quiet && !run.json;
    Report report(one, own, resuming(folder, run), table, progress, [&] {
      write_whole();
      if (several && table) fmt::print("network {} of {}, seed {}\n", i + 1, config.ensemble, one.seed);
    });
    std::vector<train::Callback*> callbacks{&progress, &checkpoint, &history, &report};
    std::optional<StepProfile> profile;
    if (run.profile) callbacks.push_back(&profile.emplace(own + "/profile.json"));
    results.push_back(training->run(callbacks, ranks.team(), ended));
    const TrainingResult& result = results.back();
    progress.clear();
    if (profile && !run.quiet) run.json ? say(profile->table()) : fmt::print("{}", profile->table());
    if (result.status == train::Status::stopped)
      return stopped(report.told(),
                     several ? fmt::format(" of network {} of {}", i + 1, config.ensemble) : "");

    models::save_model(own + "/model.safetensors", training->net(), training->info());
    if (const std::string problem = draw_curves(one, result.history, own + "/curve"); !problem.empty())
      say(fmt::format("train: no plot of the curves: {}\n", problem));
    networks.push_back(training->net());
    if (i + 1 < config.ensemble) training.reset();
  }
  const nn::Sequential net = models::as_one(networks);
  if (several && config.tta != "none") progress.message(measuring);
  const TrainingResult result = ensemble_result(config, results, net, data.test, ended);
  if (result.status == train::Status::stopped)
    return stopped(false, several ? " of all networks together" : "");
  if (several) {
    models::ModelInfo info = training->info();
    info.members = config.ensemble;
    models::save_model(folder + "/model.safetensors", net, info);
  }
  if (result.status == train::Status::diverged) say(fmt::format("train: diverged at {}\n", result.problem));
  if (run.json) {
    nlohmann::ordered_json object{
        {"status", result.status == train::Status::diverged ? "diverged" : "done"},
        {"test_accuracy", result.test.accuracy},
        {"test_loss", result.test.loss},
        {"epochs", result.history.size()},
        {"seconds", result.seconds},
        {"flops", result.history.back().flops},
        {"parameters", net.parameter_count()},
        {"instruction_set", with.instruction_set},
        {"blas", with.blas},
        {"out_dir", folder},
    };
    add_views(result, object);
    if (several) object["members"] = members_json(config, results);
    // The name of a folder may be no UTF-8.
    fmt::print("{}\n", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    print_results(config, results, result);
  }
  return result.status == train::Status::diverged ? exit_diverged : exit_done;
}

}  // namespace

int main(int argc, char** argv) { return run_on_ranks(argc, argv, run_train); }
