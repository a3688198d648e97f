// The parts that experiments share: history lines, run folders, configurations, the study's operations.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include <elk/elk.hpp>
#include <elk/io/atomic_file.hpp>
#include <lab/paper.hpp>
#include <lab/program.hpp>
#include <lab/run_folder.hpp>
#include <lab/shell.hpp>
#include <lab/study.hpp>
#include <lab/training.hpp>
#include <lab/trainings.hpp>
#include <lab/views.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk::lab {
namespace {

using elk::test::error_of;
using elk::test::values;
using testing::DoubleEq;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pointwise;

class RunFolders : public testing::Test {
 protected:
  RunFolders() : before_(std::filesystem::current_path()) { std::filesystem::current_path(folder_.path()); }
  ~RunFolders() override { std::filesystem::current_path(before_); }

  TemporaryFolder folder_;
  std::filesystem::path before_;
};

TEST_F(RunFolders, CountUpFromTheHighest) {
  EXPECT_EQ(error_of<UsageError>([] { latest_run_folder("train"); }),
            "--resume: there is no runs/train-N here; give --out-dir");
  EXPECT_EQ(new_run_folder("train"), "runs/train-1");
  EXPECT_EQ(new_run_folder("train"), "runs/train-2");
  EXPECT_EQ(new_run_folder("width"), "runs/width-1");
  for (const char* other :
       {"train-9", "train-10", "train-x", "train-11b", "train-", "train--3", "trainer-20"})
    std::filesystem::create_directory(std::string("runs/") + other);
  EXPECT_EQ(latest_run_folder("train"), "runs/train-10");
  EXPECT_EQ(new_run_folder("train"), "runs/train-11");
  EXPECT_TRUE(std::filesystem::is_directory("runs/train-11"));
}

TEST_F(RunFolders, AreDistinctWhenSeveralProgramsAskAtOnce) {
  constexpr int programs = 4, each = 25;
  std::vector<pid_t> children;
  for (int i = 0; i < programs; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      try {
        for (int k = 0; k < each; ++k) new_run_folder("train");
      } catch (...) {
        _exit(1);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  // As many as were asked for: nobody got another's.
  EXPECT_EQ(latest_run_folder("train"), "runs/train-100");
  for (int n = 1; n <= programs * each; ++n)
    EXPECT_TRUE(std::filesystem::exists("runs/train-" + std::to_string(n))) << n;
}

TEST_F(RunFolders, AreClaimedOnce) {
  const std::string in_use = "--out-dir: a/b is in use by another process, which trains there";
  {
    const RunFolder held = RunFolder::for_new("a/b");
    EXPECT_EQ(held.path(), "a/b");
    EXPECT_EQ(error_of<UsageError>([] { RunFolder::for_new("a/b"); }), in_use);
    EXPECT_EQ(error_of<UsageError>([] { RunFolder::of_run("a/b"); }), in_use);
  }
  RunFolder::for_new("a/b");  // nothing in it yet, and free again
  RunFolder::of_run("a/b");
  for (const char* file : {"a/b/config.json", "a/b/checkpoint.safetensors"}) {
    write_file_atomically(file, "{}");
    EXPECT_EQ(error_of<UsageError>([] { RunFolder::for_new("a/b"); }),
              "--out-dir: a/b holds a run already; continue it with --resume, or choose another folder");
    std::filesystem::remove(file);
  }
}

TEST(ShellWord, IsTakenAsItIs) {
  EXPECT_EQ(elk_command({"train", "--out-dir", "runs/train-1"}), "./elk train --out-dir runs/train-1");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("a b"), "'a b'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("$(x) `y` \n*~#"), "'$(x) `y` \n*~#'");
}

// The study's operations, on numbers that one can check by hand.

TEST(PaperOperations, SummedHasTheMeansValueAndTheSumsGradient) {
  const Tensor x = from({1, 2, 6}, f64);
  Tape tape;
  tape.watch(x);
  const Tensor loss = paper::summed(mean(square(x)), 3);
  EXPECT_DOUBLE_EQ(loss.item(), 41.0 / 3);
  EXPECT_THAT(values(tape.backward(loss)[x]), Pointwise(DoubleEq(), {2.0, 4.0, 12.0}));
}

TEST(PaperOperations, MeanLoss) {
  // softmax of (0, ln 3) is (1/4, 3/4), of (ln 4, 0) (4/5, 1/5).
  const Tensor logits = from({0, std::log(3.0), std::log(4.0), 0}, {2, 2}, f64);
  const Tensor labels = from(std::vector<std::int64_t>{0, 0});
  Tape tape;
  tape.watch(logits);
  const Tensor loss = paper::mean_loss(logits, labels);
  EXPECT_NEAR(loss.item(), (2 * 0.75 * 0.75 + 2 * 0.2 * 0.2) / 4, 1e-15);
  // 2 (p - y) / N, without the softmax's Jacobian and whatever the number of classes.
  EXPECT_THAT(values(tape.backward(loss)[logits]), Pointwise(DoubleNear(1e-15), {-0.75, 0.75, -0.2, 0.2}));
}

TEST(PaperOperations, MeanLossIsCrossEntropyAtTwiceTheRate) {
  Rng rng(1);
  const Tensor logits = randn({5, 10}, rng, f64), labels = from(std::vector<std::int64_t>{3, 0, 9, 3, 1});
  const auto gradient = [&](const train::Loss& loss) {
    Tape tape;
    tape.watch(logits);
    return tape.backward(loss(logits, labels))[logits];
  };
  const Tensor twice = 2 * gradient([](const Tensor& z, const Tensor& y) { return cross_entropy(z, y); });
  EXPECT_THAT(values(gradient(paper::mean_loss)), Pointwise(DoubleNear(1e-15), values(twice)));
}

TEST(PaperOperations, StraightThroughClip) {
  const Tensor x = from({-9, -2, -0.5, 0, 2, 2.5}, f64);
  Tape tape;
  tape.watch(x);
  const Tensor y = paper::straight_through_clip(2)(x);
  EXPECT_THAT(values(y), ElementsAre(-2, -2, -0.5, 0, 2, 2));
  const Tensor dy = from({1, 2, 3, 4, 5, 6}, f64);
  EXPECT_THAT(values(tape.backward(y, dy)[x]), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(paper::straight_through_clip(500).describe(), "straight_through_clip(500)");
}

TEST(PaperOperations, LeakyReluHasItsOwnBackwardSlope) {
  for (const double slope : {0.0, 0.2, 0.01}) {
    const Tensor x = from({-10, -1, 0, 1, 10}, f64);
    Tape tape;
    tape.watch(x);
    const Tensor y = paper::leaky_relu(slope)(x);
    EXPECT_THAT(values(y), ElementsAre(-10 * slope, -slope, 0, 1, 10));
    EXPECT_THAT(values(tape.backward(y, ones({5}, f64))[x]), ElementsAre(0.005, 0.005, 0.005, 1, 1));
  }
}

// Configurations made by programs, not by the command line.

TEST(TrainConfigs, AreCheckedHoweverTheyWereMade) {
  TrainConfig config;
  config.hidden = "64,,32";
  EXPECT_THAT(error_of<UsageError>([&] { resolve(config); }), HasSubstr("--hidden: expected widths"));
  config = paper_defaults();
  resolve(config);
  EXPECT_TRUE(config.paper());
  EXPECT_EQ(config.hidden_widths(), (std::vector<Index>{128}));
  EXPECT_EQ(config.make_schedule()(0.01, 2), 0.01 * 0.9 * 0.9);
  config.hidden = "";
  EXPECT_TRUE(config.hidden_widths().empty());
}

// A run that does not use them has the key that it had before there were such options.
TEST(TrainConfigs, OfOptionsThatCameLaterAreWrittenWhereTheyAreUsed) {
  TrainConfig config;
  resolve(config);
  const std::string before = canonical_json(config);
  for (const char* name : {"batch-norm", "noise", "label-smoothing", "ema", "tta", "ensemble"})
    EXPECT_EQ(before.find(name), before.npos) << name;
  config.batch_norm = true;
  config.noise = 0.3;
  config.label_smoothing = 0.1;
  config.ema = 0.99;
  config.augment = "flip:0.5";
  config.tta = "flip";
  config.ensemble = 3;
  resolve(config);
  const std::string with = canonical_json(config);
  EXPECT_THAT(with, HasSubstr("\"batch-norm\":true,"));
  EXPECT_THAT(with, HasSubstr("\"noise\":0.3,"));
  EXPECT_THAT(with, HasSubstr("\"ema\":0.99,"));
  EXPECT_THAT(with, HasSubstr("\"ensemble\":3,"));
  EXPECT_THAT(with, HasSubstr("\"label-smoothing\":0.1,"));
  EXPECT_THAT(with, HasSubstr("\"tta\":\"flip\""));
  EXPECT_EQ(canonical_json(parse_canonical(with)), with);
}

TrainTest few() {
  const auto [train, test] = digits_train_test(3, 120, 40);
  return {train, test};
}

TrainConfig tiny() {
  TrainConfig config;
  config.hidden = "8";
  config.epochs = 3;
  config.validation = 30;
  config.dropout = 0.25;
  config.batch_size = 20;
  resolve(config);
  return config;
}

// Stops before the given step.
class StopAt : public train::Callback {
 public:
  explicit StopAt(std::int64_t step) : step_(step) {}
  void begun(train::Fit& fit) override { step_done(fit); }
  void step_done(train::Fit& fit) override {
    if (fit.step() == step_) fit.stop();
  }

 private:
  std::int64_t step_;
};

TEST(TrainingRuns, StopAtAnyStepAndGoOnToTheSameBits) {
  const TrainTest data = few();
  TrainConfig config = tiny();
  config.batch_norm = true;
  config.noise = 0.2;
  config.ema = 0.9;
  Training whole(config, data);
  const TrainingResult expected = whole.run();
  EXPECT_EQ(expected.status, train::Status::finished);
  EXPECT_EQ(expected.history.back().step, 15);  // 90 examples: 4 whole batches and a short one an epoch

  const TemporaryFolder folder;
  for (int stop_at = 0; stop_at < 15; ++stop_at) {
    const std::string file = folder / std::to_string(stop_at);
    train::Checkpoint checkpoint(file);
    StopAt stop(stop_at);
    Training first(config, data), second(config, data);
    const TrainingResult stopped = first.run({&checkpoint, &stop});
    EXPECT_EQ(stopped.status, train::Status::stopped);
    EXPECT_EQ(stopped.history.size(), static_cast<std::size_t>(stop_at / 5));
    const TrainingResult resumed = second.run({&checkpoint});
    EXPECT_EQ(resumed.status, train::Status::finished);
    const State a = whole.net().state(), b = second.net().state();
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(values(a[i].value), values(b[i].value)) << stop_at;
    ASSERT_EQ(resumed.history.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(resumed.history[i].train_loss, expected.history[i].train_loss);
      EXPECT_EQ(resumed.history[i].flops, expected.history[i].flops);
    }
  }
}

// One step of SGD on all examples, against the gradient of explicit soft targets.
TEST(TrainingRuns, SmoothLabelsInTrainingAlone) {
  const TrainTest data = few();
  TrainConfig config = tiny();
  config.dropout = 0;
  config.dtype = "f64";
  config.optimizer = "sgd";
  config.lr = 0.5;
  config.batch_size = 90;
  config.epochs = 1;
  config.label_smoothing = 0.3;
  Training training(config, data);
  nn::Sequential net = training.net();
  const Dataset& examples = training.train_data();
  const Tensor x = cast(reshape(examples.images, {90, 784}), f64) / 255;
  std::vector<double> targets(900, 0.3 / 10);
  for (std::size_t i = 0; i < 90; ++i)
    targets[10 * i + static_cast<std::size_t>(examples.labels.data<std::int64_t>()[i])] += 0.7;
  Tape tape;
  const Tensor loss = -sum(from(targets, {90, 10}) * log(softmax(net(x)))) / 90;
  const Gradients gradients = tape.backward(loss);
  std::vector<std::vector<double>> expected;
  for (const nn::NamedSlot& parameter : net.parameters())
    expected.push_back(values(parameter.slot->value() - 0.5 * gradients[parameter.slot->value()]));

  const TrainingResult result = training.run();
  const State state = training.net().state();
  ASSERT_EQ(state.size(), expected.size());
  for (std::size_t i = 0; i < state.size(); ++i)
    EXPECT_THAT(values(state[i].value), Pointwise(DoubleNear(1e-12), expected[i])) << state[i].name;
  EXPECT_EQ(result.history[0].train_loss,
            train::evaluate(training.net(), examples.take(0, 30), cross_entropy, f64).loss);
  EXPECT_EQ(result.test.loss, train::evaluate(training.net(), data.test, cross_entropy, f64).loss);
}

// The probabilities by hand: pixels moved one by one.
TEST(Views, AreAveraged) {
  Rng rng(3);
  const nn::Sequential net{nn::Linear(784, 10, rng, {.dtype = f64})};
  const Dataset images = few().test;
  const auto moved = [&](int dx, int dy, bool mirrored) {
    std::vector<double> to(static_cast<std::size_t>(images.size()) * 784, 0);
    for (int n = 0; n < static_cast<int>(images.size()); ++n)
      for (int y = 0; y < 28; ++y)
        for (int x = 0; x < 28; ++x) {
          const int from_y = y - dy, moved_x = x - dx, from_x = mirrored ? 27 - moved_x : moved_x;
          if (from_y < 0 || from_y > 27 || moved_x < 0 || moved_x > 27) continue;
          to[static_cast<std::size_t>((n * 28 + y) * 28 + x)] =
              images.images.data<std::uint8_t>()[static_cast<std::size_t>((n * 28 + from_y) * 28 + from_x)] /
              255.0;
        }
    return softmax(net(from(to, {images.size(), 784})));
  };
  const auto shifted = [&](bool mirrored) {
    return moved(0, 0, mirrored) + moved(-1, -1, mirrored) + moved(1, -1, mirrored) + moved(-1, 1, mirrored) +
           moved(1, 1, mirrored);
  };
  const auto grid = [&](const std::vector<int>& along, bool mirrored) {
    Tensor sum = zeros({images.size(), 10}, f64);
    for (const int dy : along)
      for (const int dx : along) sum = sum + moved(dx, dy, mirrored);
    return sum;
  };
  const std::vector<int> far{-3, 0, 3}, fine{-2, -1, 0, 1, 2};
  const AugmentOptions augment = parse_augment("crop:3,flip");
  const std::vector<std::pair<std::string, Tensor>> all = {
      {"none", moved(0, 0, false)},          {"flip", (moved(0, 0, false) + moved(0, 0, true)) / 2},
      {"shift", shifted(false) / 5},         {"flip,shift", (shifted(false) + shifted(true)) / 10},
      {"shift:3", grid(far, false) / 9},     {"flip,shift:3", (grid(far, false) + grid(far, true)) / 18},
      {"shift:2:1", grid(fine, false) / 25}, {"flip,shift:2:1", (grid(fine, false) + grid(fine, true)) / 50}};
  for (const auto& [tta, expected] : all) {
    SCOPED_TRACE(tta);
    EXPECT_THAT(values(mean_probabilities(net, images, views(tta, augment), f64)),
                Pointwise(DoubleNear(1e-14), values(expected)));
    double right = 0;
    for (Index i = 0; i < images.size(); ++i)
      right += argmax(expected[i], 0).item() == images.labels[i].item();
    EXPECT_EQ(accuracy_of_views(net, images, views(tta, augment), f64), right / 40);
  }
}

// What a sweep keeps of a run, which the store takes.
RunSummary swept(Trainings& trainings, const TrainConfig& config) {
  RunSummary run;
  std::vector<train::HistoryRow> curve;
  EXPECT_TRUE(trainings.run(
      canonical_json(config), [] { return false; }, HUGE_VAL, run, curve));
  run.config = canonical_json(config);
  run.key = run_key(run.config, trainings.data(run.config));
  EXPECT_NO_THROW(Record(run, curve));
  return run;
}

TEST(TrainingRuns, AreMeasuredByViewsInSweepsToo) {
  TrainConfig config;
  config.hidden = "8";
  config.epochs = 1;
  config.validation = 30;
  config.augment = "shift:1";
  config.tta = "shift";
  resolve(config);
  Trainings trainings(DataSets("", 200));
  const RunSummary with = swept(trainings, config);
  Training training(config, DataSets("", 200)["digits"]);
  const TrainingResult expected = training.run();
  EXPECT_EQ(with.metrics.at("tta_accuracy"), expected.tta_accuracy);
  EXPECT_EQ(with.metrics.at("tta_val_accuracy"), expected.tta_val_accuracy);
  config.tta = "none";
  const RunSummary without = swept(trainings, config);
  EXPECT_TRUE(without.metrics.empty());
  EXPECT_EQ(without.test_loss, with.test_loss) << "training is the same";
  EXPECT_EQ(without.test_accuracy, with.test_accuracy);
}

// By hand, from single runs of the same seeds.
TEST(TrainingRuns, OfAnEnsembleAreThoseOfItsNetworks) {
  TrainConfig config;
  config.hidden = "8";
  config.epochs = 2;
  config.validation = 30;
  config.augment = "shift:1";
  config.tta = "shift";
  config.early_stop = 5;
  config.ensemble = 3;
  resolve(config);
  Trainings trainings(DataSets("", 200));
  const TrainTest& data = trainings.data_sets()["digits"];
  const RunSummary run = swept(trainings, config);

  Tensor mean = zeros({data.test.size(), 10}, f64), of_views = mean;
  double singles = 0, held_out = 0, held_out_views = 0, loss = 0;
  std::int64_t steps = 0;
  std::uint64_t flops = 0;
  for (int seed = 100; seed < 103; ++seed) {
    TrainConfig one = config;
    one.ensemble = 1;
    one.seed = seed;
    Training training(one, data);
    const TrainingResult result = training.run();
    mean = mean + softmax(cast(train::predict(training.net(), data.test), f64)) / 3;
    of_views =
        of_views +
        mean_probabilities(training.net(), data.test, views("shift", parse_augment("shift:1")), f32) / 3;
    singles += result.test.accuracy / 3;
    held_out_views += *result.tta_val_accuracy / 3;
    const auto best = std::min_element(
        result.history.begin(), result.history.end(),
        [](const train::HistoryRow& a, const train::HistoryRow& b) { return *a.val_loss < *b.val_loss; });
    held_out += *best->val_accuracy / 3;
    loss += *best->val_loss / 3;
    EXPECT_EQ(result.val_accuracy, best->val_accuracy);
    steps += result.history.back().step;
    flops += result.history.back().flops;
  }
  EXPECT_EQ(run.status, "done");
  EXPECT_EQ(*run.test_accuracy, train::accuracy(mean, data.test.labels));
  EXPECT_NEAR(*run.test_loss, -sum(log(mean) * one_hot(data.test.labels, 10, f64)).item() / 40, 1e-6);
  EXPECT_EQ(run.metrics.at("tta_accuracy"), train::accuracy(of_views, data.test.labels));
  EXPECT_NEAR(run.metrics.at("tta_val_accuracy"), held_out_views, 1e-12);
  EXPECT_NEAR(run.metrics.at("single_accuracy"), singles, 1e-12);
  EXPECT_NEAR(*run.val_accuracy, held_out, 1e-12);
  EXPECT_NEAR(*run.val_loss, loss, 1e-12);
  EXPECT_EQ(run.epochs, 6);
  EXPECT_EQ(run.best_epoch, 6);
  EXPECT_EQ(run.steps, steps);
  EXPECT_EQ(run.flops, flops);
  EXPECT_EQ(run.parameters, 3 * (785 * 8 + 90));
  EXPECT_EQ(estimated_seconds(config, data), 3 * estimated_seconds(config.member(1), data));
  TrainConfig of_images_alone = config;
  of_images_alone.tta = "none";
  EXPECT_GT(estimated_seconds(config, data), estimated_seconds(of_images_alone, data));
}

TEST(TrainingRuns, OfAnEnsembleDivergeIfANetworkDoes) {
  TrainConfig config;
  config.hidden = "8";
  config.epochs = 3;
  config.validation = 30;
  config.optimizer = "sgd";
  config.lr = 1e30;
  config.ensemble = 2;
  resolve(config);
  Trainings trainings(DataSets("", 200));
  const RunSummary run = swept(trainings, config);
  EXPECT_EQ(run.status, "diverged");
  EXPECT_THAT(run.error, testing::EndsWith(", in the network of seed 100"));
}

TEST(TrainingRuns, TheTestSetHasNoInfluence) {
  const TrainTest data = few();
  Training one(tiny(), data), other(tiny(), {data.train, data.train.take(0, 7)});
  one.run();
  other.run();
  const State a = one.net().state(), b = other.net().state();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(values(a[i].value), values(b[i].value));
}

TEST(TrainingRuns, CheckpointsOfOtherDataOrNetworksAreRefused) {
  const TrainTest data = few();
  const TemporaryFolder folder;
  train::Checkpoint checkpoint(folder / "c");
  StopAt stop(2);
  Training training(tiny(), data);
  training.run({&checkpoint, &stop});

  Training fewer(tiny(), {data.train.take(0, 100), data.test});
  EXPECT_EQ(error_of<FileError>([&] { fewer.run({&checkpoint}); }),
            "[checkpoint] " + (folder / "c") + ": it belongs to 90 training examples, the data have 70");
  TrainConfig wide = tiny();
  wide.hidden = "9";
  Training wider(wide, data);
  EXPECT_EQ(error_of<FileError>([&] { wider.run({&checkpoint}); }),
            "[checkpoint] " + (folder / "c") +
                ": [load_state] \"fc1.weight\" must be f32 (9, 784), got f32 (8, 784)");
}

TEST(Verdicts, WhereEveryRunFailedNoneIsTheBest) {
  RunSummary failed;
  failed.status = "failed";
  Outcomes outcomes(2);
  outcomes[0].cell.label = "8";
  outcomes[1].cell.label = "16";
  for (lab::Outcome& outcome : outcomes) outcome.runs = {failed, failed};
  EXPECT_EQ(tell_best(outcomes, "width", {}), "width: no run came to its end, so that none is the best");
  Judgement none;
  none.mean = none.low = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(tell_difference(outcomes[0], outcomes[1], Metric::test_loss, none),
            "8 and 16 cannot be compared by test loss: no run of both came to its end");
}

}  // namespace
}  // namespace elk::lab
