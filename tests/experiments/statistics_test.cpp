// What is said of several comparisons at once, where the truth is known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <elk/base/error.hpp>
#include <elk/base/rng.hpp>
#include <lab/epochs.hpp>
#include <lab/statistics.hpp>

#include "support.hpp"

namespace elk::lab {
namespace {

using elk::test::error_of;
using testing::Each;
using testing::Field;
using testing::SizeIs;

std::vector<double> draw(int count, double mean, double deviation, Rng& rng) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(mean + deviation * rng.normal());
  return values;
}

// A report of 12 comparisons over five seeds with these differences, whose deviations rise by `unlike` from
// the first to the last.
Family report(const std::vector<double>& differences, double unlike, double margin, Rng& rng) {
  Family family;
  const std::vector<double> zero(5, 0);
  for (std::size_t i = 0; i < differences.size(); ++i) {
    const double deviation = 0.1 * std::pow(unlike, static_cast<double>(i) / 11);
    family.add("accuracy", draw(5, differences[i], deviation, rng), zero, margin);
  }
  return family;
}

TEST(Families, FindNothingWhereThereIsNothing) {
  constexpr int reports = 2000;
  for (const double unlike : {1.0, 3.0, 30.0}) {
    SCOPED_TRACE(unlike);
    Rng rng(1);
    int wrong = 0;
    double covered = 0;
    for (int i = 0; i < reports; ++i) {
      bool any = false;
      for (const Judgement& judgement : report(std::vector<double>(12, 0), unlike, 0, rng).judge()) {
        any = any || judgement.stands;
        covered += (judgement.low <= 0 && 0 <= judgement.high) / (12.0 * reports);
      }
      wrong += any;
    }
    EXPECT_LE(wrong, 0.05 * reports + 2 * std::sqrt(0.05 * 0.95 * reports));
    EXPECT_NEAR(covered, 0.95, 0.015);
  }
}

TEST(Families, FindWhatIsThere) {
  // A difference of three standard deviations of a pair: five seeds alone would seldom find it among twelve.
  constexpr int reports = 500;
  std::vector<double> differences(12, 0);
  differences[4] = 0.3;
  Rng rng(2);
  int found = 0, alone = 0;
  for (int i = 0; i < reports; ++i) {
    found += report(differences, 1, 0, rng).judge()[4].stands;
    const std::vector<double> one = draw(5, 0.3, 0.1, rng), zero(5, 0);
    alone += paired_difference(one, zero).p < 0.05 / 12;
  }
  EXPECT_GT(found, 0.95 * reports);
  EXPECT_LT(alone, 0.75 * reports);
}

TEST(Families, CallEqualOnlyWhatIsWithinTheMargin) {
  constexpr int reports = 1000;
  Rng rng(3);
  int wrong = 0, right = 0;
  for (int i = 0; i < reports; ++i) {
    bool any = false;
    for (const Judgement& judgement : report(std::vector<double>(12, 0.2), 1, 0.2, rng).judge())
      any = any || judgement.equal;  // each lies on the edge
    wrong += any;
    right += report(std::vector<double>(12, 0), 1, 0.2, rng).judge()[0].equal;
  }
  EXPECT_LE(wrong, 0.05 * reports + 2 * std::sqrt(0.05 * 0.95 * reports));
  EXPECT_GT(right, 0.75 * reports);
}

TEST(Families, HaveAComparisonOnce) {
  Family family;
  const std::vector<double> a{1, 2, 4}, b{0, 1, 1};
  EXPECT_FALSE(family.add("accuracy", a, b, 0, "a", "b").flipped);
  const Family::Place again = family.add("accuracy", b, a, 0, "b", "a");
  EXPECT_TRUE(again.flipped);
  EXPECT_EQ(again.index, 0u);
  EXPECT_EQ(family.add("loss", a, b, 0, "a", "b").index, 1u);
  ASSERT_EQ(family.size(), 2u);
  const auto judgements = family.judge();
  const Difference alone = paired_difference(a, b);  // two comparisons borrow nothing
  EXPECT_DOUBLE_EQ(judgements[1].mean, alone.mean);
  EXPECT_DOUBLE_EQ(judgements[1].low, alone.low);
  EXPECT_DOUBLE_EQ(judgements[1].p, alone.p);
  EXPECT_DOUBLE_EQ(again.in(judgements).mean, -alone.mean);
  EXPECT_DOUBLE_EQ(again.in(judgements).low, -alone.high);
  EXPECT_FALSE(judgements[1].equal);  // nobody asked
}

TEST(Families, OfTooFewSayNothing) {
  Family family;
  EXPECT_THAT(family.judge(), testing::IsEmpty());
  family.add("accuracy", std::vector<double>{1}, std::vector<double>{0}, 0.1);
  family.add("accuracy", std::vector<double>{nan, nan}, std::vector<double>{0, 0}, 0.1);
  family.add("accuracy", std::vector<double>{}, std::vector<double>{}, 0.1);
  const auto judgements = family.judge();
  ASSERT_THAT(judgements, SizeIs(3));  // without names each is another one
  EXPECT_THAT(judgements, Each(Field(&Judgement::stands, false)));
  EXPECT_THAT(judgements, Each(Field(&Judgement::equal, false)));
  EXPECT_EQ(judgements[0].mean, 1);
  EXPECT_TRUE(std::isnan(judgements[0].low));
  EXPECT_TRUE(std::isnan(judgements[1].mean));
  // The same difference from every seed.
  Family sure;
  sure.add("accuracy", std::vector<double>{1, 1}, std::vector<double>{0, 0}, 0.1);
  sure.add("accuracy", std::vector<double>{0, 0}, std::vector<double>{0, 0}, 0.1);
  EXPECT_TRUE(sure.judge()[0].stands);
  EXPECT_FALSE(sure.judge()[0].equal);
  EXPECT_FALSE(sure.judge()[1].stands);
  EXPECT_TRUE(sure.judge()[1].equal);
  EXPECT_EQ(error_of<ValueError>([&] { sure.add("", std::vector<double>{1}, {}); }),
            "[statistics] pairs need as many values on both sides");
}

// The last epoch of a flat, noisy curve against the one that validation chose: five seeds of 100 epochs.
TEST(Epochs, AreNoOverfittingOnAFlatCurve) {
  constexpr int curves = 400;
  Rng rng(4);
  int by_validation = 0, by_test = 0;
  for (int i = 0; i < curves; ++i) {
    std::vector<double> last, chosen, lowest;
    for (int seed = 0; seed < 5; ++seed) {
      std::vector<train::HistoryRow> rows(100), tested(100);
      for (std::size_t epoch = 0; epoch < rows.size(); ++epoch) {
        rows[epoch].val_loss = 0.1 + 0.01 * rng.normal();
        rows[epoch].test_loss = tested[epoch].test_loss = 0.1 + 0.01 * rng.normal();
      }
      last.push_back(*rows.back().test_loss);
      chosen.push_back(*rows[chosen_epoch(rows)].test_loss);
      lowest.push_back(*rows[chosen_epoch(tested)].test_loss);
    }
    by_validation += paired_difference(last, chosen).low > 0;
    by_test += paired_difference(last, lowest).low > 0;
  }
  EXPECT_LE(by_validation, 0.025 * curves + 2 * std::sqrt(0.025 * 0.975 * curves));
  EXPECT_GE(by_test, 0.9 * curves);  // which tells why
}

TEST(Accuracies, MoveByTheSamplingOfImages) {
  EXPECT_NEAR(by_images(0.985, 10000), 0.00238, 1e-5);
  EXPECT_EQ(by_images(1, 10), 0);
  EXPECT_TRUE(std::isnan(by_images(0.5, 0)));
}

}  // namespace
}  // namespace elk::lab
