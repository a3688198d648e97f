// <elk/xtensor.hpp>: tensors from xtensor expressions, views, and operations of one's own.
#include <elk/xtensor.hpp>
// (the line above must come first)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <elk/autograd/record.hpp>
#include <elk/autograd/tape.hpp>
#include <elk/debug/gradcheck.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <support.hpp>

namespace {

using testing::ElementsAre;

// As a user writes it.
elk::Tensor isru(const elk::Tensor& x) {
  auto y = elk::compute([](const auto& v) { return v / xt::sqrt(1 + v * v); }, x);
  return elk::record(
      "isru", y, elk::wrt(x, [x](const elk::Tensor& dy) { return dy / elk::pow(1 + elk::square(x), 1.5); }));
}

TEST(Bridge, IsruHasItsValueAndDerivatives) {
  for (const elk::DType dtype : {elk::f32, elk::f64}) {
    const elk::Tensor x = elk::from({-0.75, 0, 2.4, 0.75}, {2, 2}, dtype), y = isru(x);
    EXPECT_EQ(y.dtype(), dtype);
    EXPECT_EQ(y.shape(), x.shape());
    const double expected[] = {-0.6, 0, 12.0 / 13, 0.6};
    for (int i = 0; i < 4; ++i) EXPECT_NEAR(y.at(i), expected[i], 1e-7);
  }
  const auto report =
      elk::gradcheck([](const auto& in) { return isru(in[0]); }, {elk::from({-2, -0.5, 0.3, 4}, elk::f64)});
  EXPECT_TRUE(report) << report.to_string();
  EXPECT_EQ(isru(elk::zeros({0, 3})).shape(), (elk::Shape{0, 3}));
  EXPECT_EQ(isru(elk::scalar(0.75)).item(), 0.6f);
}

TEST(Bridge, ComputeTakesSeveralInputsAndKeepsTheirDtype) {
  const elk::Tensor a = elk::from({1, 2, 3}), b = elk::from({10, 20, 30});
  const elk::Tensor y =
      elk::compute([](const auto& u, const auto& v) { return 0.5 * u + xt::sqrt(v * v); }, a, b);
  EXPECT_EQ(y.dtype(), elk::f32);
  EXPECT_THAT(y.data<float>(), ElementsAre(10.5f, 21, 31.5f));
  const elk::Tensor more = elk::compute([](const auto& u, const auto& v) { return u > 1 && v < 30; }, a, b);
  EXPECT_EQ(more.dtype(), elk::u8);
  EXPECT_THAT(more.data<std::uint8_t>(), ElementsAre(0, 1, 0));
}

TEST(Bridge, ComputeRefusesOtherDtypes) {
  const auto text = [](const elk::Tensor& a, const elk::Tensor& b) {
    return elk::test::error_of<elk::DTypeError>(
        [&] { (void)elk::compute([](const auto& u, const auto& v) { return u + v; }, a, b); });
  };
  EXPECT_EQ(text(elk::zeros({2}), elk::zeros({2}, elk::f64)), "[compute] the inputs have different dtypes");
  EXPECT_EQ(text(elk::zeros({2}, elk::i64), elk::zeros({2}, elk::i64)), "[compute] expected f32 or f64");
}

TEST(Bridge, FromExpressionsOfEveryType) {
  const xt::xarray<double> a = {{1, 2, 3}, {4, 5, 6}};
  EXPECT_EQ(to_string(elk::from(a)), to_string(elk::from({1, 2, 3, 4, 5, 6}, {2, 3}, elk::f64)));
  EXPECT_EQ(to_string(elk::from(2 * a + 1)), to_string(elk::from({3, 5, 7, 9, 11, 13}, {2, 3}, elk::f64)));
  EXPECT_EQ(to_string(elk::from(a > 3)), to_string(elk::from({0, 0, 0, 1, 1, 1}, {2, 3}, elk::u8)));
  EXPECT_EQ(to_string(elk::from(xt::cast<float>(a))), to_string(elk::from({1, 2, 3, 4, 5, 6}, {2, 3})));
  EXPECT_EQ(to_string(elk::from(xt::cast<int>(a))),
            to_string(elk::from({1, 2, 3, 4, 5, 6}, {2, 3}, elk::i64)));
  EXPECT_EQ(to_string(elk::from(xt::transpose(a))),
            to_string(elk::from({1, 4, 2, 5, 3, 6}, {3, 2}, elk::f64)));
  EXPECT_EQ(to_string(elk::from(xt::view(a, xt::all(), 1))), to_string(elk::from({2, 5}, elk::f64)));
  EXPECT_EQ(to_string(elk::from(xt::sum(a, {1}))), to_string(elk::from({6, 15}, elk::f64)));
  EXPECT_EQ(to_string(elk::from(xt::sum(a))), to_string(elk::scalar(21, elk::f64)));
  EXPECT_EQ(to_string(elk::from(xt::linspace<float>(0, 1, 3))), to_string(elk::from({0, 0.5, 1})));
  const xt::xarray<float, xt::layout_type::column_major> columns = {{1, 2}, {3, 4}};
  EXPECT_EQ(to_string(elk::from(columns)), to_string(elk::from({1, 2, 3, 4}, {2, 2})));
  const xt::xtensor<std::uint8_t, 1> bytes = {7, 255};
  EXPECT_EQ(to_string(elk::from(bytes)), to_string(elk::from({7, 255}, elk::u8)));
  EXPECT_EQ(elk::from(xt::zeros<double>({0, 4})).shape(), (elk::Shape{0, 4}));
}

TEST(Bridge, AKeptTensorDoesNotFollowTheArray) {
  xt::xarray<double> a = {1, 2};
  const elk::Tensor x = elk::from(a);
  a(0) = 9;
  EXPECT_EQ(x.at(0), 1);
}

TEST(Bridge, ViewReadsTheTensor) {
  const elk::Tensor x = elk::from({1, 2, 3, 4, 5, 6}, {2, 3});
  const auto view = elk::view<float>(x);
  EXPECT_EQ(view.dimension(), 2u);
  EXPECT_EQ(view(1, 2), 6);
  EXPECT_EQ(xt::sum(view)(), 21);
  EXPECT_THROW((void)elk::view<double>(x), elk::DTypeError);
  const elk::Tensor number = elk::scalar(5);
  EXPECT_EQ(elk::view<float>(number)(), 5);
}

template <class T>
concept Viewable = requires(T&& x) {
  elk::view<float>(std::forward<T>(x));
};
static_assert(Viewable<const elk::Tensor&>);
static_assert(!Viewable<elk::Tensor>, "a view of a temporary would dangle");

}  // namespace
