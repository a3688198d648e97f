#include <elk/data/center.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include <elk/base/error.hpp>
#include <elk/data/load.hpp>
#include <elk/data/resize.hpp>

#include "support.hpp"

namespace elk {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::ElementsAreArray;

// An image (h, w) of `paper` with a filled rectangle of `ink` in it.
Tensor drawing(Index h, Index w, int paper, int ink, Index top, Index left, Index rows, Index columns) {
  Bytes pixels(static_cast<std::size_t>(h * w), static_cast<std::uint8_t>(paper));
  for (Index y = top; y < top + rows; ++y)
    for (Index x = left; x < left + columns; ++x)
      pixels[static_cast<std::size_t>(y * w + x)] = static_cast<std::uint8_t>(ink);
  return from(pixels, {h, w});
}

Bytes bytes(const Tensor& image) {
  const auto pixels = image.data<std::uint8_t>();
  return {pixels.begin(), pixels.end()};
}

Tensor one(const Dataset& set, Index i) { return from(bytes(set.take(i, 1).images), set.sample_shape()); }

Tensor inverted(const Tensor& image) {
  Bytes pixels = bytes(image);
  for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(255 - pixel);
  return from(pixels, image.shape());
}

TEST(Scale, TakesTheMeanOfTheAreaThatAPixelCovers) {
  const Tensor image = from(Bytes{0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110}, {3, 4});
  EXPECT_THAT(bytes(resize(image, 3, 4)), ElementsAreArray(bytes(image)));
  EXPECT_THAT(bytes(resize(image, 1, 2)), ElementsAre(45, 65));
  EXPECT_THAT(bytes(resize(image, 1, 1)), ElementsAre(55));
  EXPECT_THAT(bytes(resize(from(Bytes{0, 90, 240}, {1, 3}), 1, 2)), ElementsAre(30, 190));
  EXPECT_THAT(bytes(resize(from(Bytes{1, 2}, {1, 2}), 1, 1)), ElementsAre(2));  // a half is rounded up
  EXPECT_THAT(bytes(resize(from(Bytes{7, 200}, {1, 2}), 2, 4)), ElementsAre(7, 7, 200, 200, 7, 7, 200, 200));
  EXPECT_THAT(bytes(resize(from(Bytes{0, 100, 200}, {3, 1}), 4, 1)), ElementsAre(0, 67, 133, 200));
}

TEST(Scale, TakesEachPlaneByItself) {
  const Tensor planes = resize(from(Bytes{0, 10, 100, 110, 200, 210}, {3, 1, 2}), 1, 1);
  EXPECT_EQ(planes.shape(), (Shape{3, 1, 1}));
  EXPECT_THAT(bytes(planes), ElementsAre(5, 105, 205));
}

TEST(Scale, KeepsAPlainImagePlain) {
  for (const Index size : {1, 7, 28, 300})
    EXPECT_THAT(bytes(resize(full({size, 31}, 255, u8), 28, 28)), Each(255)) << size;
}

TEST(Scale, RefusesOtherThings) {
  EXPECT_ERROR(resize_to_fit(zeros({0, 2}, u8), 28), ShapeError,
               "[resize] expected an image (H, W) or (C, H, W), got (0, 2)");
  EXPECT_EQ(resize_to_fit(zeros({3, 10, 4}, u8), 5).shape(), (Shape{3, 5, 2}));
  EXPECT_EQ(resize_to_fit(zeros({1, 100}, u8), 20).shape(), (Shape{1, 20}));
  EXPECT_ERROR(resize(zeros({2, 2}), 1, 1), DTypeError, "[resize] the image must be u8, got f32");
  EXPECT_ERROR(resize(zeros({4}, u8), 1, 1), ShapeError,
               "[resize] expected an image (H, W) or (C, H, W), got (4)");
  EXPECT_ERROR(resize(zeros({2, 0}, u8), 1, 1), ShapeError,
               "[resize] expected an image (H, W) or (C, H, W), got (2, 0)");
  EXPECT_ERROR(resize(zeros({2, 2}, u8), 0, 3), ShapeError, "[resize] the wanted size 0 x 3 is empty");
}

TEST(CenterDigit, FitsTheBoxOfTheInkInto20By20AboutTheMiddle) {
  // 40 x 10 of ink become 20 x 5, around pixel (14, 14).
  const Tensor expected = drawing(28, 28, 0, 255, 5, 12, 20, 5);
  EXPECT_EQ(center_digit(drawing(100, 60, 0, 255, 50, 3, 40, 10)).shape(), (Shape{28, 28}));
  const auto expect = [&](const Tensor& image, const char* what) {
    EXPECT_THAT(bytes(center_digit(image)), ElementsAreArray(bytes(expected))) << what;
  };
  expect(drawing(100, 60, 0, 255, 50, 3, 40, 10), "light on black");
  expect(drawing(100, 60, 255, 0, 50, 3, 40, 10), "black on white");
  expect(drawing(100, 60, 200, 80, 50, 3, 40, 10), "grey on grey");
  expect(drawing(100, 60, 100, 150, 50, 3, 40, 10), "light grey on dark grey");
  expect(drawing(41, 11, 0, 255, 1, 1, 40, 10), "touching two sides");
  expect(drawing(6, 7, 0, 255, 1, 2, 4, 1), "made larger");
}

TEST(CenterDigit, GoesByTheCentreOfMass) {
  // An L: 20 x 20 with a thick foot, so that its mass is low and to the left.
  Bytes pixels(40 * 40);
  for (std::size_t y = 0; y < 20; ++y)
    for (std::size_t x = 0; x < 20; ++x)
      if (x < 4 || y >= 14) pixels[(y + 3) * 40 + x + 8] = 255;
  const Tensor result = center_digit(from(pixels, {40, 40}));
  // Columns: 56 pixels of mean 2, 120 of mean 10: 7.45; rows: 56 of mean 7, 120 of mean 17: 13.82.
  const auto at = [&](Index y, Index x) { return result.at(y * 28 + x); };
  EXPECT_EQ(at(1, 7), 255);
  EXPECT_EQ(at(20, 26), 255);
  EXPECT_EQ(at(0, 7), 0);
  EXPECT_EQ(at(1, 6), 0);
  EXPECT_EQ(at(21, 26), 0);
  EXPECT_EQ(at(20, 27), 0);
}

TEST(CenterDigit, LooksPastTheGrainOfPaper) {
  Bytes grainy = bytes(drawing(200, 150, 220, 30, 60, 50, 80, 40));
  const Bytes grain = noise(grainy.size());
  for (std::size_t i = 0; i < grainy.size(); ++i)
    grainy[i] = static_cast<std::uint8_t>(grainy[i] - 10 + grain[i] % 21);
  const Bytes result = bytes(center_digit(from(grainy, {200, 150})));
  const Bytes expected = bytes(drawing(28, 28, 0, 255, 5, 10, 20, 10));
  for (std::size_t i = 0; i < result.size(); ++i) EXPECT_NEAR(result[i], expected[i], 20) << i;
}

TEST(CenterDigit, RefusesAnImageWithoutInk) {
  const char* const darker =
      "[center_digit] there is no ink: no pixel is darker than the paper by 32 or more of 255";
  const char* const lighter =
      "[center_digit] there is no ink: no pixel is lighter than the paper by 32 or more of 255";
  EXPECT_ERROR(center_digit(full({30, 30}, 255, u8)), ValueError, darker);
  EXPECT_ERROR(center_digit(zeros({30, 30}, u8)), ValueError, lighter);
  EXPECT_ERROR(center_digit(zeros({1, 1}, u8)), ValueError, lighter);
  EXPECT_ERROR(center_digit(drawing(30, 30, 200, 169, 9, 9, 5, 5)), ValueError, darker);
  EXPECT_EQ(center_digit(drawing(30, 30, 200, 168, 9, 9, 5, 5)).shape(), (Shape{28, 28}));
  EXPECT_ERROR(center_digit(drawing(30, 30, 200, 255, 9, 9, 5, 5)), ValueError, darker);
}

TEST(CenterDigit, RefusesOtherThings) {
  EXPECT_ERROR(center_digit(zeros({28, 28})), DTypeError, "[center_digit] the image must be u8, got f32");
  EXPECT_ERROR(center_digit(zeros({3, 28, 28}, u8)), ShapeError,
               "[center_digit] expected an image (H, W), got (3, 28, 28)");
  EXPECT_ERROR(has_light_border(zeros({0, 28}, u8)), ShapeError,
               "[center_digit] expected an image (H, W), got (0, 28)");
}

TEST(HasLightBorder, GoesByTheMedian) {
  EXPECT_TRUE(has_light_border(drawing(28, 28, 128, 0, 0, 0, 20, 14)));
  EXPECT_FALSE(has_light_border(drawing(28, 28, 127, 255, 0, 0, 20, 14)));
  EXPECT_TRUE(has_light_border(full({1, 1}, 128, u8)));
}

// MNIST was prepared so: its images are to come back, but for those whose ink does not reach 255 or the box's
// sides.
TEST(RealCenterDigit, GivesTheImagesOfMnistBack) {
  const char* dir = std::getenv("ELK_DATA_DIR");
  if (!dir || !*dir) GTEST_SKIP() << "ELK_DATA_DIR is not set: it names the folder that holds mnist/";
  const Dataset test = load_dataset("mnist", dir).test;
  int same = 0, same_inverted = 0;
  for (Index i = 0; i < 1000; ++i) {
    const Tensor image = one(test, i);
    same += bytes(center_digit(image)) == bytes(image);
    same_inverted += bytes(center_digit(inverted(image))) == bytes(image);
  }
  EXPECT_GT(same, 850);
  EXPECT_EQ(same_inverted, same);
}

}  // namespace
}  // namespace elk
