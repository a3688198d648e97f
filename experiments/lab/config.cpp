#include <lab/config.hpp>

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <sstream>

#include <nlohmann/json.hpp>

#include <elk/base/format.hpp>
#include <elk/data/augment.hpp>
#include <elk/data/load.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/nn/init.hpp>
#include <lab/command_line.hpp>
#include <lab/program.hpp>
#include <lab/provenance.hpp>
#include <lab/run_folder.hpp>
#include <lab/views.hpp>
#include <models/mlp.hpp>
#include <models/model_file.hpp>

namespace elk::lab {

namespace {

namespace po = boost::program_options;
using nlohmann::ordered_json;

void one_of(const char* option, const std::string& value, const std::vector<std::string>& allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) == allowed.end())
    fail<UsageError>("--{}: expected {}, got \"{}\"", option, fmt::join(allowed, ", "), value);
}

// From 0 up to, but not including, 1.
void check_share(const char* option, double value) {
  if (!(value >= 0 && value < 1))
    fail<UsageError>("--{}: expected a number from 0 to below 1, got {}", option, value);
}

constexpr std::int64_t largest_count = 1'000'000'000;

po::options_description config_options(TrainConfig& c, std::string& lr_decay) {
  const auto text = [](std::string& field) { return po::value(&field)->default_value(field); };
  const auto number = [](auto& field) {
    std::ostringstream shown;
    shown << field;
    return po::value(&field)->default_value(field, shown.str());
  };
  // An option left open is a plain value, so that it stays open when it is not given.
  const auto open = []<class T>(std::optional<T>& field) {
    return po::value<T>()->notifier([&field](const T& value) { field = value; });
  };
  po::options_description options("Network and training");
  auto add = options.add_options();
  add("dataset", text(c.dataset)->value_name("NAME"), "digits (built in), mnist, fashion-mnist or cifar-10");
  add("normalize", text(c.normalize)->value_name("NAME"),
      "scale the inputs to mean 0 and variance 1: none, pixel (each pixel), channel (each channel), or "
      "whiten (PCA: also uncorrelated)");
  add("augment", text(c.augment)->value_name("A,A,..."),
      "change the images anew in each epoch: shift:PIXELS, rotate:DEGREES, scale:F, shear:DEGREES, "
      "elastic:PIXELS, flip, crop:PIXELS, cutout:PIXELS, noise:DEVIATION, mixup:ALPHA");
  add("model", text(c.model)->value_name("NAME"),
      "mlp, or residual_mlp: pre-norm blocks x + contract(act(expand(norm(x)))), of one width each");
  add("hidden", text(c.hidden)->value_name("W,W,..."),
      "widths of the hidden layers; \"\" for none; for a residual_mlp the width of each block");
  add("activation", open(c.activation)->value_name("NAME"),
      "relu, leaky_relu, sigmoid, tanh or gelu; default relu, for a residual_mlp gelu");
  add("leaky-slope", number(c.leaky_slope)->value_name("A"), "slope of leaky_relu below 0");
  add("init", text(c.init)->value_name("NAME"), "initial weights: he, xavier or normal");
  add("param", text(c.param)->value_name("P"),
      "how initial weights and learning rates depend on the width: standard, or mup (maximal update: the "
      "best --lr stays the same when the network grows)");
  add("base-width", number(c.base_width)->value_name("W"), "for mup: at this width it equals standard");
  add("clip", number(c.clip)->value_name("C"), "limit pre-activations to -C ... C; 0 = off");
  add("dropout", number(c.dropout)->value_name("P"), "share of hidden activations dropped in training");
  add("batch-norm", po::bool_switch(&c.batch_norm)->default_value(c.batch_norm),
      "normalize the pre-activations of an mlp over the batch; not the logits");
  add("noise", number(c.noise)->value_name("DEVIATION"),
      "deviation of normal noise on the inputs and pre-activations of an mlp, in training alone; 0 = off");
  add("loss", text(c.loss)->value_name("NAME"),
      "cross_entropy, mse (true squared error of the probabilities) or paper_mean (the study's rule)");
  add("label-smoothing", number(c.label_smoothing)->value_name("E"),
      "share of each label that cross_entropy spreads over all classes, in training alone; 0 = off");
  add("optimizer", text(c.optimizer)->value_name("NAME"), "sgd, adam or adamw");
  add("momentum", number(c.momentum)->value_name("M"), "of sgd");
  add("nesterov", po::bool_switch(&c.nesterov)->default_value(c.nesterov), "Nesterov's form of the momentum");
  add("lr", open(c.lr)->value_name("RATE"),
      "learning rate, for the mean gradient over the batch (paper protocol: for the sum); default 0.1 for "
      "sgd, 0.001 for adam");
  add("schedule", text(c.schedule)->value_name("S"),
      "learning rate: constant; exponential:F (times F after every epoch); step:N:F (times F after every N "
      "epochs); cosine "
      "(down to 0); one_cycle (up, then down to 0)");
  add("lr-decay", po::value(&lr_decay)->value_name("F"), "short for --schedule exponential:F");
  add("weight-decay", number(c.weight_decay)->value_name("D"),
      "D times the weight is added to its gradient (adamw: the weight decays separately)");
  add("batch-size", number(c.batch_size)->value_name("N"),
      "examples per step; the last batch of an epoch may be short");
  add("parts", number(c.parts)->value_name("P"),
      "cut every batch into P parts, which up to P processes of mpirun share: the result depends on P, not "
      "on the number of processes");
  add("wire", text(c.wire)->value_name("W"),
      "how processes send the gradients of their parts: full, or bf16, half of f32, to which they are then "
      "rounded, for any number of processes");
  add("epochs", number(c.epochs)->value_name("N"), "passes over the training examples");
  add("train-size", number(c.train_size)->value_name("N"),
      "training examples to learn from, drawn at random from those that are not held out; 0 = all");
  add("validation", open(c.validation)->value_name("N"),
      "training examples held out for validation; 0 = none; default 1000 for digits, 5000 otherwise");
  add("test-every-epoch", po::bool_switch(&c.test_every_epoch)->default_value(c.test_every_epoch),
      "measure the test set after every epoch, for a curve; nothing is chosen by it");
  add("early-stop", number(c.early_stop)->value_name("N"),
      "stop after N epochs without a better validation loss and keep the best weights; 0 = off");
  add("ema", number(c.ema)->value_name("D"),
      "measure, choose and save an exponential moving average of the weights, of decay D a step; 0 = off");
  add("tta", text(c.tta)->value_name("V,V"),
      fmt::format("at the end also measure the mean of the probabilities over views of each image: {}",
                  views_help)
          .c_str());
  add("ensemble", number(c.ensemble)->value_name("N"),
      "train N networks, of the seeds --seed, --seed + 1, ..., and predict by the mean of their "
      "probabilities");
  add("dtype", text(c.dtype)->value_name("T"), "f32 or f64");
  add("precision", text(c.precision)->value_name("P"),
      "precision of matrix products in training: f32, or bf16 with sums and weights in f32 (several times as "
      "fast for large nets and batches; needs a processor with AMX, otherwise f32)");
  add("seed", number(c.seed)->value_name("N"),
      "for weights, order, dropout and noise; the same seed repeats a run to the bit");
  add("protocol", text(c.protocol)->value_name("P"),
      "sound, or paper: the study's arithmetic (f64, sgd with gradients summed over the batch, lr 0.01, "
      "decay 0.9, clip "
      "500 with a straight-through gradient, no validation)");
  return options;
}

