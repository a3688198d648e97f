#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <elk/autograd/tape.hpp>
#include <elk/data/batches.hpp>
#include <elk/data/digits.hpp>
#include <elk/data/statistics.hpp>
#include <elk/debug/gradcheck.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/normalize.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/ops/reduce.hpp>
#include <support.hpp>

namespace elk::nn {
namespace {

using test::error_of;
using test::values;
using testing::ElementsAre;

TEST(Normalize, SubtractsAndScales) {
  Normalize layer(from({1, 2, 3}, f64), from({1, 0.5, 2}, f64), f64);
  const Tensor x = from({1, 2, 3, 2, 4, 6}, {2, 3}, f64);
  EXPECT_THAT(values(layer(x)), ElementsAre(0, 0, 0, 1, 1, 6));
  EXPECT_EQ(layer(zeros({4, 5, 3}, f64)).shape(), (Shape{4, 5, 3}));
  EXPECT_EQ(layer(zeros({0, 3}, f64)).shape(), (Shape{0, 3}));
  EXPECT_EQ(layer(from({2, 2, 2}, f64)).shape(), Shape{3});
  EXPECT_EQ(layer.describe(), "Normalize(3)");
  const GradcheckReport report = gradcheck(layer, x);
  EXPECT_TRUE(report) << report.to_string();
  // One pair of numbers for all.
  const Normalize scalar_layer(scalar(1), scalar(10));
  EXPECT_THAT(values(scalar_layer(from({1, 2}))), ElementsAre(0, 10));
  EXPECT_EQ(scalar_layer.describe(), "Normalize()");
}

TEST(Normalize, IsConvertedAndSavedButNotTrained) {
  Normalize layer(from({1, 2}, f64), from({3, 4}, f64));
  EXPECT_EQ(layer.parameter_count(), 0);
  const State state = layer.state();
  ASSERT_EQ(state.size(), 2u);
  EXPECT_EQ(state[0].name, "mean");
  EXPECT_EQ(state[1].name, "scale");
  EXPECT_EQ(state[0].value.dtype(), f32);
  Normalize other(zeros({2}), ones({2}));
  other.load_state(state);
  EXPECT_THAT(values(other(from({2, 2}))), ElementsAre(3, 0));
  other.to(f64);
  EXPECT_THAT(values(other(from({2, 2}, f64))), ElementsAre(3, 0));
}

TEST(Normalize, Errors) {
  EXPECT_EQ(error_of<ShapeError>([] { Normalize(zeros({3}), ones({2})); }),
            "[Normalize] shapes of mean and scale differ: (3) and (2)");
  EXPECT_EQ(error_of<DTypeError>([] { Normalize(zeros({3}), ones({3}), i64); }),
            "[Normalize] expected f32 or f64, got i64");
  const Normalize layer(zeros({3}), ones({3}));
  EXPECT_EQ(error_of<ShapeError>([&] {
              (void)layer(zeros({3, 1}));
            }),
            "[Normalize(3)] expected the last axes of x to be (3), got (3, 1)");
  EXPECT_EQ(error_of<ShapeError>([&] { (void)layer(scalar(1)); }),
            "[Normalize(3)] expected the last axes of x to be (3), got ()");
  EXPECT_EQ(error_of<DTypeError>([&] { (void)layer(zeros({3}, f64)); }),
            "[Normalize(3)] its mean is f32, x is f64: write cast(x, f32), or net.to(f64)");
}

TEST(Whiten, SubtractsAndMultiplies) {
  Whiten layer(from({1, 2, 3}, f64), from({1, 0, 0, 1, -1, 2}, {2, 3}, f64), f64);
  const Tensor x = from({1, 2, 3, 2, 4, 6}, {2, 3}, f64);
  EXPECT_THAT(values(layer(x)), ElementsAre(0, 0, 1, 5));
  EXPECT_EQ(layer(zeros({4, 5, 3}, f64)).shape(), (Shape{4, 5, 2}));
  EXPECT_EQ(layer(zeros({0, 3}, f64)).shape(), (Shape{0, 2}));
  EXPECT_EQ(layer.describe(), "Whiten(3, 2)");
  EXPECT_EQ(layer.parameter_count(), 0);
  EXPECT_EQ(layer.state()[1].name, "matrix");
  const GradcheckReport report = gradcheck(layer, x);
  EXPECT_TRUE(report) << report.to_string();
  layer.to(f32);
  EXPECT_THAT(values(layer(from({2, 4, 6}))), ElementsAre(1, 5));
}

TEST(Whiten, Errors) {
  EXPECT_EQ(error_of<ShapeError>([] {
              Whiten(zeros({2}), zeros({2, 3}));
            }),
            "[Whiten] expected a mean (in) and a matrix (out, in), got (2) and (2, 3)");
  EXPECT_EQ(error_of<ShapeError>([] { Whiten(zeros({3}), zeros({3})); }),
            "[Whiten] expected a mean (in) and a matrix (out, in), got (3) and (3)");
  EXPECT_EQ(error_of<DTypeError>([] {
              Whiten(zeros({3}), zeros({3, 3}), u8);
            }),
            "[Whiten] expected f32 or f64, got u8");
  const Whiten layer(zeros({3}), zeros({2, 3}));
  EXPECT_EQ(error_of<ShapeError>([&] {
              (void)layer(zeros({2, 1}));
            }),
            "[Whiten(3, 2)] expected x (..., 3), got (2, 1)");
  EXPECT_EQ(error_of<ShapeError>([&] { (void)layer(scalar(1)); }),
            "[Whiten(3, 2)] expected x (..., 3), got ()");
}

TEST(Normalization, InFrontOfANetworkTheGradientPassesThrough) {
  if (test::emulated()) GTEST_SKIP() << "eigenvectors of 784 pixels take too long under emulation";
  const Dataset set = digits(1, 0, 200);
  const PixelStatistics s = pixel_statistics(set, Per::channel);
  const Whitening w = pca_whitening(set, 20);
  Rng rng(1);
  Sequential net{Normalize(s.mean, s.scale), Linear(784, 3, rng)};
  Sequential white{Whiten(w.mean, w.matrix), Linear(20, 3, rng)};
  const Tensor x = gather(set, std::vector<Index>{0, 1, 2}).x;
  for (Sequential* module : {&net, &white}) {
    EXPECT_EQ(module->parameters().size(), 2u);
    EXPECT_EQ(module->state().size(), 4u);
    Tape tape;
    EXPECT_NO_THROW((void)tape.backward(sum((*module)(x))));
  }
}

}  // namespace
}  // namespace elk::nn
