// The intrinsic dimension of points on sets of known dimension, and the program `dimension`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <elk/base/rng.hpp>
#include <elk/elk.hpp>
#include <lab/fit/dimension.hpp>
#include <lab/results.hpp>

#include "experiments/fixture.hpp"
#include "support.hpp"

namespace elk::lab {
namespace {

using elk::test::error_of;
using scaling::Estimate;
using scaling::max_likelihood;
using scaling::nearest;
using scaling::Neighbours;
using scaling::two_nn;
using testing::HasSubstr;

constexpr std::size_t neighbours = 20;

// Points (n, 100) that d numbers each make.
Tensor linearly(const Tensor& z, Rng& rng) { return matmul(z, randn({z.size(1), 100}, rng, z.dtype())); }
// A smooth surface without self-intersections to speak of: sines of random sums.
Tensor curved(const Tensor& z, Rng& rng) {
  return sin(matmul(z, randn({z.size(1), 100}, rng, z.dtype())) + randn({100}, rng, z.dtype()));
}
// Has no boundary: every number is a place on a circle.
Tensor torus(Index n, Index d, Rng& rng) {
  const Tensor angle = uniform({n, d}, rng, 0, 6.283185307179586, f64);
  return linearly(concat({sin(angle), cos(angle)}, 1), rng);
}

TEST(Dimension, OfKnownSets) {
  struct Case {
    Index d;
    double low, high;  // what both estimators may say: they are biased in high dimensions
  };
  for (const Case& c : {Case{2, 1.85, 2.15}, Case{5, 4.4, 5.3}, Case{10, 7.5, 11}}) {
    Rng rng(static_cast<std::uint64_t>(c.d));
    const Tensor normal = randn({2000, c.d}, rng, f64), cube = uniform({2000, c.d}, rng, 0, 1, f64);
    const std::pair<const char*, Tensor> sets[] = {{"normal, flat", linearly(normal, rng)},
                                                   {"normal, curved", curved(0.3 * normal, rng)},
                                                   {"cube, flat", linearly(cube, rng)},
                                                   {"cube, curved", curved(cube, rng)},
                                                   {"torus", torus(2000, c.d, rng)}};
    for (const auto& [name, points] : sets) {
      SCOPED_TRACE(fmt::format("{} of dimension {}", name, c.d));
      const Neighbours found = nearest(points, neighbours);
      EXPECT_EQ(found.points, 2000u);
      EXPECT_EQ(found.duplicates, 0u);
      for (const Estimate& d : {two_nn(found), max_likelihood(found)}) {
        EXPECT_GT(d.value, c.low);
        // What is curved as strongly as a circle, with neighbours far apart, seems to have more.
        EXPECT_LT(d.value, name == std::string("torus") ? 1.3 * c.high : c.high);
        EXPECT_LT(d.interval.low, d.value);
        EXPECT_GT(d.interval.high, d.value);
      }
      // More neighbours tell more precisely.
      const auto width = [](const Estimate& d) { return d.interval.high - d.interval.low; };
      EXPECT_LT(width(max_likelihood(found)), width(two_nn(found)));
    }
  }
}

// The known bias: with fewer points neighbours are farther apart, and boundaries nearer.
TEST(Dimension, FallsShortTheMoreTheFewerPoints) {
  Rng rng(3);
  const Tensor points = uniform({4000, 10}, rng, 0, 1, f64);
  const double few = max_likelihood(nearest(points(range(0, 250)), neighbours)).value,
               some = max_likelihood(nearest(points(range(0, 1000)), neighbours)).value,
               many = max_likelihood(nearest(points, neighbours)).value;
  EXPECT_LT(few, some - 0.3);
  EXPECT_LT(some, many - 0.2);
  EXPECT_LT(many, 10);
}

// On a set without a boundary the interval of 95 % is to hold the truth about so often.
TEST(Dimension, HoldsTheTruthInItsInterval) {
  constexpr int draws = 100;
  int ratios = 0, likelihood = 0;
  for (int draw = 0; draw < draws; ++draw) {
    Rng rng(static_cast<std::uint64_t>(100 + draw));
    const Neighbours found = nearest(torus(600, 2, rng)(all(), range(0, 30)), 10);
    const auto holds = [](const Estimate& d) { return d.interval.low <= 2 && 2 <= d.interval.high; };
    ratios += holds(two_nn(found)), likelihood += holds(max_likelihood(found));
  }
  EXPECT_GE(ratios, 88);
  EXPECT_GE(likelihood, 88);
}

TEST(Dimension, NeighboursAreThoseOfAllDistances) {
  Rng rng(4);
  for (const DType dtype : {f32, f64}) {
    const Tensor points = randn({300, 7}, rng, dtype) + 1000;  // far from 0
    const Neighbours found = nearest(points, 5);
    ASSERT_EQ(found.list.size(), 300 * found.each);
    for (std::size_t i = 0; i < 300; ++i) {
      std::vector<double> all;
      for (std::size_t j = 0; j < 300; ++j) {
        double sum = 0;
        for (std::size_t f = 0; f < 7; ++f)
          sum += std::pow(points.at(static_cast<Index>(i * 7 + f)) - points.at(static_cast<Index>(j * 7 + f)),
                          2);
        if (i != j) all.push_back(std::sqrt(sum));
      }
      std::sort(all.begin(), all.end());
      for (std::size_t j = 0; j < 5; ++j)
        EXPECT_NEAR(found.list[i * found.each + j].distance, all[j], 1e-3 * all[j]);
    }
  }
}

TEST(Dimension, CopiesCountOnce) {
  Rng rng(5);
  const Tensor points = linearly(randn({500, 3}, rng), rng);
  const Neighbours once = nearest(points, neighbours),
                   twice = nearest(concat({points, points(range(0, 200))}, 0), neighbours);
  EXPECT_EQ(twice.points, 500u);
  EXPECT_EQ(twice.duplicates, 200u);
  EXPECT_EQ(two_nn(twice).value, two_nn(once).value);
  EXPECT_EQ(max_likelihood(twice).value, max_likelihood(once).value);
}

TEST(Dimension, RefusesWhatTellsNothing) {
  Rng rng(6);
  const Tensor points = randn({30, 4}, rng);
  EXPECT_EQ(error_of<ValueError>([&] { nearest(points(range(0, 20)), neighbours); }),
            "[nearest] expected more than 20 different points, got 20");
  EXPECT_EQ(error_of<ValueError>([&] {
              nearest(zeros({30, 784}), neighbours);
            }),
            "[nearest] expected more than 20 different points, got 1 and 29 copies");
  EXPECT_EQ(error_of<ValueError>([&] {
              nearest(zeros({0, 4}), neighbours);
            }),
            "[nearest] expected more than 20 different points, got 0");
  EXPECT_EQ(error_of<ValueError>([&] { nearest(points, 1); }),
            "[nearest] expected 2 or more neighbours, got 1");
  EXPECT_EQ(error_of<ValueError>([&] { nearest(points / 0.0, neighbours); }),
            "[nearest] expected finite values, got others");
  EXPECT_THAT(error_of<ShapeError>([&] {
                nearest(zeros({30, 28, 28}), neighbours);
              }),
              HasSubstr("got rank 3"));
  EXPECT_THAT(error_of<DTypeError>([&] { nearest(cast(points, i64), neighbours); }), HasSubstr("f32 or f64"));
  // The corners of a simplex are all at one distance.
  const Neighbours simplex = nearest(one_hot(arange(0, 30), 30, f64), neighbours);
  for (const auto estimate : {two_nn, max_likelihood})
    EXPECT_EQ(error_of<ValueError>([&] { estimate(simplex); }),
              "[dimension] expected neighbours at different distances, got them at one distance");
  // Images of one grey each lie on a line.
  EXPECT_NEAR(max_likelihood(nearest(matmul(uniform({500, 1}, rng), ones({1, 784})), neighbours)).value, 1,
              0.1);
}

class DimensionProgram : public test::TrainProgram {
 protected:
  test::Outcome run(const test::Arguments& arguments) { return TrainProgram::run("dimension", arguments); }
};

TEST_F(DimensionProgram, SmokeTellsDimensionsAndConcludesNothing) {
  const test::Outcome first = run({"--smoke", "--jobs", "2"});
  ASSERT_EQ(first.code, 0) << first.err;
  const Results found = parse_results(file("runs/dimension/results.json"), "results.json");
  EXPECT_EQ(found.dataset, "digits");
  const double pixels = found.numbers.at("digits_likelihood"),
               hidden = found.numbers.at("digits_hidden_likelihood");
  EXPECT_GT(pixels, 3);
  EXPECT_LT(pixels, 30);
  EXPECT_GT(hidden, 3);
  EXPECT_LT(hidden, 30);
  EXPECT_THAT(found.verdicts,
              testing::Contains("Of exponents and dimensions nothing is concluded: that needs "
                                "two data sets of 5 sizes or more, got 1."));
  // The same bits for any number of jobs, and from results alone.
  ASSERT_EQ(run({"--smoke", "--quiet", "--jobs", "1", "--out-dir", "s"}).code, 0);
  const Results again = parse_results(file("s/results.json"), "results.json");
  EXPECT_EQ(again.numbers, found.numbers);
  EXPECT_EQ(again.verdicts, found.verdicts);
  ASSERT_EQ(run({"--smoke", "--quiet", "--from", "s/results.json", "--out-dir", "t"}).code, 0);
  EXPECT_EQ(parse_results(file("t/results.json"), "results.json").verdicts, found.verdicts);
}

// The report tells of what could be run.
TEST_F(DimensionProgram, SizesThatThereAreNotAreToldAsFailed) {
  const test::Outcome outcome =
      run({"--smoke", "--seeds", "1", "--dataset", "digits", "--sizes", "100,200,300000"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("--train-size"));
  EXPECT_THAT(file("runs/dimension/report.html"), HasSubstr("The exponent and the dimension"));
}

TEST_F(DimensionProgram, WrongUsage) {
  const std::pair<test::Arguments, const char*> rows[] = {
      {{"--protocol", "paper"}, "--protocol: the study has no such part; only sound"},
      {{"--dataset", "mnist,imagenet"},
       "--dataset: expected digits, mnist, fashion-mnist, cifar-10, some of these, each once, or all, got "
       "\"mnist,imagenet\""},
      {{"--dataset", "digits,digits"}, "each once, or all, got \"digits,digits\""},
      {{"--dataset", ","}, "each once, or all, got \",\""},
      {{"--sizes", "few"}, "--sizes: expected"},
      {{"--sizes", "1e300"}, "--sizes: expected whole numbers above 0 up to 1e+09"}};
  for (const auto& [arguments, message] : rows) {
    const test::Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << message;
    EXPECT_THAT(outcome.err, HasSubstr(message));
  }
}

}  // namespace
}  // namespace elk::lab