po::options_description run_options(RunOptions& r, std::string& config_file) {
  po::options_description options("Running");
  auto add = options.add_options();
  add("out-dir", po::value(&r.out_dir)->value_name("DIR"),
      "folder of the run; default: the next free runs/train-N");
  add("resume", po::bool_switch(&r.resume),
      "continue the run in --out-dir; default: the latest runs/train-N");
  add("doctor", po::bool_switch(&r.doctor),
      "examine the network and a batch, print what is wrong with them, and end without training");
  add("profile", po::bool_switch(&r.profile),
      "measure 200 steps and print where their time goes, by operation and layer; the folder gets "
      "profile.json, a trace for ui.perfetto.dev");
  add("data-dir", po::value(&r.data_dir)->value_name("DIR"),
      "where the data files are; default: $ELK_DATA_DIR, or data");
  add("threads", po::value(&r.threads)->value_name("N"),
      "threads of this run; default: the number of processors; the result does not depend on it");
  add("config", po::value(&config_file)->value_name("FILE"),
      "read options from a run's config.json; options given here override them");
  add("print-config", po::bool_switch(&r.print_config), "print the options as config.json and end");
  add("quiet", po::bool_switch(&r.quiet), "no progress and no table, only the result");
  add("json", po::bool_switch(&r.json),
      "print the result as one JSON object and nothing else on standard output");
  add("help", "print this and end");
  add("version", "print the version and end");
  return options;
}

