#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <elk/base/error.hpp>
#include <elk/data/idx.hpp>

#include "support.hpp"

namespace elk {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <class F>
std::string message(F f) {
  try {
    f();
  } catch (const FileError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

class Idx : public testing::Test {
 protected:
  std::string images_error(const std::string& name, const Bytes& bytes) {
    const auto path = folder_.write(name, bytes);
    return message([&] { read_idx_images(path); });
  }
  std::string labels_error(const std::string& name, const Bytes& bytes) {
    const auto path = folder_.write(name, bytes);
    return message([&] { read_idx_labels(path); });
  }
  std::string in(const std::string& name) { return folder_.path(name); }

  TempFolder folder_;
};

TEST_F(Idx, ReadsRawAndPacked) {
  const Bytes file = idx(2051, {2, 1, 3}, {1, 2, 3, 250, 251, 255});
  for (const auto& path : {folder_.write("raw", file), folder_.write("packed.gz", gzip(file))}) {
    const Tensor images = read_idx_images(path);
    EXPECT_EQ(images.shape(), (Shape{2, 1, 3}));
    EXPECT_THAT(images.data<std::uint8_t>(), ElementsAre(1, 2, 3, 250, 251, 255));
  }
  const Bytes labels = idx(2049, {3}, {9, 0, 4});
  for (const auto& path : {folder_.write("l", labels), folder_.write("l.gz", gzip(labels))})
    EXPECT_THAT(read_idx_labels(path).data<std::int64_t>(), ElementsAre(9, 0, 4));
  // Packing is seen from the bytes, whatever the name.
  EXPECT_EQ(read_idx_labels(folder_.write("l2", gzip(labels))).size(), 3);
  EXPECT_EQ(read_idx_images(folder_.write("none", idx(2051, {0, 28, 28}, {}))).shape(), (Shape{0, 28, 28}));
}

TEST_F(Idx, ReadsAFileOfSeveralGzipMembers) {
  Bytes file = gzip(idx(2051, {2, 1, 2}, {1, 2}));
  const Bytes more = gzip({3, 4});
  file.insert(file.end(), more.begin(), more.end());
  EXPECT_THAT(read_idx_images(folder_.write("two.gz", file)).data<std::uint8_t>(), ElementsAre(1, 2, 3, 4));
}

TEST_F(Idx, MissingFolderEmpty) {
  EXPECT_ERROR(read_idx_images(in("nothing")), FileError, "[data] " + in("nothing") + " does not exist");
  EXPECT_ERROR(read_idx_images(folder_.path()), FileError,
               "[data] " + folder_.path() + " is a folder, expected a file");
  EXPECT_EQ(images_error("empty", {}), "[data] " + in("empty") + " is empty (0 bytes)");
  EXPECT_EQ(images_error("empty.gz", gzip({})),
            "[idx] " + in("empty.gz") + " ends inside its header: expected 16 bytes, found 0");
  EXPECT_THAT(message([] { read_idx_labels("/dev/null"); }),
              HasSubstr("is not a regular file, expected a file"));
}

TEST_F(Idx, TruncatedRaw) {
  const Bytes file = idx(2051, {2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(images_error("h", {file.begin(), file.begin() + 15}),
            "[idx] " + in("h") + " ends inside its header: expected 16 bytes, found 15");
  EXPECT_EQ(images_error("one", {0}),
            "[idx] " + in("one") + " ends inside its header: expected 16 bytes, found 1");
  EXPECT_EQ(images_error("t", {file.begin(), file.end() - 1}),
            "[data] " + in("t") + " has the wrong size: expected 24 bytes, found 23");
  EXPECT_EQ(labels_error("l", idx(2049, {5}, {1, 2})),
            "[data] " + in("l") + " has the wrong size: expected 13 bytes, found 10");
}

TEST_F(Idx, TrailingBytes) {
  Bytes file = idx(2049, {2}, {1, 2, 3});
  EXPECT_EQ(labels_error("l", file),
            "[data] " + in("l") + " has the wrong size: expected 10 bytes, found 11");
  EXPECT_EQ(labels_error("l.gz", gzip(file)),
            "[data] " + in("l.gz") + " has the wrong size: expected 10 bytes unpacked, found more");
}

TEST_F(Idx, MissingPayloadInAWholeGzipStream) {
  EXPECT_EQ(labels_error("l.gz", gzip(idx(2049, {5}, {1, 2}))),
            "[data] " + in("l.gz") + " has the wrong size: expected 13 bytes unpacked, found 10");
}

// A gzip file cut at any place must be refused, also inside its header and its trailer.
TEST_F(Idx, TruncatedGzipAtEveryLength) {
  const Bytes whole = gzip(idx(2051, {3, 20, 20}, noise(1200)));
  for (std::size_t length = 1; length < whole.size();
       length += length < 40 || length + 40 > whole.size() ? 1 : 97) {
    const auto path =
        folder_.write("cut.gz", {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
    EXPECT_THROW(read_idx_images(path), FileError) << length << " of " << whole.size();
  }
  EXPECT_THAT(images_error("cut.gz", {whole.begin(), whole.begin() + 700}),
              HasSubstr("[data] " + in("cut.gz") + " is cut off: the gzip stream ends too early, after "));
  EXPECT_THAT(images_error("cut.gz", {whole.begin(), whole.end() - 4}),
              HasSubstr("the gzip stream ends too early"));
}

TEST_F(Idx, CorruptGzip) {
  const Bytes whole = gzip(idx(2051, {3, 20, 20}, noise(1200)));
  Bytes bad = whole;
  bad[bad.size() - 8] ^= 1;  // the checksum
  EXPECT_EQ(images_error("crc.gz", bad),
            "[data] " + in("crc.gz") + " is corrupt: gzip reports \"incorrect data check\"");
  bad = whole;
  bad[bad.size() - 1] ^= 1;  // the length
  EXPECT_EQ(images_error("len.gz", bad),
            "[data] " + in("len.gz") + " is corrupt: gzip reports \"incorrect length check\"");
  for (std::size_t i = 10; i < whole.size(); i += 53) {
    bad = whole;
    bad[i] ^= 0x55;
    EXPECT_THROW(read_idx_images(folder_.write("bad.gz", bad)), FileError) << "byte " << i;
  }
}

TEST_F(Idx, WrongMagicSaysWhatItLooksLike) {
  const auto expected = [&](const std::string& name, const std::string& rest) {
    return "[idx] " + in(name) + " is not a file of IDX images: expected magic 2051, found " + rest;
  };
  EXPECT_EQ(images_error("a", idx(2049, {3}, {1, 2, 3})), expected("a", "2049; it looks like IDX labels"));
  EXPECT_EQ(images_error("b", idx(0x03080000, {1, 1, 1}, {1})),
            expected("b", "50855936; it looks like IDX images with the bytes of each number reversed"));
  EXPECT_EQ(images_error("c", idx(0x0d03, {1, 1, 1}, {1})),
            expected("c", "3331; it looks like an IDX file of another type or rank"));
  const std::string html = "<!DOCTYPE html><html>Not found</html>";
  EXPECT_EQ(images_error("d", {html.begin(), html.end()}),
            expected("d", "1008813135; it looks like a web page: the download went wrong"));
  EXPECT_EQ(images_error("e", gzip(gzip(idx(2051, {1, 1, 1}, {1})))),
            expected("e", "529205248; it looks like a gzip file, packed twice"));
  EXPECT_EQ(images_error("f", {9, 9, 9, 9, 9}), expected("f", "151587081"));
  EXPECT_EQ(labels_error("g", idx(2051, {1, 1, 1}, {1})),
            "[idx] " + in("g") +
                " is not a file of IDX labels: expected magic 2049, found 2051; it looks like IDX images");
}

// Sizes that would take gigabytes or overflow are refused before anything is set aside for them.
TEST_F(Idx, AbsurdSizes) {
  const std::uint32_t huge = 0xffffffff;
  EXPECT_EQ(images_error("a", idx(2051, {huge, 28, 28}, Bytes(784))),
            "[data] " + in("a") + " claims to hold 3367254359296 bytes, more than its 800 bytes on disk can");
  EXPECT_EQ(images_error("b", idx(2051, {huge, huge, huge}, {})),
            "[idx] " + in("b") + " claims images of 4294967295 x 4294967295, expected sides from 1 to 65536");
  EXPECT_EQ(
      images_error("c", idx(2051, {huge, 65536, 65536}, {})),
      "[data] " + in("c") + " claims to hold 18446744069414584336 bytes, more than its 16 bytes on disk can");
  EXPECT_EQ(images_error("d", idx(2051, {5, 0, 28}, {})),
            "[idx] " + in("d") + " claims images of 0 x 28, expected sides from 1 to 65536");
  EXPECT_THAT(images_error("e.gz", gzip(idx(2051, {1000000, 28, 28}, Bytes(784)))),
              HasSubstr(" claims to hold 784000016 bytes, more than its "));
  EXPECT_EQ(labels_error("f", idx(2049, {huge}, {1})),
            "[data] " + in("f") + " has the wrong size: expected 4294967303 bytes, found 9");
  EXPECT_THAT(labels_error("g.gz", gzip(idx(2049, {huge}, {1}))),
              HasSubstr(" claims to hold 4294967303 bytes"));
}

TEST_F(Idx, LabelsOutOfRange) {
  EXPECT_EQ(labels_error("l", idx(2049, {4}, {0, 9, 10, 255})),
            "[idx] " + in("l") + " has label 10 at place 2, expected 0 to 9");
  EXPECT_ERROR(read_idx_labels(folder_.write("m", idx(2049, {2}, {0, 2})), 2), FileError,
               "[idx] " + in("m") + " has label 2 at place 1, expected 0 to 1");
  EXPECT_EQ(read_idx_labels(folder_.write("n", idx(2049, {2}, {0, 200})), 256).at(1), 200);
}

// Four files of a tiny set whose every pixel is `mark`.
void write_set(const TempFolder& to, const std::string& folder, std::uint8_t mark,
               const std::string& dot = "-", bool packed = false) {
  const auto write = [&](const std::string& name, const Bytes& bytes) {
    to.write(folder + name + (packed ? ".gz" : ""), packed ? gzip(bytes) : bytes);
  };
  write("train-images" + dot + "idx3-ubyte", idx(2051, {3, 28, 28}, Bytes(3 * 784, mark)));
  write("train-labels" + dot + "idx1-ubyte", idx(2049, {3}, {0, 1, 2}));
  write("t10k-images" + dot + "idx3-ubyte", idx(2051, {2, 28, 28}, Bytes(2 * 784, mark)));
  write("t10k-labels" + dot + "idx1-ubyte", idx(2049, {2}, {3, 4}));
}

TEST(LoadIdx, FoldersAndNamesThatUsersHave) {
  int mark = 1;
  for (const std::string folder : {"", "raw/", "mnist/", "MNIST/", "MNIST/raw/"})
    for (const std::string dot : {"-", "."})
      for (const bool packed : {false, true}) {
        const TempFolder data;
        write_set(data, folder, static_cast<std::uint8_t>(++mark), dot, packed);
        const TrainTest set = load_mnist(data.path());
        EXPECT_EQ(set.train.name, "mnist");
        EXPECT_EQ(set.train.size(), 3);
        EXPECT_EQ(set.test.size(), 2);
        EXPECT_EQ(set.train.images.at(0), mark) << folder;
        EXPECT_EQ(set.test.labels.at(1), 4);
        EXPECT_EQ(set.test.classes.at(7), "7");
      }
  for (const std::string folder :
       {"", "fashion-mnist/", "fashion_mnist/", "FashionMNIST/", "FashionMNIST/raw/"}) {
    const TempFolder data;
    write_set(data, folder, 5);
    const TrainTest set = load_fashion_mnist(data.path());
    EXPECT_EQ(set.train.name, "fashion-mnist");
    EXPECT_EQ(set.train.classes.at(9), "Ankle boot");
    EXPECT_EQ(set.train.images.at(0), 5);
  }
}

TEST(LoadIdx, OneSetIsNotTakenForTheOther) {
  const TempFolder data;
  write_set(data, "mnist/", 1);
  EXPECT_THROW(load_fashion_mnist(data.path()), FileError);
  write_set(data, "fashion-mnist/", 2);
  write_set(data, "", 3);  // loose files beside the folders: the folders' names are more telling
  EXPECT_EQ(load_mnist(data.path()).train.images.at(0), 1);
  EXPECT_EQ(load_fashion_mnist(data.path()).train.images.at(0), 2);
}

TEST(LoadIdx, AFolderInPlaceOfAFileIsPassedOverWhereTheFileIsThere) {
  const TempFolder data;
  write_set(data, "", 6, ".");
  std::filesystem::create_directory(data.path("train-images-idx3-ubyte"));
  EXPECT_EQ(load_mnist(data.path()).train.images.at(0), 6);
  std::filesystem::remove(data.path("train-images.idx3-ubyte"));
  EXPECT_ERROR(load_mnist(data.path()), FileError,
               "[data] " + data.path("train-images-idx3-ubyte") + " is a folder, expected a file");
}

TEST(LoadIdx, NotFoundSaysWhereItLooked) {
  const TempFolder data;
  const std::string d = data.path();
  EXPECT_ERROR(load_mnist(d), FileError,
               "[mnist] not found; get it with `./elk data mnist`, or say where it is with --data-dir or "
               "ELK_DATA_DIR. "
               "Looked in:\n  " +
                   d + "/mnist\n  " + d + "/mnist/raw\n  " + d + "/MNIST\n  " + d + "/MNIST/raw\n  " + d +
                   "\n  " + d + "/raw");
  EXPECT_ERROR(
      load_fashion_mnist(""), FileError,
      "[fashion-mnist] no data folder was given; get it with `./elk data fashion-mnist`, or say where it is "
      "with --data-dir or ELK_DATA_DIR");
}

TEST(LoadIdx, SomeFilesMissing) {
  const TempFolder data;
  write_set(data, "mnist/", 1);
  std::filesystem::remove(data.path("mnist/t10k-labels-idx1-ubyte"));
  EXPECT_ERROR(load_mnist(data.path()), FileError,
               "[mnist] " + data.path("mnist") +
                   " lacks t10k-labels-idx1-ubyte (or the same with .gz); get it with `./elk data mnist`, or "
                   "say where "
                   "it is with --data-dir or ELK_DATA_DIR");
}

TEST(LoadIdx, ImagesAndLabelsThatDoNotBelongTogether) {
  const TempFolder data;
  write_set(data, "", 1);
  data.write("train-labels-idx1-ubyte", idx(2049, {4}, {0, 1, 2, 3}));
  EXPECT_ERROR(load_mnist(data.path()), FileError,
               "[mnist] " + data.path("train-images-idx3-ubyte") + " holds 3 images, but " +
                   data.path("train-labels-idx1-ubyte") + " holds 4 labels");
}

TEST(LoadIdx, ImagesOfAnotherSize) {
  const TempFolder data;
  write_set(data, "", 1);
  data.write("t10k-images-idx3-ubyte", idx(2051, {2, 14, 14}, Bytes(2 * 196)));
  EXPECT_ERROR(
      load_mnist(data.path()), FileError,
      "[mnist] " + data.path("t10k-images-idx3-ubyte") + " holds images (14, 14), expected (28, 28)");
}

}  // namespace
}  // namespace elk
