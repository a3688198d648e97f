// Every option of `train`, with good and bad values, as a user meets them.
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <elk/io/digest.hpp>
#include <models/mlp.hpp>

#include "experiments/fixture.hpp"

namespace elk::lab::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::StartsWith;

class TrainOptions : public TrainProgram {
 protected:
  void expect_usage_error(const Arguments& arguments, const std::string& message) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << testing::PrintToString(arguments);
    EXPECT_EQ(outcome.err, "train: " + message + "\nsee ./elk train --help\n");
    EXPECT_EQ(outcome.out, "");
  }

  Json config(const Arguments& arguments) {
    const Outcome outcome = run(arguments + Arguments{"--print-config"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return Json::parse(outcome.out, nullptr, false);
  }

  void write(const std::string& name, const std::string& text) { write_file_atomically(path(name), text); }
};

const Json sound = Json::parse(
    R"({"protocol": "sound", "dataset": "digits", "normalize": "none", "augment": "", "model": "mlp", "hidden": "128", "activation": "relu",
  "leaky-slope": 0.01, "init": "he", "param": "standard", "base-width": 64, "clip": 0.0, "dropout": 0.0, "loss": "cross_entropy", "optimizer": "adam",
  "momentum": 0.0, "nesterov": false, "lr": 0.001, "schedule": "constant", "weight-decay": 0.0, "batch-size": 50,
  "epochs": 10, "train-size": 0, "validation": 1000, "test-every-epoch": false, "early-stop": 0, "dtype": "f32", "precision": "f32", "seed": 100})");

TEST_F(TrainOptions, Defaults) {
  EXPECT_EQ(config({}), sound);
  for (const char* set : {"mnist", "fashion-mnist", "cifar-10"})
    EXPECT_EQ(config({"--dataset", set})["validation"], 5000) << set;
  EXPECT_EQ(config({"--optimizer", "sgd"})["lr"], 0.1);
}

TEST_F(TrainOptions, PaperProtocolImpliesTheStudysAndEachCanBeOverridden) {
  Json paper = sound;
  paper.update(
      Json::parse(R"({"protocol": "paper", "leaky-slope": 0.0, "clip": 500.0, "optimizer": "sgd", "lr": 0.01,
    "schedule": "exponential:0.9", "validation": 0, "test-every-epoch": true, "dtype": "f64"})"));
  EXPECT_EQ(config({"--protocol", "paper"}), paper);
  const std::vector<std::pair<Arguments, Json>> overrides = {
      {{"--lr", "0.5"}, {{"lr", 0.5}}},
      {{"--schedule", "constant"}, {{"schedule", "constant"}}},
      {{"--lr-decay", "0.95"}, {{"schedule", "exponential:0.95"}}},
      {{"--clip", "0"}, {{"clip", 0.0}}},
      {{"--validation", "7"}, {{"validation", 7}}},
      {{"--dtype", "f32"}, {{"dtype", "f32"}}},
      {{"--dataset", "mnist"}, {{"dataset", "mnist"}}},
      {{"--seed", "1"}, {{"seed", 1}}},
  };
  for (const auto& [options, expected] : overrides) {
    Json all = paper;
    all.update(expected);
    EXPECT_EQ(config(Arguments{"--protocol", "paper"} + options), all);
  }
}

