// --stop-hopeless: which runs are stopped, what is kept of them, and that nothing but time changes.
#include <cmath>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/format.h>

#include <elk/elk.hpp>
#include <lab/forecast.hpp>
#include <lab/function.hpp>
#include <lab/results.hpp>
#include <lab/runner.hpp>
#include <lab/study.hpp>
#include <lab/trainings.hpp>

#include "experiments/fixture.hpp"
#include "experiments/store_rows.hpp"

namespace elk::lab {
namespace {

using test::Json;
using test::rows_of;
using test::operator+;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Rows = std::vector<train::HistoryRow>;

constexpr double end_of_all = 0.1;  // of the curves below, but for what is left of them at their end

// Validation losses that fall to `end`.
Rows falling(double end, int epochs, double noise = 0, Rng* rng = nullptr, double power = 1) {
  Rows rows;
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    const double loss = end + 0.5 * std::pow(epoch, -power);
    rows.push_back({.epoch = epoch,
                    .step = epoch,
                    .val_loss = loss * (noise > 0 ? std::exp(noise * rng->normal()) : 1),
                    .flops = static_cast<std::uint64_t>(epoch)});
  }
  return rows;
}

// After how many epochs a run is stopped; 0: never.
std::size_t stopped_after(const Rows& rows, double bar) {
  for (std::size_t seen = 1; seen <= rows.size(); ++seen)
    if (hopeless(std::span(rows).first(seen), static_cast<std::int64_t>(rows.size()), optim::constant(), bar))
      return seen;
  return 0;
}

TEST(Hopeless, AreRunsThatCannotBeatTheBar) {
  for (const int epochs : {7, 15, 40}) {
    SCOPED_TRACE(epochs);
    const Rows rows = falling(end_of_all, epochs);
    const double end = rows.back().val_loss.value();
    EXPECT_EQ(stopped_after(rows, end), 0u);
    EXPECT_EQ(stopped_after(rows, 2 * end), 0u);
    EXPECT_EQ(stopped_after(rows, INFINITY), 0u);
    const std::size_t after = stopped_after(rows, 0.2 * end);
    EXPECT_GE(after, static_cast<std::size_t>(seen_of(epochs)));
    EXPECT_LT(after, rows.size());
    EXPECT_TRUE(was_hopeless(rows, epochs, optim::constant(), 0.2 * end));
    EXPECT_FALSE(was_hopeless(rows, epochs, optim::constant(), end));
    const auto found = hopeless(std::span(rows).first(after), epochs, optim::constant(), 0.2 * end);
    EXPECT_GT(found->interval.low, 0.2 * end);
    EXPECT_LT(found->interval.low, found->value);
  }
}

TEST(Hopeless, AreOnlySoughtWhereSomethingCanBeTold) {
  EXPECT_EQ(stopped_after(falling(1, 6), 0.001), 0u);  // too short
  // After each tenth of 40 epochs, from 12 on.
  const Rows rows = falling(1, 40);
  std::set<std::size_t> looks;
  for (std::size_t seen = 1; seen <= 40; ++seen)
    if (hopeless(std::span(rows).first(seen), 40, optim::constant(), 0.001)) looks.insert(seen);
  EXPECT_THAT(looks, ElementsAre(12, 16, 20, 24, 28, 32, 36));
  // Not by the test set, nor where a loss is none.
  Rows tested = rows, broken = rows;
  for (auto& row : tested) row.test_loss = std::exchange(row.val_loss, std::nullopt);
  EXPECT_EQ(stopped_after(tested, 0.001), 0u);
  EXPECT_THAT(lowest_losses(tested), testing::SizeIs(40));
  broken[3].val_loss = NAN;
  EXPECT_EQ(stopped_after(broken, 0.001), 0u);
}

// A curve that falls with the sum of its rates is followed by who knows them.
TEST(Hopeless, AreForecastByTheirSchedule) {
  constexpr int epochs = 40;
  const optim::Schedule decay = optim::exponential(0.9);
  double known = 0, unknown = 0;
  for (const double power : {0.3, 0.6, 0.9, 1.2}) {
    Rows rows = falling(0, epochs);
    double t = 0;
    for (train::HistoryRow& row : rows) {
      t += decay(1, static_cast<double>(row.epoch - 1));
      row.val_loss = 0.02 + 0.5 * std::pow(t, -power);
    }
    const auto error = [&](const optim::Schedule& schedule) {
      const auto found = hopeless(std::span(rows).first(12), epochs, schedule, 1e-6);
      return std::abs(found.value().value / rows.back().val_loss.value() - 1);
    };
    known += error(decay), unknown += error(optim::constant());
  }
  EXPECT_LT(known, 0.25);
  EXPECT_GT(unknown, 1.5 * known);
}

TEST(Hopeless, TakeTheRatesOfTheirRows) {
  Rows rows = falling(1, 3);
  EXPECT_THAT(rates_of(rows), ElementsAre(0, 0, 0));
  rows[0].lr = 0.4, rows[1].lr = 0.2, rows[2].lr = 0.1;
  EXPECT_THAT(rates_of(rows), ElementsAre(0.4, 0.2, 0.1));
  for (const double bad : {-0.1, double{NAN}}) {
    rows[1].lr = bad;
    EXPECT_THAT(rates_of(rows), ElementsAre(1, 1, 1));
  }
}

TEST(Hopeless, AreForecastByTheScheduleOfTheirWork) {
  Trainings work(DataSets(""));
  TrainConfig config;
  config.lr = 0.1;
  config.epochs = 10;
  config.schedule = "exponential:0.5";
  resolve(config);
  EXPECT_EQ(work.schedule(canonical_json(config))(1, 1.99), 0.5);
  config.schedule = "constant";
  EXPECT_EQ(work.schedule(canonical_json(config))(1, 1.99), 1);
}

// So is a function's, in a study's searches for rates.
TEST(Hopeless, AreForecastByTheScheduleOfTheirQuestion) {
  const TemporaryFolder folder;
  std::mutex mutex;
  std::set<std::pair<double, double>> asked;  // rates at half of the run, by the rates at its beginning
  Question question{"fall", "Falls", "How far does it fall?"};
  question.run = [](const Settings& settings, Progress& progress) -> Metrics {
    const double end = 0.1 + std::abs(std::log2(settings.number("lr") / 0.1));
    const Rows rows = falling(end, static_cast<int>(settings.integer("epochs")));
    for (const train::HistoryRow& row : rows) progress.epoch(row);
    return {{"validation_loss", rows.back().val_loss.value()}, {"test_loss", 1}};
  };
  question.schedule = [&](const Settings& settings) {
    const optim::Schedule cosine = optim::cosine(settings.number("epochs"));
    const double rate = settings.number("lr");
    const std::lock_guard guard(mutex);
    asked.emplace(rate, cosine(rate, settings.number("epochs") / 2));
    return cosine;
  };
  question.metrics = {Metric::test_loss};
  question.chosen_by = Metric::val_loss;
  Study::Options options;
  options.dataset = "its own", options.out_dir = folder / "r", options.seeds = 1, options.jobs = 2;
  options.quiet = options.stop_hopeless = true;
  Study study(question, options, "./fall");
  study.add({.label = "one", .settings = {{"lr", 0.1}, {"epochs", 20}}, .tune = true});
  const Outcomes all = study.run();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].cell.settings.number("lr"), 0.1);
  EXPECT_GE(asked.size(), 3u);
  for (const auto& [rate, half] : asked) EXPECT_NEAR(half, rate / 2, 1e-12);
  int stopped = 0;
  for (const RunSummary& run : Store(folder / "r", Store::Access::read).runs())
    stopped += run.status == "hopeless";
  EXPECT_GT(stopped, 0);
}