// Every option and its field, in the order of config.json.
template <class Config, class F>
void for_each_option(Config& c, const F& f) {
  f("protocol", c.protocol);
  f("dataset", c.dataset);
  f("normalize", c.normalize);
  f("augment", c.augment);
  f("model", c.model);
  f("hidden", c.hidden);
  f("activation", c.activation);
  f("leaky-slope", c.leaky_slope);
  f("init", c.init);
  f("param", c.param);
  f("base-width", c.base_width);
  f("clip", c.clip);
  f("dropout", c.dropout);
  f("batch-norm", c.batch_norm);
  f("noise", c.noise);
  f("loss", c.loss);
  f("label-smoothing", c.label_smoothing);
  f("optimizer", c.optimizer);
  f("momentum", c.momentum);
  f("nesterov", c.nesterov);
  f("lr", c.lr);
  f("schedule", c.schedule);
  f("weight-decay", c.weight_decay);
  f("batch-size", c.batch_size);
  f("parts", c.parts);
  f("wire", c.wire);
  f("epochs", c.epochs);
  f("train-size", c.train_size);
  f("validation", c.validation);
  f("test-every-epoch", c.test_every_epoch);
  f("early-stop", c.early_stop);
  f("ema", c.ema);
  f("tta", c.tta);
  f("ensemble", c.ensemble);
  f("dtype", c.dtype);
  f("precision", c.precision);
  f("seed", c.seed);
}

template <class T>
const T& settled(const T& field) {
  return field;
}
template <class T>
const T& settled(const std::optional<T>& field) {
  return field.value();
}

template <class T>
T& to_settle(T& field) {
  return field;
}
template <class T>
T& to_settle(std::optional<T>& field) {
  return field.emplace();
}

template <class Json>
Json all_options(const TrainConfig& c) {
  Json object = Json::object();
  for_each_option(c, [&](const char* name, const auto& field) { object.emplace(name, settled(field)); });
  return object;
}

// Without what came after there were files and changes nothing.
template <class Json>
Json options_of(const TrainConfig& c) {
  Json object = all_options<Json>(c);
  if (c.parts == 1) object.erase("parts");
  if (c.wire == "full") object.erase("wire");
  if (!c.batch_norm) object.erase("batch-norm");
  if (c.noise == 0) object.erase("noise");
  if (c.label_smoothing == 0) object.erase("label-smoothing");
  if (c.ema == 0) object.erase("ema");
  if (c.tta == "none") object.erase("tta");
  if (c.ensemble == 1) object.erase("ensemble");
  return object;
}

// What a run goes on with, compared with what it began with: `now` as `file` (or without one the command
// line) has it.
void check_same(const std::string& file, const char* before_words, const TrainConfig& now,
                const char* now_words, const TrainConfig& before) {
  const auto named = [&](const std::string& option) {
    return file.empty() ? "--" + option : fmt::format("{}: \"{}\"", file, option);
  };
  const auto a = all_options<ordered_json>(before), b = all_options<ordered_json>(now);
  for (const auto& [name, value] : a.items())
    if (name != "epochs" && b[name] != value)
      fail<UsageError>("{}: {} {}, {} {}; only --epochs may change", named(name), before_words, value.dump(),
                       now_words, b[name].dump());
  if (now.epochs != before.epochs && (now.schedule == "cosine" || now.schedule == "one_cycle"))
    fail<UsageError>("{}: the {} schedule of the run to resume was made for {} epochs", named("epochs"),
                     now.schedule, before.epochs);
}

}  // namespace

TrainConfig paper_defaults() {
  TrainConfig c;
  c.protocol = "paper";
  c.leaky_slope = 0;
  c.clip = 500;
  c.optimizer = "sgd";
  c.lr = 0.01;
  c.schedule = "exponential:0.9";
  c.validation = 0;
  c.test_every_epoch = true;
  c.dtype = "f64";
  return c;
}

