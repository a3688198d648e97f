// Studies of functions of one's own: their settings, what runs come to, and that they end when asked to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <set>
#include <stdexcept>

#include <fmt/format.h>

#include <elk/elk.hpp>
#include <elk/io/atomic_file.hpp>
#include <lab/function.hpp>
#include <lab/outcome.hpp>
#include <lab/program.hpp>
#include <lab/results.hpp>
#include <lab/runner.hpp>
#include <lab/study.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk::lab {
namespace {

using elk::test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Settings, AreReadByTheirTypes) {
  Settings settings{{"hidden", 16}, {"lr", 0.1}, {"cell", "gru"}, {"deep", true}};
  EXPECT_EQ(settings.integer("hidden"), 16);
  EXPECT_EQ(settings.number("hidden"), 16.0);
  EXPECT_EQ(settings.number("lr"), 0.1);
  EXPECT_EQ(settings.text("cell"), "gru");
  EXPECT_TRUE(settings.flag("deep"));
  EXPECT_TRUE(settings.has("lr"));
  settings.set("lr", 0.2);
  EXPECT_EQ(settings.number("lr"), 0.2);
  const std::string all = R"({"cell":"gru","deep":true,"hidden":16,"lr":0.2})";
  EXPECT_EQ(settings.to_json(), all);
  EXPECT_EQ(Settings::parse(all).to_json(), all);
  EXPECT_EQ(Settings::parse(R"({"a":2.0})").to_json(), R"({"a":2.0})");  // stays what it is
}

TEST(Settings, RefuseWhatDoesNotFit) {
  const Settings settings{{"hidden", 16}, {"lr", 0.1}};
  EXPECT_EQ(error_of<ValueError>([&] { (void)settings.number("width"); }),
            R"([settings] there is no "width" in {"hidden":16,"lr":0.1})");
  EXPECT_EQ(error_of<ValueError>([&] { (void)settings.integer("lr"); }),
            R"([settings] "lr" is expected to be a whole number, it is 0.1)");
  EXPECT_EQ(error_of<ValueError>([&] { (void)settings.text("hidden"); }),
            R"([settings] "hidden" is expected to be a text, it is 16)");
  EXPECT_EQ(error_of<ValueError>([] { Settings({{"a", 1}, {"a", 2}}); }), R"([settings] "a" is given twice)");
  EXPECT_EQ(error_of<ValueError>([] {
              Settings({{"a", INFINITY}});
            }),
            R"([settings] "a" must be finite, got inf)");
  EXPECT_EQ(error_of<ValueError>([] { Settings({{"", 1}}); }), "[settings] a name is empty");
  for (const char* bad : {"", "[1]", "{\"a\":", R"({"a":[1]})", R"({"a":null})", R"({"a":{"b":1}})"})
    EXPECT_THAT(error_of<ValueError>([&] { Settings::parse(bad); }), HasSubstr("[settings] ")) << bad;
}

class Functions : public testing::Test {
 protected:
  std::vector<RunSummary> run(const RunFunction& function, int count, int jobs = 2,
                              const std::string& data = "") {
    FunctionWork work(function, data, {"test_loss"});
    Store store(folder_ / "store");
    std::vector<std::string> settings;
    for (std::int64_t i = 0; i < count; ++i) settings.push_back(Settings{{"seed", i}}.to_json());
    return Runner(store, work, {"test", jobs, true}).run(settings);
  }
  TemporaryFolder folder_;
};

