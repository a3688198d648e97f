// What compute is best spent on, where the truth is known; and the programs isoflop and advise.
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <lab/isoflop.hpp>
#include <lab/results.hpp>

#include "estimates.hpp"
#include "experiments/fixture.hpp"

namespace elk::lab {
namespace {

using scaling::Allocation;
using scaling::Budget;
using scaling::JointLaw;
using testing::HasSubstr;
using testing::Not;

// Both exponents alike, so that a parabola's lowest point is the curve's; and with other exponents.
const JointLaw symmetric{.e = 0.01, .a = 0.02, .alpha = 0.5, .b = 0.1, .beta = 0.5, .n0 = 1e5, .d0 = 1e4};
const JointLaw skewed{.e = 0.01, .a = 0.02, .alpha = 0.6, .b = 0.1, .beta = 0.4, .n0 = 1e5, .d0 = 1e4};

// Seven sizes for each of five budgets, around the best one of the middle; seeds scatter by `within` of log
// L, the means of cells by `between`.
std::vector<Budget> budgets_of(const JointLaw& law, double between, double within, Rng& rng, int seeds = 5,
                               int count = 5, double step = 1.8) {
  std::vector<Budget> budgets;
  const double middle = law.best_size(3.2e10);
  for (int k = 0; k < count; ++k) {
    Budget budget{2e9 * std::pow(4, k), {}};
    for (int i = -3; i <= 3; ++i) {
      const double n = middle * std::pow(step, i), d = budget.flops / (6 * n);
      scaling::JointCell cell{n, d, {}};
      const double mean = law(n, d) * std::exp(between * rng.normal());
      for (int seed = 0; seed < seeds; ++seed) cell.losses.push_back(mean * std::exp(within * rng.normal()));
      budget.cells.push_back(cell);
    }
    budgets.push_back(budget);
  }
  return budgets;
}

double growth(const JointLaw& law) { return law.beta / (law.alpha + law.beta); }

TEST(BestSize, IsTheLowestOfItsBudget) {
  for (const double flops : {1e9, 1e11, 1e13}) {
    const double n = skewed.best_size(flops), loss = skewed(n, flops / (6 * n));
    for (const double by : {0.99, 1.01}) EXPECT_GT(skewed(by * n, flops / (6 * by * n)), loss);
  }
  EXPECT_NEAR(std::log(skewed.best_size(1e12) / skewed.best_size(1e10)) / std::log(100), 0.4, 1e-9);
  JointLaw only_data = skewed;
  only_data.a = 0;
  EXPECT_TRUE(std::isnan(only_data.best_size(1e10)));
}

TEST(Isoflop, RecoversPowersFromExactLosses) {
  Rng rng(1);
  for (const JointLaw& law : {symmetric, skewed}) {
    const auto budgets = budgets_of(law, 0, 0, rng, 2);
    const Allocation parabolas = scaling::by_parabolas(budgets, 20, rng);
    EXPECT_EQ(parabolas.problem, "");
    EXPECT_NEAR(parabolas.growth.value, growth(law), 0.03);
    for (std::size_t i = 0; i < budgets.size(); ++i) {
      const double n = law.best_size(budgets[i].flops);
      EXPECT_NEAR(parabolas.sizes[i].value / n, 1, 0.1);
      EXPECT_NEAR(parabolas.losses[i].value / law(n, budgets[i].flops / (6 * n)), 1, 0.01);
    }
    EXPECT_NEAR(parabolas.size_at(budgets, 2e12) / law.best_size(2e12), 1, 0.15);
    const scaling::Report lowest = scaling::fit_lowest(budgets, {.predict_at = {2e12}, .resamples = 20}, rng);
    const double best = law.best_size(2e12);
    EXPECT_NEAR(lowest.with_e.predictions[0].value / law(best, 2e12 / (6 * best)), 1, 0.02);
    EXPECT_NEAR(lowest.with_e.e.value, law.e, 0.002);
    const scaling::Holdout held_out = scaling::hold_out_lowest(budgets, 1, {.resamples = 20}, rng);
    ASSERT_EQ(held_out.points.size(), 1u);
    EXPECT_LT(held_out.error_with_e, 0.02);
    const Allocation envelope = scaling::by_envelope(budgets, 20, rng);
    EXPECT_EQ(envelope.problem, "");
    EXPECT_NEAR(envelope.growth.value, growth(law), 0.08);  // of a grid by 1.8
    std::vector<scaling::JointCell> cells;
    scaling::JointReportOptions options{.resamples = 20};
    for (const Budget& budget : budgets) {
      cells.insert(cells.end(), budget.cells.begin(), budget.cells.end());
      options.budgets.push_back(budget.flops);
    }
    const scaling::JointReport joint = fit_joint_cells(cells, {}, options, rng);
    EXPECT_NEAR(joint.growth.value, growth(law), 0.01);
    EXPECT_NEAR(joint.best_sizes[2].value / law.best_size(budgets[2].flops), 1, 0.02);
  }
}

// 95 % intervals are to hold the truth in at least 90 of 100 cases, whatever moves cells off the law.
TEST(Isoflop, HoldsTheTruthInItsIntervals) {
  constexpr int draws = 100;
  struct Case {
    const JointLaw& truth;
    double between, within;
  };
  for (const Case& c : {Case{symmetric, 0, 0.03}, Case{symmetric, 0.01, 0.01}, Case{skewed, 0, 0.1}}) {
    SCOPED_TRACE(testing::Message() << "between " << c.between << ", within " << c.within);
    const double power = growth(c.truth);
    Rng rng(2);
    int parabola = 0, size = 0, envelope = 0, law = 0, law_size = 0, lowest = 0;
    for (int draw = 0; draw < draws; ++draw) {
      const auto budgets = budgets_of(c.truth, c.between, c.within, rng);
      const double n = c.truth.best_size(budgets[2].flops);
      const Allocation parabolas = scaling::by_parabolas(budgets, 100, rng);
      parabola += holds(parabolas.growth, power);
      size += holds(parabolas.sizes[2], n);
      envelope += holds(scaling::by_envelope(budgets, 100, rng).growth, power);
      lowest += holds(
          scaling::fit_lowest(budgets, {.predict_at = {3.2e10}, .resamples = 60}, rng).with_e.predictions[0],
          c.truth(n, 3.2e10 / (6 * n)));
      std::vector<scaling::JointCell> cells;
      for (const Budget& budget : budgets)
        cells.insert(cells.end(), budget.cells.begin(), budget.cells.end());
      const scaling::JointReport joint =
          fit_joint_cells(cells, {}, {.resamples = 60, .budgets = {budgets[2].flops}}, rng);
      law += holds(joint.growth, power);
      law_size += holds(joint.best_sizes[0], n);
    }
    for (const int held : {parabola, size, envelope, law, law_size, lowest}) EXPECT_GE(held, 0.9 * draws);
  }
}

IsoflopQuestion asked(std::vector<Budget> budgets) {
  return {.budgets = std::move(budgets), .width = [](double n) { return (n - 10) / 795; }, .resamples = 60};
}

TEST(Isoflop, SaysWhatItFinds) {
  Rng rng(3);
  const IsoflopAnswer found = answer(asked(budgets_of(skewed, 0, 0.01, rng)));
  EXPECT_NEAR(found.numbers.at("parabola_growth"), 0.4, 0.1);
  EXPECT_NEAR(found.numbers.at("law_growth"), 0.4, 0.1);
  EXPECT_LT(found.numbers.at("law_growth_low"), found.numbers.at("law_growth_high"));
  ASSERT_EQ(found.sentences.size(), 3u);
  EXPECT_THAT(found.sentences[0], HasSubstr("The best size N grows as compute to the power of "));
  EXPECT_THAT(found.sentences[1], HasSubstr("The 3 approaches agree in the power"));
  EXPECT_THAT(found.sentences[1], HasSubstr("farthest apart at "));
  // The truth is such a law, with 1 % of scatter.
  EXPECT_THAT(found.sentences[1], HasSubstr("one formula, which misses them by "));
  EXPECT_LT(found.numbers.at("law_residual"), 0.01);
  EXPECT_THAT(found.sentences[2],
              HasSubstr("Had the other budgets advised the size, 5 of 5 would have lost at "));
  EXPECT_LT(found.numbers.at("regret"), 0.03);
  EXPECT_EQ(found.plots.size(), 2u);
  // The same bits again.
  Rng again(3);
  EXPECT_EQ(answer(asked(budgets_of(skewed, 0, 0.01, again))).numbers, found.numbers);
}

void concludes_nothing(const std::vector<Budget>& budgets, const std::string& why) {
  const IsoflopAnswer found = answer(asked(budgets));
  EXPECT_TRUE(found.numbers.empty());
  ASSERT_FALSE(found.sentences.empty());
  EXPECT_THAT(found.sentences.front(), HasSubstr(why));
  for (const std::string& sentence : found.sentences) EXPECT_THAT(sentence, Not(HasSubstr("grows")));
}

TEST(Isoflop, ConcludesNothingWhereNothingCanBe) {
  Rng rng(4);
  concludes_nothing(budgets_of(skewed, 0, 0.01, rng, 5, 2),
                    "Nothing is concluded: a power of compute needs 4 budgets, got 2");
  concludes_nothing(
      budgets_of(skewed, 0, 0.01, rng, 1),
      "Nothing is concluded: there are cells of one seed, which do not tell how far chance moves");
  auto diverged = budgets_of(skewed, 0, 0, rng);
  for (Budget& budget : diverged)
    for (auto& cell : budget.cells) cell.losses.assign(5, NAN);
  concludes_nothing(diverged, "Nothing is concluded: none of 175 runs has a finite test loss");
  concludes_nothing({}, "Nothing is concluded: none of 0 runs");
}

TEST(Isoflop, NamesBudgetsWhoseBestSizeLiesBeyondTheGrid) {
  Rng rng(5);
  auto budgets = budgets_of(skewed, 0, 0.001, rng);
  for (Budget& budget : budgets) budget.cells.resize(2);  // the two smallest
  const IsoflopAnswer none = answer(asked(budgets));
  EXPECT_EQ(none.numbers.count("parabola_growth"), 0u);
  EXPECT_EQ(none.numbers.count("envelope_growth"), 0u);
  EXPECT_THAT(none.sentences[0], HasSubstr("By the envelope nothing is concluded: a power of compute needs 4 "
                                           "budgets with a best size, 0 of 5 have one"));
  // One budget of five: it is left out.
  budgets = budgets_of(skewed, 0, 0.001, rng);
  budgets.back().cells.resize(3);
  const IsoflopAnswer found = answer(asked(budgets));
  EXPECT_NEAR(found.numbers.at("parabola_growth"), 0.4, 0.1);
  EXPECT_THAT(
      found.sentences,
      testing::Contains("The budget of 5.12e+11 FLOPs has no best size: the lowest loss is that of the "
                        "largest net: the best size may lie above"));
  // Three budgets that have one are too few.
  budgets[3].cells.resize(3);
  EXPECT_EQ(answer(asked(budgets)).numbers.count("parabola_growth"), 0u);
  EXPECT_THAT(answer(asked(budgets)).sentences,
              testing::Contains(HasSubstr("needs 4 budgets with a best size, 3 of 5 have one")));
}

TEST(Isoflop, LeavesOutRunsThatDiverged) {
  Rng rng(6);
  auto budgets = budgets_of(skewed, 0, 0.005, rng);
  budgets[1].cells[6].losses = {NAN, NAN, NAN, NAN, NAN};
  budgets[2].cells[3].losses[0] = INFINITY;
  const IsoflopAnswer found = answer(asked(budgets));
  EXPECT_NEAR(found.numbers.at("parabola_growth"), 0.4, 0.1);
  EXPECT_THAT(found.warnings, testing::Contains("6 of 175 runs have no finite test loss and are left out"));
}

class Compute : public test::TrainProgram {
 protected:
  Results results(const std::string& folder) {
    return parse_results(file(folder + "/results.json"), "results.json");
  }
};

TEST_F(Compute, SmokeRunsAndContinues) {
  const test::Outcome first = run("isoflop", {"--smoke", "--jobs", "2", "--out-dir", "r"});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("isoflop: 32 runs, 16 searches for a learning rate: about "));
  EXPECT_THAT(first.out, HasSubstr("The best size of net for each budget"));
  EXPECT_THAT(first.out, HasSubstr("r/report.html\n"));
  EXPECT_THAT(file("r/report.html"), HasSubstr("every run sees each of its images once"));
  const Results found = results("r");
  ASSERT_EQ(found.points.size(), 16u);
  for (const Point& point : found.points) {
    const double budget = std::stod(point.series);
    EXPECT_NEAR(6.0 * static_cast<double>(point.parameters * point.examples) / budget, 1, 0.01);
    EXPECT_EQ(point.measured.at("test_loss").values.size(), 2u);
  }
  EXPECT_LT(found.points.back().measured.at("test_loss").mean, 1.5);  // it learns
  EXPECT_EQ(run("law", {"r", "--resamples", "10"}).code, 0);
  // No run is made again; one job gives the same bits.
  const test::Outcome second = run("isoflop", {"--smoke", "--json", "--out-dir", "r"});
  EXPECT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(parse_results(second.out, "out").cost.seconds, found.cost.seconds);
  if (elk::test::emulated()) return;  // the others take another quarter of an hour there
  ASSERT_EQ(run("isoflop", {"--smoke", "--quiet", "--jobs", "1", "--out-dir", "s"}).code, 0);
  const Results again = results("s");
  EXPECT_EQ(again.numbers, found.numbers);
  EXPECT_EQ(again.verdicts, found.verdicts);
  // The report can be made again from results alone.
  ASSERT_EQ(run("isoflop", {"--smoke", "--quiet", "--from", "s/results.json", "--out-dir", "t"}).code, 0);
  const Results told = results("t");
  EXPECT_EQ(told.verdicts, found.verdicts);
  ASSERT_EQ(told.tables.size(), found.tables.size());
  for (std::size_t i = 0; i < told.tables.size(); ++i) EXPECT_EQ(told.tables[i].rows, found.tables[i].rows);
  for (std::size_t i = 0; i < again.points.size(); ++i)
    EXPECT_EQ(again.points[i].measured.at("test_loss").values,
              found.points[i].measured.at("test_loss").values);
}

TEST_F(Compute, GoesThroughASetAgainAndAgain) {
  make_mnist(5400, 200);  // 400 to learn from
  const test::Arguments set{"--smoke", "--dataset", "mnist",  "--data-dir", "data", "--budgets",
                            "4e8",     "--widths",  "4,8,16", "--seeds",    "1"};
  const test::Outcome outcome = run("isoflop", set);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("Nothing is concluded: a power of compute needs 4 budgets, got 1"));
  EXPECT_LT(results("runs/isoflop").points.back().measured.at("test_loss").mean, 1.5);
  for (const Point& point : results("runs/isoflop").points) EXPECT_EQ(point.unique, 400);
  const test::Outcome advice = run("advise", {"--flops", "4e8", "--data", "100"});
  EXPECT_EQ(advice.code, 2);
  EXPECT_THAT(advice.err,
              HasSubstr("--data: the runs of runs/isoflop see the images of mnist again and again"));
}

