// An MLP against a convolutional network: which are compared, what is counted of them, what one curve is
// worth on another; and the program `architecture`.
#include <cmath>

#include <nlohmann/json.hpp>

#include <lab/architectures.hpp>
#include <lab/fit/worth.hpp>
#include <lab/results.hpp>
#include <lab/settings.hpp>

#include "experiments/fixture.hpp"
#include "support.hpp"

namespace elk::lab {
namespace {

using elk::test::error_of;
using scaling::reached;
using scaling::Reached;
using scaling::Worth;
using scaling::worths;
using testing::HasSubstr;

const ImageTask of_mnist{Shape{28, 28}, 10}, of_cifar{Shape{3, 32, 32}, 10};

TEST(Architectures, HaveTheParametersOfTheirLayers) {
  for (const double w : {1.0, 6.0, 13.0}) {
    const auto width = static_cast<Index>(w);
    EXPECT_EQ(size_of(Architecture::mlp, width, of_mnist).parameters, 785 * w + (w + 1) * 10);
    EXPECT_EQ(size_of(Architecture::mlp, width, of_cifar).parameters, 3073 * w + (w + 1) * 10);
    const double common = (25 * w + 1) * 2 * w + (20 * w + 1) * 10;  // second convolution and last layer
    EXPECT_EQ(size_of(Architecture::convolutional, width, of_mnist).parameters,
              26 * w + common + (16 * 2 * w + 1) * 20 * w);
    EXPECT_EQ(size_of(Architecture::convolutional, width, of_cifar).parameters,
              76 * w + common + (25 * 2 * w + 1) * 20 * w);
  }
  Rng rng(1);
  EXPECT_THAT(error_of<ValueError>([&] {
                make_network(Architecture::convolutional, 2, {Shape{12, 40}, 10}, rng);
              }),
              HasSubstr("expected images of at least 16 x 16, got 12 x 40"));
}

// No other width is nearer.
TEST(Architectures, PartnersAreTheNearest) {
  const auto off = [](double a, double b) { return std::abs(std::log(a / b)); };
  for (const ImageTask& task : {of_mnist, of_cifar}) {
    std::vector<NetworkSize> mlps, all;
    for (const Index width : {9, 40}) mlps.push_back(size_of(Architecture::mlp, width, task));
    for (Index width = 1; width <= 12; ++width)
      all.push_back(size_of(Architecture::convolutional, width, task));
    const std::vector<Partners> partners = partners_of(mlps, task);
    ASSERT_EQ(partners.size(), mlps.size());
    for (std::size_t i = 0; i < mlps.size(); ++i)
      for (const NetworkSize& other : all) {
        EXPECT_LE(off(partners[i].parameters.parameters, mlps[i].parameters),
                  off(other.parameters, mlps[i].parameters));
        EXPECT_LE(off(partners[i].flops.flops, mlps[i].flops), off(other.flops, mlps[i].flops));
      }
    EXPECT_LT(partners.front().parameters.width, partners.back().parameters.width);
    EXPECT_LT(partners.back().flops.width, partners.back().parameters.width);
  }
}

TEST(Architectures, FlopsOfAnImageAreThoseThatRun) {
  const auto work = architecture_runs("");
  for (const Architecture architecture : {Architecture::mlp, Architecture::convolutional}) {
    const Settings settings{{"dataset", "digits"},
                            {"model", name_of(architecture)},
                            {"width", std::int64_t{3}},
                            {"examples", std::int64_t{200}},
                            {"validation", std::int64_t{100}},
                            {"epochs", std::int64_t{3}},
                            {"test", std::int64_t{100}},
                            {"momentum", 0.9},
                            {"lr", 0.1},
                            {"seed", std::int64_t{100}}};
    work->data(settings.to_json());
    RunSummary summary;
    std::vector<train::HistoryRow> curve;
    ASSERT_TRUE(work->run(
        settings.to_json(), [] { return false; }, HUGE_VAL, summary, curve));
    const NetworkSize size = size_of(architecture, 3, of_mnist);
    EXPECT_DOUBLE_EQ(static_cast<double>(summary.flops), size.flops * 200 * 3);
    EXPECT_EQ(static_cast<double>(summary.parameters), size.parameters);
    double lowest = INFINITY;
    for (const train::HistoryRow& row : curve) lowest = std::min(lowest, row.val_loss.value());
    EXPECT_EQ(summary.val_loss, lowest);
    EXPECT_EQ(curve.size(), 3u);
  }
}

TEST(Worths, CurveIsReachedOnStraightLines) {
  const std::vector<std::pair<double, double>> curve{{4000, 0.25}, {1000, 1}, {2000, 0.5}};
  const auto at = [&](double loss) { return reached(curve, loss); };
  EXPECT_NEAR(at(0.5).size, 2000, 1e-9);
  EXPECT_NEAR(at(std::sqrt(0.5)).size, 1000 * std::sqrt(2), 1e-9);
  EXPECT_EQ(at(0.5).place, Reached::Place::within);
  EXPECT_EQ(at(1).place, Reached::Place::within);
  EXPECT_EQ(at(1.1).place, Reached::Place::before);
  EXPECT_EQ(at(1.1).size, 1000);
  EXPECT_EQ(at(0.2).place, Reached::Place::after);
  EXPECT_EQ(at(0.2).size, 4000);
  // Where it rises between, the first time counts.
  EXPECT_NEAR(reached({{1, 1}, {2, 0.5}, {4, 0.8}, {8, 0.4}}, 0.5).size, 2, 1e-12);
  EXPECT_EQ(error_of<ValueError>([] { reached({}, 1); }), "[reached] the curve has no points");
}

// Two power laws, one of which needs `factor` times as much.
std::vector<scaling::Cell> power_law(double factor, const std::vector<double>& sizes, double noise,
                                     Rng& rng) {
  std::vector<scaling::Cell> cells;
  for (const double size : sizes) {
    scaling::Cell cell{size, {}};
    for (int seed = 0; seed < 5; ++seed)
      cell.losses.push_back(0.3 * std::pow(size / factor / 1000, -0.4) * std::exp(noise * rng.normal()));
    cells.push_back(std::move(cell));
  }
  return cells;
}

TEST(Worths, OfAKnownFactorAndNoneBeyondWhatWasMeasured) {
  Rng rng(1);
  const std::vector<double> sizes{500, 1000, 2000, 4000, 8000, 16000};
  const auto fast = power_law(1, sizes, 0, rng), slow = power_law(3, sizes, 0, rng);
  const std::vector<Worth> found = worths(fast, slow, 100, rng);
  ASSERT_EQ(found.size(), 5u);  // of 16,000 nothing could be said
  for (const std::size_t i : {0u, 1u, 2u, 3u}) {
    EXPECT_EQ(found[i].other.place, Reached::Place::within);
    EXPECT_NEAR(found[i].times(), 3, 1e-9);
    EXPECT_NEAR(found[i].interval.low, 3 * found[i].size, 1e-6);
    EXPECT_FALSE(found[i].low_open || found[i].high_open);
  }
  EXPECT_EQ(found[4].other.place, Reached::Place::after);  // 24,000
  EXPECT_EQ(found[4].times(), 2);
  EXPECT_TRUE(found[4].high_open);
  EXPECT_EQ(worths(slow, fast, 100, rng)[0].other.place, Reached::Place::before);
  EXPECT_THAT(error_of<ValueError>([&] {
                worths({{500, {0.1, 0}}}, slow, 10, rng);
              }),
              HasSubstr("losses must be above 0 and finite, found 0 at size 500"));
}

TEST(Worths, HoldTheTruthInTheirIntervals) {
  Rng rng(2);
  int held = 0, all = 0;
  for (int draw = 0; draw < 150; ++draw) {
    const auto fast = power_law(1, {1000, 4000}, 0.03, rng),
               slow = power_law(3, {1000, 2000, 4000, 8000, 16000}, 0.03, rng);
    for (const Worth& worth : worths(fast, slow, 200, rng)) {
      held += worth.interval.low <= 3 * worth.size && worth.interval.high >= 3 * worth.size;
      ++all;
    }
  }
  EXPECT_EQ(all, 300);
  EXPECT_GE(held, 270) << "of " << all;  // 90 %
}

#ifndef ELK_SANITIZE  // where it is not built
class ArchitectureProgram : public test::TrainProgram {
 protected:
  test::Outcome run(const test::Arguments& arguments) { return TrainProgram::run("architecture", arguments); }
};

TEST_F(ArchitectureProgram, SaysTheSameForAnyJobsAndFromResults) {
  const test::Outcome first = run({"--smoke", "--jobs", "2", "--widths", "8", "--images", "50,100"});
  ASSERT_EQ(first.code, 0) << first.err;
  const Results found = parse_results(file("runs/architecture/results.json"), "results.json");
  EXPECT_THAT(found.verdicts,
              testing::Contains("Of the laws of digits by parameters nothing is concluded: that "
                                "needs 5 sizes of both networks, and fits that have converged."));
  EXPECT_THAT(found.verdicts, testing::Contains(HasSubstr("convolutional 3 and MLP 8")));
  ASSERT_EQ(
      run({"--smoke", "--quiet", "--jobs", "1", "--widths", "8", "--images", "50,100", "--out-dir", "s"})
          .code,
      0);
  const Results again = parse_results(file("s/results.json"), "results.json");
  EXPECT_EQ(again.numbers, found.numbers);
  EXPECT_EQ(again.verdicts, found.verdicts);
  ASSERT_EQ(run({"--smoke", "--quiet", "--from", "s/results.json", "--widths", "8", "--images", "50,100",
                 "--out-dir", "t"})
                .code,
            0);
  EXPECT_EQ(parse_results(file("t/results.json"), "results.json").verdicts, found.verdicts);
}

TEST_F(ArchitectureProgram, WrongUsage) {
  const std::pair<test::Arguments, const char*> rows[] = {
      {{"--protocol", "paper"}, "--protocol: the study has no such part; only sound"},
      {{"--dataset", "mnist,imagenet"},
       "--dataset: expected digits, mnist, fashion-mnist, cifar-10, some of these, each once, or all, got "
       "\"mnist,imagenet\""},
      {{"--widths", "0"}, "--widths: expected whole numbers above 0"},
      {{"--widths", "1e6"}, "--widths: expected whole numbers above 0 up to 10000"},
      {{"--images", "many"}, "--images: expected whole numbers above 0"}};
  for (const auto& [arguments, message] : rows) {
    const test::Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << message;
    EXPECT_THAT(outcome.err, HasSubstr(message));
  }
  const test::Outcome few = run({"--smoke", "--dataset", "digits", "--images", "50,20000"});
  EXPECT_EQ(few.code, 1);
  EXPECT_THAT(few.err, HasSubstr("--images: there are "));
}
#endif

}  // namespace
}  // namespace elk::lab
