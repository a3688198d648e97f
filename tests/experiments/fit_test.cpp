// Scaling laws fitted to curves whose truth is known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <elk/base/error.hpp>
#include <lab/fit/frontier.hpp>
#include <lab/statistics.hpp>

#include "estimates.hpp"
#include "support.hpp"

namespace elk::lab::scaling {
namespace {

using elk::test::error_of;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::NanSensitiveDoubleEq;
using testing::SizeIs;

constexpr double infinity = std::numeric_limits<double>::infinity();

// n sizes from low to high, a constant factor apart.
std::vector<double> spread(double low, double high, int n) {
  std::vector<double> x;
  for (int i = 0; i < n; ++i) x.push_back(low * std::pow(high / low, i / (n - 1.0)));
  return x;
}

// The law's values, with normal noise of standard deviation `noise` on their logarithms.
std::vector<double> losses(const PowerLaw& law, const std::vector<double>& x, double noise, Rng& rng) {
  std::vector<double> y;
  for (const double size : x) y.push_back(law(size) * std::exp(noise * rng.normal()));
  return y;
}

std::vector<double> losses(const PowerLaw& law, const std::vector<double>& x) {
  Rng unused(0);
  return losses(law, x, 0, unused);
}

void expect_law(const PowerLaw& got, const PowerLaw& wanted, double tolerance) {
  EXPECT_NEAR(got.e, wanted.e, tolerance * (wanted.e + 1e-3));
  EXPECT_NEAR(got.a, wanted.a, tolerance * wanted.a * 30);  // log A is as uncertain as alpha times log x
  EXPECT_NEAR(got.alpha, wanted.alpha, tolerance);
}

// As power_law.hpp defines it.
double mean_huber(const PowerLaw& law, const std::vector<double>& x, const std::vector<double>& y,
                  double huber) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double size = std::abs(std::log(law(x[i])) - std::log(y[i]));
    sum += size <= huber ? size * size / 2 : huber * (size - huber / 2);
  }
  return sum / static_cast<double>(x.size());
}

TEST(PowerLaws, AreRecoveredFromExactCurves) {
  for (const PowerLaw law : {PowerLaw{0.05, 0.3, 0.4},
                             {0, 0.3, 0.4},
                             {0, 2, 1},
                             {1.69, 406, 0.34},
                             {0.5, 3, 0.1},
                             {1e-3, 50, 0.8},
                             {0.2, 0.01, 0.1},
                             {0.3, 10, 2}})
    for (const int points : {4, 7, 300}) {
      SCOPED_TRACE(testing::Message()
                   << law.e << " + " << law.a << " x^-" << law.alpha << ", " << points << " points");
      const auto x = spread(10, 3000, points);
      const PowerLawFit fit = fit_power_law(x, losses(law, x));
      expect_law(fit.law, law, 1e-4);
      EXPECT_TRUE(fit.converged);
      EXPECT_LT(fit.residual, 1e-6);
      EXPECT_EQ(fit.law.e == 0, law.e == 0);
    }
}

TEST(PowerLaws, WithoutEAreStraightLines) {
  const auto x = spread(1, 100, 5);
  const PowerLawFit exact = fit_power_law(x, losses({0, 0.5, 0.3}, x), {.irreducible = false});
  expect_law(exact.law, {0, 0.5, 0.3}, 1e-6);
  const PowerLawFit bent = fit_power_law(x, losses({0.2, 0.5, 0.3}, x), {.irreducible = false});
  EXPECT_EQ(bent.law.e, 0);
  EXPECT_TRUE(bent.converged);
  EXPECT_GT(bent.residual, 0.01);
}

TEST(PowerLaws, DoNotDependOnUnits) {
  Rng rng(1);
  const auto x = spread(1, 1e6, 12);
  const auto y = losses({0.05, 0.3, 0.2}, x, 0.02, rng);
  const PowerLaw law = fit_power_law(x, y).law;
  for (const double unit : {1e9, 1e15, 1e-6}) {
    std::vector<double> flops, bits;
    for (const double value : x) flops.push_back(value * unit);
    for (const double value : y) bits.push_back(value / std::log(2));
    const PowerLaw scaled = fit_power_law(flops, bits).law;
    EXPECT_NEAR(scaled.alpha, law.alpha, 1e-6);
    EXPECT_NEAR(scaled.e * std::log(2), law.e, 1e-6);
    EXPECT_NEAR(scaled(3e6 * unit) * std::log(2), law(3e6), 1e-7);
  }
}

