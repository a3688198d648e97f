// Derivatives of functions, and backward towards some inputs alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include <elk/autograd/record.hpp>
#include <elk/base/flops.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/ops/transforms.hpp>
#include <support.hpp>

namespace elk {
namespace {

using test::error_of;
using test::values;
using testing::ElementsAre;

const Tensor x3 = from({1, -2, 0.5}, f64);

// (x0 x1, x1², sin x2, x0): its Jacobian is known.
Tensor four(const Tensor& x) {
  const auto at = [&](Index i) { return slice(x, 0, i, i + 1); };
  return concat({at(0) * at(1), square(at(1)), sin(at(2)), at(0)});
}

TEST(Transforms, GradNests) {
  const TensorFunction cube = [](const Tensor& x) { return sum(x * x * x); };
  EXPECT_THAT(values(grad(cube)(x3)), ElementsAre(3, 12, 0.75));
  const Tensor x = scalar(2, f64);
  EXPECT_EQ(grad(grad(cube))(x).item(), 12);
  EXPECT_EQ(grad(grad(grad(cube)))(x).item(), 6);
  EXPECT_EQ(grad(grad(grad(grad(cube))))(x).item(), 0);
}

TEST(Transforms, OfAConstantIsZero) {
  const TensorFunction constant = [](const Tensor&) { return scalar(7, f64); };
  EXPECT_THAT(values(grad(constant)(x3)), ElementsAre(0, 0, 0));
  EXPECT_THAT(values(vjp(constant, x3, scalar(1, f64)).product), ElementsAre(0, 0, 0));
  EXPECT_EQ(jvp(constant, x3, x3).product.item(), 0);
  EXPECT_THAT(values(hvp(constant, x3, x3).product), ElementsAre(0, 0, 0));
  EXPECT_THAT(values(hessian([](const Tensor& x) { return sum(x); }, x3)), testing::Each(0));
}

TEST(Transforms, ProductsAreTheJacobians) {
  const Tensor j = jacobian(four, x3);
  EXPECT_EQ(j.shape(), (Shape{4, 3}));
  EXPECT_THAT(values(j), testing::Pointwise(testing::DoubleNear(1e-15), {-2.0, 1.0, 0.0, 0.0, -4.0, 0.0, 0.0,
                                                                         0.0, std::cos(0.5), 1.0, 0.0, 0.0}));
  const Tensor u = from({1, 2, -1, 0.5}, f64), v = from({0.5, -1, 2}, f64);
  const Derivative left = vjp(four, x3, u), right = jvp(four, x3, v);
  EXPECT_EQ(values(left.value), values(four(x3)));
  EXPECT_EQ(values(right.value), values(four(x3)));
  EXPECT_THAT(values(left.product),
              testing::Pointwise(testing::DoubleNear(1e-14), values(squeeze(matmul(expand(u, 0), j), 0))));
  EXPECT_THAT(values(right.product),
              testing::Pointwise(testing::DoubleNear(1e-14), values(squeeze(matmul(j, expand(v, 1)), 1))));
}

TEST(Transforms, HessiansAndTheirProducts) {
  const TensorFunction f = [](const Tensor& x) { return sum(four(x) * four(x)); };
  const Tensor h = hessian(f, x3), v = from({0.5, -1, 2}, f64);
  EXPECT_EQ(h.shape(), (Shape{3, 3}));
  EXPECT_THAT(values(h), testing::Pointwise(testing::DoubleNear(1e-12), values(transpose(h))));
  const Derivative product = hvp(f, x3, v);
  EXPECT_EQ(product.value.item(), f(x3).item());
  EXPECT_THAT(values(product.product),
              testing::Pointwise(testing::DoubleNear(1e-12), values(squeeze(matmul(h, expand(v, 1)), 1))));
  // Of the second component alone: d²(x0² x1² + x1⁴) / dx1².
  EXPECT_NEAR(h.at(4), 2 * 1 + 12 * 4, 1e-12);
}

TEST(Transforms, OfTensorsOfAnyRankAndOfNone) {
  const TensorFunction rows = [](const Tensor& x) { return sum(square(x), 1); };
  const Tensor j = jacobian(rows, from({1, 2, 3, 4, 5, 6}, {2, 3}, f64));
  EXPECT_EQ(j.shape(), (Shape{2, 2, 3}));
  EXPECT_THAT(values(j), ElementsAre(2, 4, 6, 0, 0, 0, 0, 0, 0, 8, 10, 12));
  EXPECT_EQ(jacobian(rows, zeros({0, 3}, f64)).shape(), (Shape{0, 0, 3}));
  EXPECT_EQ(hessian([](const Tensor& x) { return sum(square(x)); }, zeros({2, 2})).shape(),
            (Shape{2, 2, 2, 2}));
}

TEST(Transforms, LetATapeAroundThemLearn) {
  nn::Parameter w(scalar(3, f64));
  Tape tape;
  const Tensor slope = grad([&](const Tensor& x) { return w * square(x); })(scalar(2, f64));
  const Tensor half = jvp([&](const Tensor& x) { return w * x; }, scalar(2, f64), scalar(0.5, f64)).product;
  EXPECT_EQ(slope.item(), 12);
  EXPECT_EQ(tape.backward(slope + half)[w].item(), 4.5);
}

TEST(Transforms, SayWhatDoesNotFit) {
  EXPECT_EQ(error_of<TapeError>([] { (void)grad(four)(x3); }),
            "[backward] expected a tensor of one element, got shape (4): reduce it, or give its gradient");
  EXPECT_EQ(error_of<ShapeError>([] { (void)vjp(four, x3, x3); }),
            "[vjp] expected a v like what f gives, f64 (4), got f64 (3)");
  EXPECT_EQ(error_of<ShapeError>([] { (void)jvp(four, x3, zeros({3})); }),
            "[jvp] expected a v like x, f64 (3), got f32 (3)");
  EXPECT_EQ(error_of<ShapeError>([] { (void)hvp(four, x3, zeros({2}, f64)); }),
            "[hvp] expected a v like x, f64 (3), got f64 (2)");
}

TEST(Towards, OnlyWhatIsAskedForIsComputed) {
  nn::Parameter w(scalar(2, f64)), b(scalar(1, f64));
  const Tensor x = scalar(3, f64);
  int called = 0;
  const auto counted = [&](const Tensor& t) {
    return record("counted", detach(t), wrt(t, [&](const Tensor& dy) { return ++called, dy; }));
  };
  {
    Tape tape;
    tape.watch(x);
    const Tensor h = w * x, y = counted(h) + counted(b);
    const Gradients gradients = tape.backward(y, {x, h});
    EXPECT_EQ(called, 1);
    EXPECT_EQ(gradients.size(), 2u);
    EXPECT_EQ(gradients[x].item(), 2);
    EXPECT_EQ(gradients[h].item(), 1);
    EXPECT_EQ(tape.size(), 0u);
  }
  {
    Tape tape;
    const Tensor y = counted(w * x) + counted(b);
    EXPECT_EQ(tape.backward(y, {b})[b].item(), 1);  // braces of one are a list, not the gradient of y
    EXPECT_EQ(called, 2);
  }
  Tape tape;
  const Tensor y = w * x;
  const Gradients none = tape.backward(y, y, {x});  // not on the tape
  EXPECT_EQ(none.size(), 0u);
  EXPECT_FALSE(none.has(x));
}

TEST(Towards, ACallThatThrowsLeavesTheTapeAsItWas) {
  nn::Parameter w(from({2, 3}, f64));
  Tape tape;
  const Tensor y = square(w);
  EXPECT_THROW((void)tape.backward(y, {w}), TapeError);
  EXPECT_THROW((void)tape.backward(x3, x3, {w}), TapeError);
  EXPECT_EQ(tape.backward(sum(y)).size(), 1u);
}

// The residual u_xx + u_yy of a network u(x, y), the heart of a physics-informed one.
struct Cost {
  std::size_t entries;
  std::uint64_t flops;
  std::vector<double> gradient;
};
Cost residual_step(bool towards) {
  Rng rng(1);
  const nn::Sequential net{nn::Linear(2, 32, rng), nn::Tanh(), nn::Linear(32, 32, rng), nn::Tanh(),
                           nn::Linear(32, 1, rng)};
  const Tensor points = randn({64, 2}, rng);
  const auto towards_points = [&](Tape& tape, const Tensor& y) {
    return towards ? tape.backward(y, {points})[points] : tape.backward(y)[points];
  };
  const std::uint64_t before = flops();
  Tape tape;
  Tape second;
  second.watch(points);
  Tensor slope;
  {
    Tape first;
    first.watch(points);
    slope = towards_points(first, sum(net(points)));
  }
  const Tensor loss = mean(square(sum(towards_points(second, sum(slope)), 1)));
  const std::size_t entries = tape.size();
  const Gradients gradients = tape.backward(loss);
  return {entries, flops() - before, values(gradients[net.parameters()[0].slot->value])};
}

TEST(Towards, APhysicsInformedStepIsCheaper) {
  const Cost all = residual_step(false), some = residual_step(true);
  EXPECT_EQ(some.gradient, all.gradient);
  EXPECT_LT(some.entries, 0.8 * static_cast<double>(all.entries));
  EXPECT_LT(static_cast<double>(some.flops), 0.85 * static_cast<double>(all.flops));
  RecordProperty("entries", std::to_string(all.entries) + " to " + std::to_string(some.entries));
  RecordProperty("flops", std::to_string(all.flops) + " to " + std::to_string(some.flops));
}

}  // namespace
}  // namespace elk