// Of runs that just reach the bar few are stopped, though one looks seven times, and of those that get 5 %
// below it hardly one; of those that end far above it most are.
TEST(Hopeless, AreFewOfThoseThatReachTheBarDespiteNoise) {
  constexpr int draws = 60, epochs = 15;
  Rng rng(5);
  int at_the_bar = 0, below = 0, right = 0, spared = 0;
  for (int draw = 0; draw < draws; ++draw) {
    const double power = 0.3 + 1.2 * rng.uniform();
    const Rows rows = falling(0.05 + 0.2 * rng.uniform(), epochs, 0.02, &rng, power);
    const double end = lowest_losses(rows).back();
    at_the_bar += stopped_after(rows, end) > 0;
    below += stopped_after(rows, 1.05 * end) > 0;
    const std::size_t after = stopped_after(rows, 0.5 * end);
    right += after > 0;
    if (after > 0) spared += epochs - static_cast<int>(after);
  }
  EXPECT_LE(at_the_bar, draws / 10);
  EXPECT_LE(below, draws / 30);
  EXPECT_GE(right, draws * 3 / 4);
  EXPECT_GE(spared, draws * epochs / 4);
}

// Curves of seed / 10 at their end, told one way or the other.
Metrics fall(const Settings& settings, Progress& progress) {
  const auto epochs = static_cast<int>(settings.integer("epochs"));
  const Rows rows = falling(settings.number("seed") / 10, epochs);
  for (const train::HistoryRow& row : rows) progress.epoch(row);
  return {{"validation_loss", rows.back().val_loss.value()}, {"test_loss", 1}};
}