TEST(PowerLaws, AreTheLowestPointOfTheLoss) {
  Rng rng(2);
  for (const double huber : {1e-3, 1e-2, 10.0})
    for (int repeat = 0; repeat < 5; ++repeat) {
      const auto x = spread(1, 1000, 40);
      const auto y = losses({0.05, 0.3, 0.4}, x, 0.02, rng);
      const PowerLawFit fit = fit_power_law(x, y, {.huber = huber});
      EXPECT_TRUE(fit.converged);
      EXPECT_EQ(fit.agreeing, 16);
      EXPECT_EQ(fit.starts, 17);  // and E = 0
      EXPECT_NEAR(fit.loss, mean_huber(fit.law, x, y, huber), 1e-12);
      for (const double step : {-0.1, -1e-2, -1e-3, -1e-4, 1e-4, 1e-3, 1e-2, 0.1})
        for (const PowerLaw& other : {PowerLaw{fit.law.e * (1 + step), fit.law.a, fit.law.alpha},
                                      {fit.law.e, fit.law.a * (1 + step), fit.law.alpha},
                                      {fit.law.e, fit.law.a, fit.law.alpha * (1 + step)},
                                      {fit.law.e * (1 + step), fit.law.a * (1 + step), fit.law.alpha},
                                      {fit.law.e, fit.law.a * (1 + step), fit.law.alpha * (1 + step)}})
          EXPECT_GE(mean_huber(other, x, y, huber), fit.loss) << step;
    }
}

TEST(PowerLaws, AreBetterWithEThanWithoutAndRepeatable) {
  Rng rng(3);
  int zero = 0;
  for (int repeat = 0; repeat < 40; ++repeat) {
    const auto x = spread(1, 100, 7);
    const auto y = losses({0, 0.3, 0.3}, x, 0.02, rng);
    const PowerLawFit with = fit_power_law(x, y), without = fit_power_law(x, y, {.irreducible = false});
    EXPECT_LE(with.loss, without.loss);
    EXPECT_LE(with.residual, without.residual);  // which a root mean square would not do
    EXPECT_EQ(with.law.e == 0, with.law.alpha == without.law.alpha);
    zero += with.law.e == 0;
    const PowerLawFit again = fit_power_law(x, y);
    EXPECT_EQ(again.law.e, with.law.e);
    EXPECT_EQ(again.law.a, with.law.a);
    EXPECT_EQ(again.law.alpha, with.law.alpha);
  }
  EXPECT_GT(zero, 10);  // where the truth has no E, chance calls for a negative one half of the time
  EXPECT_LT(zero, 30);
}

TEST(PowerLaws, WithstandOutliers) {
  Rng rng(4);
  const PowerLaw truth{0.05, 0.3, 0.4};
  const auto x = spread(1, 1000, 30);
  auto y = losses(truth, x, 0.005, rng);
  expect_law(fit_power_law(x, y).law, truth, 0.04);
  y[7] *= 3;  // runs that failed
  y[29] *= 2;
  expect_law(fit_power_law(x, y).law, truth, 0.04);
  const PowerLaw squares = fit_power_law(x, y, {.huber = 100}).law;
  EXPECT_GT(std::abs(squares.alpha - truth.alpha), 0.05);
}

TEST(PowerLaws, CountPointsByTheirWeights) {
  Rng rng(5);
  const auto x = spread(1, 100, 8);
  const auto y = losses({0.1, 1, 0.5}, x, 0.03, rng);
  auto x_twice = x, y_twice = y;
  x_twice.push_back(x[2]);
  y_twice.push_back(y[2]);
  const PowerLaw weighted = fit_power_law(x, y, {}, std::vector<double>{5, 5, 10, 5, 5, 5, 5, 5}).law;
  expect_law(weighted, fit_power_law(x_twice, y_twice).law, 1e-4);
  const PowerLaw without_ends = fit_power_law(x, y, {}, std::vector<double>{0, 1, 1, 1, 1, 1, 1, 0}).law;
  expect_law(without_ends, fit_power_law(std::span(x).subspan(1, 6), std::span(y).subspan(1, 6)).law, 1e-9);
}

TEST(PowerLaws, OfDegenerateCurves) {
  const auto x = spread(1, 64, 7);
  const PowerLawFit constant = fit_power_law(x, std::vector<double>(7, 0.25));
  EXPECT_EQ(constant.law.e, 0);
  EXPECT_NEAR(constant.law.alpha, 0, 1e-12);
  EXPECT_NEAR(constant.law.a, 0.25, 1e-12);
  EXPECT_TRUE(constant.converged);

  const PowerLawFit growing = fit_power_law(x, losses({0.1, 0.3, -0.5}, x));
  expect_law(growing.law, {0.1, 0.3, -0.5}, 1e-4);
  EXPECT_TRUE(growing.converged);
  // Bent the other way than E can bend.
  EXPECT_EQ(fit_power_law(x, std::vector<double>{1, .99, .95, .85, .7, .5, .2}).law.e, 0);

  const PowerLawFit step = fit_power_law(x, std::vector<double>{1, .5, .5, .5, .5, .5, .5});
  EXPECT_FALSE(step.converged);
  EXPECT_NEAR(step.law.e, 0.5, 1e-3);
  EXPECT_NEAR(step.law(1), 1, 1e-3);

  // As many points as parameters: through them.
  const PowerLawFit three = fit_power_law(std::vector<double>{1, 4, 16}, std::vector<double>{5, 3, 2});
  EXPECT_NEAR(three.law(1), 5, 1e-5);
  EXPECT_NEAR(three.law(4), 3, 1e-5);
  EXPECT_NEAR(three.law.e, 1, 1e-4);
}

