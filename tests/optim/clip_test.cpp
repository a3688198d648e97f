// Clipping of gradients, against what is computed by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <elk/autograd/tape.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/clip.hpp>
#include <support.hpp>

namespace elk::optim {
namespace {

using test::error_of;
using test::values;
using testing::ElementsAre;

// Gradients a (2) and b (1), as given.
struct Given {
  explicit Given(DType dtype) : a(zeros({2}, dtype)), b(zeros({1}, dtype)) {}
  Gradients operator()(double a0, double a1, double b0) const {
    Tape tape;
    tape.watch(a);
    tape.watch(b);
    return tape.backward(sum(a * from({a0, a1}, a.dtype())) + sum(b * from({b0}, b.dtype())));
  }
  Tensor a, b;
};

class Clip : public testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(DTypes, Clip, testing::Values(f32, f64),
                         [](const auto& one) { return std::string(name(one.param)); });

TEST_P(Clip, NormIsOverAllGradientsTogether) {
  const Given given(GetParam());
  EXPECT_DOUBLE_EQ(norm(given(2, -3, 6)), 7);
  EXPECT_EQ(norm(given(0, 0, 0)), 0);
  EXPECT_EQ(norm(Gradients()), 0);
}

TEST_P(Clip, NormIsExactWhereSquaresLeaveTheRangeOfFloat) {
  const Given given(GetParam());
  EXPECT_DOUBLE_EQ(norm(given(0x1p100, 0, 0)), 0x1p100);
}

TEST_P(Clip, NormScalesAllTogether) {
  const Given given(GetParam());
  const Gradients clipped = clip_norm(given(2, -3, 6), 3.5);
  EXPECT_THAT(values(clipped[given.a]), ElementsAre(1, -1.5));
  EXPECT_THAT(values(clipped[given.b]), ElementsAre(3));
}

TEST_P(Clip, NormLeavesSmallOnesAlone) {
  const Given given(GetParam());
  EXPECT_THAT(values(clip_norm(given(2, -3, 6), 7)[given.a]), ElementsAre(2, -3));
  EXPECT_THAT(values(clip_norm(given(0, 0, 0), 1)[given.a]), ElementsAre(0, 0));
}

TEST_P(Clip, NotANumberStaysToBeSeen) {
  const Given given(GetParam());
  EXPECT_TRUE(std::isnan(clip_norm(given(NAN, 1, 1), 1)[given.a].at(0)));
  EXPECT_TRUE(std::isnan(clip_value(given(NAN, 1, 1), 1)[given.a].at(0)));
}

TEST_P(Clip, ValueLimitsEachElement) {
  const Given given(GetParam());
  const Gradients clipped = clip_value(given(2, -3, 0.5), 1);
  EXPECT_THAT(values(clipped[given.a]), ElementsAre(1, -1));
  EXPECT_THAT(values(clipped[given.b]), ElementsAre(0.5));
}

TEST(ClipErrors, LimitMustBeAboveZero) {
  EXPECT_EQ(error_of<ValueError>([] { clip_norm({}, 0); }), "[clip_norm] expected a limit above 0, got 0");
  EXPECT_EQ(error_of<ValueError>([] { clip_norm({}, NAN); }),
            "[clip_norm] expected a limit above 0, got nan");
  EXPECT_EQ(error_of<ValueError>([] { clip_value({}, -1); }),
            "[clip_value] expected a limit above 0, got -1");
}

TEST(GradientsApply, KeepsShapeAndDType) {
  const Given given(f32);
  Gradients gradients = given(1, 2, 3);
  gradients.apply([](const Tensor& g) { return g * 2; });
  EXPECT_THAT(values(gradients[given.a]), ElementsAre(2, 4));
  EXPECT_EQ(error_of<ShapeError>([&] { gradients.apply([](const Tensor& g) { return sum(g); }); }),
            "[gradients] apply turned (2) into ()");
  EXPECT_EQ(error_of<DTypeError>([&] { gradients.apply([](const Tensor& g) { return cast(g, f64); }); }),
            "[gradients] apply turned f32 into f64");
}

}  // namespace
}  // namespace elk::optim
