// The published data sets, from ELK_DATA_DIR: what our readers make of them against numbers computed by
// NumPy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

#include <elk/data/load.hpp>

#include "support.hpp"

namespace elk {
namespace {

class RealData : public testing::Test {
 protected:
  void SetUp() override {
    const char* dir = std::getenv("ELK_DATA_DIR");
    if (!dir || !*dir)
      GTEST_SKIP() << "ELK_DATA_DIR is not set: it names the folder that holds mnist/ and others";
    dir_ = dir;
  }
  std::string dir_;
};

std::vector<int> label_counts(const Dataset& set) {
  std::vector<int> counts(10);
  for (const auto label : set.labels.data<std::int64_t>()) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

std::int64_t pixel_sum(const Dataset& set) {
  const auto pixels = set.images.data<std::uint8_t>();
  return std::accumulate(pixels.begin(), pixels.end(), std::int64_t{0});
}

using testing::Each;
using testing::ElementsAre;

TEST_F(RealData, Mnist) {
  const auto [train, test] = load_dataset("mnist", dir_);
  EXPECT_EQ(train.images.shape(), (Shape{60000, 28, 28}));
  EXPECT_EQ(test.images.shape(), (Shape{10000, 28, 28}));
  EXPECT_THAT(label_counts(train), ElementsAre(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949));
  EXPECT_THAT(label_counts(test), ElementsAre(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009));
  EXPECT_EQ(pixel_sum(train), 1567298545);
  EXPECT_EQ(pixel_sum(test), 264923200);
}

TEST_F(RealData, FashionMnist) {
  const auto [train, test] = load_dataset("fashion-mnist", dir_);
  EXPECT_EQ(train.images.shape(), (Shape{60000, 28, 28}));
  EXPECT_EQ(test.images.shape(), (Shape{10000, 28, 28}));
  EXPECT_THAT(label_counts(train), Each(6000));
  EXPECT_THAT(label_counts(test), Each(1000));
  EXPECT_EQ(pixel_sum(train), 3431114169);
  EXPECT_EQ(pixel_sum(test), 573469082);
}

TEST_F(RealData, Cifar10) {
  const auto [train, test] = load_dataset("cifar-10", dir_);
  EXPECT_EQ(train.images.shape(), (Shape{50000, 3, 32, 32}));
  EXPECT_EQ(test.images.shape(), (Shape{10000, 3, 32, 32}));
  EXPECT_THAT(label_counts(train), Each(5000));
  EXPECT_THAT(label_counts(train.take(0, 10000)),
              ElementsAre(1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981));
  EXPECT_THAT(label_counts(test), Each(1000));
  EXPECT_EQ(pixel_sum(train), 18540682003);
  EXPECT_EQ(pixel_sum(test), 3733375634);
}

}  // namespace
}  // namespace elk