// Workers on threads of this process, as processes that MPI has started.
class Threads : public Crew {
 public:
  explicit Threads(int size) : boxes_(static_cast<std::size_t>(size)) {}
  int size() const override { return static_cast<int>(boxes_.size()); }
  void send(int to, const std::string& text) override {
    const std::lock_guard guard(mutex_);
    boxes_[static_cast<std::size_t>(to)].emplace_back(rank, text);
  }
  bool receive(int& from, std::string& text) override {
    const std::lock_guard guard(mutex_);
    auto& box = boxes_[static_cast<std::size_t>(rank)];
    if (box.empty()) return false;
    std::tie(from, text) = box.front();
    box.pop_front();
    return true;
  }
  double patience() const override { return 600; }
  void set_stalled() override {}

  static thread_local int rank;

 private:
  std::mutex mutex_;
  std::vector<std::deque<std::pair<int, std::string>>> boxes_;
};
thread_local int Threads::rank = 0;

class HopelessRuns : public test::TrainProgram {
 protected:
  static std::string settings_of(std::int64_t seed) {
    return Settings{{"seed", seed}, {"epochs", 10}}.to_json();
  }
  std::vector<RunSummary> run(const std::string& folder, const std::vector<std::int64_t>& seeds,
                              const std::vector<double>& bars, Crew* crew = nullptr) {
    FunctionWork work(
        [this](const Settings& settings, Progress& progress) {
          ++calls_;
          return fall(settings, progress);
        },
        "", {"validation_loss", "test_loss"});
    Store store(path(folder));
    std::vector<std::string> settings;
    for (const std::int64_t seed : seeds) settings.push_back(settings_of(seed));
    return Runner(store, work, {"test", 2, true, crew}).run(settings, bars);
  }
  std::atomic<int> calls_ = 0;
};

TEST_F(HopelessRuns, AreKeptUnderTheirBarAndOthersAsEver) {
  const auto runs = run("r", {1, 2, 9}, {INFINITY, 0.5, 0.15});
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].status, "done");
  EXPECT_EQ(runs[1].status, "done");
  EXPECT_EQ(runs[1].key, run_key(settings_of(2), ""));
  EXPECT_EQ(runs[1].config, settings_of(2));
  const RunSummary& stopped = runs[2];
  EXPECT_EQ(stopped.status, "hopeless");
  EXPECT_EQ(stopped.config, R"({"epochs":10,"seed":9,"stop-hopeless":0.15})");
  EXPECT_EQ(stopped.key, run_key(stopped.config, ""));
  EXPECT_LT(stopped.epochs, 10);
  EXPECT_EQ(stopped.steps, stopped.epochs);
  EXPECT_FALSE(stopped.test_loss);
  EXPECT_FALSE(stopped.val_loss);
  EXPECT_GT(stopped.metrics.at("forecast_low"), 0.15);
  EXPECT_NEAR(stopped.metrics.at("forecast"), 0.95, 0.2);
  EXPECT_EQ(Store(path("r"), Store::Access::read).curve(stopped.key).size(),
            static_cast<std::size_t>(stopped.epochs));
  // No run is made twice; one that was stopped is made where it is asked for without a bar.
  EXPECT_EQ(calls_, 3);
  EXPECT_EQ(run("r", {1, 2, 9}, {INFINITY, 0.5, 0.15})[2].status, "hopeless");
  EXPECT_EQ(run("r", {2}, {0.15})[0].status, "done");
  EXPECT_EQ(calls_, 3);
  EXPECT_EQ(run("r", {9}, {})[0].status, "done");
  // Then there are both: with the bar it is told as before.
  EXPECT_EQ(run("r", {9}, {0.15})[0].status, "hopeless");
  EXPECT_EQ(calls_, 4);
  // Of several bars the highest counts.
  EXPECT_EQ(run("s", {9, 9}, {0.15, INFINITY})[0].status, "done");
  EXPECT_EQ(calls_, 5);
}