TEST_F(Functions, WhatTheyReturnIsKept) {
  std::atomic<int> calls = 0;
  const RunFunction function = [&](const Settings& settings, Progress& progress) -> Metrics {
    ++calls;
    const double seed = settings.number("seed");
    Rng rng(1);
    progress.about(nn::Linear(3, 2, rng));
    progress.epoch({.step = 10, .train_loss = seed});
    progress.epoch({.step = 20, .train_loss = seed / 2, .flops = 7});
    return {{"test_loss", seed + 1}, {"reward", -seed}};
  };
  const auto runs = run(function, 3);
  ASSERT_EQ(runs.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    const RunSummary& one = runs[static_cast<std::size_t>(i)];
    EXPECT_EQ(one.status, "done");
    EXPECT_EQ(one.test_loss, i + 1);
    EXPECT_EQ(value_of(one, Metric{"reward"}), -i);
    EXPECT_EQ(one.parameters, 8);
    EXPECT_EQ(one.epochs, 2);
    EXPECT_EQ(one.steps, 20);
    EXPECT_EQ(one.flops, 7u);
    Store store(folder_ / "store", Store::Access::read);
    EXPECT_EQ(store.curve(one.key).at(1).train_loss, i / 2.0);
  }
  // Nothing is run again, unless what is read is another version.
  run(function, 3);
  EXPECT_EQ(calls, 3);
  run(function, 4, 1);
  EXPECT_EQ(calls, 4);
  run(function, 4, 2, "version 2");
  EXPECT_EQ(calls, 8);
}

// Results of before do not stand for runs that would read other data.
TEST_F(Functions, ResultsOfOtherDataAreNotTaken) {
  Results results;
  results.program = "sine", results.protocol = "sound", results.dataset = "its own",
  results.data = "version 1";
  const std::string file = folder_ / "results.json";
  write_file_atomically(file, to_json(results));
  Question question{"sine", "Sine", "Does it fit?"};
  question.run = [](const Settings&, Progress&) { return Metrics(); };
  question.metrics = {{"test_loss"}};
  Study::Options options;
  options.dataset = "its own", options.out_dir = folder_ / "out", options.from = file;
  question.data = "version 2";
  EXPECT_EQ(
      error_of<UsageError>([&] { Study(question, options, "./sine"); }),
      fmt::format("--from: expected results of the data \"version 2\", {} has those of \"version 1\"", file));
  question.data = "version 1";
  EXPECT_NO_THROW(Study(question, options, "./sine"));
}

TEST_F(Functions, NumbersOfTheirStudyKeepTheirNames) {
  Question question{"sine", "Sine", "Does it fit?"};
  question.run = [](const Settings&, Progress&) { return Metrics(); };
  question.metrics = {{"test_loss"}};
  Study::Options options;
  options.dataset = "its own", options.out_dir = folder_ / "out";
  Study study(question, options, "./sine");
  study.number("best_rate", 0.1);
  EXPECT_EQ(error_of<ValueError>([&] { study.number("best_rate", 0.2); }),
            "[study] expected a name for each number, got \"best_rate\" twice");
}

TEST_F(Functions, ThatDivergeThrowOrForgetAMetricAreTold) {
  const auto runs = run(
      [](const Settings& settings, Progress& progress) -> Metrics {
        switch (settings.integer("seed")) {
          case 0: return {{"test_loss", NAN}};
          case 1: progress.diverged("it left the earth"); return {{"test_loss", 3}};
          case 2: throw std::runtime_error("there is no such file");
          case 3: return {{"test_los", 1}};
          case 4: progress.epoch({.epoch = 3}); return {{"test_loss", 1}};
          case 5: throw 5;
          case 6: progress.epoch({.epoch = 1, .val_accuracy = 97.5}); return {{"test_loss", 1}};
          default: return {{"test_loss", 1}};
        }
      },
      8);
  std::vector<std::string> status, error;
  for (const RunSummary& one : runs) status.push_back(one.status), error.push_back(one.error);
  EXPECT_THAT(status,
              ElementsAre("diverged", "diverged", "failed", "failed", "failed", "failed", "failed", "done"));
  EXPECT_THAT(
      error, ElementsAre("its test_loss is nan", "it left the earth", "there is no such file",
                         "the run returned no \"test_loss\", which the study has among its metrics",
                         "[progress] expected epoch 1, got 3", "it threw something that is no std::exception",
                         "[history] the run's epochs: line 1 is malformed: expected a share from 0 to 1 as "
                         "\"val_accuracy\", found 97.5",
                         ""));
  EXPECT_TRUE(std::isnan(runs[0].test_loss.value()));
  EXPECT_EQ(runs[1].test_loss, 3);
}

