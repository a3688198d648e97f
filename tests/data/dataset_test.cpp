#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include <elk/base/error.hpp>
#include <elk/data/dataset.hpp>

#include "support.hpp"

namespace elk {
namespace {

using testing::ElementsAre;

TEST(Dataset, KnowsItsSizes) {
  const Dataset set = counting(5, {2, 3});
  EXPECT_EQ(set.size(), 5);
  EXPECT_EQ(set.sample_shape(), (Shape{2, 3}));
  EXPECT_EQ(set.features(), 6);
  EXPECT_NO_THROW(set.check());
}

TEST(Dataset, AnEmptyOneIsADataset) {
  const Dataset set = counting(0, {2, 3});
  EXPECT_NO_THROW(set.check());
  EXPECT_EQ(set.take(0, 0).size(), 0);
}

TEST(Dataset, CheckNamesWhatIsWrong) {
  const Dataset good = counting(3, {4});
  Dataset set = good;
  set.images = zeros({3, 4}, f32);
  EXPECT_ERROR(set.check(), DTypeError,
               "[counting] images must be u8, got f32: for others, write Examples(x, y)");
  set = good;
  set.labels = zeros({3}, f32);
  EXPECT_ERROR(set.check(), DTypeError, "[counting] labels must be i64, got f32: write cast(labels, i64)");
  set = good;
  set.labels = zeros({4}, i64);
  EXPECT_ERROR(set.check(), ShapeError,
               "[counting] expected images (N, ...) and labels (N), got (3, 4) and (4)");
  set.labels = zeros({}, i64);
  EXPECT_ERROR(set.check(), ShapeError,
               "[counting] expected images (N, ...) and labels (N), got (3, 4) and ()");
  set.labels = from({0, 1, 10}, i64);
  EXPECT_ERROR(set.check(), IndexError, "[counting] label 10 of image 2 is outside its 10 classes");
  set.labels = from({0, -1, 9}, i64);
  EXPECT_ERROR(set.check(), IndexError, "[counting] label -1 of image 1 is outside its 10 classes");
}

TEST(Dataset, TakeCopiesARun) {
  const Dataset part = counting(6, {2}).take(2, 3);
  EXPECT_EQ(part.images.shape(), (Shape{3, 2}));
  EXPECT_THAT(part.images.data<std::uint8_t>(), ElementsAre(4, 5, 6, 7, 8, 9));
  EXPECT_THAT(part.labels.data<std::int64_t>(), ElementsAre(2, 3, 4));
  EXPECT_EQ(part.classes.size(), 10u);
}

TEST(Dataset, TakeRefusesWhatIsNotThere) {
  const Dataset set = counting(6, {2});
  EXPECT_ERROR(set.take(4, 3), IndexError, "[take] 3 images from 4 on are outside a dataset of 6");
  EXPECT_THROW(set.take(-1, 1), IndexError);
  EXPECT_THROW(set.take(0, -1), IndexError);
  EXPECT_THROW(set.take(7, 0), IndexError);
  EXPECT_THROW(set.take(1, std::numeric_limits<Index>::max()), IndexError);
  EXPECT_THROW(set.take(std::numeric_limits<Index>::max(), 1), IndexError);
}

TEST(Dataset, SubsetFollowsTheRows) {
  const Dataset set = counting(6, {2});
  const std::vector<Index> rows{5, 0, 5};
  const Dataset part = set.subset(rows);
  EXPECT_THAT(part.images.data<std::uint8_t>(), ElementsAre(10, 11, 0, 1, 10, 11));
  EXPECT_THAT(part.labels.data<std::int64_t>(), ElementsAre(5, 0, 5));
  const std::vector<Index> beyond{0, 6};
  EXPECT_ERROR(set.subset(beyond), IndexError, "[subset] row 6 is outside a dataset of 6");
  const std::vector<Index> before{-1};
  EXPECT_THROW(set.subset(before), IndexError);
}

TEST(Dataset, SplitHoldsOutTheFirstOfThePermutation) {
  const Dataset set = counting(10, {1});
  Rng rng(100), same(100);
  const auto [train, held_out] = split(set, 3, rng);
  const auto order = same.permutation(10);
  std::set<Index> expected(order.begin(), order.begin() + 3);
  EXPECT_THAT(held_out.labels.data<std::int64_t>(),
              testing::ElementsAreArray(expected));  // in their original order
  std::set<std::int64_t> all(expected);
  for (const auto label : train.labels.data<std::int64_t>()) EXPECT_TRUE(all.insert(label).second);
  EXPECT_EQ(all.size(), 10u);
  EXPECT_TRUE(
      std::is_sorted(train.labels.data<std::int64_t>().begin(), train.labels.data<std::int64_t>().end()));
  EXPECT_EQ(train.images.data<std::uint8_t>()[0], train.labels.data<std::int64_t>()[0]);
}

TEST(Dataset, SplitOfNothing) {
  Rng rng(1);
  const auto [train, held_out] = split(counting(4, {1}), 0, rng);
  EXPECT_EQ(train.size(), 4);
  EXPECT_EQ(held_out.size(), 0);
}

TEST(Dataset, SplitLeavesSomethingToTrainOn) {
  Rng rng(1);
  const Dataset set = counting(4, {1});
  EXPECT_ERROR(split(set, 4, rng), ValueError,
               "[split] cannot hold out 4 of 4 images: at least one must be left to train on");
  EXPECT_THROW(split(set, -1, rng), ValueError);
}

}  // namespace
}  // namespace elk