TEST_F(HopelessRuns, AreTheSameOfACrew) {
  const std::vector<std::int64_t> seeds{1, 2, 9, 8};
  const std::vector<double> bars{INFINITY, 0.5, 0.15, 0.1234567890123456};
  run("r", seeds, bars);
  Threads crew(3);
  FunctionWork work(fall, "", {"validation_loss", "test_loss"});
  std::vector<std::thread> workers;
  for (int rank = 1; rank < crew.size(); ++rank)
    workers.emplace_back([&, rank] {
      Threads::rank = rank;
      serve(crew, work);
    });
  run("s", seeds, bars, &crew);
  dismiss(crew, "test");
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(rows_of(path("s")), rows_of(path("r")));
  EXPECT_THAT(file("r/summaries.jsonl"), HasSubstr("\"stop-hopeless\":0.1234567890123456"));
}

// A fit ends by itself when its run is hopeless, and so does one behind it.
TEST(HopelessFunctions, EndInAFit) {
  int epochs = 0;
  FunctionWork work(
      [&](const Settings&, Progress& progress) -> Metrics {
        for (int fits = 0; fits < 2; ++fits) {
          Rng rng(1);
          nn::Linear net(2, 1, rng);
          optim::SGD sgd(net, {.lr = 1e-9});
          const Examples data(ones({20, 2}), ones({20, 1}));
          const auto result = train::fit(
              net, sgd, data, rng,
              {.loss = mse, .epochs = 10, .batch_size = 10, .validation = data, .callbacks = {&progress}});
          epochs += static_cast<int>(result.history.size());
        }
        return {};
      },
      "", {"validation_loss"});
  RunSummary summary;
  Rows curve;
  EXPECT_TRUE(work.run(R"({"epochs":10})", [] { return false; }, 1e-6, summary, curve));
  EXPECT_EQ(summary.status, "hopeless");
  EXPECT_EQ(summary.parameters, 3);
  EXPECT_EQ(summary.epochs, epochs);
  EXPECT_LT(epochs, 10);
  EXPECT_EQ(curve.size(), static_cast<std::size_t>(epochs));
}

class StopHopeless : public test::TrainProgram {
 protected:
  // Searches of eight epochs, then of all.
  static test::Arguments searches(const std::string& out) {
    return {"--smoke", "--epochs", "40", "--widths",  "8", "--sizes",
            "100,400", "--seeds",  "1",  "--out-dir", out};
  }
  static test::Arguments stopping(const std::string& out) {
    return searches(out) + test::Arguments{"--stop-hopeless"};
  }
  Json results(const std::string& folder) { return Json::parse(file(folder + "/results.json")); }
};