TEST_F(TrainOptions, GoodValues) {
  struct Row {
    const char *option, *value;
    Json expected;
  };
  const std::vector<Row> rows = {
      {"dataset", "cifar-10", "cifar-10"},
      {"param", "mup", "mup"},
      {"base-width", "8", 8},
      {"normalize", "pixel", "pixel"},
      {"normalize", "channel", "channel"},
      {"normalize", "whiten", "whiten"},
      {"augment", "rotate:10.0,shift:2,flip", "shift:2,rotate:10,flip:0.5"},
      {"model", "residual_mlp", "residual_mlp"},
      {"hidden", "64,32,1000000", "64,32,1000000"},
      {"hidden", "", ""},
      {"activation", "leaky_relu", "leaky_relu"},
      {"activation", "sigmoid", "sigmoid"},
      {"activation", "tanh", "tanh"},
      {"leaky-slope", "-0.5", -0.5},
      {"init", "xavier", "xavier"},
      {"init", "normal", "normal"},
      {"clip", "9e9", 9e9},
      {"dropout", "0.999", 0.999},
      {"noise", "0.3", 0.3},
      {"loss", "mse", "mse"},
      {"loss", "paper_mean", "paper_mean"},
      {"lr", "1e-5", 1e-5},
      {"schedule", "exponential:0.5", "exponential:0.5"},
      {"schedule", "exponential:1", "exponential:1"},
      {"schedule", "step:3:0.5", "step:3:0.5"},
      {"schedule", "cosine", "cosine"},
      {"schedule", "one_cycle", "one_cycle"},
      {"optimizer", "adamw", "adamw"},
      {"activation", "gelu", "gelu"},
      {"weight-decay", "0.25", 0.25},
      {"batch-size", "1000000000", 1000000000},
      {"epochs", "1", 1},
      {"train-size", "300", 300},
      {"validation", "0", 0},
      {"early-stop", "3", 3},
      {"dtype", "f64", "f64"},
      {"label-smoothing", "0.1", 0.1},
      {"ema", "0.999", 0.999},
      {"ensemble", "100", 100},
      {"seed", "0", 0},
      {"seed", "4294967295", 4294967295},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.option) + " " + row.value);
    const std::string option = std::string("--") + row.option;
    EXPECT_EQ(config({option, row.value})[row.option], row.expected);
    if (*row.value != '\0') {
      EXPECT_EQ(config({option + "=" + row.value})[row.option], row.expected);
    }
  }
  EXPECT_EQ(config({"--model", "residual_mlp"})["activation"], "gelu");
  EXPECT_EQ(config({"--model", "residual_mlp", "--activation", "relu"})["activation"], "relu");
  for (const char* tta : {"flip", "shift", "flip,shift", "shift:2", "flip,shift:2:1"})
    EXPECT_EQ(config({"--tta", tta, "--augment", "crop:2,flip"})["tta"], tta);
  // What changes nothing is not written.
  EXPECT_EQ(
      config({"--noise", "0", "--label-smoothing", "0", "--ema", "0", "--tta", "none", "--ensemble", "1"}),
      sound);
  EXPECT_EQ(config({"--batch-norm"})["batch-norm"], true);
  EXPECT_EQ(config({"--noise", "0.1", "--param", "mup"})["noise"], 0.1);
  const Json sgd = config({"--optimizer", "sgd", "--momentum", "0.9", "--nesterov"});
  EXPECT_EQ(sgd["momentum"], 0.9);
  EXPECT_EQ(sgd["nesterov"], true);
}