TEST(PowerLaws, NeedPointsThatMakeSense) {
  const auto error = [](const std::vector<double>& x, const std::vector<double>& y,
                        const PowerLawOptions& options = {}, const std::vector<double>& weights = {}) {
    return error_of<ValueError>([&] { fit_power_law(x, y, options, weights); });
  };
  const std::vector<double> three{1, 2, 3};
  EXPECT_EQ(error({1, 2}, {2, 1}), "[fit_power_law] 3 parameters need as many different x, found 2");
  EXPECT_EQ(error({}, {}), "[fit_power_law] 3 parameters need as many different x, found 0");
  EXPECT_EQ(error({5, 5, 5, 5}, {4, 3, 2, 1}),
            "[fit_power_law] 3 parameters need as many different x, found 1");
  EXPECT_EQ(error({5, 5}, {4, 3}, {.irreducible = false}),
            "[fit_power_law] 2 parameters need as many different x, found 1");
  EXPECT_EQ(error(three, three, {}, {1, 0, 1}),
            "[fit_power_law] 3 parameters need as many different x, found 2");
  EXPECT_EQ(error(three, {2, 1}), "[fit_power_law] as many x, y and weights are needed, found 3, 2 and 0");
  EXPECT_EQ(error(three, three, {}, {1}),
            "[fit_power_law] as many x, y and weights are needed, found 3, 3 and 1");
  EXPECT_EQ(error(three, {2, 0, 1}),
            "[fit_power_law] x and y must be above 0 and finite, found (2, 0) at point 1");
  EXPECT_EQ(error({-1, 2, 3}, three),
            "[fit_power_law] x and y must be above 0 and finite, found (-1, 1) at point 0");
  for (const double bad : {nan, infinity, -infinity}) {
    EXPECT_THAT(error(three, {2, 1, bad}), HasSubstr("x and y must be above 0 and finite, found (3, "));
    EXPECT_THAT(error({1, bad, 3}, three), HasSubstr(", 2) at point 1"));
    EXPECT_THAT(error(three, three, {}, {1, 1, bad}), HasSubstr("weights must be at least 0 and finite"));
  }
  EXPECT_EQ(error(three, three, {}, {1, -1, 1}),
            "[fit_power_law] weights must be at least 0 and finite, found -1 at point 1");
  EXPECT_EQ(error(three, three, {.huber = 0}),
            "[fit_power_law] huber and starts must be above 0, found 0 and 16");
  EXPECT_EQ(error(three, three, {.starts = 0}),
            "[fit_power_law] huber and starts must be above 0, found 0.001 and 0");
  EXPECT_THAT(error({1e300, 2e300, 4e300}, {100, 10, 1}),
              HasSubstr("is no number of f64: give x in a larger unit"));
}

template <class... Kind>
std::vector<Resample> resamples(const std::vector<std::size_t>& seeds, std::size_t count, Kind... kind) {
  std::vector<Resample> drawn;
  Rng rng(6);
  bootstrap(
      seeds,
      [&](const Resample& resample) {
        drawn.push_back(resample);
        return std::vector<double>{0};
      },
      count, rng, kind...);
  return drawn;
}

TEST(Bootstrap, DrawsSeedsOrWeighsCells) {
  const std::vector<std::size_t> seeds{5, 1, 2};
  const std::vector<Resample> drawn = resamples(seeds, 400);
  ASSERT_THAT(drawn, SizeIs(800));
  double weight = 0, square = 0;
  std::vector<int> times(5);
  for (std::size_t i = 0; i < 400; ++i) {
    ASSERT_THAT(drawn[i], SizeIs(3));
    ASSERT_THAT(drawn[i][0].seeds, SizeIs(4));  // one fewer than there are
    EXPECT_THAT(drawn[i][1].seeds, ElementsAre(0));
    ASSERT_THAT(drawn[i][2].seeds, SizeIs(1));
    for (const std::size_t seed : drawn[i][0].seeds) ++times.at(seed);
    EXPECT_THAT(drawn[i], Each(Field(&Draw::weight, 1)));
  }
  for (const int count : times) EXPECT_NEAR(count, 320, 60);
  for (std::size_t i = 400; i < 800; ++i) {
    EXPECT_THAT(drawn[i][0].seeds, ElementsAre(0, 1, 2, 3, 4));
    EXPECT_THAT(drawn[i][2].seeds, ElementsAre(0, 1));
    for (const Draw& draw : drawn[i]) {
      EXPECT_GE(draw.weight, 0);
      weight += draw.weight / 1200;
      square += draw.weight * draw.weight / 1200;
    }
  }
  EXPECT_NEAR(weight, 1, 0.1);
  EXPECT_NEAR(square - weight * weight, 2, 0.5);
}