std::vector<Index> TrainConfig::hidden_widths() const {
  std::vector<Index> widths;
  const char* at = hidden.data();
  const char* const end = at + hidden.size();
  while (at != end) {
    Index width = 0;
    const auto [next, error] = std::from_chars(at, end, width);
    const bool last = next == end, more = next != end && *next == ',' && next + 1 != end;
    if (error != std::errc() || width < 1 || width > 1'000'000 || !(last || more))
      fail<UsageError>("--hidden: expected widths from 1 to 1000000 such as 128,64, got \"{}\"", hidden);
    widths.push_back(width);
    at = last ? end : next + 1;
  }
  return widths;
}

TrainConfig TrainConfig::member(std::int64_t i) const {
  TrainConfig one = *this;
  one.ensemble = 1;
  one.seed += i;
  return one;
}

std::vector<Index> TrainConfig::layer_sizes(const Dataset& data) const {
  std::vector<Index> sizes = hidden_widths();
  sizes.insert(sizes.begin(), data.features());
  sizes.push_back(static_cast<Index>(data.classes.size()));
  return sizes;
}

optim::Schedule TrainConfig::make_schedule(Index steps_per_epoch) const {
  const auto total = static_cast<double>(epochs);
  if (schedule == "constant") return optim::constant();
  if (schedule == "cosine") return optim::cosine(total);
  if (schedule == "one_cycle") return optim::one_cycle(total, steps_per_epoch);
  // exponential:F, or step:N:F
  const bool step = schedule.starts_with("step:");
  // Without a colon from the front: npos + 1 is 0, where the pointer + npos would be undefined.
  const char* at = schedule.data() + (schedule.find(':') + 1);
  const char* const end = schedule.data() + schedule.size();
  int every = 1;
  double factor = 0;
  bool good = step || schedule.starts_with("exponential:");
  if (step) {
    const auto [next, error] = std::from_chars(at, end, every);
    good = error == std::errc() && every >= 1 && next != end && *next == ':';
    at = good ? next + 1 : end;
  }
  if (good) {
    const auto [next, error] = std::from_chars(at, end, factor);
    good = error == std::errc() && next == end && factor > 0 && factor <= 1;
  }
  if (!good)
    fail<UsageError>(
        "--schedule: expected constant, exponential:F, step:N:F, cosine or one_cycle, with F above 0 and at "
        "most 1, got "
        "\"{}\"",
        schedule);
  return optim::step(every, factor);
}