TEST_F(StopHopeless, SparesEpochsAndFindsTheSame) {
  ASSERT_EQ(run("data_size", searches("plain")).code, 0);
  EXPECT_THAT(file("plain/summaries.jsonl") + file("plain/results.json"), Not(HasSubstr("hopeless")));
  const test::Outcome stopping_ones = run("data_size", stopping("r") + test::Arguments{"--jobs", "2"});
  ASSERT_EQ(stopping_ones.code, 0) << stopping_ones.err;
  // Every run that came to its end is one of those that are made without the option, and what counts is the
  // same.
  const std::vector<std::string> plain = rows_of(path("plain"));
  int stopped = 0;
  for (const std::string& line : rows_of(path("r"))) {
    const Json row = Json::parse(line);
    if (!row.contains("status")) continue;
    if (row["status"] != "hopeless") {
      EXPECT_TRUE(std::binary_search(plain.begin(), plain.end(), line)) << line;
      continue;
    }
    ++stopped;
    EXPECT_LT(row["epochs"].get<int>(), row["config"]["epochs"].get<int>());
    EXPECT_GT(row["metrics"]["forecast_low"].get<double>(), row["config"]["stop-hopeless"].get<double>());
  }
  EXPECT_GT(stopped, 0);
  const Json with = results("r"), without = results("plain");
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(with["points"][i]["config"], without["points"][i]["config"]);
    EXPECT_EQ(with["points"][i]["measured"], without["points"][i]["measured"]);
  }
  // The report tells it.
  EXPECT_EQ(with["numbers"]["hopeless_runs"].get<int>(), stopped);
  EXPECT_GT(with["numbers"]["spared_epochs"].get<double>(), 0);
  EXPECT_THAT(file("r/report.html"), HasSubstr(fmt::format("{} were stopped as hopeless", stopped)));
  const test::Outcome listed = run("results", {"r", "--where", "status=hopeless", "--csv"});
  EXPECT_EQ(std::count(listed.out.begin(), listed.out.end(), '\n'), stopped + 1) << listed.out << listed.err;
  EXPECT_THAT(run("results", {"r"}).out, HasSubstr("forecast_low"));

  // Neither jobs nor kills change anything.
  for (const double after : {0.03, 0.08, 0.2}) {
    test::Child child(stopping("s") + test::Arguments{"--jobs", "1"}, around_program("data_size"));
    std::this_thread::sleep_for(std::chrono::duration<double>(after));
    child.kill(SIGKILL);
    child.wait();
  }
  ASSERT_EQ(run("data_size", stopping("s") + test::Arguments{"--jobs", "1"}).code, 0);
  EXPECT_EQ(rows_of(path("s")), rows_of(path("r")));
  // Where the whole runs are there already they are taken, and count as if they had been stopped.
  ASSERT_EQ(run("data_size", stopping("plain")).code, 0);
  EXPECT_EQ(rows_of(path("plain")), plain);
  EXPECT_EQ(results("plain")["points"], without["points"]);
  EXPECT_EQ(results("plain")["numbers"]["hopeless_runs"], 0);
}

TEST_F(StopHopeless, TwoProcessesShareTheWork) {
  test::Child one(stopping("r"), around_program("data_size")),
      other(stopping("r"), around_program("data_size"));
  EXPECT_EQ(one.wait().code, 0);
  EXPECT_EQ(other.wait().code, 0);
  ASSERT_EQ(run("data_size", stopping("alone")).code, 0);
  EXPECT_EQ(rows_of(path("r")), rows_of(path("alone")));
}

TEST_F(StopHopeless, IsRefusedWhereItCannotDoAnything) {
  const std::tuple<const char*, test::Arguments, const char*> rows[] = {
      {"data_size",
       {"--protocol", "paper"},
       "--stop-hopeless: it ends runs by which learning rates are found, and here none are searched"},
      {"width",
       {"--epochs", "5"},
       "--stop-hopeless: expected learning rates that are found in at least 7 epochs, here it is 5: fewer "
       "predict nothing"},
      {"isoflop", {}, "--stop-hopeless: expected learning rates that are found in at least 7 epochs"}};
  for (const auto& [program, arguments, message] : rows) {
    const test::Outcome outcome =
        run(program, test::Arguments{"--smoke", "--stop-hopeless", "--out-dir", "r"} + arguments);
    EXPECT_EQ(outcome.code, 2) << program;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_EQ(outcome.out, "");
  }
  EXPECT_THAT(run("data_size", {"--stop-hopeless", "--print-config"}).out,
              HasSubstr("\"stop-hopeless\": true"));
}

}  // namespace
}  // namespace elk::lab