TEST(Bootstrap, DrawsCellsWhereAStatisticChoosesAmongThem) {
  const std::vector<std::size_t> seeds{5, 1, 2, 3};
  const std::vector<Resample> drawn = resamples(seeds, 200, Cells::drawn);
  ASSERT_THAT(drawn, SizeIs(400));
  int left_out = 0;
  for (std::size_t i = 200; i < 400; ++i) {
    double weight = 0;
    for (std::size_t cell = 0; cell < 4; ++cell) {
      const Draw& draw = drawn[i][cell];
      weight += draw.weight;
      EXPECT_THAT(draw.seeds, SizeIs(draw.weight > 0 ? seeds[cell] : 0));
      left_out += draw.seeds.empty();
    }
    EXPECT_EQ(weight, 4);
  }
  EXPECT_NEAR(left_out / 800.0, std::pow(0.75, 4), 0.06);
}

TEST(Bootstrap, GivesTheSpreadOfAMean) {
  // The standard error of a mean of 5 with sample variance 2.5 is 0.707.
  const std::vector<double> values{-2, -1, 0, 1, 2};
  Rng rng(7);
  const Intervals intervals = bootstrap(
      std::vector<std::size_t>{5},
      [&](const Resample& resample) {
        double sum = 0;
        for (const std::size_t seed : resample[0].seeds) sum += values[seed];
        return std::vector<double>{sum / static_cast<double>(resample[0].seeds.size()), 7};
      },
      4000, rng);
  ASSERT_THAT(intervals.both, SizeIs(2));
  EXPECT_NEAR(intervals.seeds[0].low, -1.96 * 0.707, 0.15);
  EXPECT_NEAR(intervals.seeds[0].high, 1.96 * 0.707, 0.15);
  EXPECT_EQ(intervals.cells[0].low, 0);  // all seeds, whatever the weight
  EXPECT_EQ(intervals.cells[0].high, 0);
  EXPECT_EQ(intervals.both[0].low, intervals.seeds[0].low);
  EXPECT_EQ(intervals.both[0].high, intervals.seeds[0].high);
  EXPECT_EQ(intervals.both[1].low, 7);
  EXPECT_EQ(intervals.resamples, 4000);
  EXPECT_EQ(intervals.failed, 0);
}

TEST(Bootstrap, CountsFailures) {
  const std::vector<std::size_t> seeds{3, 3};
  Rng rng(8);
  int call = 0;
  const Intervals intervals = bootstrap(
      seeds,
      [&](const Resample&) {
        ++call;
        if (call % 10 == 0) throw ValueError("no fit");
        return std::vector<double>{call % 10 == 1 ? nan : 5.0};
      },
      100, rng);
  EXPECT_EQ(intervals.failed, 40);
  EXPECT_EQ(intervals.both[0].low, 5);
  EXPECT_EQ(intervals.both[0].high, 5);

  const auto error = [&](const std::vector<std::size_t>& of, const Statistic& statistic,
                         std::size_t resamples) {
    return error_of<ValueError>([&] { bootstrap(of, statistic, resamples, rng); });
  };
  const Statistic fails = [](const Resample&) -> std::vector<double> { throw ValueError("no fit"); };
  EXPECT_EQ(error(seeds, fails, 10), "[bootstrap] 10 of 10 resamples failed, the last: no fit");
  const Statistic infinite = [](const Resample&) { return std::vector<double>{infinity}; };
  EXPECT_EQ(error(seeds, infinite, 10),
            "[bootstrap] 10 of 10 resamples failed, the last: a number is not finite");
  EXPECT_EQ(error({}, infinite, 10),
            "[bootstrap] at least one cell and one resample are needed, found 0 and 10");
  EXPECT_EQ(error(seeds, infinite, 0),
            "[bootstrap] at least one cell and one resample are needed, found 2 and 0");
  EXPECT_EQ(error({3, 0}, infinite, 10), "[bootstrap] cell 1 has no seeds");
}

