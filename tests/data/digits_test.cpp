#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <array>

#include <elk/base/error.hpp>
#include <elk/base/parallel.hpp>
#include <elk/data/digits.hpp>
#include <elk/data/load.hpp>

#include "support.hpp"

namespace elk {
namespace {

Bytes bytes_of(const Dataset& set) {
  const auto pixels = set.images.data<std::uint8_t>();
  Bytes bytes(pixels.begin(), pixels.end());
  for (const auto label : set.labels.data<std::int64_t>()) bytes.push_back(static_cast<std::uint8_t>(label));
  return bytes;
}

TEST(Digits, Shape) {
  const Dataset set = digits(0, 0, 30);
  EXPECT_NO_THROW(set.check());
  EXPECT_EQ(set.name, "digits");
  EXPECT_EQ(set.images.shape(), (Shape{30, 28, 28}));
  EXPECT_EQ(set.classes.size(), 10u);
  EXPECT_EQ(digits(0, 5, 0).size(), 0);
}

TEST(Digits, AnImageDependsOnSeedAndPlaceAlone) {
  const Dataset block = digits(7, 95, 25);  // across two blocks of work and several tens
  for (Index i = 0; i < 25; ++i) EXPECT_EQ(bytes_of(digits(7, 95 + i, 1)), bytes_of(block.take(i, 1))) << i;
  EXPECT_NE(bytes_of(digits(8, 95, 25)), bytes_of(block));
}

TEST(Digits, AnyNumberOfThreads) {
  const Bytes one = bytes_of(digits(3, 0, 450));
  set_threads(4);
  const Bytes four = bytes_of(digits(3, 0, 450));
  set_threads(1);
  EXPECT_EQ(one, four);
}

// The bytes are the same on every machine and for ever: results of experiments refer to them.
TEST(Digits, Golden) {
  const Bytes bytes = bytes_of(digits(100, 0, 1000));
  EXPECT_EQ(crc32(0, bytes.data(), static_cast<uInt>(bytes.size())), 3344012492u);
  const Bytes last = bytes_of(digits(0xffffffff, (Index{1} << 32) - 10, 10));
  EXPECT_EQ(crc32(0, last.data(), static_cast<uInt>(last.size())), 3925588098u);
}

TEST(Digits, EveryTenHoldEachDigitOnceInRandomOrder) {
  const Dataset set = digits(1, 0, 200);
  const auto labels = set.labels.data<std::int64_t>();
  for (std::size_t ten = 0; ten < 200; ten += 10)
    EXPECT_THAT(std::vector(labels.begin() + static_cast<std::ptrdiff_t>(ten),
                            labels.begin() + static_cast<std::ptrdiff_t>(ten + 10)),
                testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_FALSE(std::equal(labels.begin(), labels.begin() + 10, labels.begin() + 10));
}

// Every image shows something, leaves most of the sheet empty and keeps off its edge.
TEST(Digits, InkWhereItBelongs) {
  const Dataset set = digits(2, 0, 2000);
  const auto pixels = set.images.data<std::uint8_t>();
  int touching = 0;
  for (std::size_t i = 0; i < 2000; ++i) {
    const auto image = pixels.subspan(i * 784, 784);
    const auto inked = std::count_if(image.begin(), image.end(), [](int v) { return v > 100; });
    EXPECT_GT(inked, 15) << i;
    EXPECT_LT(inked, 350) << i;
    EXPECT_GT(*std::max_element(image.begin(), image.end()), 130) << i;
    bool edge = false;
    for (std::size_t k = 0; k < 28; ++k)
      edge = edge || image[k] > 100 || image[27 * 28 + k] > 100 || image[28 * k] > 100 ||
             image[28 * k + 27] > 100;
    touching += edge;
  }
  EXPECT_LT(touching, 20);
}

TEST(Digits, TrainAndTestAreApart) {
  const TrainTest set = digits_train_test(5, 200, 100);
  EXPECT_EQ(set.train.size(), 200);
  EXPECT_EQ(set.test.size(), 100);
  EXPECT_NE(bytes_of(set.train.take(0, 100)), bytes_of(set.test));
  EXPECT_EQ(bytes_of(digits_train_test(5, 10, 100).test), bytes_of(set.test))
      << "whatever the training set's size";
}

TEST(Digits, Errors) {
  EXPECT_ERROR(digits(0, -1, 5), ValueError, "[digits] images -1 ... + 5 are outside the series of 2^32");
  EXPECT_THROW(digits(0, 0, -5), ValueError);
  EXPECT_THROW(digits(0, Index{1} << 32, 1), ValueError);
  EXPECT_THROW(digits(0, std::numeric_limits<Index>::max(), 1), ValueError);
  EXPECT_ERROR(digits_train_test(0, -1, 5), ValueError,
               "[digits] the sizes must be from 0 to 2^31, got -1 and 5");
  EXPECT_THROW(digits_train_test(0, 1, (Index{1} << 31) + 1), ValueError);
}

TEST(LoadDataset, ByName) {
  const TrainTest set = load_dataset("digits", "", 9);
  EXPECT_EQ(set.train.size(), 10000);
  EXPECT_EQ(set.test.size(), 2000);
  EXPECT_EQ(bytes_of(set.train.take(0, 3)), bytes_of(digits(9, 0, 3)));
  EXPECT_ERROR(
      load_dataset("imagenet", "", 0), ValueError,
      "[data] unknown data set \"imagenet\": expected one of digits, mnist, fashion-mnist, cifar-10");
  EXPECT_THAT(dataset_names(), testing::ElementsAre("digits", "mnist", "fashion-mnist", "cifar-10"));
  for (const std::string name : {"mnist", "fashion-mnist", "cifar-10"})
    EXPECT_THROW(load_dataset(name, "/nonexistent", 0), FileError) << name;
}

}  // namespace
}  // namespace elk