TEST_F(TrainOptions, BadValues) {
  struct Row {
    Arguments arguments;
    std::string message;
  };
  const auto invalid = [](const std::string& option, const std::string& value) {
    return Row{{"--" + option, value},
               "the argument ('" + value + "') for option '--" + option + "' is invalid"};
  };
  const auto outside = [](const std::string& option, const std::string& value, const std::string& range) {
    return Row{{"--" + option, value}, "--" + option + ": expected " + range + ", got " + value};
  };
  const auto choice = [](const std::string& option, const std::string& value, const std::string& choices) {
    return Row{{"--" + option, value}, "--" + option + ": expected " + choices + ", got \"" + value + "\""};
  };
  const std::string activations = fmt::format("{}", fmt::join(models::activation_names(), ", "));
  const std::string
      widths = "widths from 1 to 1000000 such as 128,64",
      below_1 = "a number from 0 to below 1",
      schedules = "constant, exponential:F, step:N:F, cosine or one_cycle, with F above 0 and at most 1",
      up_to_most = "a number from 1 to 1000000000",
      known_views =
          "none, flip, S or flip,S, where S is shift, shift:PIXELS or shift:PIXELS:STEP, a PIXELS of 1 to 10 "
          "times STEP";
  const std::vector<Row> rows = {
      choice("dataset", "mnits", "digits, mnist, fashion-mnist, cifar-10"),
      choice("dataset", "", "digits, mnist, fashion-mnist, cifar-10"),
      choice("normalize", "zca", "none, pixel, channel, whiten"),
      {{"--augment", "rotate:200"}, "--augment: [augment] rotate must be from 0 to 180, got 200"},
      {{"--augment", "blur:2"},
       "--augment: [augment] no option \"blur\": there are shift, rotate, scale, shear, elastic, "
       "elastic_sigma, "
       "flip, crop, cutout, noise, mixup"},
      {{"--augment", "mixup:1", "--loss", "paper_mean"},
       "--augment: mixup goes with --loss cross_entropy or mse"},
      {{"--doctor", "--resume"}, "--doctor: examines a run before it begins, without --resume"},
      {{"--doctor", "--profile"}, "--profile: there are no steps to measure with --doctor"},
      choice("model", "cnn", "mlp, residual_mlp"),
      {{"--model", "residual_mlp", "--hidden", ""},
       "--hidden: a residual_mlp has blocks of one width, such as 128,128, got \"\""},
      {{"--model", "residual_mlp", "--hidden", "64,32"},
       "--hidden: a residual_mlp has blocks of one width, such as 128,128, got \"64,32\""},
      {{"--model", "residual_mlp", "--clip", "1"}, "--clip: goes with --model mlp"},
      choice("hidden", "0", widths),
      choice("hidden", "-3", widths),
      choice("hidden", "64,", widths),
      choice("hidden", ",64", widths),
      choice("hidden", "64,,32", widths),
      choice("hidden", "64 32", widths),
      choice("hidden", "12.5", widths),
      choice("hidden", "1000001", widths),
      choice("hidden", "99999999999999999999", widths),
      choice("activation", "ReLU", activations),
      outside("leaky-slope", "1000001", "a number from -1000000 to 1000000"),
      outside("leaky-slope", "nan", "a number from -1000000 to 1000000"),
      invalid("leaky-slope", "steep"),
      choice("init", "zeros", "he, xavier, normal"),
      outside("clip", "-1", "a number from 0 to 1e+300"),
      outside("clip", "inf", "a number from 0 to 1e+300"),
      outside("dropout", "1", below_1),
      outside("dropout", "-0.1", below_1),
      outside("dropout", "nan", below_1),
      outside("noise", "-0.1", "a number from 0 to 1000000"),
      outside("noise", "nan", "a number from 0 to 1000000"),
      outside("noise", "inf", "a number from 0 to 1000000"),
      {{"--noise", "0.3", "--model", "residual_mlp"},
       "--noise: goes with --model mlp and --protocol sound, got --model residual_mlp and --protocol sound"},
      {{"--noise", "0.3", "--protocol", "paper"},
       "--noise: goes with --model mlp and --protocol sound, got --model mlp and --protocol paper"},
      {{"--batch-norm", "--model", "residual_mlp"},
       "--batch-norm: goes with --model mlp and --protocol sound, got --model residual_mlp and --protocol "
       "sound"},
      {{"--batch-norm", "--protocol", "paper"},
       "--batch-norm: goes with --model mlp and --protocol sound, got --model mlp and --protocol paper"},
      {{"--batch-norm", "--param", "mup"}, "--batch-norm: goes with --param standard"},
      {{"--batch-norm=true"}, "option '--batch-norm' does not take any arguments"},
      choice("loss", "mean", "cross_entropy, mse, paper_mean"),
      choice("optimizer", "rmsprop", "sgd, adam, adamw"),
      outside("momentum", "1", below_1),
      outside("lr", "0", "a finite number above 0"),
      outside("lr", "-0.1", "a finite number above 0"),
      outside("lr", "nan", "a finite number above 0"),
      outside("lr", "inf", "a finite number above 0"),
      invalid("lr", "0.1x"),
      invalid("lr", "1e400"),
      choice("schedule", "exponential", schedules),
      choice("schedule", "exponential:", schedules),
      choice("schedule", "exponential:0", schedules),
      choice("schedule", "exponential:1.01", schedules),
      choice("schedule", "exponential:nan", schedules),
      choice("schedule", "step", schedules),
      choice("schedule", "step:3", schedules),
      choice("schedule", "step:0:0.5", schedules),
      choice("schedule", "step:3:2", schedules),
      choice("schedule", "cosine:3", schedules),
      choice("schedule", "exponential:0.9 ", schedules),
      {{"--lr-decay", "much"}, "--schedule: expected " + schedules + ", got \"exponential:much\""},
      {{"--lr-decay", "0.9", "--schedule", "constant"},
       "--lr-decay: is short for --schedule; give one of them"},
      outside("weight-decay", "-1", "a number from 0 to 1000000"),
      outside("batch-size", "0", up_to_most),
      outside("batch-size", "-5", up_to_most),
      invalid("batch-size", "5e1"),
      outside("epochs", "0", up_to_most),
      invalid("epochs", "2.5"),
      invalid("epochs", "99999999999999999999"),
      outside("train-size", "-1", "a number from 0 to 1000000000"),
      outside("validation", "-1", "a number from 0 to 1000000000"),
      outside("early-stop", "-1", "a number from 0 to 1000000000"),
      {{"--early-stop", "2", "--validation", "0"},
       "--early-stop: needs held-out examples: give --validation N"},
      choice("dtype", "f16", "f32, f64"),
      outside("label-smoothing", "1", below_1),
      outside("label-smoothing", "-0.1", below_1),
      outside("label-smoothing", "nan", below_1),
      invalid("label-smoothing", "some"),
      {{"--label-smoothing", "0.1", "--loss", "mse"},
       "--label-smoothing: goes with --loss cross_entropy and --protocol sound, got --loss mse and "
       "--protocol "
       "sound"},
      {{"--label-smoothing", "0.1", "--protocol", "paper"},
       "--label-smoothing: goes with --loss cross_entropy and --protocol sound, got --loss cross_entropy and "
       "--protocol paper"},
      outside("ema", "1", below_1),
      outside("ema", "-0.1", below_1),
      outside("ema", "nan", below_1),
      invalid("ema", "long"),
      choice("tta", "shift,flip", known_views),
      choice("tta", "", known_views),
      choice("tta", "flip,", known_views),
      choice("tta", "shift:0", known_views),
      choice("tta", "shift:2x", known_views),
      choice("tta", "flip,flip", known_views),
      choice("tta", "none,shift", known_views),
      choice("tta", "shift:99999999999999999999", known_views),
      choice("tta", "shift:4:", known_views),
      choice("tta", "shift:4:0", known_views),
      choice("tta", "shift:4:3", known_views),
      choice("tta", "shift:2:4", known_views),
      choice("tta", "shift:4:2:1", known_views),
      choice("tta", "flip,shift:11:1", known_views),
      {{"--tta", "shift:9223372036854775807:9223372036854775807", "--augment", "crop:4"},
       "--tta shift:9223372036854775807:9223372036854775807: the network must have learned from such images, "
       "by a shift or crop of 9223372036854775807 or more in --augment, which is \"crop:4\""},
      {{"--tta", "flip,shift:3", "--augment", "flip,crop:2,shift:1"},
       "--tta shift:3: the network must have learned from such images, by a shift or crop of 3 or more in "
       "--augment, which is \"shift:1,flip:0.5,crop:2\""},
      {{"--tta", "flip"},
       "--tta flip: the network must have learned from such images, by flip in --augment, which is \"\""},
      {{"--tta", "flip,shift", "--augment", "flip"},
       "--tta shift: the network must have learned from such images, by shift or crop in --augment, which is "
       "\"flip:0.5\""},
      outside("ensemble", "0", "a number from 1 to 100"),
      outside("ensemble", "101", "a number from 1 to 100"),
      invalid("ensemble", "many"),
      {{"--ensemble", "3", "--seed", "4294967294"},
       "--ensemble: 3 networks have the seeds 4294967294 to 4294967296, the highest is 4294967295"},
      {{"--ensemble", "2", "--profile"},
       "--profile: measures the training of one network, without --ensemble"},
      choice("precision", "f16", "f32, bf16"),
      outside("seed", "-1", "a number from 0 to 4294967295"),
      outside("seed", "4294967296", "a number from 0 to 4294967295"),
      choice("protocol", "Paper", "sound, paper"),
      {{"--momentum", "0.9"}, "--momentum and --nesterov go with --optimizer sgd"},
      {{"--nesterov"}, "--momentum and --nesterov go with --optimizer sgd"},
      {{"--nesterov", "--optimizer", "sgd"}, "--nesterov: needs a --momentum above 0"},
      choice("param", "mu", "standard, mup"),
      outside("base-width", "0", "a number from 1 to 1000000"),
      {{"--param", "mup", "--init", "xavier"},
       "--param: mup goes with --model mlp and --init he, got --model mlp and --init xavier"},
      {{"--param", "mup", "--model", "residual_mlp"},
       "--param: mup goes with --model mlp and --init he, got --model residual_mlp and --init he"},
      {{"--nesterov=true"}, "option '--nesterov' does not take any arguments"},
      outside("threads", "0", "a number from 1 to 256"),
      outside("threads", "257", "a number from 1 to 256"),
      outside("threads", "-1", "a number from 1 to 256"),
      invalid("threads", "two"),
      {{"--quiet=1"}, "option '--quiet' does not take any arguments"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.message);
    expect_usage_error(row.arguments, row.message);
  }
  EXPECT_THAT(folder_.names(), IsEmpty());
}