// Cells of five seeds. Their means scatter around the law by `between`, seeds by `within`, both of log L.
std::vector<Cell> some_cells(const PowerLaw& law, int count, double between, double within, Rng& rng) {
  std::vector<Cell> cells;
  for (const double size : spread(1000, 60000, count)) {
    const double shift = std::exp(between * rng.normal());
    cells.push_back(
        {size, losses({law.e * shift, law.a * shift, law.alpha}, std::vector<double>(5, size), within, rng)});
  }
  return cells;
}

TEST(Laws, OfCellsHoldTheTruthInTheirIntervalsAsOftenAsTheySay) {
  struct Case {
    double e, between, within;
  };
  constexpr int sets = 40;
  int all = 0;
  for (const Case& c : {Case{0.1, 0, 0.02}, Case{0.1, 0.015, 0.01}, Case{0, 0, 0.03}}) {
    SCOPED_TRACE(testing::Message() << "E " << c.e << ", between " << c.between << ", within " << c.within);
    const PowerLaw truth{c.e, 5, 0.4};
    Rng rng(9);
    int e = 0, a = 0, alpha = 0, predicted = 0, straight = 0;
    for (int set = 0; set < sets; ++set) {
      const auto cells = some_cells(truth, 7, c.between, c.within, rng);
      const Report report = fit_cells(cells, {.predict_at = {240000}, .resamples = 60}, rng);
      EXPECT_EQ(report.failed, 0);
      e += holds(report.with_e.e, truth.e);
      a += holds(report.with_e.a, truth.a);
      alpha += holds(report.with_e.alpha, truth.alpha);
      predicted += holds(report.with_e.predictions[0], truth(240000));
      straight += holds(report.without_e.alpha, truth.alpha);
    }
    // 95 % of 40 is 38, with a standard deviation of 1.4.
    for (const int held : {e, a, alpha, predicted}) EXPECT_GE(held, 35);
    all += e + a + alpha + predicted;
    if (c.e == 0)
      EXPECT_GE(straight, 35);
    else
      EXPECT_LE(straight, 5);  // a wrong law's intervals hold nothing
  }
  EXPECT_LE(all, 0.99 * 12 * sets);  // intervals that always hold the truth are too wide
}

// Few cells do not tell a straight line from a law with a floor. What is printed then is the form that
// happens to predict better: its interval must hold for that choice too.
TEST(Laws, OfCellsHoldTheTruthInTheIntervalThatIsPrinted) {
  constexpr int sets = 40;
  for (const double e : {0.0, 0.003, 0.006, 0.02, 0.3}) {
    SCOPED_TRACE(testing::Message() << "E " << e);
    const PowerLaw truth{e, 5, 0.4};
    Rng rng(13);
    int alpha = 0, predicted = 0, floors = 0;
    for (int set = 0; set < sets; ++set) {
      std::vector<Cell> cells = some_cells(truth, 6, 0, 0.01, rng);
      for (Cell& cell : cells) cell.losses.resize(3);
      const Report report = fit_cells(cells, {.predict_at = {240000}, .resamples = 60}, rng);
      alpha += holds(report.alpha(), truth.alpha);
      predicted += holds(report.prediction(0), truth(240000));
      floors += report.has_floor();
      if (!report.has_floor()) {
        EXPECT_LE(report.alpha().interval.low, report.without_e.alpha.interval.low);
        EXPECT_GE(report.alpha().interval.high, report.with_e.alpha.interval.high);
      }
    }
    for (const int held : {alpha, predicted}) EXPECT_GE(held, 35);
    if (e == 0) {
      EXPECT_LE(floors, 4);
    }
    if (e == 0.3) {
      EXPECT_GE(floors, 36);
    }
  }
}

TEST(Laws, OfCellsReportBothLaws) {
  const PowerLaw truth{0.1, 5, 0.4};
  Rng rng(10);
  const auto cells = some_cells(truth, 7, 0, 0.01, rng);
  const Report report = fit_cells(cells, {.predict_at = {1e5, 1e6}, .resamples = 200}, rng);
  ASSERT_THAT(report.points, SizeIs(7));
  EXPECT_EQ(report.points[3].x, cells[3].size);
  EXPECT_EQ(report.points[3].cell, 3);
  double sum = 0;
  for (const double loss : cells[3].losses) sum += loss;
  EXPECT_DOUBLE_EQ(report.points[3].loss, sum / 5);
  EXPECT_TRUE(report.with_e.fit.converged);
  EXPECT_EQ(report.with_e.e.value, report.with_e.fit.law.e);
  EXPECT_EQ(report.with_e.a.value, report.with_e.fit.law.a);
  EXPECT_EQ(report.with_e.alpha.value, report.with_e.fit.law.alpha);
  EXPECT_EQ(report.without_e.e.value, 0);
  EXPECT_EQ(report.without_e.e.interval.high, 0);
  ASSERT_THAT(report.with_e.predictions, SizeIs(2));
  EXPECT_EQ(report.with_e.predictions[1].value, report.with_e.fit.law(1e6));
  EXPECT_EQ(report.without_e.predictions[0].value, report.without_e.fit.law(1e5));
  EXPECT_TRUE(report.prefers_e);
  EXPECT_LT(report.with_e.left_out_error, 0.03);
  EXPECT_GT(report.without_e.left_out_error, 0.03);
  EXPECT_EQ(report.resamples, 200);

  const Report straight = fit_cells(some_cells({0, 5, 0.4}, 7, 0, 0.01, rng), {.resamples = 20}, rng);
  EXPECT_FALSE(straight.prefers_e);
}

