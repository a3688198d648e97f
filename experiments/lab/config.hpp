// What a training run is told: the options of `train`, and the config.json that keeps them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <elk/base/dtype.hpp>
#include <elk/base/shape.hpp>
#include <elk/data/dataset.hpp>
#include <elk/optim/schedule.hpp>
#include <lab/run_folder.hpp>

namespace elk::lab {

/// The options that decide a run's result. Names and meanings are those of `train --help`.
struct TrainConfig {
  std::string protocol = "sound";
  std::string dataset = "digits";
  std::string normalize = "none";
  std::string augment;  // resolve() writes it as to_string(AugmentOptions) does
  std::string model = "mlp";
  std::string hidden = "128";
  std::optional<std::string> activation;  // resolve() settles it by the model
  double leaky_slope = 0.01;
  std::string init = "he";
  std::string param = "standard";
  std::int64_t base_width = 64;
  double clip = 0;
  double dropout = 0;
  bool batch_norm = false;  // written only where it is on, as are noise, label_smoothing, ema, tta, ensemble,
  double noise = 0;         // parts and wire: keys and files of before stay
  std::string loss = "cross_entropy";
  double label_smoothing = 0;
  std::string optimizer = "adam";
  double momentum = 0;
  bool nesterov = false;
  std::optional<double> lr;  // resolve() settles it by the optimizer
  std::string schedule = "constant";
  double weight_decay = 0;
  std::int64_t batch_size = 50;
  std::int64_t parts = 1;
  std::string wire = "full";
  std::int64_t epochs = 10;
  std::int64_t train_size = 0;             // 0 = all
  std::optional<std::int64_t> validation;  // resolve() settles it by the data set
  bool test_every_epoch = false;
  std::int64_t early_stop = 0;
  double ema = 0;
  std::string tta = "none";  // as views() reads it
  std::int64_t ensemble = 1;
  std::string dtype = "f32";
  std::string precision = "f32";
  std::int64_t seed = 100;

  bool paper() const { return protocol == "paper"; }
  bool maximal_update() const { return param == "mup"; }
  DType float_type() const { return dtype == "f64" ? f64 : f32; }
  std::vector<Index> hidden_widths() const;
  /// Of network i of the ensemble, from 0: a run of its own, which differs from the others by its seed alone.
  TrainConfig member(std::int64_t i) const;
  /// Inputs, hidden widths and classes: models::ModelInfo::sizes.
  std::vector<Index> layer_sizes(const Dataset& data) const;
  optim::Schedule make_schedule(Index steps_per_epoch = 0) const;
};

/// The study's arithmetic: what `--protocol paper` implies.
TrainConfig paper_defaults();

/// Settles what was left open and checks every value; throws UsageError naming the option.
void resolve(TrainConfig& config);

/// The flat object of config.json, one option a line. `config` must be resolved.
std::string to_json(const TrainConfig& config);
/// What config.json holds: that, and what the run is computed with, which is recorded and no option.
std::string recorded_json(const TrainConfig& config);
/// The configuration that canonical_json wrote, resolved. UsageError for anything else.
TrainConfig parse_canonical(const std::string& json);
/// The options as canonical JSON, names sorted and no spaces: what the run store keeps, and what a run's key
/// is made of.
std::string canonical_json(const TrainConfig& config);

/// What only says how and where a run is done.
struct RunOptions {
  bool quiet = false;
  bool json = false;
  bool resume = false;
  bool print_config = false;
  bool doctor = false;
  bool profile = false;
  std::string out_dir;
  std::string data_dir;
  bool data_dir_given = false;  // by --data-dir
  std::int64_t threads = 0;     // 0 = processors
};

/// A parsed command line. `help` is the text to print instead of running, if any; `resumed` is what the run
/// to resume says of itself.
struct CommandLine {
  TrainConfig config;
  RunOptions run;
  RunRecord resumed;
  std::string help;
};

/// Reads `train`'s command line, and the file of --config beneath it. With --resume, the options of the run
/// in --out-dir lie beneath instead: those in its checkpoint, from which neither its config.json nor the
/// command line may differ but in --epochs. Throws UsageError, and FileError for a damaged checkpoint.
CommandLine parse_train(int argc, char** argv);

}  // namespace elk::lab
