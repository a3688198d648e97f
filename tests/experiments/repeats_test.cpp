// What repeated data are worth, where the truth is known; and ./elk epochs --unique.
#include <cmath>

#include <elk/base/error.hpp>
#include <lab/repeats.hpp>
#include <lab/results.hpp>

#include "estimates.hpp"
#include "experiments/fixture.hpp"
#include "support.hpp"

namespace elk::lab {
namespace {

using elk::test::error_of;
using scaling::fit_repeats;
using scaling::RepeatCell;
using scaling::RepeatFit;
using scaling::RepeatForm;
using scaling::RepeatLaw;
using scaling::RepeatPoint;
using scaling::RepeatReport;
using testing::HasSubstr;
using testing::Not;

const RepeatLaw truth{.e = 0.02, .b = 0.1, .beta = 0.5, .rounds = 8, .d0 = 5000};

// At equal numbers of images seen, from 1,000 different ones on. Seeds scatter by `within` of log L, the
// means of cells by `between`.
std::vector<RepeatCell> cells_of(const RepeatLaw& law, double between, double within, Rng& rng,
                                 int seeds = 5) {
  std::vector<RepeatCell> cells;
  for (double seen = 8000; seen < 200000; seen *= 2)
    for (double epochs = 1; epochs <= 64 && seen / epochs >= 1000; epochs *= 2) {
      RepeatCell cell{seen / epochs, epochs, {}};
      const double mean = law(cell.unique, epochs) * std::exp(between * rng.normal());
      for (int seed = 0; seed < seeds; ++seed) cell.losses.push_back(mean * std::exp(within * rng.normal()));
      cells.push_back(cell);
    }
  return cells;
}

std::vector<RepeatPoint> points_of(const std::vector<RepeatCell>& cells) {
  std::vector<RepeatPoint> points;
  for (const RepeatCell& cell : cells) points.push_back({cell.unique, cell.epochs, cell.losses[0]});
  return points;
}

TEST(RepeatLaws, CountWhatEpochsAreWorth) {
  EXPECT_EQ(truth.effective(1000, 1), 1000);
  EXPECT_NEAR(truth.effective(1000, 1e6), 9000, 1e-6);
  EXPECT_NEAR(truth.effective(1000, 3), 1000 * (1 + 8 * (1 - std::exp(-0.25))), 1e-9);
  EXPECT_EQ(truth.worth(1), 1);
  EXPECT_NEAR(truth.worth(2), 8 * (1 - std::exp(-0.125)), 1e-12);
  RepeatLaw as_new = truth;
  as_new.rounds = INFINITY;
  EXPECT_EQ(as_new.effective(1000, 7), 7000);
  EXPECT_EQ(as_new.worth(5), 1);
}

TEST(RepeatLaws, AreRecoveredFromExactLosses) {
  Rng rng(1);
  for (const RepeatForm& form : {RepeatForm{false, false}, RepeatForm{true, false}, RepeatForm{true, true}}) {
    SCOPED_TRACE(name(form));
    RepeatLaw law = truth;
    if (!form.fades) law.rounds = INFINITY;
    if (form.harms) law.harm = 0.004;
    const RepeatFit fit = fit_repeats(points_of(cells_of(law, 0, 0, rng, 1)), form);
    EXPECT_TRUE(fit.converged);
    EXPECT_NEAR(fit.law.e, law.e, 1e-4);
    EXPECT_NEAR(fit.law.beta, law.beta, 2e-3);
    if (form.fades) {
      EXPECT_NEAR(fit.law.rounds / law.rounds, 1, 5e-3);
    }
    for (const double unique : {2000.0, 500000.0})
      for (const double epochs : {1.0, 5.0, 100.0})
        EXPECT_NEAR(fit.law(unique, epochs) / law(unique, epochs), 1, 5e-3);
  }
}

TEST(RepeatLaws, WithstandOutliersAndDoNotDependOnUnits) {
  Rng rng(2);
  auto points = points_of(cells_of(truth, 0, 0.003, rng, 1));
  points[4].loss *= 1.6;
  points[20].loss *= 0.7;
  const RepeatFit fit = fit_repeats(points, {});
  EXPECT_NEAR(fit.law.rounds / truth.rounds, 1, 0.1);
  for (RepeatPoint& point : points) point.unique *= 1e3, point.loss *= 7;
  const RepeatFit other = fit_repeats(points, {});
  EXPECT_NEAR(other.law.rounds / fit.law.rounds, 1, 1e-3);
  EXPECT_NEAR(other.law.e / fit.law.e, 7, 1e-2);
}

TEST(RepeatLaws, RefuseWhatTellsNothing) {
  Rng rng(3);
  const auto points = points_of(cells_of(truth, 0, 0.01, rng, 1));
  const auto error = [](std::vector<RepeatPoint> some) {
    return error_of<ValueError>([&] { fit_repeats(some, {}); });
  };
  EXPECT_EQ(error({points.begin(), points.begin() + 2}),
            "[fit_repeats] expected at least 4 cells for the 4 parameters of epochs fade, got 2");
  auto some = points;
  for (RepeatPoint& point : some) point.epochs = 2;
  EXPECT_EQ(error(some), "[fit_repeats] expected cells of different numbers of epochs, got those of one");
  some = points;
  for (RepeatPoint& point : some) point.unique = 1000;
  EXPECT_EQ(error(some), "[fit_repeats] expected at least 3 different numbers of examples, got 1");
  some = points;
  for (RepeatPoint& point : some) point.loss = 0.5;
  EXPECT_EQ(error(some), "[fit_repeats] expected losses that differ, got 0.5 from every cell");
  some = points;
  some[1].loss = NAN;
  EXPECT_THAT(error(some),
              HasSubstr("expected examples, epochs and losses above 0 and finite, got 4000 examples"));
  some = points;
  some[1].epochs = 0.5;
  EXPECT_EQ(error(some), "[fit_repeats] expected at least 1 epoch, got 0.5");
}

// 95 % intervals are to hold the truth in at least 90 of 100 cases, whatever moves cells off the law.
TEST(RepeatLaws, HoldTheTruthInTheirIntervals) {
  constexpr int draws = 200;
  struct Case {
    double between, within;
  };
  for (const Case& c : {Case{0, 0.03}, Case{0.02, 0.01}}) {
    SCOPED_TRACE(testing::Message() << "between " << c.between << ", within " << c.within);
    Rng rng(4);
    int e = 0, beta = 0, rounds = 0, worth = 0;
    const std::vector<double> epochs{8};
    for (int draw = 0; draw < draws; ++draw) {
      const RepeatReport report =
          fit_repeat_cells(cells_of(truth, c.between, c.within, rng), {}, epochs, 60, rng);
      e += holds(report.e, truth.e);
      beta += holds(report.beta, truth.beta);
      rounds += holds(report.rounds, truth.rounds);
      worth += holds(report.worths[0], truth.worth(8));
    }
    for (const int held : {e, beta, rounds, worth}) EXPECT_GE(held, 0.9 * draws);
  }
}

TEST(Repeats, MeasureWhatImagesAreWorth) {
  const std::vector<RepeatCell> cells{
      {1000, 1, {0.4}}, {4000, 1, {0.2, 0.2}}, {1000, 4, {0.3}}, {16000, 1, {0.1}}};
  EXPECT_NEAR(scaling::measured_worth(cells, 0.2), 4000, 1e-9);
  EXPECT_NEAR(scaling::measured_worth(cells, std::sqrt(0.4 * 0.2)), 2000, 1e-9);
  EXPECT_TRUE(std::isnan(scaling::measured_worth(cells, 0.5)));
  EXPECT_TRUE(std::isnan(scaling::measured_worth(cells, 0.05)));
}

RepeatQuestion asked(std::vector<RepeatCell> cells) { return {.cells = std::move(cells), .resamples = 60}; }

TEST(Repeats, SayWhatTheyFind) {
  Rng rng(5);
  const LawAnswer found = answer(asked(cells_of(truth, 0, 0.01, rng)));
  EXPECT_NEAR(found.numbers.at("repeat_64_rounds") / truth.rounds, 1, 0.15);
  ASSERT_GE(found.sentences.size(), 3u);
  EXPECT_THAT(found.sentences[0],
              HasSubstr("If worth decays by Muennighoff's law, an epoch over the same images is worth to "
                        "width 64, of as many new ones, the 2nd 9"));
  EXPECT_THAT(found.sentences[1], HasSubstr("A cell left out that law predicts to "));
  EXPECT_THAT(found.sentences[1], HasSubstr("; fitted without the cells of 64 epochs it predicts them to "));
  EXPECT_THAT(found.sentences.back(), HasSubstr("Measured directly, images are worth to width 64, times as "
                                                "many new ones, by their numbers: 2 epochs 1.9"));
  EXPECT_EQ(found.tables.size(), 2u);
  EXPECT_EQ(found.plots.size(), 1u);
  // The same bits again.
  Rng again(5);
  EXPECT_EQ(answer(asked(cells_of(truth, 0, 0.01, again))).numbers, found.numbers);
}

TEST(Repeats, NameHarmWhereTheDataAskForIt) {
  Rng rng(6);
  RepeatLaw harmful = truth;
  harmful.harm = 0.01;
  const LawAnswer found = answer(asked(cells_of(harmful, 0, 0.005, rng)));
  EXPECT_NEAR(found.numbers.at("repeat_64_harm") / (0.01 * std::pow(8000 / 5000.0, -0.5)), 1, 0.4);
  EXPECT_THAT(found.sentences, testing::Contains(HasSubstr("Epochs do harm besides")));
  RepeatLaw as_new = truth;
  as_new.rounds = INFINITY;
  EXPECT_EQ(answer(asked(cells_of(as_new, 0, 0, rng))).numbers.count("repeat_64_harm"), 0u);
}

void concludes_nothing(const std::vector<RepeatCell>& cells, const std::string& why) {
  const LawAnswer found = answer(asked(cells));
  EXPECT_TRUE(found.numbers.empty());
  ASSERT_EQ(found.sentences.size(), 1u);
  EXPECT_THAT(found.sentences.front(), HasSubstr("Of width 64 nothing is concluded: " + why));
}

TEST(Repeats, ConcludeNothingWhereNothingCanBe) {
  Rng rng(7);
  const auto cells = cells_of(truth, 0, 0.01, rng);
  concludes_nothing({}, "no run has a finite test loss");
  concludes_nothing({cells.begin(), cells.begin() + 2}, "[fit_repeats] expected at least");
  concludes_nothing(cells_of(truth, 0, 0.01, rng, 1), "there are cells of one seed");
  auto diverged = cells;
  for (RepeatCell& cell : diverged) cell.losses.assign(5, NAN);
  concludes_nothing(diverged, "no run has a finite test loss");
  auto same = cells;
  for (RepeatCell& cell : same) cell.losses.assign(5, 0.5);
  concludes_nothing(same, "[fit_repeats] expected losses that differ");
  // Without the one cell that was repeated, the others tell nothing of repeats.
  std::vector<RepeatCell> one;
  for (const double unique : {500.0, 600.0, 700.0, 800.0, 1000.0})
    for (const double epochs : {1.0, 2.0})
      if (epochs == 1 || unique == 500)
        one.push_back({unique, epochs, {truth(unique, epochs), 1.01 * truth(unique, epochs)}});
  concludes_nothing(one, "a cell cannot be left out");
  // Some runs that diverged are left out.
  auto some = cells;
  some[3].losses.assign(5, NAN);
  some[7].losses[0] = INFINITY;
  const LawAnswer found = answer(asked(some));
  EXPECT_NEAR(found.numbers.at("repeat_64_rounds") / truth.rounds, 1, 0.15);
  EXPECT_THAT(found.warnings, testing::Contains(HasSubstr("runs have no finite test loss and are left out")));
}

class EpochsUnique : public test::TrainProgram {
 protected:
  test::Outcome run(const test::Arguments& arguments) {
    return TrainProgram::run("epochs", test::operator+({"--unique"}, arguments));
  }
  Results results(const std::string& folder) {
    return parse_results(file(folder + "/results.json"), "results.json");
  }
};

TEST_F(EpochsUnique, SmokeRunsAndContinues) {
  const test::Outcome first = run({"--smoke", "--jobs", "2"});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("epochs-unique: 18 runs, 9 searches for a learning rate: about "));
  EXPECT_THAT(first.out, HasSubstr("What width 16 makes of repeated images"));
  EXPECT_THAT(first.out, HasSubstr("runs/epochs-unique/report.html\n"));
  const Results found = results("runs/epochs-unique");
  EXPECT_EQ(found.command, "./elk epochs --unique --smoke --jobs 2");
  ASSERT_EQ(found.points.size(), 9u);
  for (const Point& point : found.points) {
    EXPECT_EQ(static_cast<double>(point.unique) * point.x, static_cast<double>(point.examples));
    EXPECT_EQ(point.measured.at("test_loss").values.size(), 2u);
  }
  // To see 1,000 images four times helps.
  const auto loss = [&](std::int64_t examples, std::int64_t unique) {
    for (const Point& point : found.points)
      if (point.examples == examples && point.unique == unique) return point.measured.at("test_loss").mean;
    return std::nan("");
  };
  EXPECT_LT(loss(4000, 1000), loss(1000, 1000));
  if (elk::test::emulated()) return;  // the other runs take minutes there
  // One job gives the same bits; the report can be made again from results alone.
  ASSERT_EQ(run({"--smoke", "--quiet", "--jobs", "1", "--out-dir", "s"}).code, 0);
  const Results again = results("s");
  EXPECT_EQ(again.numbers, found.numbers);
  EXPECT_EQ(again.verdicts, found.verdicts);
  ASSERT_EQ(run({"--smoke", "--quiet", "--from", "s/results.json", "--out-dir", "t"}).code, 0);
  EXPECT_EQ(results("t").verdicts, found.verdicts);
  EXPECT_EQ(results("t").points.size(), found.points.size());
}

TEST_F(EpochsUnique, WrongUsage) {
  const std::pair<test::Arguments, const char*> rows[] = {
      {{"--epochs", "3"}, "--epochs: how often images are seen is a grid here; see --times"},
      {{"--protocol", "paper"}, "--protocol: the study has no such part; only sound"},
      {{"--dataset", "mnist"},
       "--dataset: expected digits, of which there are new ones without end, got \"mnist\""},
      {{"--seen", "100"}, "--seen and --times: expected cells of at least 500 images, got none"},
      {{"--times", "often"}, "--times: expected"}};
  for (const auto& [arguments, message] : rows) {
    const test::Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << message;
    EXPECT_THAT(outcome.err, HasSubstr(message));
  }
  const test::Outcome help = run({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("Usage: ./elk epochs --unique [options]"));
  EXPECT_THAT(help.out, HasSubstr("--times"));
  EXPECT_THAT(help.out, Not(HasSubstr("With --unique")));
}

}  // namespace
}  // namespace elk::lab
