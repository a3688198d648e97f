// Where learning curves end, where the truth is known; and ./elk results --forecast.
#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <elk/base/rng.hpp>
#include <lab/fit/curve.hpp>

#include "experiments/estimates.hpp"
#include "experiments/fixture.hpp"
#include "experiments/program.hpp"
#include "experiments/store_rows.hpp"
#include "support.hpp"

namespace elk::lab {
namespace {

using elk::test::error_of;
using scaling::CurveForm;
using scaling::Estimate;
using scaling::forecast;
using scaling::holds;
using testing::HasSubstr;

// A curve of this form.
struct Truth {
  CurveForm form;
  double e = 0.05, a = 0.3;
  double rate = 0.7;  // 1 / τ, or b
  double after = 1.2, d = 5;

  double operator()(double t) const {
    switch (form) {
      case CurveForm::exponential: return e + a * std::exp(-rate * t);
      case CurveForm::power: return e + a * std::pow(t, -rate);
      default: return e + a * std::pow(t, -rate) * std::pow(1 + std::pow(t / d, 2), -(after - rate) / 2);
    }
  }
};

// Any curve of the form, that falls fast or slowly and bends early or late.
Truth any_truth(CurveForm form, std::size_t epochs, Rng& rng) {
  const auto between = [&](double low, double high) { return low * std::pow(high / low, rng.uniform()); };
  Truth truth{.form = form, .e = between(0.01, 0.2)};
  truth.rate = form == CurveForm::exponential ? between(0.05, 1) : between(0.15, 1.2);
  truth.after = between(0.15, 2);
  truth.d = between(2, static_cast<double>(epochs));
  return truth;
}

std::vector<double> curve_of(const Truth& truth, std::size_t epochs, double noise, Rng& rng) {
  std::vector<double> losses;
  for (std::size_t t = 1; t <= epochs; ++t)
    losses.push_back(truth(static_cast<double>(t)) * std::exp(noise * rng.normal()));
  return losses;
}

// Of so many epochs with one rate.
std::vector<double> steady(std::size_t epochs) { return std::vector<double>(epochs, 0.1); }

constexpr CurveForm bent[] = {CurveForm::exponential, CurveForm::power, CurveForm::broken};

TEST(Curves, ArePredictedFromExactLosses) {
  Rng rng(1);
  for (const CurveForm form : bent) {
    SCOPED_TRACE(name(form));
    const Truth truth{.form = form, .rate = form == CurveForm::exponential ? 0.2 : 0.5};
    const auto losses = curve_of(truth, 12, 0, rng);
    const double end = truth(40);
    // Of a break of which little is seen, less can be told.
    const double within = form == CurveForm::broken ? 0.2 : 0.1;
    EXPECT_NEAR(forecast(losses, steady(40), form).value / end, 1, within);
    if (form != CurveForm::exponential) {  // which no broken power law follows to its end
      EXPECT_NEAR(forecast(losses, steady(40)).value / end, 1, within);
    }
    EXPECT_TRUE(holds(forecast(losses, steady(40)), end));
  }
}

// 95 % intervals are to hold the loss that is measured at the end, noise and all, in at least 90 of 100
// cases.
TEST(Curves, HoldTheEndInTheirIntervals) {
  constexpr int draws = 200;
  for (const CurveForm form : bent)
    for (const auto& [seen, epochs] : {std::pair<std::size_t, std::size_t>{5, 15}, {12, 40}}) {
      SCOPED_TRACE(testing::Message() << name(form) << ", " << seen << " of " << epochs);
      Rng rng(2);
      int by_its_form = 0, by_all = 0;
      double error = 0;
      for (int draw = 0; draw < draws; ++draw) {
        const auto losses = curve_of(any_truth(form, epochs, rng), epochs, 0.02, rng);
        const auto known = std::span(losses).first(seen);
        const Estimate own = forecast(known, steady(epochs), form), all = forecast(known, steady(epochs));
        by_its_form += holds(own, losses.back());
        by_all += holds(all, losses.back());
        error += std::abs(own.value / losses.back() - 1) / draws;
      }
      EXPECT_GE(by_its_form, 0.9 * draws);
      EXPECT_GE(by_all, 0.9 * draws);
      EXPECT_LT(error, 0.25);
    }
}

// Training comes as far as its rates add up to, and a low rate leaves less noise.
TEST(Curves, KnowHowTheRateDecays) {
  constexpr int draws = 100;
  constexpr std::size_t epochs = 40, seen = 12;
  std::vector<double> rates;
  for (std::size_t i = 0; i < epochs; ++i) rates.push_back(0.4 * std::pow(0.9, static_cast<double>(i)));
  Rng rng(4);
  int held = 0;
  std::vector<double> known_error, unknown_error;
  for (int draw = 0; draw < draws; ++draw) {
    const Truth truth = any_truth(CurveForm::power, epochs, rng);
    const double annealed = 0.15 * rng.uniform();
    std::vector<double> losses;
    double t = 0;
    for (const double rate : rates) {
      t += rate / rates[0];
      losses.push_back(truth(t) * (1 - annealed * (1 - rate / rates[0])) * std::exp(0.005 * rng.normal()));
    }
    const auto first = std::span(losses).first(seen);
    const Estimate known = forecast(first, rates);
    held += holds(known, losses.back());
    known_error.push_back(std::abs(known.value / losses.back() - 1));
    unknown_error.push_back(std::abs(forecast(first, steady(epochs)).value / losses.back() - 1));
  }
  EXPECT_GE(held, 90);
  const auto median = [](std::vector<double>& errors) {
    std::ranges::sort(errors);
    return errors[errors.size() / 2];
  };
  EXPECT_LT(median(known_error), 0.03);
  EXPECT_GT(median(unknown_error), 2 * median(known_error));
}

// Only the ratios of rates matter; and rates of 0, at the begin of a warm-up or throughout, do no harm.
TEST(Curves, TakeRatesOfAnyUnit) {
  Rng rng(6);
  const auto losses = curve_of(Truth{.form = CurveForm::power}, 5, 0.01, rng);
  const auto end = [&](std::vector<double> rates) { return forecast(losses, rates).value; };
  EXPECT_EQ(end(std::vector<double>(15, 0.5)), end(std::vector<double>(15, 4)));
  EXPECT_EQ(end(std::vector<double>(15, 0)), end(std::vector<double>(15, 1)));
  std::vector<double> falling, doubled;
  for (int i = 0; i < 15; ++i) falling.push_back(std::pow(0.8, i)), doubled.push_back(2 * falling.back());
  EXPECT_EQ(end(falling), end(doubled));
  EXPECT_GT(end(falling), end(std::vector<double>(15, 1)));
  std::vector<double> warm(15, 1.0), stopped(15, 0.0);
  warm[0] = 0, stopped[0] = 1;
  for (const auto& rates : {warm, stopped}) {
    EXPECT_GT(end(rates), 0.1 * losses.back());
    EXPECT_LT(end(rates), 2 * losses.back());
  }
}

TEST(Curves, TellLessTheFartherTheEnd) {
  Rng rng(3);
  const auto losses = curve_of(Truth{.form = CurveForm::power}, 10, 0.01, rng);
  double before = 0;
  for (const std::size_t epochs : {11u, 20u, 50u, 200u}) {
    const auto interval = forecast(losses, steady(epochs)).interval;
    EXPECT_GT(interval.high - interval.low, before);
    before = interval.high - interval.low;
  }
  // In the unit of the losses, whatever that is.
  for (const double unit : {1e3, 1e300, 1e-300}) {
    std::vector<double> other = losses;
    for (double& loss : other) loss *= unit;
    EXPECT_NEAR(forecast(other, steady(30)).value / forecast(losses, steady(30)).value / unit, 1, 1e-9);
  }
}

TEST(Curves, OfNextToNothing) {
  const Estimate one = forecast(std::vector<double>{0.5}, steady(10));
  EXPECT_EQ(one.value, 0.5);
  EXPECT_EQ(one.interval.low, 0);
  EXPECT_EQ(one.interval.high, INFINITY);
  const Estimate whole = forecast(std::vector<double>{0.5, 0.3, 0.2, 0.15}, steady(4));
  EXPECT_EQ(whole.value, 0.15);
  EXPECT_EQ(whole.interval.low, 0.15);
  EXPECT_EQ(whole.interval.high, 0.15);
  const Estimate flat = forecast(std::vector<double>(6, 0.4), steady(20));
  EXPECT_NEAR(flat.value, 0.4, 0.02);
  EXPECT_TRUE(holds(flat, 0.4));
  // One that rises is not predicted to fall far below where it is.
  const Estimate rising = forecast(std::vector<double>{0.4, 0.42, 0.45, 0.47, 0.5, 0.52}, steady(20));
  EXPECT_GT(rising.value, 0.45);
  EXPECT_TRUE(holds(rising, 0.52));
}

TEST(Curves, RefuseWhatIsNone) {
  const auto error = [](std::vector<double> losses, std::size_t epochs) {
    return error_of<ValueError>([&] { forecast(losses, steady(epochs)); });
  };
  EXPECT_EQ(error({}, 3), "[forecast] expected the losses of at least one epoch, got none");
  EXPECT_EQ(error({0.1, 0.1, 0.1}, 2),
            "[forecast] expected losses of at most the 2 epochs that are planned, got 3");
  EXPECT_EQ(error({0.1, NAN}, 9), "[forecast] expected losses above 0 and finite, got nan");
  EXPECT_EQ(error({0.1, INFINITY}, 9), "[forecast] expected losses above 0 and finite, got inf");
  EXPECT_EQ(error({0.1, 0}, 9), "[forecast] expected losses above 0 and finite, got 0");
  for (const double rate : {-0.1, double{NAN}, double{INFINITY}})
    EXPECT_EQ(
        error_of<ValueError>([&] {
          forecast(std::vector{0.2, 0.1}, std::vector{0.1, 0.1, rate});
        }),
        fmt::format("[forecast] expected learning rates that are finite and not below 0, got {}", rate));
}

class CurveProgram : public test::TrainProgram {};

TEST_F(CurveProgram, ResultsTellHowWellTheBeginningPredicts) {
  ASSERT_EQ(run("width", {"--smoke", "--widths", "8,9", "--epochs", "10", "--out-dir", "r"}).code, 0);
  int whole = 0, of_eight = 0;
  for (const std::string& line : test::rows_of(path("r"))) {
    const test::Json row = test::Json::parse(line);
    if (!row.contains("config") || row["config"]["epochs"] != 10) continue;
    ++whole;
    of_eight += row["config"]["hidden"] == "8" ? 1 : 0;
  }
  EXPECT_GE(of_eight, 6);  // two seeds of three rates
  EXPECT_GE(whole, 12);
  const test::Outcome told = run("results", {"r", "--forecast"});
  EXPECT_EQ(told.code, 0) << told.err;
  EXPECT_THAT(told.out,
              HasSubstr(fmt::format("of {} runs of 10 epochs, predicted after 30 % of them", whole)));
  for (const CurveForm form : scaling::curve_forms) EXPECT_THAT(told.out, HasSubstr(name(form)));
  EXPECT_THAT(told.out, HasSubstr("broken, in that of all three laws"));
  // The searches for rates begin with three epochs.
  EXPECT_THAT(told.out, HasSubstr("others are left out: not done, fewer than 7 epochs"));
  EXPECT_THAT(run("results", {"r", "--forecast", "--where", "hidden=8"}).out,
              HasSubstr(fmt::format("of {} runs of 10", of_eight)));
  const test::Outcome both = run("results", {"r", "--forecast", "--csv"});
  EXPECT_EQ(both.code, 2);
  EXPECT_THAT(both.err, HasSubstr("--forecast goes with neither --csv nor --json"));
  const test::Outcome none = run("results", {"r", "--forecast", "--where", "epochs=3"});
  EXPECT_EQ(none.code, 1);
  EXPECT_THAT(none.err, HasSubstr("no run of one network that is done has a validation or test loss"));
}

}  // namespace
}  // namespace elk::lab
