// PNG and PGM files of every kind, damaged and cut off.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <elk/data/image_file.hpp>
#include <elk/io/npy.hpp>
#include <elk/ops/shape.hpp>

#include <support.hpp>
#include "io/temporary_folder.hpp"
#include "png.hpp"

namespace elk::test {
namespace {

using namespace std::string_literals;
using testing::AnyOf;
using testing::ElementsAre;
using testing::StartsWith;

class ImageFile : public testing::Test {
 protected:
  std::string write(const std::string& bytes) {
    std::ofstream(folder_ / "image", std::ios::binary) << bytes;  // many times: not worth an fsync
    return folder_ / "image";
  }
  Tensor read(const std::string& bytes) { return read_image(write(bytes)); }
  // What is said of a file after its path.
  std::string error(const std::string& bytes) {
    const std::string path = write(bytes), start = "[image] " + path + " ";
    const std::string text = error_of<FileError>([&] { read_image(path); });
    return text.starts_with(start) ? text.substr(start.size()) : text;
  }

  TemporaryFolder folder_;
};

#ifdef ELK_HAS_PNG

// Three planes, also of a grey image.
Tensor planes(const Tensor& image) {
  return image.rank() == 3 ? image : concat({expand(image, 0), expand(image, 0), expand(image, 0)}, 0);
}

TEST_F(ImageFile, ReadsEveryKindOfPng) {
  struct Row {
    const char* what;
    std::string file;
    std::vector<double> expected;  // of an image of 2 x 1: reds, greens, blues
  };
  const std::string colours = chunk("PLTE", "\x0a\x14\x1e\xc8\xd2\xdc"s), red = "\xff\x0a\x14\x1e\x28\x32"s;
  const std::vector<double> greys01{0, 255, 0, 255, 0, 255}, table{10, 200, 20, 210, 30, 220};
  const std::vector<Row> rows = {
      {"grey 1", png(2, 1, grey, 1, "\x40"s), greys01},
      {"grey 2", png(2, 1, grey, 2, "\x10"s), {0, 85, 0, 85, 0, 85}},
      {"grey 4", png(2, 1, grey, 4, "\x1f"s), {17, 255, 17, 255, 17, 255}},
      {"grey 8", png(2, 1, grey, 8, "\x07\xc8"s), {7, 200, 7, 200, 7, 200}},
      {"grey 16", png(2, 1, grey, 16, "\x07\x07\xc8\xc8"s), {7, 200, 7, 200, 7, 200}},
      {"rgb 8", png(2, 1, rgb, 8, red), {255, 30, 10, 40, 20, 50}},
      {"rgb 16",
       png(2, 1, rgb, 16, "\xff\xff\x0a\x0a\x14\x14\x1e\x1e\x28\x28\x32\x32"s),
       {255, 30, 10, 40, 20, 50}},
      {"palette 1", png(2, 1, palette, 1, "\x40"s, colours), table},
      {"palette 2", png(2, 1, palette, 2, "\x10"s, colours), table},
      {"palette 4", png(2, 1, palette, 4, "\x01"s, colours), table},
      {"palette 8", png(2, 1, palette, 8, "\x00\x01"s, colours), table},
      {"grey and alpha 8", png(2, 1, grey_alpha, 8, "\x07\xff\x0c\xff"s), {7, 12, 7, 12, 7, 12}},
      {"grey and alpha 16",
       png(2, 1, grey_alpha, 16, "\x07\x07\xff\xff\x0c\x0c\xff\xff"s),
       {7, 12, 7, 12, 7, 12}},
      {"rgb and alpha 8",
       png(2, 1, rgb_alpha, 8, "\xff\x0a\x14\xff\x1e\x28\x32\xff"s),
       {255, 30, 10, 40, 20, 50}},
      {"rgb and alpha 16",
       png(2, 1, rgb_alpha, 16, "\xff\xff\x0a\x0a\x14\x14\xff\xff\x1e\x1e\x28\x28\x32\x32\xff\xff"s),
       {255, 30, 10, 40, 20, 50}},
      // Transparent parts: white behind what is dark, black behind what is light.
      {"dark on nothing", png(2, 1, grey_alpha, 8, "\x07\xff\x07\x00"s), {7, 255, 7, 255, 7, 255}},
      {"light on nothing", png(2, 1, grey_alpha, 8, "\xc8\xff\xc8\x00"s), {200, 0, 200, 0, 200, 0}},
      {"half of black", png(2, 1, rgb_alpha, 8, "\0\0\0\x80\0\0\0\xff"s), {127, 0, 127, 0, 127, 0}},
      {"nothing at all", png(2, 1, grey_alpha, 8, "\0\0\0\0"s), {255, 255, 255, 255, 255, 255}},
      {"a transparent grey",
       png(2, 1, grey, 8, "\x07\x09"s, chunk("tRNS", "\0\x09"s)),
       {7, 255, 7, 255, 7, 255}},
      {"a transparent colour",
       png(2, 1, palette, 1, "\x40"s, colours + chunk("tRNS", "\xff\x00"s)),
       {10, 255, 20, 255, 30, 255}},
  };
  for (const Row& row : rows) {
    const Tensor image = read(row.file);
    const bool is_grey = row.file[25] == grey || row.file[25] == grey_alpha;
    EXPECT_EQ(image.shape(), is_grey ? (Shape{1, 2}) : (Shape{3, 1, 2})) << row.what;
    EXPECT_EQ(values(planes(image)), row.expected) << row.what;
  }
}

// Every kind that PngSuite has, interlaced and not: see png_files.py, which wrote them without libpng.
TEST_F(ImageFile, ReadsAllThatPngFilesPyWrites) {
  int files = 0, images = 0;
  const State all = load_npz(ELK_TESTS_DIR "/data/png.npz");
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& [name, content] = all[i];
    if (name.ends_with(".image")) continue;
    ++files;
    if (name.starts_with("bad_")) {
      EXPECT_THAT(error(bytes_of(content)), AnyOf(StartsWith("is "), StartsWith("has "))) << name;
      continue;
    }
    ++images;
    const Tensor image = read(bytes_of(content)), found = planes(image), expected = all.at(i + 1).value;
    EXPECT_EQ(image.rank(), bytes_of(content)[25] % 4 == 0 ? 2 : 3) << name;  // grey, with alpha or without
    ASSERT_EQ(all.at(i + 1).name, name + ".image");
    ASSERT_EQ(found.shape(), expected.shape()) << name;
    int apart = 0, furthest = 0;
    for (Index k = 0; k < found.size(); ++k) {
      const int distance = std::abs(static_cast<int>(found.at(k)) - static_cast<int>(expected.at(k)));
      apart += distance > 0;
      furthest = std::max(furthest, distance);
    }
    EXPECT_LE(furthest, name.starts_with("gamma") ? 2 : 0) << name << ": " << apart << " of " << found.size();
  }
  EXPECT_EQ(images, 274);
  EXPECT_EQ(files - images, 13);
}

TEST_F(ImageFile, ReadsRowsInTheirOrder) {
  const Tensor image = read(png(1, 3, grey, 8, "\x01\x02\x03"s));
  EXPECT_EQ(image.shape(), (Shape{3, 1}));
  EXPECT_THAT(values(image), ElementsAre(1, 2, 3));
}

TEST_F(ImageFile, RefusesAPngThatIsTooLargeBeforeReadingIt) {
  const auto claims = [](std::uint32_t width, std::uint32_t height) {
    return "\x89PNG\r\n\x1a\n" + chunk("IHDR", number32(width) + number32(height) + "\x08\0\0\0\0"s) +
           chunk("IDAT", "x") + chunk("IEND", "");
  };
  EXPECT_EQ(error(claims(100000, 100000)), "claims 100000 x 100000 pixels, expected at most 50000000 in all");
  EXPECT_EQ(error(claims(1, 50000001)), "claims 1 x 50000001 pixels, expected at most 50000000 in all");
  EXPECT_EQ(error(claims(7000, 7000)), "claims 7000 x 7000 pixels, more than its 58 bytes can hold");
}

#else

TEST_F(ImageFile, SaysThatPngIsNotBuiltIn) {
  EXPECT_EQ(error(png(1, 1, grey, 8, "a")),
            "is a PNG image, and elkgrad was built without libpng: install it and build elkgrad again");
}

#endif

TEST_F(ImageFile, ReadsPgm) {
  const auto pixels = [&](const std::string& file) { return values(read(file)); };
  EXPECT_THAT(pixels("P5 2 1 255\n\x07\xff"s), ElementsAre(7, 255));
  EXPECT_THAT(pixels("P5\n# by hand\n2 # columns\n1\n15\n\x03\x0f"s), ElementsAre(51, 255));
  EXPECT_THAT(pixels("P5 2 1 65535\n\x80\x00\xff\xff"s), ElementsAre(128, 255));
  EXPECT_THAT(pixels("P5 1 1 256\n\x01\x00"s), ElementsAre(255));
  EXPECT_THAT(pixels("P5 1 1 255\n#"s), ElementsAre('#'));
  EXPECT_THAT(pixels("P2\n2 2\n4\n0 1\n2 4"), ElementsAre(0, 64, 128, 255));
  EXPECT_THAT(pixels("P2 # text\n1 1 65535 # largest\n\n65535\n\n"), ElementsAre(255));
  EXPECT_EQ(read("P2 2 3 1 0 1 0 1 0 1").shape(), (Shape{3, 2}));
}

TEST_F(ImageFile, RefusesEveryTruncation) {
  const std::string colours = chunk("PLTE", "\x0a\x14\x1e\xc8\xd2\xdc"s);
  for (const std::string& file :
       {png(3, 2, rgb, 8, "abcdefghijklmnopqr"), png(2, 1, palette, 1, "\x40"s, colours),
        png(2, 2, grey_alpha, 16, "abcdefghijklmnop"), "P5\n2 3\n255\nabcdef"s,
        "P5 # a comment\n1 2 65535 abcd"s})
    for (std::size_t size = 0; size < file.size(); ++size)
      EXPECT_THAT(error(file.substr(0, size)),
                  AnyOf(StartsWith("is "), StartsWith("has "), StartsWith("lacks ")))
          << size;
  const std::string text = "P2 2 2 255 10 20 30 40";
  for (std::size_t size = 0; size < text.size() - 1; ++size)
    EXPECT_NE(error(text.substr(0, size)), "no error") << size;
}

TEST_F(ImageFile, SurvivesEveryDamagedByte) {
  const std::string colours = chunk("PLTE", "\x0a\x14\x1e\xc8\xd2\xdc"s) + chunk("tRNS", "\x80"s);
  for (const std::string& file :
       {png(3, 2, rgb, 8, "abcdefghijklmnopqr"), png(2, 1, palette, 1, "\x40"s, colours),
        "P5\n2 3\n255\nabcdef"s, "P2 2 2 255 10 20 30 40"s})
    for (std::size_t i = 0; i < file.size(); ++i)
      for (const int flip : {1, 0x80, 0xff}) {
        std::string damaged = file;
        damaged[i] = static_cast<char>(damaged[i] ^ flip);
        const std::string text = error(damaged);
        EXPECT_EQ(text.find("another type"), std::string::npos) << i << ": " << text;
      }
}

TEST_F(ImageFile, RefusesAPgmThatIsTooLarge) {
  EXPECT_EQ(error("P5 100000 100000 255\n"),
            "claims 100000 x 100000 pixels, expected at most 50000000 in all");
  EXPECT_EQ(error("P2 4294967295 4294967295 255\n"),
            "claims 4294967295 x 4294967295 pixels, expected at most 50000000 in all");
  EXPECT_EQ(error("P5 7000 7000 255\nabc"), "has the wrong size: expected 49000000 bytes of pixels, found 3");
  EXPECT_EQ(error("P2 7000 7000 255\n1 2 3"), "is cut off: 6 bytes are too few for 7000 x 7000 pixels");
}

TEST_F(ImageFile, RefusesOtherFiles) {
  EXPECT_EQ(error(""), "is empty (0 bytes)");
  EXPECT_EQ(error("\xff\xd8\xff\xe0 JFIF"), "is a JPEG image, expected PNG or PGM");
  EXPECT_EQ(error("GIF89a"), "is a GIF image, expected PNG or PGM");
  EXPECT_EQ(error("P6 1 1 255\nabc"), "is a PPM image, expected PNG or PGM");
  EXPECT_EQ(error("7"), "is not an image, expected PNG or PGM");
  EXPECT_EQ(error("P5 0 3 255\n"), "has no pixels: its size is 0 x 3");
  EXPECT_EQ(error("P5 1 1 0\na"), "has a largest value of 0, expected 1 to 65535");
  EXPECT_EQ(error("P5 1 1 65536\nab"), "has a largest value above 65535");
  EXPECT_EQ(error("P5 99999999999999999999 1 255\nab"), "has a width above 4294967295");
  EXPECT_EQ(error("P5 -1 1 255\nab"), "is a damaged PGM: expected a number (width) at byte 3");
  EXPECT_EQ(error("P5 1 one 255\nab"), "is a damaged PGM: expected a number (height) at byte 5");
  EXPECT_EQ(error("P51 1 255\na"), "is a damaged PGM: expected a number (width) at byte 2");
  EXPECT_EQ(error("P5 2 1 255\nabc"), "has the wrong size: expected 2 bytes of pixels, found 3");
  EXPECT_EQ(error("P5 2 1 100\n\x64\x65"s), "has a pixel of 101, expected at most 100");
  EXPECT_EQ(error("P2 2 1 100\n100 101"), "has a pixel above 100");
  EXPECT_EQ(error("P2 2 1 100\n1 2 3"), "goes on after its last pixel");
  EXPECT_EQ(error("P2 2 1 100\n1 2x"), "is a damaged PGM: expected a number (pixel) at byte 13");
  EXPECT_EQ(error_of<FileError>([&] { read_image(folder_ / "none.png"); }),
            "[read] " + folder_ / "none.png" + ": No such file or directory");
  EXPECT_EQ(error_of<FileError>([&] { read_image(folder_.path()); }),
            "[read] " + folder_.path() + ": this is a folder");
}

TEST(ToGrey, WeighsTheColours) {
  const Tensor image = from(std::vector<std::uint8_t>{255, 0, 0, 9, 0, 255, 0, 9, 0, 0, 255, 9}, {3, 2, 2});
  EXPECT_THAT(values(to_grey(image)), ElementsAre(76, 150, 29, 9));
  EXPECT_THAT(values(to_grey(to_grey(image))), ElementsAre(76, 150, 29, 9));
  EXPECT_EQ(error_of<ShapeError>([&] {
              to_grey(zeros({4, 2, 2}, u8));
            }),
            "[to_grey] expected an image (3, H, W) or (H, W), got (4, 2, 2)");
  EXPECT_EQ(error_of<DTypeError>([&] { to_grey(zeros({3, 2, 2})); }), "[to_grey] expected u8, got f32");
}

}  // namespace
}  // namespace elk::test
