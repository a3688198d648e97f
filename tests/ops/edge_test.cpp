// What a table of well-behaved numbers does not show: huge values, NaN, ties, and derivatives at kinks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/base/parallel.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/attention.hpp>
#include <elk/ops/convolution.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/normalize.hpp>
#include <elk/ops/pooling.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <support.hpp>

namespace elk {
namespace {

using test::error_of;
using test::values;
using testing::ElementsAre;
using testing::Pointwise;

MATCHER_P(Near, tolerance, "") {
  const double got = std::get<0>(arg), expected = std::get<1>(arg);
  return got == expected || std::abs(got - expected) <= tolerance * std::max(1.0, std::abs(expected));
}

using Function = std::function<Tensor(const Tensor&)>;

// d sum(weights * f(x)) / dx.
std::vector<double> gradient(const Function& f, const Tensor& x, const Tensor& weights) {
  Tape tape;
  tape.watch(x);
  return values(tape.backward(f(x), weights)[x]);
}
std::vector<double> gradient(const Function& f, const Tensor& x) {
  return gradient(f, x, ones(f(x).shape(), x.dtype()));
}

// The second derivative of f along its diagonal, for element-wise f.
std::vector<double> second(const Function& f, const Tensor& x) {
  Tape outer;
  outer.watch(x);
  Tape inner;
  inner.watch(x);
  const Tensor dx = inner.backward(sum(f(x)))[x];
  const Gradients gradients = outer.backward(sum(dx) + 0 * sum(x));
  return values(gradients[x]);
}

class Edge : public testing::TestWithParam<DType> {
 protected:
  double tolerance() const { return GetParam() == f64 ? 1e-12 : 1e-6; }
  Tensor make(std::initializer_list<double> list) const { return from(list, GetParam()); }
  Tensor make(std::initializer_list<double> list, const Shape& shape) const {
    return from(list, shape, GetParam());
  }
};

// What is computed of windows or groups: a value that is not finite is seen where it is read, and nowhere
// else.
TEST_P(Edge, WindowsShowWhatTheyRead) {
  const auto where_not_finite = [](const Tensor& y) {
    std::string found;
    for (const double value : values(y)) found += std::isnan(value) ? 'n' : std::isinf(value) ? 'i' : '.';
    return found;
  };
  for (const double special : {NAN, INFINITY}) {
    const char mark = std::isnan(special) ? 'n' : 'i';
    const auto marked = [&](std::string text) {
      std::replace(text.begin(), text.end(), 'x', mark);
      return text;
    };
    // The second of four numbers, through windows of two.
    const Tensor x = reshape(from({1, special, 2, 3}, GetParam()), {1, 1, 4}),
                 kernel = ones({1, 1, 2}, GetParam()), image = reshape(x, {1, 1, 1, 4});
    EXPECT_EQ(where_not_finite(conv1d(x, kernel)), marked("xx."));
    EXPECT_EQ(where_not_finite(conv_transpose2d(image, ones({1, 1, 1, 2}, GetParam()))), marked(".xx.."));
    EXPECT_EQ(where_not_finite(max_pool1d(x, 2, {.stride = 1})), marked("xx."));
    EXPECT_EQ(where_not_finite(avg_pool1d(x, 2, {.stride = 1})), marked("xx."));
    EXPECT_EQ(where_not_finite(adaptive_avg_pool1d(x, 2)), marked("x."));
    EXPECT_EQ(where_not_finite(interpolate(image, {1, 8})), marked("..xx...."));
    // A gradient that is not finite comes from one output, and goes to what that one read.
    const Tensor dy = reshape(from({0, special, 0}, GetParam()), {1, 1, 3}),
                 finite = zeros({1, 1, 4}, GetParam());
    EXPECT_EQ(
        where_not_finite(from(gradient([&](const Tensor& v) { return conv1d(v, kernel); }, finite, dy))),
        marked(".xx."));
    EXPECT_EQ(where_not_finite(from(
                  gradient([](const Tensor& v) { return avg_pool1d(v, 2, {.stride = 1}); }, finite, dy))),
              marked(".xx."));

    // One channel, one group, one row.
    const Tensor rows = reshape(from({1, 2, special, 4, 5, 6}, GetParam()), {3, 2}),
                 scale = ones({2}, GetParam()), shift = zeros({2}, GetParam());
    EXPECT_EQ(where_not_finite(rms_norm(rows, scale)), std::isnan(special) ? "..nn.." : "..n...");
    EXPECT_EQ(where_not_finite(group_norm(rows, 1, scale, shift)), "..nn..");
    const ChannelMoments m = channel_moments(rows);
    EXPECT_EQ(where_not_finite(m.mean), marked("x."));
    EXPECT_EQ(where_not_finite(m.variance), "n.");
    EXPECT_EQ(where_not_finite(batch_norm(rows, m.mean, m.variance, scale, shift)), "n.n.n.");
    // A query sees the keys before it; weights of those behind are 0, and 0 times what is not finite is NaN.
    const Tensor q = reshape(ones({3}, GetParam()), {3, 1}),
                 v = reshape(from({1, 2, special}, GetParam()), {3, 1});
    EXPECT_EQ(where_not_finite(scaled_dot_product_attention(q, q, v, {}, true)), marked("nnx"));
  }
  // A constant has no deviation to divide by: what is left is the shift.
  const Tensor same = full({2, 3}, 7, GetParam()), scale = ones({3}, GetParam()),
               shift = full({3}, 0.5, GetParam());
  EXPECT_THAT(values(group_norm(same, 1, scale, shift)), testing::Each(0.5));
  const ChannelMoments m = channel_moments(same);
  EXPECT_THAT(values(batch_norm(same, m.mean, m.variance, scale, shift)), testing::Each(0.5));
  EXPECT_THAT(values(rms_norm(zeros({2, 3}, GetParam()), scale)), testing::Each(0.0));
  // The largest of what has no number above -infinity.
  const Tensor low = full({1, 1, 4}, -INFINITY, GetParam());
  EXPECT_THAT(values(max_pool1d(low, 2, {.padding = 1})), testing::Each(-INFINITY));
}

INSTANTIATE_TEST_SUITE_P(DTypes, Edge, testing::Values(f32, f64),
                         [](const auto& one) { return std::string(name(one.param)); });

TEST_P(Edge, SigmoidAndTanhOfHugeValues) {
  const Tensor x = make({-1e4, -100, 0, 100, 1e4});
  EXPECT_THAT(values(sigmoid(x)), Pointwise(Near(tolerance()), {0.0, 0.0, 0.5, 1.0, 1.0}));
  EXPECT_THAT(gradient(sigmoid, x), Pointwise(Near(tolerance()), {0.0, 0.0, 0.25, 0.0, 0.0}));
  EXPECT_THAT(second(sigmoid, x), Pointwise(Near(tolerance()), {0.0, 0.0, 0.0, 0.0, 0.0}));
  EXPECT_THAT(values(tanh(x)), ElementsAre(-1, -1, 0, 1, 1));
  EXPECT_THAT(gradient(tanh, x), Pointwise(Near(tolerance()), {0.0, 0.0, 1.0, 0.0, 0.0}));
  EXPECT_THAT(second(tanh, x), Pointwise(Near(tolerance()), {0.0, 0.0, 0.0, 0.0, 0.0}));
  const Tensor infinite = make({-INFINITY, INFINITY});
  EXPECT_THAT(values(sigmoid(infinite)), ElementsAre(0, 1));
  EXPECT_THAT(gradient(sigmoid, infinite), ElementsAre(0, 0));
  EXPECT_THAT(gradient(tanh, infinite), ElementsAre(0, 0));
}

TEST_P(Edge, SigmoidKeepsItsRelativePrecisionFarBelowZero) {
  EXPECT_NEAR(sigmoid(make({-50})).at(0) / std::exp(-50.0), 1, 1e-5);
}

TEST_P(Edge, SoftmaxOfHugeValues) {
  const Tensor x = make({1e4, -1e4, 0, -1e4, 1e4, 1e4, 1e4, 1e4, 1e4}, {3, 3});
  for (const bool general : {false, true}) {
    kernels::set_reference(general);
    EXPECT_THAT(values(softmax(x)),
                Pointwise(Near(tolerance()), {1.0, 0.0, 0.0, 0.0, 0.5, 0.5, 1.0 / 3, 1.0 / 3, 1.0 / 3}));
    const double half = std::log(0.5), third = std::log(1.0 / 3);
    EXPECT_THAT(values(log_softmax(x)),
                Pointwise(Near(tolerance()), {0.0, -2e4, -1e4, half - 2e4, half, half, third, third, third}));
    EXPECT_THAT(values(log_softmax(transpose(x), 0)),
                Pointwise(Near(tolerance()), values(transpose(log_softmax(x)))));
  }
  kernels::set_reference(false);
  const Tensor weights = make({1, 2, 3, 4, 5, 6, 7, 8, 9}, {3, 3});
  EXPECT_THAT(gradient([](const Tensor& v) { return softmax(v); }, x, weights),
              Pointwise(Near(tolerance()), {0.0, 0.0, 0.0, 0.0, -0.25, 0.25, -1.0 / 3, 0.0, 1.0 / 3}));
  EXPECT_THAT(gradient([](const Tensor& v) { return log_softmax(v); }, x, weights),
              Pointwise(Near(tolerance()), {-5.0, 2.0, 3.0, 4.0, -2.5, -1.5, -1.0, 0.0, 1.0}));
}

TEST_P(Edge, CrossEntropyOfHugeValues) {
  const Tensor x = make({1e4, -1e4, 0, 1e4, -1e4, 0, 1e4, 1e4, -1e4}, {3, 3});
  const Tensor labels = from({0, 1, 1}, i64);
  EXPECT_NEAR(cross_entropy(x, labels).item(), (0 + 2e4 + std::log(2.0)) / 3, 1e-3);
  EXPECT_THAT(gradient([&](const Tensor& v) { return cross_entropy(v, labels); }, x),
              Pointwise(Near(tolerance()), {0.0, 0.0, 0.0, 1.0 / 3, -1.0 / 3, 0.0, 1.0 / 6, -1.0 / 6, 0.0}));
}

// A class that is ruled out has a logit of -infinity.
TEST_P(Edge, LogitsOfMinusInfinity) {
  const Tensor x = make({-INFINITY, 0, 0}, {1, 3});
  EXPECT_THAT(values(softmax(x)), Pointwise(Near(tolerance()), {0.0, 0.5, 0.5}));
  EXPECT_NEAR(cross_entropy(x, from({1}, i64)).item(), std::log(2.0), 1e-6);
  EXPECT_THAT(gradient([](const Tensor& v) { return cross_entropy(v, from({1}, i64)); }, x),
              Pointwise(Near(tolerance()), {0.0, -0.5, 0.5}));
  EXPECT_EQ(cross_entropy(x, from({0}, i64)).item(), INFINITY);
}

TEST_P(Edge, NaNIsNeverLost) {
  const Tensor x = make({NAN, 1, NAN}), y = make({1, NAN, NAN}), row = make({NAN, 1, 2}, {1, 3});
  for (const bool general : {false, true}) {
    kernels::set_reference(general);
    for (const Tensor& result : {maximum(x, y),
                                 maximum(make({2, 2, 2}), make({NAN, NAN, NAN})),
                                 clamp(make({NAN}), -1, 1),
                                 relu(make({NAN})),
                                 leaky_relu(make({NAN})),
                                 sigmoid(make({NAN})),
                                 tanh(make({NAN})),
                                 sign(make({NAN})),
                                 abs(make({NAN})),
                                 max(make({1, NAN, 2})),
                                 max(make({NAN, 1, 2})),
                                 max(make({1, 2, NAN})),
                                 max(make({NAN, 1, 2, 3}, {2, 2}), 1, true),
                                 softmax(row),
                                 log_softmax(row),
                                 softmax(transpose(row), 0),
                                 cross_entropy(row, from({1}, i64)),
                                 sum(x),
                                 mean(x),
                                 mse(x, y)})
      EXPECT_TRUE(std::isnan(result.at(0))) << to_string(result);
    EXPECT_TRUE(std::isnan(maximum(scalar(NAN, GetParam()), make({1, 2})).at(1)));
    EXPECT_TRUE(std::isnan(maximum(make({1, 2}), scalar(NAN, GetParam())).at(1)));
  }
  kernels::set_reference(false);
  EXPECT_EQ(argmax(make({5, NAN, 7, NAN})).item(), 1);
  EXPECT_EQ(argmax(make({NAN, NAN})).item(), 0);
  EXPECT_THAT(values(equal(x, x)), ElementsAre(0, 1, 0));
  EXPECT_THAT(values(not_equal(x, x)), ElementsAre(1, 0, 1));
  EXPECT_THAT(values(less_equal(x, y)), ElementsAre(0, 0, 0));
  EXPECT_TRUE(std::isnan(matmul(make({NAN, 0}, {1, 2}), make({0, 0}, {2, 1})).at(0)));
}

// An element that is not chosen takes no part, whatever it is.
TEST_P(Edge, WhereShieldsFromNaN) {
  const Tensor x = make({4, -4});
  const Function safe_sqrt = [](const Tensor& v) {
    return where(greater(v, 0), sqrt(where(greater(v, 0), v, ones(v.shape(), v.dtype()))),
                 zeros(v.shape(), v.dtype()));
  };
  EXPECT_THAT(values(safe_sqrt(x)), ElementsAre(2, 0));
  EXPECT_THAT(gradient(safe_sqrt, x), ElementsAre(0.25, 0));
}

TEST_P(Edge, InfinitiesOfTheElementaryFunctions) {
  EXPECT_THAT(values(log(make({0, INFINITY}))), ElementsAre(-INFINITY, INFINITY));
  EXPECT_TRUE(std::isnan(log(make({-1})).at(0)));
  EXPECT_TRUE(std::isnan(sqrt(make({-1})).at(0)));
  EXPECT_THAT(values(exp(make({-1e4, 1e4}))), ElementsAre(0, INFINITY));
  EXPECT_THAT(values(make({1, -1}) / make({0, 0})), ElementsAre(INFINITY, -INFINITY));
  EXPECT_THAT(values(relu(make({-INFINITY, INFINITY}))), ElementsAre(0, INFINITY));
  EXPECT_THAT(gradient(relu, make({-INFINITY, INFINITY})), ElementsAre(0, 1));
  EXPECT_THAT(values(clamp(make({-INFINITY, INFINITY, 3}), -2, INFINITY)), ElementsAre(-2, INFINITY, 3));
}

TEST_P(Edge, DerivativesAtKinks) {
  const Tensor zero = make({0, -0.0});
  EXPECT_THAT(gradient(relu, zero), ElementsAre(0, 0));
  EXPECT_THAT(gradient([](const Tensor& x) { return leaky_relu(x, 0.25); }, zero), ElementsAre(0.25, 0.25));
  EXPECT_THAT(gradient(abs, zero), ElementsAre(0, 0));
  EXPECT_THAT(gradient(sqrt, make({0})), ElementsAre(INFINITY));
  EXPECT_THAT(gradient([](const Tensor& x) { return clamp(x, -1, 1); }, make({-2, -1, 0, 1, 2})),
              ElementsAre(0, 1, 1, 1, 0));
}

TEST_P(Edge, EqualLargestShareTheGradient) {
  const Tensor a = make({1, 2, 3}), b = make({1, 3, 2});
  Tape tape;
  tape.watch(a);
  tape.watch(b);
  const Gradients gradients = tape.backward(maximum(a, b), ones({3}, GetParam()));
  EXPECT_THAT(values(gradients[a]), ElementsAre(0.5, 0, 1));
  EXPECT_THAT(values(gradients[b]), ElementsAre(0.5, 1, 0));
  EXPECT_THAT(gradient([](const Tensor& x) { return maximum(x, x); }, make({5})), ElementsAre(1));
  EXPECT_THAT(gradient([](const Tensor& x) { return max(x, 1); }, make({1, 7, 7, 7, 7, 7}, {2, 3})),
              Pointwise(Near(tolerance()), {0.0, 0.5, 0.5, 1.0 / 3, 1.0 / 3, 1.0 / 3}));
  EXPECT_THAT(gradient(
                  [](const Tensor& x) {
                    return max(x, {0, 2});
                  },
                  make({1, 2, 3, 3}, {2, 1, 2})),
              ElementsAre(0, 0, 0.5, 0.5));
}

TEST_P(Edge, ClampRefusesAnEmptyRange) {
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{{1, -1}, {NAN, 1}, {0, NAN}})
    EXPECT_THROW((void)clamp(make({0}), low, high), ValueError);
  EXPECT_THAT(values(clamp(make({0, 3}), 1, 1)), ElementsAre(1, 1));
}

TEST(Sum, OfOnesInF32IsExactBeyondItsPrecision) {
  constexpr Index n = Index{1} << 25;  // adding 1 to 2^24 in f32 would change nothing
  const Tensor x = ones({n});
  EXPECT_EQ(sum(x).item(), 33554432);
  EXPECT_EQ(mean(x).item(), 1);
  EXPECT_EQ(sum(reshape(x, {n / 2, 2}), 0).at(1), 16777216);
}

TEST(Sum, OfF32AccumulatesInF64OverAnyAxes) {
  std::vector<float> list(4 * 1000, 1);
  list[0] = list[2] = 16777216;  // 2^24
  const Tensor x = from(list, {1000, 2, 2});
  for (const bool general : {false, true}) {
    kernels::set_reference(general);
    // Rounded to f32 once, at the end: above 2^24 it holds even numbers.
    EXPECT_THAT(values(sum(x, {0, 2})), ElementsAre(16777216 + 2000, 16777216 + 2000));
    EXPECT_THAT(values(sum(x, 0)), ElementsAre(16777216 + 1000, 1000, 16777216 + 1000, 1000));
    EXPECT_EQ(sum(x).item(), 2 * 16777216 + 4000);
  }
  kernels::set_reference(false);
}

TEST(Cast, PassesGradientsInTheirDtype) {
  const Tensor x = from({1, 2}, f32);
  Tape tape;
  tape.watch(x);
  const Tensor y = cast(x, f64);
  const Gradients gradients = tape.backward(sum(square(y)));
  EXPECT_EQ(gradients[x].dtype(), f32);
  EXPECT_THAT(values(gradients[x]), ElementsAre(2, 4));
}

TEST(Cast, TruncatesAndKeepsEveryInteger) {
  EXPECT_THAT(values(cast(from({-1.9, -0.5, 0.5, 1.9}), i64)), ElementsAre(-1, 0, 0, 1));
  EXPECT_THAT(values(cast(from({-0.9, 255.9}), u8)), ElementsAre(0, 255));
  const Tensor large = from(std::vector<std::int64_t>{9007199254740993, INT64_MAX, INT64_MIN});
  EXPECT_EQ(cast(cast(large, i64), i64).data<std::int64_t>()[0], 9007199254740993);
  EXPECT_EQ(cast(from({-9223372036854775808.0}, f64), i64).data<std::int64_t>()[0], INT64_MIN);
  EXPECT_THROW((void)cast(from({9223372036854775808.0}, f64), i64), ValueError);
  const Tensor x = from({1, 2});
  EXPECT_EQ(cast(x, f32).id(), x.id());
}

TEST(Detach, CutsTheGradient) {
  const Tensor x = from({1, 2}, f64);
  Tape tape;
  tape.watch(x);
  const Gradients gradients = tape.backward(sum(x * detach(x)));
  EXPECT_THAT(values(gradients[x]), ElementsAre(1, 2));
}

TEST(OneHot, ErrorsAndDtypes) {
  for (const DType dtype : {f32, f64, i64, u8}) EXPECT_EQ(one_hot(from({1}, i64), 2, dtype).dtype(), dtype);
  EXPECT_EQ(error_of<ValueError>([] { (void)one_hot(from({1}, i64), 0); }),
            "[one_hot] expected at least one class, got 0");
}

TEST(Reshape, Errors) {
  const auto text = [](const Tensor& x, const Shape& shape) {
    return error_of<ShapeError>([&] { (void)reshape(x, shape); });
  };
  EXPECT_EQ(text(zeros({2, 3}), {-1, -1}), "[reshape] (2, 3) of 6 elements does not fit (-1, -1)");
  EXPECT_EQ(text(zeros({2, 3}), {-2, 3}), "[reshape] (-2, 3) is no shape");
  EXPECT_EQ(text(zeros({0, 3}), {-1, 0}), "[reshape] (0, 3) of 0 elements does not fit (-1, 0)");
  EXPECT_EQ(text(zeros({2}), {Index{1} << 40, Index{1} << 40}),
            "[reshape] (1099511627776, 1099511627776) is no shape");
  EXPECT_EQ(text(zeros({0, 3}), {3, -1}), "no error");
}

TEST(Dropout, KeepsTheGivenFractionAndScalesIt) {
  Rng rng(3);
  const Tensor x = ones({100, 1000});
  Tape tape(rng);
  tape.watch(x);
  const Tensor y = dropout(x, 0.2);
  Index kept = 0;
  for (const float v : y.data<float>()) {
    EXPECT_TRUE(v == 0 || v == 1.25f) << v;
    kept += v != 0;
  }
  EXPECT_NEAR(static_cast<double>(kept) / 1e5, 0.8, 0.006);  // 5 standard deviations
  const Gradients gradients = tape.backward(sum(y));
  EXPECT_EQ(values(gradients[x]), values(y));  // the same mask
}

TEST(Dropout, DropsWhereAUniformDrawIsBelowItsProbability) {
  for (const DType dtype : {f32, f64})
    for (const double p : {1e-300, 0.2, 0.5, 0.75, 0.7000000000000001, 1 - 0x1p-53}) {
      Rng rng(11), same(11);
      const Tensor x = ones({3, 701}, dtype);
      Tape tape(rng);
      const std::vector<double> y = values(dropout(x, p));
      for (const double v : y) ASSERT_EQ(v != 0, same.uniform() >= p) << p;
      EXPECT_EQ(rng.bits(), same.bits());
    }
  // At a draw itself it is kept.
  Rng rng(11), same(11);
  const double p = same.uniform();
  Tape tape(rng);
  EXPECT_NE(dropout(scalar(1, f64), p).item(), 0);
}

TEST(Dropout, DrawsOnlyOnATrainingTape) {
  const Tensor x = ones({1000});
  EXPECT_EQ(dropout(x, 0.5).id(), x.id());
  {
    Tape evaluation;
    EXPECT_EQ(dropout(x, 0.5).id(), x.id());
  }
  Rng rng(1), same(1);
  const std::uint32_t next = Rng(1).bits();
  {
    Tape training(rng);
    EXPECT_EQ(dropout(x, 0).id(), x.id());
    const Pause pause;
    EXPECT_EQ(dropout(x, 0.5).id(), x.id());
    Tape evaluation;
    EXPECT_EQ(dropout(x, 0.5).id(), x.id());
  }
  EXPECT_EQ(rng.bits(), next);
  std::vector<double> outside, inside;
  {
    Rng seeded(5);
    Tape training(seeded);
    outside = values(dropout(x, 0.5));
  }
  {
    Rng seeded(5);
    Tape training(seeded), inherits;
    inside = values(dropout(x, 0.5));
  }
  EXPECT_EQ(inside, outside);
  std::vector<std::vector<double>> twice;
  for (int i = 0; i < 2; ++i) {
    Rng seeded(5);
    Tape training(seeded);
    twice.push_back(values(dropout(x, 0.5)));
  }
  EXPECT_EQ(twice[0], twice[1]);
}

TEST(Dropout, RefusesBadProbabilities) {
  for (const double p : {-0.1, 1.0, 1.5, static_cast<double>(NAN)})
    EXPECT_THROW((void)dropout(ones({2}), p), ValueError);
  EXPECT_EQ(error_of<ValueError>([] { (void)dropout(ones({2}), 1); }),
            "[dropout] expected a probability from 0 to below 1, got 1");
}

TEST(GaussianNoise, AddsNormalDrawsInTheOrderOfTheElements) {
  for (const DType dtype : {f32, f64})
    for (const int threads : {1, 2}) {
      set_threads(threads);
      Rng rng(11), same(11);
      const Tensor x = full({301, 701}, 4, dtype);
      Tape tape(rng);
      const Tensor y = gaussian_noise(x, 0.3);
      EXPECT_EQ(y.dtype(), dtype);
      for (Index i = 0; i < y.size(); ++i) {
        if (dtype == f64) {
          ASSERT_EQ(y.at(i), 4 + 0.3 * same.normal());
        } else {
          ASSERT_EQ(y.at(i), 4 + 0.3f * static_cast<float>(same.normal()));
        }
      }
      EXPECT_EQ(rng.bits(), same.bits());
    }
  set_threads(1);
}

TEST(GaussianNoise, DrawsOnlyOnATrainingTape) {
  const Tensor x = ones({1000});
  EXPECT_EQ(gaussian_noise(x, 0.5).id(), x.id());
  {
    Tape evaluation;
    EXPECT_EQ(gaussian_noise(x, 0.5).id(), x.id());
  }
  Rng rng(1), same(1);
  {
    Tape training(rng);
    EXPECT_EQ(gaussian_noise(x, 0).id(), x.id());
    const Pause pause;
    EXPECT_EQ(gaussian_noise(x, 0.5).id(), x.id());
    Tape evaluation;
    EXPECT_EQ(gaussian_noise(x, 0.5).id(), x.id());
  }
  EXPECT_EQ(rng.bits(), same.bits());
  Rng outer(5), inner(5);
  std::vector<double> outside;
  {
    Tape training(outer);
    outside = values(gaussian_noise(x, 0.5));
  }
  Tape training(inner), inherits;
  EXPECT_EQ(values(gaussian_noise(x, 0.5)), outside);
}

// Of a sum of cubes; every evaluation draws the same.
TEST(GaussianNoise, GradientsAreThoseOfASum) {
  const Tensor x = from({-1.5, 0.25, 2, 0.5, -0.75, 1}, {2, 3}, f64);
  struct At {
    double value;
    std::vector<double> gradient, second;
  };
  const auto evaluate = [](const Tensor& at) {
    Rng rng(7);
    Tape outer(rng);
    outer.watch(at);
    Tape inner;
    inner.watch(at);
    const Tensor y = sum(pow(gaussian_noise(at, 0.3), 3)), gradient = inner.backward(y)[at];
    return At{y.item(), values(gradient), values(outer.backward(sum(gradient))[at])};
  };
  const At here = evaluate(x);
  constexpr double step = 1e-4;
  for (std::size_t i = 0; i < 6; ++i) {
    std::vector<double> moved(6);
    moved[i] = step;
    const At up = evaluate(x + from(moved, {2, 3})), down = evaluate(x - from(moved, {2, 3}));
    EXPECT_NEAR(here.gradient[i], (up.value - down.value) / (2 * step), 1e-6);
    EXPECT_NEAR(here.second[i], (up.gradient[i] - down.gradient[i]) / (2 * step), 1e-6);
  }
}

TEST(GaussianNoise, RefusesBadDeviationsAndIntegers) {
  for (const double deviation : {-0.1, static_cast<double>(NAN), static_cast<double>(INFINITY)})
    EXPECT_THROW((void)gaussian_noise(ones({2}), deviation), ValueError);
  EXPECT_EQ(error_of<ValueError>([] { (void)gaussian_noise(ones({2}), -1); }),
            "[gaussian_noise] expected a finite deviation of at least 0, got -1");
  EXPECT_EQ(error_of<DTypeError>([] { (void)gaussian_noise(ones({2}, i64), 1); }),
            "[gaussian_noise] expected f32 or f64, got i64: convert with cast");
}

}  // namespace
}  // namespace elk