TEST_F(Compute, WrongUsage) {
  const std::pair<test::Arguments, const char*> rows[] = {
      {{"--epochs", "3"}, "--epochs: the length of a run follows from its budget; see --budgets"},
      {{"--protocol", "paper"}, "--protocol: the study has no such part; only sound"},
      {{"--budgets", "1e6"},
       "--budgets: 1e+06 FLOPs train a net of width 10 on 21 images; expected 500 to 2^31"},
      {{"--budgets", "many"}, "--budgets: expected"}};
  for (const auto& [arguments, message] : rows) {
    const test::Outcome outcome = run("isoflop", arguments);
    EXPECT_EQ(outcome.code, 2) << message;
    EXPECT_THAT(outcome.err, HasSubstr(message));
  }
  const test::Outcome plan = run("isoflop", {"--dry-run"});
  EXPECT_EQ(plan.code, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("250 runs, 50 searches for a learning rate: about "));
}

// isoflop's results by a known law; rates fall as N to the power -0.5.
Results known(const JointLaw& law) {
  Rng rng(7);
  Results results;
  results.program = "isoflop";
  results.dataset = "digits";
  for (double flops = 2e9; flops < 1e12; flops *= 4)
    for (double width = 16; width <= 512; width *= 2) {
      Point point;
      point.series = fmt::format("{:g}", flops);
      point.x = width;
      point.parameters = static_cast<std::int64_t>(795 * width + 10);
      const auto n = static_cast<double>(point.parameters);
      point.examples = static_cast<std::int64_t>(flops / (6 * n));
      const double loss = law(n, static_cast<double>(point.examples));
      for (int seed = 0; seed < 3; ++seed)
        point.measured["test_loss"].values.push_back(loss * std::exp(0.003 * rng.normal()));
      point.config = fmt::format(R"({{"lr":{:.6f}}})", 0.2 * std::pow(n / 1e5, -0.5));
      results.points.push_back(point);
    }
  return results;
}

