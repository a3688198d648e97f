#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <elk/base/error.hpp>
#include <elk/data/cifar.hpp>

#include "support.hpp"

namespace elk {
namespace {

using testing::HasSubstr;

constexpr std::size_t record = 3073;

// Records with labels 0 ... 9 in turn and pixels that depend on their place.
Bytes records(std::size_t n, std::uint8_t first_pixel = 0) {
  Bytes bytes(n * record);
  for (std::size_t i = 0; i < n; ++i) {
    bytes[i * record] = static_cast<std::uint8_t>(i % 10);
    bytes[i * record + 1] = first_pixel;
    bytes[i * record + 1 + 1024] = 77;                                  // the first green value
    bytes[i * record + record - 1] = static_cast<std::uint8_t>(i + 1);  // the last blue value
  }
  return bytes;
}

TEST(Cifar, ReadsRecords) {
  const TempFolder folder;
  const auto a = folder.write("a.bin", records(2, 5)), b = folder.write("b.bin.gz", gzip(records(2, 6)));
  const Dataset set = read_cifar10({a, b}, 2);
  EXPECT_EQ(set.images.shape(), (Shape{4, 3, 32, 32}));
  EXPECT_THAT(set.labels.data<std::int64_t>(), testing::ElementsAre(0, 1, 0, 1));
  EXPECT_EQ(set.images.at(0), 5);
  EXPECT_EQ(set.images.at(1024), 77);
  EXPECT_EQ(set.images.at(2 * 3072 - 1), 2);
  EXPECT_EQ(set.images.at(2 * 3072), 6);
  EXPECT_EQ(set.classes.at(8), "ship");
}

TEST(Cifar, WrongSizes) {
  const TempFolder folder;
  const auto error = [&](const Bytes& bytes) {
    const auto path = folder.write("x.bin", bytes);
    try {
      read_cifar10({path}, 3);
    } catch (const FileError& e) {
      std::string text = e.what();
      EXPECT_EQ(text.find("[cifar-10] " + path + " "), 0u);
      return text.substr(("[cifar-10] " + path + " ").size());
    }
    return std::string("no error");
  };
  const std::string expected = "has the wrong size: expected 9219 bytes unpacked (3 records of 3073), found ";
  Bytes cut = records(3);
  cut.pop_back();
  EXPECT_EQ(error(cut), expected + "9218 (not a whole number of records)");
  EXPECT_EQ(error(gzip(cut)), expected + "9218 (not a whole number of records)");
  EXPECT_EQ(error(records(2)), expected + "6146 (2 records)");
  EXPECT_EQ(error(records(4)), expected + "more");
  Bytes trailing = records(3);
  trailing.push_back(0);
  EXPECT_EQ(error(trailing), expected + "more");
  EXPECT_EQ(error(gzip(trailing)), expected + "more");
  EXPECT_EQ(error({0x80, 0x02, '}', 'q', 1}),
            expected + "5 (not a whole number of records); it looks like a Python pickle");
}

TEST(Cifar, BrokenFiles) {
  const TempFolder folder;
  EXPECT_ERROR(read_cifar10({folder.path("none")}), FileError,
               "[data] " + folder.path("none") + " does not exist");
  EXPECT_ERROR(read_cifar10({folder.path()}), FileError,
               "[data] " + folder.path() + " is a folder, expected a file");
  EXPECT_ERROR(read_cifar10({folder.write("e", {})}), FileError,
               "[data] " + folder.path("e") + " is empty (0 bytes)");
  const Bytes packed = gzip(noise(record));
  EXPECT_THROW(read_cifar10({folder.write("t", {packed.begin(), packed.begin() + 2000})}, 1), FileError);
  EXPECT_THROW(read_cifar10({folder.write("t", {packed.begin(), packed.end() - 1})}, 1), FileError);
  Bytes crc = gzip(records(1));
  crc[crc.size() - 8] ^= 1;
  EXPECT_ERROR(read_cifar10({folder.write("c", crc)}, 1), FileError,
               "[data] " + folder.path("c") + " is corrupt: gzip reports \"incorrect data check\"");
  Bytes label = records(3);
  label[2 * record] = 10;
  EXPECT_ERROR(read_cifar10({folder.write("l", label)}, 3), FileError,
               "[cifar-10] " + folder.path("l") + " has label 10 in record 2, expected 0 to 9");
  EXPECT_ERROR(read_cifar10({}, 0), ValueError,
               "[cifar-10] the number of records must be from 1 to 100000000, got 0");
}

TEST(Cifar, StandardFilesHaveTenThousandRecords) {
  const TempFolder data;
  for (const std::string file :
       {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"})
    data.write("cifar10/cifar-10-batches-bin/" + file + ".bin", records(10));
  EXPECT_ERROR(
      load_cifar10(data.path()), FileError,
      "[cifar-10] " + data.path("cifar10/cifar-10-batches-bin/data_batch_1.bin") +
          " has the wrong size: expected 30730000 bytes unpacked (10000 records of 3073), found 30730 (10 "
          "records)");
}

// Packed, so that the test writes little.
TEST(Cifar, FoldersThatUsersHave) {
  const Bytes train = gzip(records(10000, 1)), test = gzip(records(10000, 2));
  for (const std::string folder :
       {"", "cifar-10-batches-bin/", "CIFAR10/cifar-10-batches-bin/", "cifar-10/"}) {
    const TempFolder data;
    for (int i = 1; i <= 5; ++i) data.write(folder + "data_batch_" + std::to_string(i) + ".bin.gz", train);
    data.write(folder + "test_batch.bin.gz", test);
    const TrainTest set = load_cifar10(data.path());
    EXPECT_EQ(set.train.size(), 50000);
    EXPECT_EQ(set.test.size(), 10000);
    EXPECT_EQ(set.train.images.at(0), 1);
    EXPECT_EQ(set.test.images.at(0), 2);
  }
}

TEST(Cifar, NotFoundSaysWhereItLooked) {
  const TempFolder data;
  try {
    load_cifar10(data.path());
    ADD_FAILURE();
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), HasSubstr("[cifar-10] not found; get it with `./elk data cifar-10`"));
    EXPECT_THAT(error.what(), HasSubstr("\n  " + data.path("CIFAR10/cifar-10-batches-bin")));
  }
}

}  // namespace
}  // namespace elk