// By check(), epoch() and as a callback of fit; a function that catches all exceptions of the standard
// library is ended all the same.
TEST_F(Functions, EndWhenTheyAreAskedTo) {
  for (const char* how : {"check", "epoch", "fit"}) {
    int asked = 0;
    const std::function<bool()> ended = [&] { return ++asked > 5; };
    FunctionWork work(
        [&](const Settings&, Progress& progress) -> Metrics {
          Rng rng(1);
          nn::Linear net(2, 1, rng);
          if (std::string_view(how) == "fit") {
            optim::SGD sgd(net, {.lr = 0.01});
            train::fit(net, sgd, Examples(ones({100, 2}), ones({100, 1})), rng,
                       {.loss = mse, .epochs = 1000000, .batch_size = 10, .callbacks = {&progress}});
            return {{"test_loss", 1}};
          }
          for (;;) {
            try {
              std::string_view(how) == "check" ? progress.check() : progress.epoch({});
            } catch (const std::exception&) {
            }
          }
        },
        "", {"test_loss"});
    RunSummary summary;
    std::vector<train::HistoryRow> curve;
    EXPECT_FALSE(work.run("{}", ended, HUGE_VAL, summary, curve)) << how;
    EXPECT_EQ(asked, 6) << how;
  }
}

Outcomes outcomes_of(const Metric& metric, const std::vector<std::vector<double>>& values) {
  Outcomes all;
  for (const auto& list : values) {
    Outcome& outcome = all.emplace_back();
    outcome.cell.label = fmt::format("net {}", all.size());
    for (const double value : list) {
      RunSummary run;
      run.status = "done";
      set_value(run, metric.key(), value);
      outcome.runs.push_back(run);
    }
  }
  return all;
}

// More of a reward is better, less of an error is.
TEST(Verdicts, KnowWhichWayAMetricIsBetter) {
  for (const bool more : {true, false}) {
    const Metric metric{"score", false, more};
    const Outcomes all = outcomes_of(metric, {{1, 1.1, 0.9}, {5, 5.1, 4.9}});
    const Judging judging{metric, {}};
    EXPECT_EQ(best(all, judging).cell.label, more ? "net 2" : "net 1");
    Family family;
    const auto pairs = pairs_of(all[0], all[1], metric);
    const auto place = family.add("score", pairs.first, pairs.second);
    const auto found = place.in(family.judge());
    EXPECT_THAT(
        tell_difference(all[0], all[1], metric, found),
        HasSubstr(more ? "net 2 is better than net 1 by 4.0000" : "net 1 is better than net 2 by 4.0000"));
    Judgement of_best = found;  // first minus other
    if (more) std::swap(of_best.low, of_best.high), of_best.mean *= -1, of_best.low *= -1, of_best.high *= -1;
    EXPECT_THAT(
        tell_best(all, "net", {of_best}, judging),
        HasSubstr(more ? "net net 2 is the best by score: score 5.0000 ± 0.2484; it is better than net 1"
                       : "net net 1 is the best by score: score 1.0000 ± 0.2484; it is better than net 2"));
  }
}

TEST(Verdicts, OfATestErrorLessIsBetter) {
  const Outcomes all = outcomes_of(Metric::test_accuracy, {{0.90, 0.91, 0.92}, {0.95, 0.96, 0.97}});
  Family family;
  const auto pairs = pairs_of(all[0], all[1], Metric::test_error);
  const auto place = family.add("test error", pairs.first, pairs.second);
  EXPECT_THAT(tell_difference(all[0], all[1], Metric::test_error, place.in(family.judge())),
              HasSubstr("net 2 is better than net 1 by 5.00"));
}

}  // namespace
}  // namespace elk::lab