TEST_F(TrainOptions, WrongWords) {
  expect_usage_error({"--widht", "3"}, "unrecognised option '--widht'");
  expect_usage_error({"--epoch", "3"}, "unrecognised option '--epoch'");
  expect_usage_error({"--epoch=3"}, "unrecognised option '--epoch=3'");
  expect_usage_error({"--Epochs", "3"}, "unrecognised option '--Epochs'");
  expect_usage_error({"-e", "3"}, "unrecognised option '-e'");
  expect_usage_error({"-epochs", "3"}, "unrecognised option '-epochs'");
  expect_usage_error({"mnist"}, "unexpected argument \"mnist\"");
  expect_usage_error({"--quiet", "mnist"}, "unexpected argument \"mnist\"");
  expect_usage_error({""}, "unexpected argument \"\"");
  expect_usage_error({"--epochs", "3", "--epochs", "4"},
                     "option '--epochs' cannot be specified more than once");
  expect_usage_error({"--lr", "1", "--lr=1"}, "option '--lr' cannot be specified more than once");
  for (const char* option :
       {"dataset",     "normalize",  "augment",    "model",      "hidden",       "activation",
        "leaky-slope", "init",       "clip",       "dropout",    "loss",         "optimizer",
        "momentum",    "lr",         "schedule",   "lr-decay",   "weight-decay", "batch-size",
        "epochs",      "train-size", "validation", "early-stop", "dtype",        "seed",
        "protocol",    "out-dir",    "data-dir",   "threads",    "config",       "label-smoothing",
        "ema",         "tta",        "ensemble",   "noise"}) {
    const std::string name = std::string("--") + option;
    expect_usage_error({name}, "the required argument for option '" + name + "' is missing");
    expect_usage_error({name, "--quiet"}, "the required argument for option '" + name + "' is missing");
  }
}