TEST(Laws, OfCellsAreTheSameForTheSameSeed) {
  Rng rng(11);
  const auto cells = some_cells({0.1, 5, 0.4}, 7, 0.01, 0.01, rng);
  const auto run = [&](std::uint64_t seed) {
    Rng own(seed);
    return fit_cells(cells, {.resamples = 30}, own).with_e.alpha.interval.low;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(Laws, OfFewCellsSayWhatTheyCannot) {
  Rng rng(12);
  const PowerLaw truth{0.1, 5, 0.4};
  const Report three = fit_cells(some_cells(truth, 3, 0, 0.01, rng), {.resamples = 20}, rng);
  EXPECT_TRUE(std::isnan(three.with_e.left_out_error));  // two cannot be fitted
  EXPECT_FALSE(three.prefers_e);
  const auto error = [&](const std::vector<Cell>& cells) {
    return error_of<ValueError>([&] { fit_cells(cells, {.resamples = 20}, rng); });
  };
  EXPECT_EQ(error({}), "[bootstrap] at least one cell and one resample are needed, found 0 and 20");
  EXPECT_EQ(error({{64, {}}}), "[fit_cells] size 64 has no losses");
  EXPECT_EQ(error({{64, {0.5, nan}}}), "[fit_cells] losses must be above 0 and finite, found nan at size 64");
  EXPECT_EQ(error({{64, {0.5, 0}}}), "[fit_cells] losses must be above 0 and finite, found 0 at size 64");
  EXPECT_EQ(error(some_cells(truth, 2, 0, 0.01, rng)),
            "[bootstrap] 20 of 20 resamples failed, the last: [fit_power_law] 3 parameters need as many "
            "different x, "
            "found 2");
}

TEST(Holdouts, AreWhatTheSmallerCellsPredict) {
  Rng rng(13);
  const PowerLaw truth{0.1, 5, 0.4};
  auto cells = some_cells(truth, 7, 0, 0, rng);
  std::swap(cells[6], cells[0]);  // in any order
  const Holdout exact = hold_out_cells(cells, 2, {.resamples = 20}, rng);
  ASSERT_THAT(exact.points, SizeIs(2));
  ASSERT_THAT(exact.smaller.points, SizeIs(5));
  EXPECT_LT(exact.error_with_e, 1e-5);
  EXPECT_GT(exact.error_without_e, 0.02);
  for (std::size_t i = 0; i < 2; ++i) {
    const double x = exact.points[i].x, predicted = exact.smaller.without_e.predictions[i].value;
    EXPECT_GT(x, 30000);
    EXPECT_EQ(predicted, exact.smaller.without_e.fit.law(x));
    EXPECT_NEAR(exact.smaller.with_e.predictions[i].value, truth(x), 1e-5);
  }
  const auto error = [&](std::size_t i) {
    return std::abs(exact.smaller.without_e.predictions[i].value / exact.points[i].loss - 1);
  };
  EXPECT_DOUBLE_EQ(exact.error_without_e, (error(0) + error(1)) / 2);

  // Where the law breaks, the test says so.
  auto broken = some_cells(truth, 7, 0, 0.003, rng);
  for (double& loss : broken[6].losses) loss *= 1.5;
  const Holdout missed = hold_out_cells(broken, 1, {.resamples = 40}, rng);
  EXPECT_NEAR(missed.error_with_e, 1 - 1 / 1.5, 0.04);
  EXPECT_FALSE(holds(missed.smaller.with_e.predictions[0], missed.points[0].loss));

  const Holdout none = hold_out_cells(cells, 0, {.resamples = 20}, rng);
  EXPECT_THAT(none.points, IsEmpty());
  EXPECT_TRUE(std::isnan(none.error_with_e));
  EXPECT_EQ(error_of<ValueError>([&] { hold_out_cells(cells, 7, {}, rng); }),
            "[hold_out] 7 of 7 sizes are held out: none is left");
  EXPECT_THAT(error_of<ValueError>([&] { hold_out_cells(cells, 5, {.resamples = 20}, rng); }),
              HasSubstr("3 parameters need as many different x, found 2"));
}

TEST(Frontiers, TakeTheBestValidationEpochSoFar) {
  const auto best = [](std::vector<Epoch> epochs) { return best_so_far(epochs); };
  EXPECT_THAT(best({}), IsEmpty());
  // The test loss may rise, as the validation loss decides; overfitting does not count.
  EXPECT_THAT(best({{1, .5, .6}, {2, .4, .7}, {3, .45, .1}, {4, .4, .2}, {5, .3, .5}}),
              ElementsAre(.6, .7, .7, .7, .5));
  EXPECT_THAT(best({{1, nan, .6}, {2, .5, infinity}, {3, .6, .3}, {4, .5, nan}, {5, infinity, .1}}),
              ElementsAre(NanSensitiveDoubleEq(nan), NanSensitiveDoubleEq(nan), .3, .3, .3));
}

TEST(Frontiers, AverageSeeds) {
  const std::vector<Net> nets{{64,
                               {{{10, .5, .6}, {20, .4, .4}, {30, .9, .9}},
                                {{10, nan, nan}, {20, .4, .2}},
                                {{10, 1, 1}, {20, .5, .9}}}},
                              {128, {{{40, .3, .3}}}}};
  const auto curve = [](const std::vector<Point>& points) {
    std::vector<std::vector<double>> rows;
    for (const Point& point : points)
      rows.push_back({point.x, point.loss, point.weight, static_cast<double>(point.cell)});
    return rows;
  };
  using Row = std::vector<double>;
  // The second seed has nothing after its first epoch, and the last of the first is as its second.
  EXPECT_THAT(curve(seed_means(nets, everything(std::vector<std::size_t>{3, 1}))),
              ElementsAre(Row{20, .5, 1, 0}, Row{30, .5, 1, 0}, Row{40, .3, 1, 1}));
  EXPECT_THAT(curve(seed_means(nets, {{3, {0, 0, 2, 2}}, {0.5, {0}}})),
              ElementsAre(Row{10, .8, 3, 0}, Row{20, .65, 3, 0}, Row{30, .65, 3, 0}, Row{40, .3, .5, 1}));

  const auto error = [](const std::vector<std::vector<Epoch>>& seeds) {
    return error_of<ValueError>([&] {
      seed_means({{64, seeds}}, everything(std::vector<std::size_t>{seeds.size()}));
    });
  };
  EXPECT_EQ(error({{{10, 1, 1}, {20, 1, 1}}, {{10, 1, 1}, {21, 1, 1}}}),
            "[fit_frontier] seeds of the net of size 64 differ in FLOPs after epoch 2: 20 and 21");
  EXPECT_EQ(error({{{10, 1, 1}, {10, 1, 1}}}),
            "[fit_frontier] FLOPs must grow, found 10 after epoch 2 of the net of size 64");
  EXPECT_EQ(error({{{0, 1, 1}}}),
            "[fit_frontier] FLOPs must grow, found 0 after epoch 1 of the net of size 64");
  EXPECT_THAT(error({{{nan, 1, 1}}}), HasSubstr("[fit_frontier]"));
  EXPECT_EQ(error({{{10, 1, 1}}, {{10, nan, 1}}}),
            "[fit_frontier] the net of size 64, seed 1, has no epoch of finite losses");
  EXPECT_EQ(error({{}}), "[fit_frontier] the net of size 64, seed 0, has no epoch of finite losses");
}

TEST(Frontiers, AreLowerEnvelopes) {
  EXPECT_THAT(lower_envelope({}), IsEmpty());
  // Net 0 is best first, net 1 then; equal losses or computes are beaten by the cheaper or the better.
  const auto envelope = lower_envelope({{1, .9, 1, 0},
                                        {4, .5, 1, 0},
                                        {16, .45, 1, 0},
                                        {64, .5, 1, 0},
                                        {4, .6, 2, 1},
                                        {16, .4, 2, 1},
                                        {64, .2, 2, 1},
                                        {256, .2, 2, 1}});
  ASSERT_THAT(envelope, SizeIs(4));
  const double quarter = std::log(2);  // half of log 4
  const std::vector<Point> wanted{
      {1, .9, quarter, 0}, {4, .5, 2 * quarter, 0}, {16, .4, 4 * quarter, 1}, {64, .2, 2 * quarter, 1}};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(envelope[i].x, wanted[i].x);
    EXPECT_EQ(envelope[i].loss, wanted[i].loss);
    EXPECT_EQ(envelope[i].cell, wanted[i].cell);
    EXPECT_DOUBLE_EQ(envelope[i].weight, wanted[i].weight);
  }
}

TEST(Frontiers, ChooseByValidation) {
  // By validation the second point is no better than the first, whatever the test set says, and the third is.
  const auto envelope = lower_envelope({{1, .5, 1, 0, .5}, {2, .1, 1, 1, .6}, {4, .55, 1, 1, .4}});
  ASSERT_THAT(envelope, SizeIs(2));
  EXPECT_EQ(envelope[0].loss, .5);
  EXPECT_EQ(envelope[1].loss, .55);
  const std::vector<Net> nets{{64, {{{10, .5, .6}, {20, .7, .4}, {30, .4, .9}}}}, {128, {{{40, .3, .3}}}}};
  const auto points = seed_means(nets, {{1, {0}}, {0, {}}});  // the second net is not drawn
  ASSERT_THAT(points, SizeIs(3));
  EXPECT_EQ(points[1].val_loss, .5);
  EXPECT_EQ(points[1].loss, .6);
  EXPECT_EQ(points[2].loss, .9);
}

// Nets that each touch the frontier where log C is their own, and fall to it and part from it by its square;
// then they overfit. Seeds differ by `within`.
std::vector<Net> some_nets(const PowerLaw& frontier, int count, double within, Rng& rng) {
  std::vector<Net> nets;
  for (int i = 0; i < count; ++i) {
    Net net{64.0 * (i + 1), {}};
    const double own = std::log(1e11) + i;
    for (int seed = 0; seed < 5; ++seed) {
      const double shift = std::exp(within * rng.normal());
      std::vector<Epoch> epochs;
      for (int epoch = 4; epoch <= 40; ++epoch) {
        const double c = std::exp(own) * epoch / 10, away = std::log(c) - own;
        const double loss = frontier(c) * (1 + 0.02 * away * away) * shift;
        const bool overfits = epoch > 30;
        epochs.push_back({c, overfits ? 9 : loss, overfits ? loss / 2 : loss});
      }
      net.seeds.push_back(epochs);
    }
    nets.push_back(net);
  }
  return nets;
}

TEST(Frontiers, FollowTheLawThatTheNetsTouch) {
  const PowerLaw truth{0.05, 300, 0.3};
  Rng rng(14);
  const auto nets = some_nets(truth, 8, 0, rng);
  const Report exact = fit_frontier(nets, {.resamples = 10}, rng);
  EXPECT_TRUE(exact.with_e.fit.converged);
  EXPECT_GT(exact.points.size(), 40U);
  EXPECT_LT(exact.with_e.fit.residual, 0.06);
  EXPECT_NEAR(exact.with_e.alpha.value, 0.3, 0.03);
  EXPECT_NEAR(exact.with_e.e.value, 0.05, 0.006);
  EXPECT_TRUE(exact.prefers_e);
  for (const Point& point : exact.points) EXPECT_GE(point.loss, truth(point.x) * (1 - 1e-12)) << point.x;

  const Report noisy =
      fit_frontier(some_nets(truth, 8, 0.01, rng), {.predict_at = {1e16}, .resamples = 60}, rng);
  EXPECT_EQ(noisy.failed, 0);
  EXPECT_TRUE(holds(noisy.with_e.alpha, exact.with_e.alpha.value));
  EXPECT_TRUE(holds(noisy.with_e.e, exact.with_e.e.value));
  EXPECT_TRUE(holds(noisy.with_e.predictions[0], exact.with_e.fit.law(1e16)));
}

TEST(Frontiers, PredictTheLargestNets) {
  const PowerLaw truth{0.05, 300, 0.3};
  Rng rng(15);
  auto nets = some_nets(truth, 8, 0, rng);
  const Holdout holdout = hold_out_nets(nets, 2, {.resamples = 20}, rng);
  EXPECT_GT(holdout.points.size(), 5U);
  const double reached = holdout.smaller.points.back().x;
  for (const Point& point : holdout.points) {
    EXPECT_GT(point.x, reached);
    EXPECT_GE(point.cell, 6U);
  }
  EXPECT_LT(holdout.error_with_e, 0.03);
  EXPECT_GT(holdout.error_without_e, 2 * holdout.error_with_e);

  for (auto& epochs : nets[7].seeds)
    for (Epoch& epoch : epochs) epoch.val_loss = epoch.test_loss = 3;
  const Holdout no_better = hold_out_nets(nets, 1, {.resamples = 5}, rng);
  EXPECT_THAT(no_better.points, IsEmpty());
  EXPECT_TRUE(std::isnan(no_better.error_with_e));
}

}  // namespace
}  // namespace elk::lab::scaling