void resolve(TrainConfig& c) {
  one_of("protocol", c.protocol, {"sound", "paper"});
  one_of("dataset", c.dataset, dataset_names());
  one_of("normalize", c.normalize, {"none", "pixel", "channel", "whiten"});
  try {
    const AugmentOptions augment = parse_augment(c.augment);
    c.augment = to_string(augment);
    if (augment.mixup > 0 && c.loss == "paper_mean")
      fail<UsageError>("--augment: mixup goes with --loss cross_entropy or mse");
    (void)views(c.tta, augment);
  } catch (const ValueError& error) {
    fail<UsageError>("--augment: {}", error.what());
  }
  one_of("model", c.model, models::model_kinds());
  if (!c.activation) c.activation = c.model == "residual_mlp" ? "gelu" : "relu";
  one_of("activation", *c.activation, models::activation_names());
  one_of("init", c.init, {"he", "xavier", "normal"});
  one_of("param", c.param, {"standard", "mup"});
  in_range("base-width", static_cast<double>(c.base_width), 1, 1'000'000);
  if (c.maximal_update() && (c.model != "mlp" || c.init != "he"))
    fail<UsageError>("--param: mup goes with --model mlp and --init he, got --model {} and --init {}",
                     c.model, c.init);
  one_of("loss", c.loss, {"cross_entropy", "mse", "paper_mean"});
  one_of("optimizer", c.optimizer, {"sgd", "adam", "adamw"});
  one_of("dtype", c.dtype, {"f32", "f64"});
  one_of("precision", c.precision, {"f32", "bf16"});
  one_of("wire", c.wire, {"full", "bf16"});
  if (c.precision == "bf16" && c.dtype != "f32")
    fail<UsageError>("--precision bf16 is for --dtype f32, got --dtype {}", c.dtype);
  const std::vector<Index> widths = c.hidden_widths();
  if (c.model == "residual_mlp") {
    if (widths.empty() || std::any_of(widths.begin(), widths.end(), [&](Index w) { return w != widths[0]; }))
      fail<UsageError>("--hidden: a residual_mlp has blocks of one width, such as 128,128, got \"{}\"",
                       c.hidden);
    if (c.clip > 0) fail<UsageError>("--clip: goes with --model mlp");
  }
  (void)c.make_schedule();
  if (!c.lr) c.lr = c.optimizer == "sgd" ? 0.1 : 0.001;
  if (!c.validation) c.validation = c.dataset == "digits" ? 1000 : 5000;
  if (!(*c.lr > 0 && std::isfinite(*c.lr)))
    fail<UsageError>("--lr: expected a finite number above 0, got {}", *c.lr);
  in_range("leaky-slope", c.leaky_slope, -1e6, 1e6);
  in_range("clip", c.clip, 0, 1e300);
  check_share("dropout", c.dropout);
  in_range("noise", c.noise, 0, 1e6);
  if ((c.batch_norm || c.noise > 0) && (c.model != "mlp" || c.paper()))
    fail<UsageError>("--{}: goes with --model mlp and --protocol sound, got --model {} and --protocol {}",
                     c.batch_norm ? "batch-norm" : "noise", c.model, c.protocol);
  if (c.batch_norm && c.maximal_update()) fail<UsageError>("--batch-norm: goes with --param standard");
  check_share("label-smoothing", c.label_smoothing);
  if (c.label_smoothing > 0 && (c.loss != "cross_entropy" || c.paper()))
    fail<UsageError>(
        "--label-smoothing: goes with --loss cross_entropy and --protocol sound, got --loss {} "
        "and --protocol {}",
        c.loss, c.protocol);
  check_share("ema", c.ema);
  check_share("momentum", c.momentum);
  in_range("weight-decay", c.weight_decay, 0, 1e6);
  in_range("batch-size", static_cast<double>(c.batch_size), 1, largest_count);
  in_range("parts", static_cast<double>(c.parts), 1, 65536);
  if (c.parts > c.batch_size)
    fail<UsageError>("--parts: a batch of {} examples has no {} parts", c.batch_size, c.parts);
  if (c.parts == 1 && c.wire != "full")
    fail<UsageError>("--wire {}: nothing is sent where --parts is 1", c.wire);
  if (c.parts > 1 && c.paper()) fail<UsageError>("--parts: the paper protocol takes each batch as a whole");
  in_range("epochs", static_cast<double>(c.epochs), 1, largest_count);
  in_range("train-size", static_cast<double>(c.train_size), 0, largest_count);
  in_range("validation", static_cast<double>(*c.validation), 0, largest_count);
  in_range("early-stop", static_cast<double>(c.early_stop), 0, largest_count);
  in_range("seed", static_cast<double>(c.seed), 0, 4294967295.0);
  in_range("ensemble", static_cast<double>(c.ensemble), 1, 100);
  if (c.member(c.ensemble - 1).seed > 4294967295)
    fail<UsageError>("--ensemble: {} networks have the seeds {} to {}, the highest is 4294967295", c.ensemble,
                     c.seed, c.member(c.ensemble - 1).seed);
  if (c.optimizer != "sgd" && (c.momentum != 0 || c.nesterov))
    fail<UsageError>("--momentum and --nesterov go with --optimizer sgd");
  if (c.nesterov && c.momentum == 0) fail<UsageError>("--nesterov: needs a --momentum above 0");
  if (c.early_stop > 0 && *c.validation == 0)
    fail<UsageError>("--early-stop: needs held-out examples: give --validation N");
}

std::string to_json(const TrainConfig& c) { return options_of<ordered_json>(c).dump(2) + "\n"; }

// Rank 0 reads one for each run that it hands out: what is wrong is only told from what is right.
TrainConfig parse_canonical(const std::string& json) {
  TrainConfig config;
  try {
    const auto object = nlohmann::json::parse(json);
    for_each_option(config, [&](const char* name, auto& field) {
      if (const auto at = object.find(name); at != object.end()) at->get_to(to_settle(field));
    });
  } catch (const nlohmann::json::exception& error) {
    fail<UsageError>("the configuration {}: {}", json, error.what());
  }
  resolve(config);
  if (canonical_json(config) != json)
    fail<UsageError>("the configuration {} was read as {}", json, canonical_json(config));
  return config;
}

std::string recorded_json(const TrainConfig& c) {
  auto object = options_of<ordered_json>(c);
  const ComputedWith with = computed_with();
  object["instruction_set"] = with.instruction_set;
  object["blas"] = with.blas;
  return object.dump(2) + "\n";
}

