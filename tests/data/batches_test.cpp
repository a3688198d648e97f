#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <utility>

#include <elk/base/error.hpp>
#include <elk/data/batches.hpp>
#include <elk/data/digits.hpp>
#include <support.hpp>

#include "support.hpp"

namespace elk {
namespace {

using test::error_of;
using testing::ElementsAre;

std::vector<std::vector<std::int64_t>> labels_of(const Batches& batches) {
  std::vector<std::vector<std::int64_t>> all;
  for (const auto& [x, labels] : batches) {
    EXPECT_EQ(x.size(0), labels.size(0));
    const auto values = labels.data<std::int64_t>();
    all.emplace_back(values.begin(), values.end());
  }
  return all;
}

TEST(Gather, DividesBy255InTheDtype) {
  const Dataset set = counting(1, {16, 16});  // one image that has every value
  const std::vector<Index> rows{0};
  const Batch single = gather(set, rows), twice = gather(set, rows, f64);
  EXPECT_EQ(single.x.dtype(), f32);
  EXPECT_EQ(single.x.shape(), (Shape{1, 256}));
  EXPECT_EQ(twice.x.dtype(), f64);
  for (std::size_t v = 0; v < 256; ++v) {
    EXPECT_EQ(single.x.data<float>()[v], static_cast<float>(v) / 255.0f);
    EXPECT_EQ(twice.x.data<double>()[v], static_cast<double>(v) / 255.0);
  }
}

TEST(Gather, FollowsTheRows) {
  const Dataset set = counting(4, {1, 2});
  const std::vector<Index> rows{3, 0, 3};
  const Batch batch = gather(set, rows, f64);
  EXPECT_THAT(batch.x.data<double>(), ElementsAre(6 / 255., 7 / 255., 0., 1 / 255., 6 / 255., 7 / 255.));
  EXPECT_THAT(batch.labels.data<std::int64_t>(), ElementsAre(3, 0, 3));
  EXPECT_EQ(gather(set, {}).x.shape(), (Shape{0, 2}));
}

TEST(Gather, Errors) {
  const Dataset set = counting(4, {2});
  EXPECT_ERROR(gather(set, std::vector<Index>{0, 4}), IndexError, "[gather] row 4 is outside a dataset of 4");
  EXPECT_ERROR(gather(set, std::vector<Index>{-1}), IndexError, "[gather] row -1 is outside a dataset of 4");
  EXPECT_ERROR(gather(set, std::vector<Index>{0}, u8), DTypeError, "[gather] expected f32 or f64, got u8");
  Dataset odd = set;
  odd.labels = zeros({3}, i64);
  EXPECT_THROW(gather(odd, std::vector<Index>{3}), ShapeError);
}

TEST(Batches, InOrderWithAShortLastOne) {
  const Dataset set = counting(7, {2});
  const Batches batches(set, 3);
  EXPECT_EQ(batches.count(), 3);
  EXPECT_THAT(labels_of(batches), ElementsAre(ElementsAre(0, 1, 2), ElementsAre(3, 4, 5), ElementsAre(6)));
  EXPECT_THAT(labels_of(batches), ElementsAre(ElementsAre(0, 1, 2), ElementsAre(3, 4, 5), ElementsAre(6)));
}

TEST(Batches, TheSizeMayDivideOrExceedTheSet) {
  const Dataset set = counting(6, {2});
  EXPECT_EQ(Batches(set, 3).count(), 2);
  EXPECT_EQ(Batches(set, std::numeric_limits<Index>::max()).count(), 1);
  EXPECT_THAT(labels_of(Batches(set, 100)), ElementsAre(ElementsAre(0, 1, 2, 3, 4, 5)));
  EXPECT_THAT(labels_of(Batches(counting(0, {2}), 3)), ElementsAre());
}

TEST(Batches, ShuffledByOnePermutationAPass) {
  // RandomState(100).permutation(10), twice.
  const Dataset set = counting(10, {2});
  Rng rng(100);
  const Batches batches(set, 4, rng, f64);
  EXPECT_THAT(labels_of(batches),
              ElementsAre(ElementsAre(7, 6, 1, 5), ElementsAre(4, 2, 0, 3), ElementsAre(9, 8)));
  EXPECT_THAT(labels_of(batches),
              ElementsAre(ElementsAre(7, 8, 5, 3), ElementsAre(4, 6, 0, 1), ElementsAre(9, 2)));
  Rng same(100);
  same.permutation(10);
  same.permutation(10);
  EXPECT_EQ(rng.bits(), same.bits()) << "a pass draws nothing else";
}

TEST(Batches, OutliveTheDatasetTheyWereMadeOf) {
  const Batches batches(counting(3, {2}), 2);
  EXPECT_THAT(labels_of(batches), ElementsAre(ElementsAre(0, 1), ElementsAre(2)));
}

TEST(Batches, AnInterruptedPassGoesOn) {
  const Dataset set = counting(10, {3});
  Rng rng(7);
  const auto order = rng.permutation(10);
  const auto whole = labels_of(Batches(set, 4, order));
  ASSERT_EQ(whole.size(), 3u);
  for (Index first = 0; first <= 3; ++first) {
    const Batches rest(set, 4, order, f32, first);
    EXPECT_EQ(rest.count(), 3);
    EXPECT_EQ(rest.begin().number(), first);
    EXPECT_EQ(labels_of(rest), std::vector(whole.begin() + first, whole.end()));
  }
  // The order may be of some rows only.
  EXPECT_THAT(labels_of(Batches(set, 2, {9, 9, 1})), ElementsAre(ElementsAre(9, 9), ElementsAre(1)));
}

TEST(Batches, OnesThatWereMovedFromSaySo) {
  const std::string message = "[batches] this object was moved from: use the one that it was moved to";
  for (const bool begun : {false, true}) {
    Batches batches(digits(1, 0, 6), 3);
    const auto at = batches.begin();
    const Batches taken = std::move(batches);
    // NOLINTNEXTLINE(bugprone-use-after-move)
    EXPECT_EQ(error_of<ValueError>([&] { begun ? (void)*at : (void)batches.begin(); }), message);
    EXPECT_EQ((*taken.begin()).x.shape(), (Shape{3, 784}));
  }
}

TEST(Batches, Errors) {
  const Dataset set = counting(10, {3});
  EXPECT_ERROR(Batches(set, 0), ValueError, "[batches] the batch size must be at least 1, got 0");
  EXPECT_ERROR(Batches(set, 5, i64), DTypeError, "[batches] expected f32 or f64, got i64");
  EXPECT_ERROR(Batches(set, 5, {0, 10}), IndexError,
               "[batches] row 10 of the order is outside a dataset of 10");
  EXPECT_ERROR(Batches(set, 5, {0, 1}, f32, 2), IndexError, "[batches] cannot start at batch 2 of 1");
  Dataset bad = set;
  bad.labels = full({10}, 10, i64);
  EXPECT_THROW(Batches(bad, 5), IndexError);
}

}  // namespace
}  // namespace elk
