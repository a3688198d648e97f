// Each change of images against a case worked out by hand, and that changes depend on nothing but (seed,
// epoch, row).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include <elk/base/parallel.hpp>
#include <elk/base/sha256.hpp>
#include <elk/data/augment.hpp>
#include <elk/data/digits.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/shape.hpp>

#include <tests/support.hpp>
#include "support.hpp"

namespace elk {
namespace {

using test::values;
using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;
using testing::Pointwise;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::vector<Index> all_rows(const Dataset& set) {
  std::vector<Index> rows(static_cast<std::size_t>(set.size()));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

// n images of one grey, two classes in turn.
Dataset plain(Index n, const Shape& sample, double grey) {
  Shape shape{n};
  for (const Index size : sample) shape.push_back(size);
  std::vector<std::int64_t> labels(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int64_t>(i % 2);
  return {"plain", full(shape, grey, u8), from(labels), {"a", "b"}};
}

// The bits of x and labels, so that a test compares those and not values.
std::vector<std::uint64_t> bits(const Batch& batch) {
  std::vector<std::uint64_t> list;
  for (const Tensor& t : {batch.x, batch.labels})
    for (const double value : values(t)) list.push_back(std::bit_cast<std::uint64_t>(value));
  return list;
}

Batch augmented(const std::string& options, const Dataset& set, Index epoch = 0, std::uint32_t seed = 1,
                DType dtype = f64) {
  return Augment(parse_augment(options), seed)(set, all_rows(set), epoch, dtype);
}

std::vector<double> image(const Batch& batch, Index k) {
  std::vector<double> list;
  for (Index i = 0; i < batch.x.size(1); ++i) list.push_back(batch.x.at(k * batch.x.size(1) + i));
  return list;
}

const Tensor grid = from({1, 2, 3, 4, 5, 6, 7, 8, 9}, {3, 3}, f64);

TEST(Warp, MovesByWholePixelsExactly) {
  EXPECT_THAT(values(warp(grid, {.shift_x = 1, .shift_y = -1})), ElementsAre(0, 4, 5, 0, 7, 8, 0, 0, 0));
  EXPECT_THAT(values(warp(grid, {.shift_x = -2})), ElementsAre(3, 0, 0, 6, 0, 0, 9, 0, 0));
  EXPECT_THAT(values(warp(grid, {.shift_y = 1e6})), Each(0));
  EXPECT_THAT(values(warp(grid, {})), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
  const Dataset set = digits(1, 0, 1);
  const Tensor x = gather(set, std::vector<Index>{0}).x;
  const Tensor moved =
      warp(from(std::vector<float>(x.data<float>().begin(), x.data<float>().end()), {28, 28}),
           {.shift_x = 3, .shift_y = 2});
  for (Index row = 0; row < 28; ++row)
    for (Index column = 0; column < 28; ++column)
      EXPECT_EQ(moved.at(row * 28 + column), row < 2 || column < 3 ? 0 : x.at((row - 2) * 28 + column - 3));
}

TEST(Warp, InterpolatesBetweenPixels) {
  EXPECT_THAT(values(warp(from({2, 4, 6}, {1, 3}, f64), {.shift_x = 0.5})), ElementsAre(1, 3, 5));
  EXPECT_THAT(values(warp(from({2, 4, 6}, {3, 1}, f64), {.shift_y = -0.25})), ElementsAre(2.5, 4.5, 4.5));
  // Between four: 0.75 * (0.5 * 1 + 0.5 * 2) + 0.25 * (0.5 * 4 + 0.5 * 5) in the middle.
  EXPECT_EQ(warp(grid, {.shift_x = 0.5, .shift_y = 0.75}).at(4), 0.75 * 1.5 + 0.25 * 4.5);
}

TEST(Warp, MirrorsExactly) {
  EXPECT_THAT(values(warp(grid, {.flip = true})), ElementsAre(3, 2, 1, 6, 5, 4, 9, 8, 7));
  EXPECT_THAT(values(warp(from({1, 2, 3, 4}, {1, 4}, f64), {.flip = true})), ElementsAre(4, 3, 2, 1));
}

TEST(Warp, RotatesCounterclockwise) {
  const auto near = [](const std::vector<double>& expected) {
    return Pointwise(DoubleNear(1e-12), expected);
  };
  EXPECT_THAT(values(warp(grid, {.rotate = 90})), near({3, 6, 9, 2, 5, 8, 1, 4, 7}));
  EXPECT_THAT(values(warp(grid, {.rotate = -90})), near({7, 4, 1, 8, 5, 2, 9, 6, 3}));
  EXPECT_THAT(values(warp(grid, {.rotate = 180})), near({9, 8, 7, 6, 5, 4, 3, 2, 1}));
  EXPECT_THAT(values(warp(grid, {.rotate = 360})), near({1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_THAT(values(warp(from({1, 2, 3, 4}, {2, 2}, f64), {.rotate = 90})), near({2, 4, 1, 3}));
}

TEST(Warp, ScalesAboutTheCentre) {
  const Tensor row = from({0, 1, 2, 3, 4}, {1, 5}, f64);
  EXPECT_THAT(values(warp(row, {.scale = 2})), ElementsAre(1, 1.5, 2, 2.5, 3));
  EXPECT_THAT(values(warp(row, {.scale = 0.5})), ElementsAre(0, 0, 2, 4, 0));
  EXPECT_THAT(values(warp(grid, {.scale = 1000})), Each(DoubleNear(5, 0.005)));
}

TEST(Warp, ShearsTheTopToTheRight) {
  EXPECT_THAT(values(warp(grid, {.shear = 45})),
              Pointwise(DoubleNear(1e-12), std::vector<double>{0, 1, 2, 4, 5, 6, 8, 9, 0}));
}

TEST(Warp, IsFlipScaleShearRotateShiftInThisOrder) {
  Tensor step = grid;
  for (const Warp& one : {Warp{.flip = true}, Warp{.shear = 45}, Warp{.rotate = 90}, Warp{.shift_x = 1}})
    step = warp(step, one);
  const Tensor once = warp(grid, {.flip = true, .shear = 45, .rotate = 90, .shift_x = 1});
  EXPECT_THAT(values(once), Pointwise(DoubleNear(1e-12), values(step)));
}

TEST(Warp, TakesStacksOfImages) {
  const Tensor two = from({1, 2, 3, 4, 5, 6, 7, 8}, {2, 1, 2, 2});
  const Tensor moved = warp(two, {.shift_x = 1});
  EXPECT_EQ(moved.dtype(), f32);
  EXPECT_EQ(moved.shape(), two.shape());
  EXPECT_THAT(values(moved), ElementsAre(0, 1, 0, 3, 0, 5, 0, 7));
  EXPECT_EQ(warp(zeros({3, 0, 2}), {}).shape(), (Shape{3, 0, 2}));
}

// Lines longer than a vector, of several channels, none of them square.
TEST(Warp, MovesWideImagesOfSeveralChannels) {
  for (const DType dtype : {f32, f64}) {
    const Tensor x = reshape(arange(Index{2 * 3 * 5 * 33}, dtype), {2, 3, 5, 33});
    const Tensor moved = warp(x, {.shift_x = 2, .shift_y = -1});
    for (Index n = 0; n < 6; ++n)
      for (Index row = 0; row < 5; ++row)
        for (Index column = 0; column < 33; ++column) {
          const double expected =
              row + 1 < 5 && column >= 2 ? static_cast<double>((n * 5 + row + 1) * 33 + column - 2) : 0;
          ASSERT_EQ(moved.at((n * 5 + row) * 33 + column), expected) << n << " " << row << " " << column;
        }
  }
}

TEST(Warp, Errors) {
  EXPECT_ERROR(warp(zeros({3}), {}), ShapeError, "[warp] expected images (..., H, W), got (3)");
  EXPECT_ERROR(warp(zeros({2, 2}, u8), {}), DTypeError,
               "[warp] expected f32 or f64, got u8: convert with cast");
  EXPECT_ERROR(warp(grid, {.scale = 0}), ValueError, "[warp] scale must be from 0.001 to 1000, got 0");
  EXPECT_ERROR(warp(grid, {.shear = 90}), ValueError, "[warp] shear must be from -80 to 80, got 90");
  EXPECT_ERROR(warp(grid, {.rotate = nan}), ValueError, "[warp] rotate must be from -360 to 360, got nan");
  EXPECT_ERROR(warp(grid, {.shift_x = -1e7}), ValueError,
               "[warp] shift_x must be from -1000000 to 1000000, got -10000000");
  EXPECT_ERROR(warp(grid, {.shift_y = INFINITY}), ValueError,
               "[warp] shift_y must be from -1000000 to 1000000, got inf");
}

TEST(Augment, WithoutOptionsIsGatherToTheBit) {
  for (const Shape& sample : {Shape{7}, Shape{3, 4}, Shape{2, 3, 4}, Shape{2, 2, 2, 2}}) {
    const Dataset set = counting(5, sample);
    const std::vector<Index> rows{4, 0, 4};
    for (const DType dtype : {f32, f64}) {
      const Batch batch = Augment({}, 3)(set, rows, 9, dtype), as_is = gather(set, rows, dtype);
      EXPECT_EQ(bits(batch), bits(as_is));
      EXPECT_EQ(batch.x.dtype(), dtype);
      EXPECT_EQ(batch.labels.dtype(), i64);
    }
  }
  // The width of a smoothing that nothing uses is no change either.
  EXPECT_EQ(augmented("elastic_sigma:2", counting(2, {7})).x.shape(), (Shape{2, 7}));
}

TEST(Augment, DrawsAsTheSourceSays) {
  const Dataset set = counting(30, {2, 8, 8});
  const Batch batch = augmented("shift:2,rotate:30,scale:0.2,shear:10,flip,crop:1", set, 7, 5);
  for (Index row = 0; row < set.size(); ++row) {
    Rng rng = Rng::keyed({5, 7, static_cast<std::uint32_t>(row), 0});
    Warp change;
    change.shift_x = rng.uniform(-2, 2);
    change.shift_y = rng.uniform(-2, 2);
    change.rotate = rng.uniform(-30, 30);
    change.scale = rng.uniform(0.8, 1.2);
    change.shear = rng.uniform(-10, 10);
    change.flip = rng.uniform() < 0.5;
    change.shift_x += std::floor(rng.uniform(-1, 2));
    change.shift_y += std::floor(rng.uniform(-1, 2));
    const auto as_is = values(gather(set, std::vector<Index>{row}, f64).x);
    EXPECT_EQ(image(batch, row), values(warp(from(as_is, {2, 8, 8}), change)));
  }
}

TEST(Augment, FlipsSoManyOfTheImages) {
  const Dataset set = counting(2000, {2, 3});
  const Batch as_is = gather(set, all_rows(set), f64);
  const auto flipped = [&](const std::string& options) {
    const Batch batch = augmented(options, set);
    Index count = 0;
    for (Index k = 0; k < set.size(); ++k) {
      const auto before = image(as_is, k), after = image(batch, k);
      if (before == after) continue;
      ++count;
      EXPECT_EQ(after, (std::vector{before[2], before[1], before[0], before[5], before[4], before[3]}));
    }
    return count;
  };
  EXPECT_EQ(flipped("flip:1"), 2000);
  EXPECT_EQ(flipped("flip:0"), 0);
  EXPECT_NEAR(static_cast<double>(flipped("flip:0.25")), 500, 5 * 19.4);
}

TEST(Augment, CropsOutOfAFrameOfZeros) {
  // One bright pixel, in the middle: where it is afterwards tells the crop.
  Bytes pixels(25, 0);
  pixels[12] = 255;
  Bytes all;
  for (int k = 0; k < 900; ++k) all.insert(all.end(), pixels.begin(), pixels.end());
  const Dataset set{"dot", from(all, {900, 5, 5}), zeros({900}, i64), {"dot"}};
  const Batch batch = augmented("crop:1", set);
  std::vector<int> seen(25);
  for (Index k = 0; k < 900; ++k) {
    const auto one = image(batch, k);
    EXPECT_EQ(std::count(one.begin(), one.end(), 0.0), 24);
    const auto at = std::find(one.begin(), one.end(), 1.0);
    ASSERT_NE(at, one.end());
    ++seen[static_cast<std::size_t>(at - one.begin())];
  }
  for (std::size_t i = 0; i < 25; ++i) {
    const bool near = i / 5 >= 1 && i / 5 <= 3 && i % 5 >= 1 && i % 5 <= 3;
    if (near) {
      EXPECT_NEAR(seen[i], 100, 50) << i;
    } else {
      EXPECT_EQ(seen[i], 0) << i;
    }
  }
}

TEST(Augment, CutsOutASquareInAllChannels) {
  const Dataset set = plain(400, {2, 9, 7}, 255);
  const Batch batch = augmented("cutout:3", set);
  std::set<Index> areas;
  for (Index k = 0; k < set.size(); ++k) {
    const auto one = image(batch, k);
    Index left = 7, right = -1, top = 9, bottom = -1, area = 0;
    for (Index i = 0; i < 63; ++i) {
      EXPECT_EQ(one[static_cast<std::size_t>(i)], one[static_cast<std::size_t>(63 + i)]);
      if (one[static_cast<std::size_t>(i)] == 1) continue;
      EXPECT_EQ(one[static_cast<std::size_t>(i)], 0);
      left = std::min(left, i % 7);
      right = std::max(right, i % 7);
      top = std::min(top, i / 7);
      bottom = std::max(bottom, i / 7);
      ++area;
    }
    EXPECT_EQ(area, (right - left + 1) * (bottom - top + 1)) << "a rectangle without gaps";
    areas.insert(area);
  }
  EXPECT_EQ(areas, (std::set<Index>{4, 6, 9}));  // in a corner, at an edge, inside
  EXPECT_THAT(values(augmented("cutout:1000", set).x), Each(0));
  const auto one = values(augmented("cutout:1", set).x);
  EXPECT_EQ(std::count(one.begin(), one.end(), 0.0), 800);
}

TEST(Augment, AddsNormalNoise) {
  const Dataset set = plain(50, {20, 20}, 127);
  const double grey = 127 / 255.;
  double sum = 0, squares = 0;
  const auto noisy = values(augmented("noise:0.1", set).x);
  for (const double v : noisy) {
    sum += v - grey;
    squares += (v - grey) * (v - grey);
  }
  const auto n = static_cast<double>(noisy.size());
  EXPECT_NEAR(sum / n, 0, 5 * 0.1 / std::sqrt(n));
  EXPECT_NEAR(std::sqrt(squares / n), 0.1, 0.002);
  const auto loud = values(augmented("noise:10", set).x);
  EXPECT_GT(std::count(loud.begin(), loud.end(), 0.0), n / 3);
  EXPECT_GT(std::count(loud.begin(), loud.end(), 1.0), n / 3);
}

TEST(Augment, ElasticMovesByAsMuchAsItSays) {
  // Brightness rises by 4 a pixel, to the right or downwards: how it changes tells how far a pixel comes
  // from.
  const Index side = 41, n = 200;
  for (const bool across : {true, false}) {
    Bytes all;
    for (Index i = 0; i < n * side * side; ++i)
      all.push_back(static_cast<std::uint8_t>(4 * (across ? i % side : i / side % side)));
    const Dataset set{"ramp", from(all, {n, side, side}), zeros({n}, i64), {"ramp"}};
    for (const double sigma : {2.0, 4.0, 100.0}) {
      const Batch batch = augmented("elastic:1.5,elastic_sigma:" + std::to_string(sigma), set);
      const auto x = batch.x.data<double>();
      double sum = 0, squares = 0, steps = 0, count = 0;
      const Index edge = 10;  // more than 6 standard deviations
      for (Index k = 0; k < n; ++k)
        for (Index row = edge; row < side - edge; ++row)
          for (Index column = edge; column < side - edge; ++column) {
            const auto i = static_cast<std::size_t>((k * side + row) * side + column);
            const double moved = x[i] * 255 / 4 - static_cast<double>(across ? column : row);
            sum += moved;
            squares += moved * moved;
            const double step = across ? x[i + static_cast<std::size_t>(side)] - x[i] : x[i + 1] - x[i];
            steps += step * step * 255 * 255 / 16;
            ++count;
          }
      // Few independent displacements a picture when sigma is large: about one in all for 100.
      const double tolerance = sigma > 10 ? 0.25 : 0.1;
      EXPECT_NEAR(std::sqrt(squares / count), 1.5, tolerance) << sigma;
      EXPECT_NEAR(sum / count, 0, 4 * 1.5 / std::sqrt(n)) << sigma;
      // The correlation of neighbours after a Gaussian is exp(-1 / (4 sigma^2)); of a box it is nearly 1.
      if (sigma < 10) {
        EXPECT_NEAR(steps / squares, 2 * (1 - std::exp(-1 / (4 * sigma * sigma))), 0.1 / (sigma * sigma));
      }
    }
  }
}

TEST(Augment, ElasticMovesTheEdgesAsMuchAsTheMiddle) {
  // A white image gets darker only where pixels come from outside: on every side alike.
  const Dataset set = plain(400, {12, 12}, 255);
  const Batch batch = augmented("elastic:2", set);
  double top = 0, bottom = 0, left = 0, right = 0;
  for (Index k = 0; k < set.size(); ++k) {
    const auto one = image(batch, k);
    for (std::size_t i = 0; i < 12; ++i) {
      top += 1 - one[i];
      bottom += 1 - one[132 + i];
      left += 1 - one[12 * i];
      right += 1 - one[12 * i + 11];
    }
  }
  EXPECT_GT(top, 1000);
  for (const double other : {bottom, left, right}) EXPECT_NEAR(other / top, 1, 0.15);
}

// Runs that are kept depend on it: where this changes, so does results_version.
TEST(Augment, KeepsItsBits) {
  const Dataset set = digits(3, 0, 40);
  const Batch batch =
      Augment(parse_augment("shift:2,scale:0.1,elastic:1,flip,crop:1,cutout:5"), 9)(set, all_rows(set), 4);
  const auto values = batch.x.data<float>();
  EXPECT_EQ(sha256({reinterpret_cast<const char*>(values.data()), values.size_bytes()}),
            "6767e85fdd4665240607cfae288352dde334dd6c15bc0fcde7386939071b89df");
}

TEST(Augment, DependsOnSeedEpochAndRowAlone) {
  const Dataset set = digits(3, 0, 40);
  const Augment augment(
      parse_augment("shift:2,rotate:15,scale:0.1,shear:5,elastic:1,flip,crop:1,cutout:5,noise:0.1,mixup:0.4"),
      9);
  const Batch whole = augment(set, all_rows(set), 4);
  const std::vector<Index> rows{17, 3, 39, 3};
  const Batch some = augment(set, rows, 4);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    EXPECT_EQ(image(some, static_cast<Index>(k)), image(whole, rows[k]));
    for (Index c = 0; c < 10; ++c)
      EXPECT_EQ(some.labels.at(static_cast<Index>(k) * 10 + c), whole.labels.at(rows[k] * 10 + c));
  }
  for (const int n : {2, 3, 8}) {
    set_threads(n);
    EXPECT_EQ(bits(augment(set, all_rows(set), 4)), bits(whole)) << n << " threads";
  }
  set_threads(1);
  EXPECT_NE(bits(augment(set, all_rows(set), 5)), bits(whole));
  EXPECT_NE(bits(Augment(augment.options(), 10)(set, all_rows(set), 4)), bits(whole));
  EXPECT_EQ(bits(augment(set, all_rows(set), 4294967295)).size(), bits(whole).size());
  EXPECT_NE(image(whole, 0),
            image(augment(set.subset(std::vector<Index>{1, 0}), std::vector<Index>{1}, 4), 0))
      << "the row counts, not the image";
}

TEST(Augment, AnOptionMoreLeavesTheOtherDraws) {
  const Dataset set = digits(3, 0, 20);
  const auto plain_shift = values(augmented("shift:3", set).x),
             with_hole = values(augmented("shift:3,cutout:4", set).x);
  ASSERT_NE(with_hole, plain_shift);
  for (std::size_t i = 0; i < with_hole.size(); ++i)
    EXPECT_TRUE(with_hole[i] == 0 || with_hole[i] == plain_shift[i]) << i;
}

TEST(Augment, KeepsShapesAndRanges) {
  Rng rng(11);
  for (int trial = 0; trial < 150; ++trial) {
    const auto maybe = [&](double high) {
      const double u = rng.uniform();
      return u < 0.4 ? 0 : u > 0.9 ? high : rng.uniform(0, high);
    };
    AugmentOptions options{.shift = maybe(1000),
                           .rotate = maybe(180),
                           .scale = maybe(0.9),
                           .shear = maybe(80),
                           .elastic = maybe(1000),
                           .elastic_sigma = rng.uniform(0.1, 100),
                           .flip = maybe(1),
                           .crop = rng.integer(0, 5),
                           .cutout = rng.integer(0, 5),
                           .noise = maybe(10),
                           .mixup = maybe(2)};
    if (trial % 2 == 0) options.shift = options.elastic = 1;
    const Index height = rng.integer(1, 9), width = rng.integer(1, 9);
    const Shape sample = trial % 3 == 0 ? Shape{height, width} : Shape{rng.integer(1, 4), height, width};
    const Dataset set = counting(3, sample);
    const DType dtype = trial % 2 == 0 ? f32 : f64;
    const Batch batch = Augment(options, 1)(set, all_rows(set), trial, dtype);
    const std::string what = to_string(options) + " of " + to_string(sample);
    EXPECT_EQ(batch.x.shape(), (Shape{3, sample.size()})) << what;
    EXPECT_EQ(batch.x.dtype(), dtype);
    for (const double v : values(batch.x)) ASSERT_TRUE(v >= 0 && v <= 1) << what << ": " << v;
    EXPECT_EQ(batch.labels.shape(), options.mixup > 0 ? (Shape{3, 10}) : Shape{3}) << what;
    EXPECT_EQ(parse_augment(to_string(options)), options) << what;
  }
}

TEST(Augment, TakesNoRowsAtAll) {
  const Dataset set = counting(3, {4, 4});
  const Batch batch = Augment({.shift = 1, .mixup = 1}, 1)(set, {}, 0);
  EXPECT_EQ(batch.x.shape(), (Shape{0, 16}));
  EXPECT_EQ(batch.labels.shape(), (Shape{0, 10}));
  EXPECT_EQ(Augment({.elastic = 1}, 1)(counting(0, {4, 4}), {}, 0).x.shape(), (Shape{0, 16}));
}

TEST(Augment, MixesImagesAndLabelsInTheSameShares) {
  // Black images are class 0, white ones class 1: so the grey is the share of class 1.
  const Index n = 3000;
  Bytes pixels;
  for (Index k = 0; k < n; ++k) pixels.insert(pixels.end(), 4, k % 2 == 0 ? 0 : 255);
  Dataset set = plain(n, {2, 2}, 0);
  set.images = from(pixels, {n, 2, 2});
  for (const DType dtype : {f32, f64}) {
    const Batch batch = augmented("mixup:0.4", set, 0, 1, dtype);
    ASSERT_EQ(batch.labels.shape(), (Shape{n, 2}));
    EXPECT_EQ(batch.labels.dtype(), dtype);
    double sum = 0, squares = 0, count = 0;
    for (Index k = 0; k < n; ++k) {
      const double share = batch.labels.at(2 * k + 1);
      ASSERT_NEAR(batch.labels.at(2 * k) + share, 1, dtype == f32 ? 1e-7 : 0);
      for (Index i = 0; i < 4; ++i) EXPECT_NEAR(batch.x.at(4 * k + i), share, 1e-7);
      if (share == 0 || share == 1) continue;  // a partner of the same class, or a share of all
      const double own = k % 2 == 0 ? 1 - share : share;
      sum += own;
      squares += (own - 0.5) * (own - 0.5);
      ++count;
    }
    // Beta(a, a) has the mean 1/2 and the variance 1 / (8 a + 4).
    EXPECT_NEAR(count, n / 2., 150);
    EXPECT_NEAR(sum / count, 0.5, 0.05);
    EXPECT_NEAR(squares / count, 1 / 7.2, 0.01);
    EXPECT_TRUE(std::isfinite(soft_cross_entropy(zeros({n, 2}, dtype), batch.labels).item()));
  }
}

TEST(Augment, MixesWhatItWouldMakeOfEachImageWithoutMixup) {
  const Dataset set = digits(2, 0, 12);
  const std::string rest = "shift:2,rotate:10,noise:0.1";
  const Batch alone = augmented(rest, set, 3, 8), mixed = augmented(rest + ",mixup:1", set, 3, 8);
  for (Index k = 0; k < set.size(); ++k) {
    Rng rng = Rng::keyed({8, 3, static_cast<std::uint32_t>(k), 1});
    const Index partner = rng.integer(0, set.size());
    const double share = draw_beta(rng, 1);
    const auto a = image(alone, k), b = image(alone, partner), c = image(mixed, k);
    for (std::size_t i = 0; i < c.size(); ++i) EXPECT_EQ(c[i], share * a[i] + (1 - share) * b[i]);
  }
}

TEST(Augment, Errors) {
  const Dataset set = counting(4, {3, 3});
  const std::vector<Index> rows{0};
  const Augment augment({.shift = 1}, 1);
  EXPECT_ERROR(augment(counting(4, {9}), rows, 0), ShapeError,
               "[augment] expected images (H, W) or (C, H, W) that are not empty, got (9)");
  EXPECT_ERROR(augment(counting(4, {1, 1, 3, 3}), rows, 0), ShapeError,
               "[augment] expected images (H, W) or (C, H, W) that are not empty, got (1, 1, 3, 3)");
  EXPECT_ERROR(augment(counting(4, {0, 3}), rows, 0), ShapeError,
               "[augment] expected images (H, W) or (C, H, W) that are not empty, got (0, 3)");
  EXPECT_ERROR(augment(set, rows, -1), ValueError,
               "[augment] the epoch must be from 0 to 4294967295, got -1");
  EXPECT_ERROR(augment(set, rows, 4294967296), ValueError,
               "[augment] the epoch must be from 0 to 4294967295, got 4294967296");
  EXPECT_ERROR(augment(set, std::vector<Index>{4}, 0), IndexError,
               "[gather] row 4 is outside a dataset of 4");
  EXPECT_ERROR(augment(set, rows, 0, i64), DTypeError, "[gather] expected f32 or f64, got i64");
  Dataset bad = set;
  bad.labels = full({4}, 10, i64);
  EXPECT_ERROR(Augment({.mixup = 1}, 1)(bad, rows, 0), IndexError,
               "[augment] mixup found the label 10 in a dataset of 10 classes");

  EXPECT_ERROR(Augment({.shift = -1}, 1), ValueError, "[augment] shift must be from 0 to 1000, got -1");
  EXPECT_ERROR(Augment({.rotate = -5}, 1), ValueError, "[augment] rotate must be from 0 to 180, got -5");
  EXPECT_ERROR(Augment({.scale = 1}, 1), ValueError, "[augment] scale must be from 0 to 0.9, got 1");
  EXPECT_ERROR(Augment({.shear = 90}, 1), ValueError, "[augment] shear must be from 0 to 80, got 90");
  EXPECT_ERROR(Augment({.elastic = nan}, 1), ValueError, "[augment] elastic must be from 0 to 1000, got nan");
  EXPECT_ERROR(Augment({.elastic_sigma = 0}, 1), ValueError,
               "[augment] elastic_sigma must be from 0.1 to 100, got 0");
  EXPECT_ERROR(Augment({.flip = 2}, 1), ValueError, "[augment] flip must be from 0 to 1, got 2");
  EXPECT_ERROR(Augment({.crop = -1}, 1), ValueError,
               "[augment] crop must be a whole number from 0 to 1000, got -1");
  EXPECT_ERROR(Augment({.cutout = 1001}, 1), ValueError,
               "[augment] cutout must be a whole number from 0 to 1000, got 1001");
  EXPECT_ERROR(Augment({.noise = INFINITY}, 1), ValueError, "[augment] noise must be from 0 to 10, got inf");
  EXPECT_ERROR(Augment({.mixup = -0.1}, 1), ValueError, "[augment] mixup must be from 0 to 100, got -0.1");
}

TEST(ParseAugment, ReadsNamesAndValues) {
  EXPECT_EQ(parse_augment(""), AugmentOptions());
  EXPECT_EQ(parse_augment("shift:2,rotate:10,flip"), (AugmentOptions{.shift = 2, .rotate = 10, .flip = 0.5}));
  EXPECT_EQ(parse_augment("mixup:0.2,cutout:8,crop:4,noise:0.05,elastic:1.4,elastic_sigma:3,shear:1e1,"
                          "scale:.1,flip:1"),
            (AugmentOptions{.scale = 0.1,
                            .shear = 10,
                            .elastic = 1.4,
                            .elastic_sigma = 3,
                            .flip = 1,
                            .crop = 4,
                            .cutout = 8,
                            .noise = 0.05,
                            .mixup = 0.2}));
}

TEST(ParseAugment, GoesThereAndBack) {
  EXPECT_EQ(to_string(AugmentOptions()), "");
  EXPECT_EQ(to_string(parse_augment("flip,rotate:10.50,shift:2,crop:4,cutout:0")),
            "shift:2,rotate:10.5,flip:0.5,crop:4");
  const AugmentOptions third{.shift = 1.0 / 3, .scale = 1e-17};
  EXPECT_EQ(parse_augment(to_string(third)), third);
}

TEST(ParseAugment, Errors) {
  const std::string there =
      ": there are shift, rotate, scale, shear, elastic, elastic_sigma, flip, crop, cutout, noise, mixup";
  EXPECT_ERROR(parse_augment("shift:2,spin:3"), ValueError, "[augment] no option \"spin\"" + there);
  EXPECT_ERROR(parse_augment("shift:2, rotate:3"), ValueError, "[augment] no option \" rotate\"" + there);
  EXPECT_ERROR(parse_augment("shift:2,,flip"), ValueError, "[augment] no option \"\"" + there);
  EXPECT_ERROR(parse_augment(":2"), ValueError, "[augment] no option \"\"" + there);
  EXPECT_ERROR(parse_augment("flip,shift:2,"), ValueError,
               "[augment] an option is missing after \"shift:2,\"");
  EXPECT_ERROR(parse_augment("rotate"), ValueError,
               "[augment] expected rotate:value, a number, got \"rotate\"");
  EXPECT_ERROR(parse_augment("rotate:"), ValueError,
               "[augment] expected rotate:value, a number, got \"rotate:\"");
  EXPECT_ERROR(parse_augment("flip:"), ValueError, "[augment] expected flip:value, a number, got \"flip:\"");
  EXPECT_ERROR(parse_augment("rotate:ten"), ValueError,
               "[augment] expected rotate:value, a number, got \"rotate:ten\"");
  EXPECT_ERROR(parse_augment("rotate:10deg"), ValueError,
               "[augment] expected rotate:value, a number, got \"rotate:10deg\"");
  EXPECT_ERROR(parse_augment("rotate:1e999"), ValueError,
               "[augment] expected rotate:value, a number, got \"rotate:1e999\"");
  EXPECT_ERROR(parse_augment("rotate:nan"), ValueError, "[augment] rotate must be from 0 to 180, got nan");
  EXPECT_ERROR(parse_augment("rotate:-5"), ValueError, "[augment] rotate must be from 0 to 180, got -5");
  EXPECT_ERROR(parse_augment("crop:2.5"), ValueError,
               "[augment] crop must be a whole number from 0 to 1000, got 2.5");
  EXPECT_ERROR(parse_augment("crop:1e30"), ValueError,
               "[augment] crop must be a whole number from 0 to 1000, got 1e+30");
  EXPECT_ERROR(parse_augment("shift:1,flip,shift:1"), ValueError, "[augment] shift is given twice");
}

TEST(DrawBeta, IsNumPys) {
  // [x.hex() for x in numpy.random.RandomState(seed).beta(alpha, alpha, 4)]
  const auto draws = [](std::uint64_t seed, double alpha) {
    Rng rng(seed);
    std::vector<double> list;
    for (int k = 0; k < 4; ++k) list.push_back(draw_beta(rng, alpha));
    return list;
  };
  EXPECT_THAT(draws(1, 0.2), ElementsAre(0x1.f43dc99991013p-5, 0x1.1de0274255ca7p-57, 0x1.d20ab08f2c376p-1,
                                         0x1.647d22666e07dp-5));
  EXPECT_THAT(draws(2, 1), ElementsAre(0x1.e3435388573d3p-1, 0x1.1db79f09f7b66p-1, 0x1.1eb3d6adfbbd1p-1,
                                       0x1.fcb0dec78b13dp-3));
  EXPECT_THAT(draws(3, 2.5), ElementsAre(0x1.5a551015252fep-1, 0x1.073ebbec7cfacp-1, 0x1.27c33f5ec8cd9p-1,
                                         0x1.922980f62a433p-2));
  EXPECT_THAT(draws(4, 0.001), ElementsAre(1, 1, 1, 1));
}

TEST(DrawBeta, HasItsMeanAndVariance) {
  Rng rng(1);
  for (const double alpha : {1e-300, 0.001, 0.2, 1.0, 1.5, 8.0, 100.0}) {
    const int n = 40000;
    double sum = 0, squares = 0;
    for (int k = 0; k < n; ++k) {
      const double x = draw_beta(rng, alpha);
      ASSERT_TRUE(x >= 0 && x <= 1) << x;
      sum += x;
      squares += (x - 0.5) * (x - 0.5);
    }
    const double variance = 1 / (8 * alpha + 4);
    EXPECT_NEAR(sum / n, 0.5, 5 * std::sqrt(variance / n)) << alpha;
    EXPECT_NEAR(squares / n / variance, 1, 0.05) << alpha;
  }
  EXPECT_ERROR(draw_beta(rng, 0), ValueError, "[draw_beta] alpha must be finite and above 0, got 0");
  EXPECT_ERROR(draw_beta(rng, nan), ValueError, "[draw_beta] alpha must be finite and above 0, got nan");
}

TEST(BatchesAugmented, AreTheSameRowsChanged) {
  const Dataset set = digits(1, 0, 23);
  const Augment augment({.shift = 2, .noise = 0.1}, 6);
  std::vector<Index> order = Rng(5).permutation(23);
  Rng rng(5);
  const Batches batches(set, 5, rng, f64);
  Index first = 0;
  for (const Batch& batch : batches.augmented(augment, 2)) {
    const std::vector<Index> rows(order.begin() + first, order.begin() + std::min<Index>(first + 5, 23));
    EXPECT_EQ(bits(batch), bits(augment(set, rows, 2, f64)));
    first += 5;
  }
  EXPECT_EQ(first, 25);

  // A resumed pass goes on with the same bits, and the batches themselves stay as they were.
  const Batches rest(set, 5, order, f64, 3);
  EXPECT_EQ(bits(*rest.augmented(augment, 2).begin()),
            bits(augment(set, std::span(order).subspan(15, 5), 2, f64)));
  EXPECT_EQ(bits(*rest.begin()), bits(gather(set, std::span(order).subspan(15, 5), f64)));
  EXPECT_EQ(rest.augmented(augment, 2).count(), 5);
}

TEST(BatchesAugmented, MayBeATemporaryOfATemporary) {
  const Dataset set = digits(1, 0, 7);
  Index images = 0;
  for (const auto& [x, labels] : Batches(set, 3).augmented(Augment({.mixup = 0.2}, 1), 0)) {
    EXPECT_EQ(labels.shape(), (Shape{x.size(0), 10}));
    images += x.size(0);
  }
  EXPECT_EQ(images, 7);
}

}  // namespace
}  // namespace elk
