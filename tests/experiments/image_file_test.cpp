// Reading, preparing and drawing images.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include <elk/data/center.hpp>
#include <elk/data/resize.hpp>
#include <lab/image_file.hpp>
#include <lab/image_text.hpp>
#include <lab/prepare_image.hpp>

#include "data/png.hpp"
#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk::lab::test {
namespace {

using elk::test::bytes_of;
using elk::test::error_of;
using elk::test::values;
using testing::ElementsAre;

TEST(ImageFile, HasThreePlanesAlways) {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& bytes) {
    std::ofstream(folder / "image", std::ios::binary) << bytes;
    return read_colour_image(folder / "image");
  };
  const Tensor grey = read("P2 2 1 255 7 200"), colour = read(elk::test::png(1, 1, elk::test::rgb, 8, "abc"));
  EXPECT_EQ(grey.shape(), (Shape{3, 1, 2}));
  EXPECT_THAT(values(grey), ElementsAre(7, 200, 7, 200, 7, 200));
  EXPECT_EQ(colour.shape(), (Shape{3, 1, 1}));
  EXPECT_THAT(values(colour), ElementsAre('a', 'b', 'c'));
}

Tensor planes(const Tensor& grey_image) {
  const std::string one = bytes_of(grey_image), all = one + one + one;
  return from(std::vector<std::uint8_t>(all.begin(), all.end()), {3, grey_image.size(0), grey_image.size(1)});
}

Tensor spot(Index h, Index w, std::uint8_t paper, std::uint8_t ink) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(h * w), paper);
  pixels[static_cast<std::size_t>(h / 2 * w + w / 2)] = ink;
  return from(pixels, {h, w});
}

TEST(PrepareImage, CentersDigitsUnlessTheyAreOfTheSet) {
  for (const char* set : {"digits", "mnist"}) {
    const Tensor of_set = spot(28, 28, 0, 255), dark = spot(28, 28, 255, 0), large = spot(56, 56, 0, 255);
    EXPECT_EQ(values(prepare_image(planes(of_set), set)), values(of_set));
    EXPECT_EQ(values(prepare_image(planes(dark), set)), values(center_digit(dark)));
    EXPECT_EQ(values(prepare_image(planes(large), set)), values(center_digit(large)));
  }
}

TEST(PrepareImage, FitsFashionIntoItsSquare) {
  const Tensor of_set = spot(28, 28, 255, 0);
  EXPECT_EQ(values(prepare_image(planes(of_set), "fashion-mnist")), values(of_set));
  // 56 x 28 becomes 28 x 14, light on dark, with 7 columns of background on either side.
  const Tensor result = prepare_image(planes(spot(56, 28, 255, 55)), "fashion-mnist");
  EXPECT_EQ(result.shape(), (Shape{28, 28}));
  for (Index i = 0; i < 784; ++i) EXPECT_EQ(result.at(i), i == 14 * 28 + 14 ? 50 : 0) << i;
}

TEST(PrepareImage, TakesTheMiddleOfAPhotograph) {
  std::vector<std::uint8_t> pixels(3 * 32 * 48);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i % 48);
  const Tensor result = prepare_image(from(pixels, {3, 32, 48}), "cifar-10");
  EXPECT_EQ(result.shape(), (Shape{3, 32, 32}));
  for (Index i = 0; i < result.size(); ++i) EXPECT_EQ(result.at(i), static_cast<double>(8 + i % 32));
  EXPECT_EQ(prepare_image(zeros({3, 1, 1000}, u8), "cifar-10").shape(), (Shape{3, 32, 32}));
}

TEST(PrepareImage, NamesAnotherDataSet) {
  EXPECT_EQ(error_of<ValueError>([] {
              prepare_image(zeros({3, 9, 9}, u8), "svhn");
            }),
            "[prepare] images of the data set \"svhn\" are not known here");
}

TEST(DrawImage, InAscii) {
  const Tensor image = from(std::vector<std::uint8_t>{0, 255, 0, 0,    //
                                                      0, 255, 255, 0,  //
                                                      40, 0, 128, 0},
                            {3, 4});
  EXPECT_EQ(draw_image(image, ImageStyle::ascii), " @+\n. +\n");
  EXPECT_EQ(draw_image(planes(image), ImageStyle::ascii), " @+\n. +\n");
}

TEST(DrawImage, InColours) {
  const Tensor image = from(std::vector<std::uint8_t>{0, 255, 13, 1, 2, 3}, {3, 2, 1});
  EXPECT_EQ(draw_image(from(std::vector<std::uint8_t>{9, 200, 3}, {3, 1}), ImageStyle::colours24),
            "\x1b[38;2;9;9;9m\x1b[48;2;200;200;200m▀\x1b[0m\n\x1b[38;2;3;3;3m▀\x1b[0m\n");
  EXPECT_EQ(draw_image(image, ImageStyle::colours24), "\x1b[38;2;0;13;2m\x1b[48;2;255;1;3m▀\x1b[0m\n");
  EXPECT_EQ(draw_image(from(std::vector<std::uint8_t>{0, 255, 8, 128}, {4, 1}), ImageStyle::colours256),
            "\x1b[38;5;16m\x1b[48;5;231m▀\x1b[0m\n\x1b[38;5;232m\x1b[48;5;244m▀\x1b[0m\n");
  EXPECT_EQ(draw_image(image, ImageStyle::colours256), "\x1b[38;5;16m\x1b[48;5;196m▀\x1b[0m\n");
}

}  // namespace
}  // namespace elk::lab::test