// json, unlike ordered_json, sorts the names. An option that came after there were runs is left out where it
// changes nothing, so that they keep their keys.
std::string canonical_json(const TrainConfig& c) {
  auto object = options_of<nlohmann::json>(c);
  if (!c.maximal_update()) {
    object.erase("param");
    object.erase("base-width");
  }
  return object.dump();
}

CommandLine parse_train(int argc, char** argv) {
  // First with the sound defaults, to see which protocol is asked for; then with that protocol's own.
  using Arguments = std::vector<std::string>;
  const auto parse = [&](const Arguments& arguments, const TrainConfig& defaults, const std::string& beneath,
                         const std::string& beneath_name) {
    CommandLine line;
    line.config = defaults;
    std::string config_file, lr_decay;
    po::options_description config = config_options(line.config, lr_decay),
                            run = run_options(line.run, config_file), all;
    all.add(config).add(run);
    po::variables_map values;
    const Arguments others = parse_options(arguments, all, values);
    if (!others.empty()) fail<UsageError>("unexpected argument \"{}\"", others.front());
    const bool shortened = values.count("lr-decay") > 0;
    if (shortened && !values["schedule"].defaulted())
      fail<UsageError>("--lr-decay: is short for --schedule; give one of them");
    if (values.count("config") > 0) store_config_file(values["config"].as<std::string>(), config, values);
    if (!beneath.empty()) store_config(beneath, beneath_name, config, values);
    po::notify(values);
    if (shortened) line.config.schedule = "exponential:" + lr_decay;
    if (line.run.threads != 0 || values.count("threads") > 0)
      in_range("threads", static_cast<double>(line.run.threads), 1, 256);
    line.help = help_or_version(
        values,
        "Usage: ./elk train [options]\n\n"
        "Trains a multilayer perceptron and prints its accuracy on the test set. Writes config.json,\n"
        "history.jsonl, model.safetensors, checkpoint.safetensors, curve.svg and curve.png into the folder "
        "of the run.\n\n"
        "  ./elk train\n"
        "  ./elk train --dataset mnist --hidden 925 --epochs 15\n"
        "  ./elk train --resume\n\n",
        {&config, &run},
        "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 diverged, 130 or 143 stopped by a signal "
        "after saving.\n");
    return line;
  };

  const auto parse_protocol = [&](const Arguments& arguments, const std::string& beneath,
                                  const std::string& beneath_name) {
    CommandLine line = parse(arguments, TrainConfig(), beneath, beneath_name);
    if (line.config.paper()) line = parse(arguments, paper_defaults(), beneath, beneath_name);
    return line;
  };

  const Arguments arguments(argv + std::min(argc, 1), argv + argc);
  CommandLine line = parse_protocol(arguments, "", "");
  if (!line.help.empty()) return line;
  line.run.data_dir_given = !line.run.data_dir.empty();
  line.run.data_dir = data_folder(line.run.data_dir);
  if (line.run.resume && line.run.doctor)
    fail<UsageError>("--doctor: examines a run before it begins, without --resume");
  if (line.run.profile && line.run.doctor)
    fail<UsageError>("--profile: there are no steps to measure with --doctor");
  if (line.run.resume) {
    const RunOptions run = line.run;
    const std::string folder = run.out_dir.empty() ? latest_run_folder("train") : run.out_dir;
    const std::string file = folder + "/config.json";
    const RunRecord record = read_run_record(folder);
    TrainConfig stored = parse_protocol({}, record.config, folder + "/checkpoint.safetensors").config;
    resolve(stored);
    // Without the file, which comes after the first checkpoint, the run goes on all the same.
    std::error_code error;
    const std::string kept = std::filesystem::exists(file, error) ? read_file(file) : record.config;
    TrainConfig edited = parse_protocol({}, kept, file).config;
    resolve(edited);
    check_same(file, "its checkpoint was made with", edited, "the file says", stored);
    check_untouched(kept, file);
    line.config = parse_protocol(arguments, kept, file).config;
    resolve(line.config);
    check_same("", "the run to resume has", line.config, "the command line asks for", edited);
    line.resumed = record;
    line.run.out_dir = folder;
    return line;
  }
  resolve(line.config);
  return line;
}

}  // namespace elk::lab