TEST_F(TrainOptions, Help) {
  const Outcome outcome = run({"--help"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, StartsWith("Usage: ./elk train [options]\n"));
  for (const auto& [name, value] : sound.items()) EXPECT_THAT(outcome.out, HasSubstr("\n  --" + name + " "));
  for (const char* name :
       {"batch-norm", "noise", "label-smoothing", "ema", "tta", "ensemble", "lr-decay", "out-dir", "resume",
        "profile", "data-dir", "threads", "config", "print-config", "quiet", "json", "help", "version"})
    EXPECT_THAT(outcome.out, HasSubstr(std::string("\n  --") + name + " "));
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 110u) << line;
  EXPECT_EQ(run({"--epochs", "3", "--help"}).out.substr(0, 6), "Usage:");
  EXPECT_THAT(folder_.names(), IsEmpty());
}

TEST_F(TrainOptions, Version) {
  const Outcome outcome = run({"--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out,
              MatchesRegex("elkgrad [0-9]+\\.[0-9]+\\.[0-9]+\ninstruction set [a-z0-9]+, BLAS .+\n"));
}

TEST_F(TrainOptions, PrintedConfigReadsBackTheSame) {
  const std::vector<Arguments> lines = {
      {},
      {"--protocol", "paper", "--clip", "9e9", "--lr", "0.1"},
      {"--hidden", "", "--optimizer", "sgd", "--momentum", "0.1", "--nesterov", "--lr", "3e-300"},
      {"--hidden", "300,7", "--lr-decay", "0.123456789012345678", "--dropout", "0.3", "--seed", "4294967295",
       "--early-stop", "2", "--train-size", "99", "--test-every-epoch", "--validation", "77",
       "--weight-decay", "1e-4", "--dtype", "f64"},
      {"--batch-norm", "--noise", "0.3"},
  };
  for (const Arguments& line : lines) {
    const Outcome first = run(line + Arguments{"--print-config"});
    ASSERT_EQ(first.code, 0) << first.err;
    write("config.json", first.out);
    EXPECT_EQ(run({"--config", "config.json", "--print-config"}).out, first.out);
  }
}

TEST_F(TrainOptions, TheCommandLineWinsOverTheFile) {
  write("a.json", R"({"protocol": "paper", "epochs": 3, "hidden": 64, "lr": 0.5, "seed": "7"})");
  Json read = config({"--config", "a.json"});
  EXPECT_EQ(read["protocol"], "paper");
  EXPECT_EQ(read["epochs"], 3);
  EXPECT_EQ(read["hidden"], "64");
  EXPECT_EQ(read["lr"], 0.5);
  EXPECT_EQ(read["seed"], 7);
  EXPECT_EQ(read["dtype"], "f64");  // of the protocol in the file
  read = config({"--config", "a.json", "--epochs", "4", "--lr=0.25", "--protocol", "sound"});
  EXPECT_EQ(read["epochs"], 4);
  EXPECT_EQ(read["lr"], 0.25);
  EXPECT_EQ(read["seed"], 7);
  EXPECT_EQ(read["dtype"], "f32");

  write("b.json", R"({"optimizer": "sgd", "momentum": 0.5, "nesterov": true})");
  EXPECT_EQ(config({"--config", "b.json"})["nesterov"], true);
  EXPECT_EQ(config({"--config", "b.json"})["lr"], 0.1);

  write("c.json", R"({"lr-decay": 0.5})");
  EXPECT_EQ(config({"--config", "c.json"})["schedule"], "exponential:0.5");
  EXPECT_EQ(config({"--config", "c.json", "--schedule", "constant"})["schedule"], "constant");
  EXPECT_EQ(config({"--config", "c.json", "--lr-decay", "0.7"})["schedule"], "exponential:0.7");
}

TEST_F(TrainOptions, AConfigFileOfARunIsReadAsItWasWritten) {
  const std::string options = run({"--hidden", "9", "--print-config"}).out, kept = with_digest(options);
  const auto read = [&](std::string text) {
    write("config.json", text);
    return run({"--config", "config.json", "--print-config"});
  };
  EXPECT_EQ(read(kept).out, options);
  EXPECT_EQ(read(Json::parse(kept).dump()).out, options);  // laid out anew
  std::string edited = kept;
  edited.replace(edited.find("\"9\""), 3, "\"8\"");
  const Outcome refused = read(edited);
  EXPECT_EQ(refused.code, 2);
  EXPECT_EQ(refused.out, "");
  EXPECT_THAT(
      refused.err,
      StartsWith("train: config.json: its contents do not fit its \"digest\": they were changed after "
                 "they were written. To use the options as they are now, remove the line \"digest\""));
  Json without = Json::parse(edited);
  without.erase("digest");
  EXPECT_THAT(read(without.dump(2)).out, HasSubstr("\"hidden\": \"8\""));
}

TEST_F(TrainOptions, BadConfigFiles) {
  const auto bad = [&](const std::string& text, const std::string& message) {
    SCOPED_TRACE(text);
    write("bad.json", text);
    expect_usage_error({"--config", "bad.json"}, "bad.json: " + message);
  };
  bad("[1, 2]", "expected a JSON object of options");
  bad("3", "expected a JSON object of options");
  bad(R"({"epoch": 3})", "there is no option \"epoch\"");
  bad(R"({"": 3})", "there is no option \"\"");
  bad(R"({"out-dir": "x"})", "there is no option \"out-dir\"");
  bad(R"({"resume": true})", "there is no option \"resume\"");
  bad(R"({"epochs": {"n": 3}})", "\"epochs\" must be a number, a text or true or false");
  bad(R"({"hidden": [64, 32]})", "\"hidden\" must be a number, a text or true or false");
  bad(R"({"lr": null})", "\"lr\" must be a number, a text or true or false");
  bad(R"({"lr": "fast"})", "the argument ('fast') for option 'lr' is invalid");
  bad(R"({"epochs": 2.5})", "the argument ('2.5') for option 'epochs' is invalid");
  bad(R"({"epochs": true})", "the argument ('true') for option 'epochs' is invalid");
  bad(R"({"schedule": "constant", "lr-decay": 0.5})", "option 'schedule' cannot be specified more than once");
  for (const char* text : {"", "{", "{\"epochs\": 3}}", "epochs = 3", "{\"lr\": 1e999}", "\xff\xfe"}) {
    write("bad.json", text);
    const Outcome outcome = run({"--config", "bad.json"});
    EXPECT_EQ(outcome.code, 2) << text;
    EXPECT_THAT(outcome.err, StartsWith("train: bad.json: not a JSON file of options: ")) << text;
  }
  write("bad.json", R"({"epochs": 0})");
  expect_usage_error({"--config", "bad.json"}, "--epochs: expected a number from 1 to 1000000000, got 0");
  expect_usage_error({"--config", "none.json"}, "--config: [read] none.json: No such file or directory");
  expect_usage_error({"--config", "."}, "--config: [read] .: this is a folder");
}

}  // namespace
}  // namespace elk::lab::test