TEST_F(Compute, AdviseFollowsTheLaw) {
  write_file_atomically(path("known.json"), to_json(known(skewed)));
  for (const double flops : {1e10, 4e12}) {
    const test::Outcome outcome =
        run("advise", {"known.json", "--flops", fmt::format("{:g}", flops), "--resamples", "50", "--json"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const auto advice = nlohmann::json::parse(outcome.out);
    const double n = 795 * advice.at("width").get<double>() + 10, best = skewed.best_size(flops);
    EXPECT_NEAR(n / best, 1, 0.15);
    EXPECT_NEAR(6 * n * advice.at("images").get<double>() / flops, 1, 0.01);
    EXPECT_EQ(advice.at("epochs"), 1);
    EXPECT_NEAR(advice.at("lr").get<double>() / (0.2 * std::pow(n / 1e5, -0.5)), 1, 0.05);
    const double lowest = skewed(best, flops / (6 * best));
    EXPECT_LT(skewed(n, flops / (6 * n)) / lowest, 1.03);
    EXPECT_LE(advice.at("test_loss_low"), 1.01 * lowest);
    EXPECT_GE(advice.at("test_loss_high"), 0.99 * lowest);
    EXPECT_LT(advice.at("regret").get<double>(), 0.03);
  }
  // With fewer images the compute that is left makes the net larger.
  const test::Outcome few =
      run("advise", {"known.json", "--flops", "1e11", "--data", "50000", "--resamples", "50"});
  ASSERT_EQ(few.code, 0) << few.err;
  EXPECT_THAT(few.out, HasSubstr("hidden units        419\nimages              50000\n"));
  EXPECT_THAT(few.out, HasSubstr("expected test loss  0."));
  // Of a set of so many images.
  Results set = known(skewed);
  set.dataset = "mnist";
  for (Point& point : set.points) point.unique = 20000;
  write_file_atomically(path("set.json"), to_json(set));
  const test::Outcome again = run("advise", {"set.json", "--flops", "1e11", "--resamples", "50", "--json"});
  ASSERT_EQ(again.code, 0) << again.err;
  const auto advice = nlohmann::json::parse(again.out);
  const double n = 795 * advice.at("width").get<double>() + 10;
  EXPECT_EQ(advice.at("images"), 20000);
  EXPECT_NEAR(6 * n * 20000 * advice.at("epochs").get<double>() / 1e11, 1, 0.01);
}

TEST_F(Compute, AdviseRefusesWhatItCannotTell) {
  write_file_atomically(path("known.json"), to_json(known(skewed)));
  Results other = known(skewed);
  other.program = "width";
  write_file_atomically(path("width.json"), to_json(other));
  other = known(skewed);
  for (Point& point : other.points) point.measured["test_loss"].values = {NAN};
  write_file_atomically(path("diverged.json"), to_json(other));
  other = known(skewed);
  other.dataset = "mnist";  // of a version that did not tell
  write_file_atomically(path("old.json"), to_json(other));
  other = known(skewed);
  other.points.resize(3);
  write_file_atomically(path("few.json"), to_json(other));
  struct Row {
    test::Arguments arguments;
    int code;
    const char* message;
  };
  const Row rows[] = {
      {{"known.json"}, 2, "--flops: expected the compute to spend, such as 1e12"},
      {{"--flops", "1e10"}, 2, "runs/isoflop: there is no such file; expected the folder of ./elk isoflop"},
      {{"width.json", "--flops", "1e10"}, 2, "width.json: expected results of isoflop, got those of width"},
      {{"known.json", "--flops", "1e14"}, 2, "--flops: known.json knows budgets from 2.00e+09 to 5.12e+11"},
      {{"known.json", "--flops", "1e8"}, 2, "expected 2.00e+08 to 5.12e+12, got 1.00e+08"},
      {{"known.json", "--flops", "1e11", "--data", "100"}, 2, "--data: 100 images leave compute for"},
      {{"diverged.json", "--flops", "1e10"},
       1,
       "expected runs with a test loss and a learning rate, got none in diverged.json"},
      {{"old.json", "--flops", "1e10"},
       1,
       "old.json does not tell how many images of mnist there were; ./elk isoflop"},
      {{"few.json", "--flops", "2e9"}, 1, "expected at least 5 cells"}};
  for (const Row& row : rows) {
    const test::Outcome outcome = run("advise", row.arguments);
    EXPECT_EQ(outcome.code, row.code) << row.message;
    EXPECT_THAT(outcome.err, HasSubstr(row.message));
    EXPECT_EQ(outcome.out, "");
  }
}

}  // namespace
}  // namespace elk::lab
