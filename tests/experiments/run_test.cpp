// What a run of `train` prints and leaves behind.
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <fmt/format.h>

#include <elk/base/machine.hpp>
#include <elk/base/precision.hpp>
#include <elk/data/load.hpp>
#include <elk/io/digest.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/shape.hpp>
#include <elk/train/evaluate.hpp>
#include <elk/train/metrics.hpp>
#include <models/model_file.hpp>

#include "experiments/fixture.hpp"
#include "support.hpp"

namespace elk::lab::test {
namespace {

using elk::test::values;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

using TrainRun = TrainProgram;

Tensor loss(const Tensor& logits, const Tensor& labels) { return cross_entropy(logits, labels); }

std::string last_line(const std::string& text) {
  const auto end = text.find_last_not_of('\n');
  const auto start = text.find_last_of('\n', end);
  return text.substr(start + 1, end - start);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items()) names.push_back(name);
  return names;
}

// The gnuplot that the user has, if any.
bool has_gnuplot() {
  std::istringstream folders(std::getenv("PATH") != nullptr ? std::getenv("PATH") : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (access((folder + "/gnuplot").c_str(), X_OK) == 0) return true;
  return false;
}

TEST_F(TrainRun, OnTheBuiltInDigits) {
  const Outcome outcome = run({"--hidden", "16", "--epochs", "2", "--out-dir", "r"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto lines = lines_of(outcome.out);
  ASSERT_EQ(lines.size(), 4u) << outcome.out;
  EXPECT_EQ(lines[0], "epoch  train loss    val loss   val accuracy        lr  seconds");
  EXPECT_THAT(
      lines[1],
      MatchesRegex(" +1 +[0-9]\\.[0-9]{4} +[0-9]\\.[0-9]{4} +0\\.[0-9]{4} +0\\.001 +[0-9]+\\.[0-9]{2}"));
  EXPECT_THAT(lines[2], StartsWith("    2  "));
  EXPECT_THAT(lines[3], MatchesRegex("test accuracy 0\\.[0-9]{4}"));
  EXPECT_GT(std::stod(lines[3].substr(14)), 0.8);
  // Between them a slow machine reports its progress.
  EXPECT_THAT(outcome.err,
              StartsWith("drawing the digits\n9000 examples to train on, 1000 held out, 2000 to test on; "
                         "12730 parameters; run in r\n"));
  EXPECT_THAT(outcome.err, EndsWith("train: no plot of the curves: " + no_gnuplot() + "\n"));
}

TEST_F(TrainRun, LeavesItsFolder) {
  Arguments options = small({"--activation", "leaky_relu", "--leaky-slope", "0.3", "--clip", "2"});
  const Outcome outcome = run(options + Arguments{"--out-dir", "some where/r"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path("some where/r")))
    names.push_back(entry.path().filename());
  EXPECT_THAT(names, testing::UnorderedElementsAre("checkpoint.safetensors", "config.json", "history.jsonl",
                                                   "model.safetensors", "run.lock"));
  const std::string config = file("some where/r/config.json");
  Json recorded = Json::parse(config);
  EXPECT_EQ(recorded["instruction_set"], instruction_set());
  EXPECT_EQ(recorded["blas"], blas_name());
  recorded.erase("digest");
  EXPECT_EQ(with_digest(recorded.dump(2) + "\n"), config);
  recorded.erase("instruction_set");
  recorded.erase("blas");
  EXPECT_EQ(recorded.dump(2) + "\n", run(options + Arguments{"--print-config"}).out);
  write_file_atomically(path("again.json"), config);
  EXPECT_EQ(run({"--config", "again.json", "--print-config"}).out, recorded.dump(2) + "\n");

  const auto rows = lines_of(file("some where/r/history.jsonl"));
  ASSERT_EQ(rows.size(), 2u);
  std::int64_t epoch = 0;
  std::uint64_t flops = 0;
  for (const std::string& line : rows) {
    const Json row = Json::parse(line);
    EXPECT_THAT(keys(row), ElementsAre("epoch", "step", "train_loss", "val_loss", "val_accuracy", "lr",
                                       "flops", "seconds", "digest"));
    EXPECT_EQ(row["epoch"], ++epoch);
    EXPECT_EQ(row["step"], 10 * epoch);
    EXPECT_GT(row["flops"].get<std::uint64_t>(), flops);
    flops = row["flops"];
    EXPECT_GT(row["seconds"].get<double>(), 0);
    EXPECT_LT(row["val_accuracy"].get<double>(), 1);
  }

  const models::Model model = models::load_model(path("some where/r/model.safetensors"));
  const TrainTest data = load_dataset("mnist", path("data"));
  const train::Evaluation test = train::evaluate(model.net, data.test, loss);
  EXPECT_EQ(last_line(outcome.out), fmt::format("test accuracy {:.4f}", test.accuracy));
  EXPECT_EQ(model.info.dataset, "mnist");
  EXPECT_EQ(model.info.activation, "leaky_relu");
  EXPECT_EQ(model.info.leaky_slope, 0.3);
  EXPECT_EQ(model.info.clip, 2);
  EXPECT_EQ(model.info.classes, data.train.classes);
}

TEST_F(TrainRun, ResidualMlp) {
  const Outcome outcome =
      run(small({"--model", "residual_mlp", "--hidden", "16,16", "--dropout", "0.1", "--out-dir", "r"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const models::Model model = models::load_model(path("r/model.safetensors"));
  EXPECT_EQ(model.info.kind, "residual_mlp");
  const train::Evaluation test = train::evaluate(model.net, load_dataset("mnist", path("data")).test, loss);
  EXPECT_EQ(last_line(outcome.out), fmt::format("test accuracy {:.4f}", test.accuracy));
}

TEST_F(TrainRun, BatchNormGoesIntoTheModelFileAndNoiseDoesNot) {
  for (const char* networks : {"1", "2"}) {
    const std::string folder = std::string("of-") + networks;
    const Outcome outcome =
        run(small({"--hidden", "16,8", "--lr", "0.01", "--epochs", "20", "--batch-norm", "--noise", "0.3",
                   "--ema", "0.9", "--ensemble", networks, "--out-dir", folder}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const models::Model model = models::load_model(path(folder + "/model.safetensors"));
    EXPECT_TRUE(model.info.batch_norm);
    EXPECT_EQ(to_string(model.net).find("GaussianNoise"), std::string::npos);
    const Dataset test = load_dataset("mnist", path("data")).test;
    EXPECT_EQ(last_line(outcome.out),
              fmt::format("test accuracy {:.4f}", train::evaluate(model.net, test, loss).accuracy));
    EXPECT_GT(train::evaluate(model.net, test, loss).accuracy, 0.5);
  }
  EXPECT_THAT(run(small({"--batch-norm", "--noise", "0.3", "--doctor"})).out,
              HasSubstr("norm1   BatchNorm1d(8)"));
}

TEST_F(TrainRun, BatchNormNeedsTwoExamplesInEveryBatch) {
  const auto refused = [&](const Arguments& options, const std::string& message) {
    const Outcome outcome =
        run(small(Arguments{"--batch-norm", "--train-size", "101", "--out-dir", "r"} + options));
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.err, "reading mnist\ntrain: --batch-norm: needs two examples or more in " + message +
                               ": give another --batch-size or --train-size\nsee ./elk train --help\n");
    EXPECT_FALSE(std::filesystem::exists(path("r")));
  };
  refused({}, "each batch, the last batch of 101 in batches of 50 has 1");
  refused({"--batch-size", "1"}, "each batch, the last batch of 101 in batches of 1 has 1");
  refused({"--batch-size", "98", "--parts", "2"},
          "each of the 2 parts of a batch, the last batch of 101 in batches of 98 has 3");
  const Arguments four{
      "--batch-norm", "--train-size", "102", "--batch-size", "98", "--parts", "2", "--out-dir", "r"};
  EXPECT_EQ(run(small(four)).code, 0);
}

TEST_F(TrainRun, NormalizationGoesIntoTheModelFile) {
  for (const std::string kind : {"pixel", "channel", "whiten"})
    for (const std::string model_kind : {"mlp", "residual_mlp"}) {
      const std::string folder = kind + "-" + model_kind;
      const Outcome outcome =
          run(small({"--normalize", kind, "--model", model_kind, "--hidden", "16", "--out-dir", folder}));
      ASSERT_EQ(outcome.code, 0) << outcome.err;
      const models::Model model = models::load_model(path(folder + "/model.safetensors"));
      EXPECT_EQ(model.info.normalize, kind == "whiten" ? "whiten" : "standard");
      const Dataset test = load_dataset("mnist", path("data")).test;
      EXPECT_EQ(last_line(outcome.out),
                fmt::format("test accuracy {:.4f}", train::evaluate(model.net, test, loss).accuracy));
    }
}

TEST_F(TrainRun, AugmentationTakesPartInTraining) {
  for (const char* options : {"shift:2,rotate:10,noise:0.1", "mixup:0.5"}) {
    const Arguments augmented = {"--augment", options, "--quiet"};
    ASSERT_EQ(run(small(augmented + Arguments{"--out-dir", "a"})).code, 0);
    ASSERT_EQ(run(small(augmented + Arguments{"--out-dir", "b", "--threads", "1"})).code, 0);
    ASSERT_EQ(run(small({"--quiet", "--out-dir", "plain"})).code, 0);
    EXPECT_TRUE(file("a/model.safetensors") == file("b/model.safetensors"));
    EXPECT_FALSE(file("a/model.safetensors") == file("plain/model.safetensors"));
    for (const char* folder : {"a", "b", "plain"}) std::filesystem::remove_all(path(folder));
  }
  EXPECT_EQ(run(small({"--augment", "mixup:0.5", "--loss", "mse", "--out-dir", "c"})).code, 0);
}

TEST_F(TrainRun, DoctorExaminesAndLeavesNothing) {
  const Outcome healthy = run(small({"--doctor"}));
  EXPECT_EQ(healthy.code, 0) << healthy.out;
  EXPECT_THAT(healthy.out, testing::StartsWith("layer "));
  EXPECT_THAT(healthy.out, HasSubstr("0 problems"));
  EXPECT_FALSE(std::filesystem::exists(path("runs")));
  const Outcome ill = run(small({"--doctor", "--init", "normal", "--json"}));
  EXPECT_EQ(ill.code, 1);
  const Json report = Json::parse(ill.out);
  EXPECT_EQ(report["severity"], "problem");
  EXPECT_EQ(report["findings"][0]["severity"], "problem");
  EXPECT_THAT(keys(report["findings"][0]),
              ElementsAre("severity", "check", "measured", "expected", "advice"));
  for (const char* loss_name : {"mse", "paper_mean"}) {
    const Outcome other = run(small({"--doctor", "--loss", loss_name}));
    EXPECT_EQ(other.code, 0) << other.out;
  }
}

// The model file knows nothing of the protocol: the study's activations have the usual forward pass.
TEST_F(TrainRun, PaperProtocol) {
  const Outcome outcome = run(small({"--protocol", "paper", "--activation", "leaky_relu", "--clip", "0.5",
                                     "--validation", "0", "--out-dir", "r"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto lines = lines_of(outcome.out);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], "epoch     train loss   test loss  test accuracy        lr  seconds");
  EXPECT_THAT(lines[1],
              MatchesRegex(" +1 +[0-9]\\.[0-9]{10} +[0-9]\\.[0-9]{4} +0\\.[0-9]{4} +0\\.01 +[0-9.]+"));
  EXPECT_THAT(lines[2], HasSubstr("    0.009 "));
  for (const std::string& line : lines_of(file("r/history.jsonl")))
    EXPECT_THAT(keys(Json::parse(line)), ElementsAre("epoch", "step", "train_loss", "test_loss",
                                                     "test_accuracy", "lr", "flops", "seconds", "digest"));
  const models::Model model = models::load_model(path("r/model.safetensors"));
  EXPECT_EQ(model.info.dtype, f64);
  const auto test = train::evaluate(model.net, load_dataset("mnist", path("data")).test, loss, f64);
  EXPECT_EQ(lines[3], fmt::format("test accuracy {:.4f}", test.accuracy));
}

TEST_F(TrainRun, FloatingPointOperationsAreCountedExactly) {
  ASSERT_EQ(run(small({"--hidden", "", "--optimizer", "sgd", "--epochs", "1", "--out-dir", "r"})).code, 0);
  const Json row = Json::parse(file("r/history.jsonl"));
  // 500 examples in 10 batches of 50; forward and the weights' gradient are a product each.
  const std::uint64_t products = 10 * 2 * (2 * 50 * 784 * 10), flops = row["flops"];
  EXPECT_GT(flops, products);
  EXPECT_LT(flops, products + products / 20);
}

TEST_F(TrainRun, Quiet) {
  const Outcome outcome = run(small({"--quiet", "--out-dir", "r"}));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, MatchesRegex("test accuracy 0\\.[0-9]{4}\n"));
  EXPECT_THAT(outcome.err, StartsWith("train: no plot of the curves: "));
  EXPECT_EQ(lines_of(outcome.err).size(), 1u);
}

TEST_F(TrainRun, JsonIsOneObjectAndNothingElse) {
  const Outcome outcome = run(small({"--json", "--out-dir", "r"}));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(lines_of(outcome.out).size(), 1u);
  const Json object = Json::parse(outcome.out);
  EXPECT_THAT(keys(object), ElementsAre("status", "test_accuracy", "test_loss", "epochs", "seconds", "flops",
                                        "parameters", "instruction_set", "blas", "out_dir"));
  EXPECT_EQ(object["status"], "done");
  EXPECT_EQ(object["epochs"], 2);
  EXPECT_EQ(object["parameters"], 784 * 8 + 8 + 8 * 10 + 10);
  EXPECT_EQ(object["flops"], Json::parse(lines_of(file("r/history.jsonl")).back())["flops"]);
  EXPECT_EQ(object["out_dir"], "r");
  EXPECT_GT(object["test_loss"].get<double>(), 0);
  const Outcome plain = run(small({"--out-dir", "p"}));
  EXPECT_EQ(last_line(plain.out), fmt::format("test accuracy {:.4f}", object["test_accuracy"].get<double>()));
}

TEST_F(TrainRun, JsonOfAFolderWhoseNameIsNoUtf8) {
  const Outcome outcome = run(small({"--json", "--out-dir", "r\xff"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(Json::parse(outcome.out)["out_dir"], "r\xef\xbf\xbd");
}

TEST_F(TrainRun, Profile) {
  const Outcome outcome = run(small({"--epochs", "3", "--profile", "--out-dir", "r"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto lines = lines_of(outcome.out);
  EXPECT_THAT(lines[4], StartsWith("pass "));
  EXPECT_THAT(lines[5], StartsWith("batch "));
  EXPECT_THAT(lines[6], StartsWith("forward "));
  // Of 50 examples: the product 2 * 784 * 8, and 8 for the bias.
  EXPECT_THAT(lines[7], MatchesRegex(" +fc1 +linear +1 +[0-9.]+ +627600 +[0-9.]+ +[0-9.]+%"));
  EXPECT_THAT(lines[lines.size() - 3], MatchesRegex("total +[0-9.]+ +[0-9]+ +[0-9.]+ +100\\.0%"));
  EXPECT_EQ(lines[lines.size() - 2], "of a step, the mean of 27");  // of 30: 3 to warm up
  EXPECT_THAT(lines.back(), StartsWith("test accuracy "));
  int updates = 0;
  const Json trace = Json::parse(file("r/profile.json"));
  for (const Json& event : trace["traceEvents"]) {
    updates += event["name"] == "update";
    EXPECT_NE(event["cat"], "evaluation");
  }
  EXPECT_EQ(updates, 27);

  // Measuring changes nothing.
  const Outcome json = run(small({"--epochs", "3", "--profile", "--json", "--out-dir", "j"}));
  EXPECT_EQ(Json::parse(json.out)["epochs"], 3);
  EXPECT_THAT(json.err, HasSubstr("\nof a step, the mean of 27\n"));
  const Outcome quiet = run(small({"--epochs", "3", "--profile", "--quiet", "--out-dir", "q"}));
  EXPECT_EQ(quiet.out, lines.back() + "\n");
  EXPECT_EQ(lines_of(quiet.err).size(), 1u);  // no gnuplot
  EXPECT_TRUE(std::filesystem::exists(path("q/profile.json")));
  ASSERT_EQ(run(small({"--epochs", "3", "--out-dir", "plain"})).code, 0);
  EXPECT_FALSE(std::filesystem::exists(path("plain/profile.json")));
  for (const char* folder : {"r", "j", "q"}) {
    EXPECT_TRUE(file(std::string(folder) + "/model.safetensors") == file("plain/model.safetensors"))
        << folder;
    EXPECT_EQ(history(folder), history("plain"));
  }

  // A run with nothing left to do, and one that goes on.
  const Outcome over = run({"--resume", "--profile", "--out-dir", "plain"});
  EXPECT_EQ(over.code, 0) << over.err;
  EXPECT_THAT(over.out, HasSubstr("there were no steps\n"));
  const Outcome on = run({"--resume", "--profile", "--epochs", "4", "--out-dir", "plain"});
  EXPECT_THAT(on.out, HasSubstr("the mean of 9\n"));
}

TEST_F(TrainRun, ProfileOfALongRunIsOfTwoHundredSteps) {
  const Outcome outcome = run(small({"--epochs", "25", "--profile", "--out-dir", "r"}));
  EXPECT_THAT(outcome.out, HasSubstr("\nof a step, the mean of 200\n"));
}

TEST_F(TrainRun, TheSameBitsForAnyNumberOfThreads) {
  const Arguments options = small({"--hidden", "200,30", "--batch-size", "230", "--dropout", "0.2",
                                   "--augment", "crop:1,flip", "--batch-norm", "--noise", "0.3",
                                   "--label-smoothing", "0.1", "--ema", "0.5", "--tta", "flip,shift"});
  for (const char* dtype : {"f32", "f64"}) {
    std::string model, before;
    for (const char* threads : {"1", "2", "3", "1"}) {
      const std::string folder = std::string(dtype) + "-" + threads + (model.empty() ? "" : "-again");
      ASSERT_EQ(run(options + Arguments{"--dtype", dtype, "--threads", threads, "--out-dir", folder}).code,
                0);
      if (model.empty()) {
        model = file(folder + "/model.safetensors");
        before = history(folder);
      }
      EXPECT_TRUE(file(folder + "/model.safetensors") == model) << folder;
      EXPECT_EQ(history(folder), before) << folder;
    }
  }
}

TEST_F(TrainRun, AnEnsembleHasTheSameBitsForAnyNumberOfThreads) {
  for (const char* threads : {"1", "3", "1"}) {
    const bool again = std::filesystem::exists(path("1"));
    const std::string folder = threads + std::string(again ? "-again" : "");
    ASSERT_EQ(run(small({"--hidden", "200,30", "--batch-size", "230", "--dropout", "0.2", "--ensemble", "2",
                         "--threads", threads, "--out-dir", folder}))
                  .code,
              0);
    EXPECT_TRUE(file(folder + "/model.safetensors") == file("1/model.safetensors")) << folder;
    EXPECT_EQ(history(folder + "/member-2"), history("1/member-2")) << folder;
  }
}

TEST_F(TrainRun, AnEnsembleOfOneIsAPlainRun) {
  const Outcome plain = run(small({"--quiet", "--out-dir", "plain"}));
  const Outcome one = run(small({"--quiet", "--ensemble", "1", "--out-dir", "one"}));
  ASSERT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(one.out, plain.out);
  EXPECT_TRUE(file("one/model.safetensors") == file("plain/model.safetensors"));
  EXPECT_EQ(file("one/config.json"), file("plain/config.json"));
  EXPECT_EQ(history("one"), history("plain"));
  EXPECT_FALSE(std::filesystem::exists(path("one/member-1")));
}

TEST_F(TrainRun, AnEnsembleIsToldBesideItsNetworks) {
  const Arguments options =
      small({"--ensemble", "2", "--augment", "flip", "--tta", "flip", "--out-dir", "r"});
  const Outcome outcome = run(options);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, testing::StartsWith("network 1 of 2, seed 100\nepoch  train loss"));
  EXPECT_THAT(outcome.out, HasSubstr("\nnetwork 2 of 2, seed 101\nepoch  train loss"));
  EXPECT_THAT(outcome.out,
              testing::ContainsRegex("\nseed 100: validation accuracy 0\\.[0-9]{4}, test accuracy "
                                     "0\\.[0-9]{4}\nseed 101: validation accuracy 0\\.[0-9]{4}, "
                                     "test accuracy 0\\.[0-9]{4}\nmean validation accuracy with "
                                     "--tta flip: 0\\.[0-9]{4}\ntest accuracy with --tta flip: "
                                     "0\\.[0-9]{4}\ntest accuracy 0\\.[0-9]{4}\n$"));
  const Json all = Json::parse(run({"--resume", "--out-dir", "r", "--json"}).out, nullptr, false);
  EXPECT_EQ(all["epochs"], 4);
  EXPECT_EQ(all["parameters"], 2 * (785 * 8 + 90));
  EXPECT_EQ(all["members"].size(), 2u);

  // The networks are runs of their own, and the model is the mean of theirs.
  const Dataset test = load_dataset("mnist", path("data")).test;
  Tensor mean = zeros({test.size(), 10}, f64);
  for (const std::size_t i : {0u, 1u}) {
    const std::string own = "r/member-" + std::to_string(i + 1);
    const Json one = Json::parse(run({"--resume", "--out-dir", own, "--json"}).out, nullptr, false);
    for (const char* name : {"test_accuracy", "test_loss", "tta_accuracy", "tta_val_accuracy"})
      EXPECT_EQ(all["members"][i][name], one[name]) << name;
    EXPECT_EQ(all["members"][i]["seed"], 100 + i);
    const models::Model model = models::load_model(path(own + "/model.safetensors"));
    EXPECT_EQ(model.info.augment, "flip:0.5");
    mean = mean + softmax(cast(train::predict(model.net, test), f64)) / 2;
  }
  EXPECT_EQ(all["test_accuracy"], train::accuracy(mean, test.labels));
  EXPECT_NEAR(all["tta_val_accuracy"].get<double>(),
              (all["members"][0]["tta_val_accuracy"].get<double>() +
               all["members"][1]["tta_val_accuracy"].get<double>()) /
                  2,
              1e-12);
  const models::Model whole = models::load_model(path("r/model.safetensors"));
  EXPECT_EQ(whole.info.members, 2);
  EXPECT_THAT(values(softmax(cast(train::predict(whole.net, test), f64))),
              testing::Pointwise(testing::DoubleNear(1e-6), values(mean)));
}

// The file of the model and the history without its times, of a short run.
class TrainPrecision : public TrainProgram {
 protected:
  std::string model_of(const std::string& folder, const std::string& precision, const std::string& isa) {
    Surroundings with = around();
    with.environment["ELK_ISA"] = isa;
    const Outcome outcome =
        Child({"--hidden", "32", "--epochs", "1", "--precision", precision, "--out-dir", folder}, with)
            .wait();
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    messages_ = outcome.err;
    const models::Model model = models::load_model(path(folder + "/model.safetensors"));
    std::string all;
    for (const NamedTensor& item : model.net.state()) all += to_string(item.value);
    return all;
  }
  std::string messages_;
};

TEST_F(TrainPrecision, Bf16FallsBackToF32) {
  const std::string full = model_of("full", "f32", "baseline");
  EXPECT_THAT(messages_, Not(HasSubstr("bf16")));
  EXPECT_EQ(model_of("masked", "bf16", "baseline"), full);
  EXPECT_THAT(messages_,
              HasSubstr("train: --precision bf16: this processor does not multiply matrices of bf16 (AMX); "
                        "continuing in f32\n"));
}

TEST_F(TrainPrecision, Bf16TrainsAsWell) {
  if (!bf16_available()) GTEST_SKIP() << "this machine has no AMX";
  const std::string full = model_of("full", "f32", "");
  EXPECT_NE(model_of("mixed", "bf16", ""), full);
  EXPECT_THAT(messages_, Not(HasSubstr("bf16")));
}

TEST_F(TrainPrecision, AWordThatIsNoInstructionSet) {
  Surroundings with = around();
  with.environment["ELK_ISA"] = "sse9";
  const Outcome outcome = Child({"--hidden", "8", "--epochs", "1", "--out-dir", "r"}, with).wait();
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err,
              HasSubstr("[ELK_ISA] expected baseline, avx2, avx512, amx or neon, got \"sse9\"\n"));
  EXPECT_FALSE(std::filesystem::exists(path("r")));
  for (const char* program : {"train", "predict", "results", "show", "width"}) {
    Surroundings others = around();
    others.environment["ELK_ISA"] = "sse9";
    others.program = std::string(ELK_PROGRAMS "/") + program;
    const Outcome early = Child({"--version"}, others).wait();
    EXPECT_EQ(early.code, 2) << program;
    EXPECT_EQ(early.out, "") << program;
  }
}

TEST_F(TrainRun, AnotherSeedAnotherResult) {
  ASSERT_EQ(run(small({"--out-dir", "a"})).code, 0);
  ASSERT_EQ(run(small({"--out-dir", "b", "--seed", "101"})).code, 0);
  EXPECT_FALSE(file("a/model.safetensors") == file("b/model.safetensors"));
}

TEST_F(TrainRun, RunFoldersAreNumbered) {
  for (const char* name : {"runs/train-1", "runs/train-2"}) {
    const Outcome outcome = run(small());
    EXPECT_THAT(outcome.err, HasSubstr(std::string("run in ") + name + "\n"));
    EXPECT_TRUE(std::filesystem::exists(path(name) + "/model.safetensors"));
  }
}

TEST_F(TrainRun, AFolderThatHoldsARunIsLeftAlone) {
  ASSERT_EQ(run(small({"--out-dir", "r"})).code, 0);
  const std::string model = file("r/model.safetensors");
  const Outcome outcome = run(small({"--out-dir", "r", "--seed", "1"}));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err,
              HasSubstr("train: --out-dir: r holds a run already; continue it with --resume, or choose "
                        "another folder\n"));
  EXPECT_TRUE(file("r/model.safetensors") == model);
}

TEST_F(TrainRun, FilesThatARunWouldReplaceAreLeftAlone) {
  for (const char* name : {"model.safetensors", "history.jsonl", "profile.json", "curve.svg", "curve.png"}) {
    const std::string folder = std::string("of ") + name;
    std::filesystem::create_directory(path(folder));
    write_file_atomically(path(folder + "/" + name), "precious");
    const Outcome outcome = run(small({"--out-dir", folder}));
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr("train: --out-dir: " + folder + " holds a " + name +
                                       ", which the run would replace; choose another folder\n"));
    EXPECT_EQ(file(folder + "/" + name), "precious");
  }
}

TEST_F(TrainRun, FoldersThatCannotBeMade) {
  write_file_atomically(path("file"), "");
  Outcome outcome = run(small({"--out-dir", "file/r"}));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, EndsWith("train: [run] cannot make the folder file/r: Not a directory\n"));
  outcome = run(small({"--out-dir", "file"}));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, EndsWith("train: [run] cannot make the folder file: Not a directory\n"));
  write_file_atomically(path("runs"), "");
  outcome = run(small());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("train: [run] cannot make the folder runs"));
}

TEST_F(TrainRun, MissingData) {
  const std::string advice =
      "train: [mnist] not found; get it with `./elk data mnist`, or say where it is with --data-dir or "
      "ELK_DATA_DIR. "
      "Looked in:\n  ";
  Outcome outcome = run({"--dataset", "mnist", "--data-dir", "nowhere"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, StartsWith("reading mnist\n" + advice + "nowhere/mnist\n"));
  outcome = run({"--dataset", "mnist"});
  EXPECT_THAT(outcome.err, HasSubstr(advice + "data/mnist\n"));
  Surroundings other = around();
  other.environment["ELK_DATA_DIR"] = "elsewhere";
  outcome = Child({"--dataset", "mnist"}, other).wait();
  EXPECT_THAT(outcome.err, HasSubstr(advice + "elsewhere/mnist\n"));
  EXPECT_THAT(folder_.names(), testing::IsEmpty());
}

TEST_F(TrainRun, TooFewExamplesToHoldOut) {
  const Outcome outcome = run(small({"--validation", "5000"}));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err,
              HasSubstr("train: --validation: the training set has 600 examples, 5000 cannot be held "
                        "out\n"));
}

TEST_F(TrainRun, DivergenceNamesOperationLayerAndStep) {
  const Outcome outcome =
      run(small({"--optimizer", "sgd", "--lr", "1e30", "--epochs", "3", "--out-dir", "r"}));
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err,
              HasSubstr("train: diverged at epoch 1, step 2: the first value that is not finite came "
                        "from linear in fc2\n"));
  EXPECT_THAT(outcome.err,
              HasSubstr("train: no plot of the curves: there is nothing to draw: no finite value was "
                        "measured\n"));
  EXPECT_THAT(last_line(outcome.out), MatchesRegex("test accuracy 0\\.[0-9]{4}"));
  EXPECT_THAT(lines_of(outcome.out)[1], MatchesRegex(" +1 +nan +- +- +1e\\+30 .*"));
  const Json row = Json::parse(file("r/history.jsonl"));
  EXPECT_TRUE(row["train_loss"].is_null());
  EXPECT_EQ(row["status"], "diverged");
  EXPECT_EQ(row["step"], 1);
  EXPECT_THAT(file("r/history.jsonl"), Not(HasSubstr("nan")));

  // Going on with it finds it as it was.
  const Outcome again = run({"--resume", "--out-dir", "r", "--json"});
  EXPECT_EQ(again.code, 3);
  EXPECT_THAT(again.err, HasSubstr("train: diverged at epoch 1\n"));
  EXPECT_EQ(Json::parse(again.out)["status"], "diverged");
  EXPECT_TRUE(Json::parse(again.out)["test_loss"].is_null());
}

TEST_F(TrainRun, DivergenceThroughTheWeights) {
  const Outcome outcome = run(small({"--protocol", "paper", "--lr", "1e200", "--out-dir", "r"}));
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(
      outcome.err,
      HasSubstr("train: diverged at epoch 1, step 2: the update made parameter fc1.weight not finite\n"));
}

TEST_F(TrainRun, DivergenceFoundAfterTheEpoch) {
  const Outcome outcome =
      run(small({"--optimizer", "sgd", "--batch-size", "500", "--lr", "1e20", "--out-dir", "r"}));
  EXPECT_EQ(outcome.code, 3);
  const auto rows = lines_of(file("r/history.jsonl"));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_FALSE(Json::parse(rows[0]).contains("status"));
  EXPECT_EQ(Json::parse(rows[1])["status"], "diverged");
  EXPECT_TRUE(Json::parse(rows[1])["val_loss"].is_null());
  EXPECT_THAT(
      outcome.err,
      HasSubstr("train: diverged at epoch 2, step 2: the update made parameter fc2.weight not finite\n"));
  for (const std::string& line : lines_of(outcome.out)) EXPECT_LT(line.size(), 80u) << line;

  // Finite weights whose products are not.
  EXPECT_THAT(run(small({"--optimizer", "sgd", "--batch-size", "500", "--lr", "1e14", "--activation",
                         "leaky_relu", "--out-dir", "q"}))
                  .err,
              HasSubstr("train: diverged at the end of epoch 2: the first value that is not finite came "
                        "from linear in fc2\n"));
}

TEST_F(TrainRun, EarlyStopKeepsTheBest) {
  // With a high rate the held-out loss soon rises.
  const Outcome outcome = run(
      small({"--hidden", "64", "--lr", "0.03", "--epochs", "200", "--early-stop", "3", "--out-dir", "r"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto rows = lines_of(file("r/history.jsonl"));
  std::size_t best = 0;
  double best_loss = INFINITY, best_accuracy = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Json row = Json::parse(rows[i]);
    if (row["val_loss"].get<double>() < best_loss) {
      best = i;
      best_loss = row["val_loss"];
      best_accuracy = row["val_accuracy"];
    }
  }
  EXPECT_LT(rows.size(), 200u);
  EXPECT_EQ(rows.size(), best + 4);
  const models::Model model = models::load_model(path("r/model.safetensors"));
  Rng split_rng = Rng::keyed({100, 1});
  const Dataset held_out = split(load_dataset("mnist", path("data")).train, 100, split_rng).second;
  const train::Evaluation found = train::evaluate(model.net, held_out, loss);
  EXPECT_EQ(found.loss, best_loss);
  EXPECT_EQ(found.accuracy, best_accuracy);
}

TEST_F(TrainRun, Curves) {
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not installed";
  for (const std::string folder : {"r", "it's a \"run\"", "-x", "|touch x", "a\ttab", "r\xff", "diverged"}) {
    Surroundings normal = around();
    normal.environment.erase("PATH");
    Arguments options = small({"--out-dir", folder});
    if (folder == "diverged")
      options = options + Arguments{"--optimizer", "sgd", "--batch-size", "500", "--lr", "1e20"};
    const Outcome outcome = Child(options, normal).wait();
    EXPECT_EQ(outcome.code, folder == "diverged" ? 3 : 0);
    EXPECT_THAT(outcome.err, Not(HasSubstr("no plot")));
    const std::string svg = file(folder + "/curve.svg"), png = file(folder + "/curve.png");
    EXPECT_TRUE(svg.starts_with("<?xml"));
    EXPECT_NE(svg.find("<text>validation accuracy</text>"), std::string::npos);
    EXPECT_NE(svg.find("</svg>"), std::string::npos);
    EXPECT_TRUE(png.starts_with("\x89PNG\r\n\x1a\n"));
    for (const auto& entry : std::filesystem::directory_iterator(path(folder)))
      EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("tmp")));
  }
}

TEST_F(TrainRun, AGnuplotThatFails) {
  std::filesystem::create_directory(path("bin"));
  write_file_atomically(path("bin/gnuplot"), "#!/bin/sh\necho 'no terminal svg' >&2\nexit 1\n");
  std::filesystem::permissions(path("bin/gnuplot"), std::filesystem::perms::owner_all);
  Surroundings broken = around();
  broken.environment["PATH"] = path("bin");
  const Outcome outcome = Child(small({"--out-dir", "r"}), broken).wait();
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("train: no plot of the curves: gnuplot failed: no terminal svg\n"));
  EXPECT_THAT(last_line(outcome.out), StartsWith("test accuracy 0."));
}

TEST_F(TrainRun, AGnuplotThatHangsEndsWithTheProgram) {
  std::filesystem::create_directory(path("bin"));
  write_file_atomically(path("bin/gnuplot"), "#!/bin/sh\n: >started\n/bin/sleep 600\n");
  std::filesystem::permissions(path("bin/gnuplot"), std::filesystem::perms::owner_all);
  Surroundings hung = around();
  hung.environment["PATH"] = path("bin");
  Child child(small({"--out-dir", "r"}), hung);
  ASSERT_TRUE(child.wait_until([&] { return std::filesystem::exists(path("r/started")); })) << child.err();
  child.kill(SIGTERM);
  const Outcome outcome = child.wait();
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("train: no plot of the curves: gnuplot was stopped\n"));
  EXPECT_THAT(last_line(outcome.out), StartsWith("test accuracy 0."));
}

TEST_F(TrainRun, AGnuplotThatHangsIsKilledInTime) {
  std::filesystem::create_directory(path("bin"));
  write_file_atomically(path("bin/gnuplot"), "#!/bin/sh\n/bin/sleep 600 &\necho $! >>child\nwait\n");
  std::filesystem::permissions(path("bin/gnuplot"), std::filesystem::perms::owner_all);
  Surroundings hung = around();
  hung.environment["PATH"] = path("bin");
  hung.environment["ELK_GNUPLOT_PATIENCE"] = "0.3";
  const Outcome outcome = Child(small({"--out-dir", "r"}), hung).wait();
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("train: no plot of the curves: gnuplot did not end within 0.3 seconds, "
                                     "and is not run again\n"));
  for (const auto& entry : std::filesystem::directory_iterator(path("r")))
    EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("tmp")));
  // With what it had started, which the system takes a moment to bury.
  const pid_t child = std::stoi(file("r/child"));
  const auto is_gone = [&] {
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    std::string line;
    return !std::getline(stat, line) || line.find(") Z ") != std::string::npos;
  };
  for (int i = 0; i < 1000 && !is_gone(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(is_gone());
}

// It is waited for once, and told of once, also where little else is.
TEST_F(TrainRun, AGnuplotThatHangsIsNotRunAgain) {
  std::filesystem::create_directory(path("bin"));
  write_file_atomically(path("bin/gnuplot"), "#!/bin/sh\necho run >>../runs\nexec /bin/sleep 600\n");
  std::filesystem::permissions(path("bin/gnuplot"), std::filesystem::perms::owner_all);
  for (const Arguments& more : {Arguments{}, {"--quiet"}}) {
    std::filesystem::remove(path("runs"));
    Surroundings hung = around();
    hung.program = ELK_PROGRAMS "/width";
    hung.environment["PATH"] = path("bin");
    hung.environment["ELK_GNUPLOT_PATIENCE"] = "0.3";
    const Outcome outcome =
        Child(Arguments{"--smoke", "--seeds", "1", "--widths", "8,9", "--out-dir", "w"} + more, hung).wait();
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(file("runs"), "run\n");
    const std::string told = "gnuplot did not end within 0.3 seconds, and is not run again";
    const auto first = outcome.err.find(told);
    ASSERT_NE(first, std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.err.find(told, first + 1), std::string::npos) << outcome.err;
    // The results tell it of each plot.
    const Json results = Json::parse(file("w/results.json"));
    EXPECT_GT(results["pictures"].size(), 1u);
    EXPECT_GE(results["warnings"].size(), results["pictures"].size());
  }
}

// Of a system's loader, or of a script around it: it is there.
TEST_F(TrainRun, AGnuplotThatEndsWith127) {
  std::filesystem::create_directory(path("bin"));
  for (const auto& [says, told] :
       {std::pair{"echo 'libgd.so: cannot allocate memory' >&2", "libgd.so: cannot allocate memory"},
        {":", "exit code 127"}}) {
    write_file_atomically(path("bin/gnuplot"), std::string("#!/bin/sh\n") + says + "\nexit 127\n");
    std::filesystem::permissions(path("bin/gnuplot"), std::filesystem::perms::owner_all);
    Surroundings broken = around();
    broken.environment["PATH"] = path("bin");
    std::filesystem::remove_all(path("r"));
    EXPECT_THAT(Child(small({"--out-dir", "r"}), broken).wait().err,
                HasSubstr(std::string("train: no plot of the curves: gnuplot failed: ") + told + "\n"));
  }
}

TEST_F(TrainRun, OutputThatCannotBeWritten) {
  Surroundings full = around();
  full.out = "/dev/full";
  const Outcome outcome = Child(small({"--out-dir", "r"}), full).wait();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, EndsWith("train: cannot write to standard output: No space left on device\n"));

  // Progress that nobody can read does not end a run.
  Surroundings silent = around();
  silent.err = "/dev/full";
  EXPECT_EQ(Child(small({"--out-dir", "s"}), silent).wait().code, 0);
  EXPECT_EQ(Child({"--lr", "x"}, silent).wait().code, 2);
}

// The bar is for terminals: a pseudo-terminal sees it, a file sees plain lines.
class Terminal {
 public:
  Terminal() : master_(posix_openpt(O_RDWR | O_NOCTTY)) {
    if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0)
      throw Error("there is no pseudo-terminal here: is /dev/pts mounted?");
    name_ = ptsname(master_);
    slave_ = open(name_.c_str(), O_RDWR | O_NOCTTY);  // kept open, so that reading ends only with ours
    reader_ = std::thread([this] {
      char buffer[4096];
      for (ssize_t n; (n = read(master_, buffer, sizeof buffer)) > 0;)
        text_.append(buffer, static_cast<std::size_t>(n));
    });
  }
  ~Terminal() {
    if (reader_.joinable()) text();
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  const std::string& name() const { return name_; }
  /// All that was written to it, which ends here.
  std::string text() {
    close(slave_);
    reader_.join();
    close(master_);
    return text_;
  }

 private:
  int master_, slave_ = -1;
  std::string name_, text_;
  std::thread reader_;
};

TEST_F(TrainRun, TheBarIsForTerminals) {
  const Arguments options = small({"--batch-size", "1", "--hidden", "256"});
  for (const char* kind : {"xterm", "dumb"}) {
    Terminal terminal;
    Surroundings on_terminal = around();
    on_terminal.err = terminal.name();
    on_terminal.environment["TERM"] = kind;
    EXPECT_EQ(Child(options + Arguments{"--out-dir", kind}, on_terminal).wait().code, 0);
    const std::string shown = terminal.text();
    if (kind == std::string("xterm")) {
      EXPECT_THAT(shown,
                  testing::ContainsRegex("\repoch [0-9]+/2 \\[=* *\\] +[0-9]+%  loss [0-9.]+\x1b\\[K"));
      EXPECT_THAT(shown, HasSubstr("\r\x1b[K"));
    } else {
      EXPECT_THAT(shown, Not(HasSubstr("\x1b")));
    }
  }
  const Outcome plain = run(options + Arguments{"--out-dir", "plain"});
  for (const std::string& text : {plain.out, plain.err}) {
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(text, Not(HasSubstr("\r")));
  }
}

}  // namespace
}  // namespace elk::lab::test
