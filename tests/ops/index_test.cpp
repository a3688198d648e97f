// What a table does not show of operators, parts and searches: handles, NaN, and answers that are no tensor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/index.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/search.hpp>
#include <elk/ops/shape.hpp>
#include <support.hpp>

namespace elk {
namespace {

using test::error_of;
using test::values;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Gather, TakesAnIndexSmallerThanXOffTheAxis) {
  const Tensor x = reshape(cast(arange(12), f64), {3, 4});
  EXPECT_THAT(values(gather(x, 1, from({3, 0}, {1, 2}, i64))), ElementsAre(3, 0));
  EXPECT_THAT(values(gather(x, 0, from({2, 1, 0, 2}, {2, 2}, i64))), ElementsAre(8, 5, 0, 9));
  EXPECT_EQ(gather(x, -1, zeros({0, 2}, i64)).shape(), (Shape{0, 2}));
  Tape tape;
  tape.watch(x);
  EXPECT_THAT(values(tape.backward(sum(gather(x, 0, from({2, 1, 2, 2}, {2, 2}, i64))))[x]),
              ElementsAre(0, 0, 0, 0, 0, 1, 0, 0, 2, 1, 0, 0));
  EXPECT_EQ(error_of<ShapeError>([&] {
              (void)gather(x, 0, zeros({2, 5}, i64));
            }),
            "[gather] shapes differ off axis 0: (3, 4) and (2, 5)");
}

TEST(CompoundAssignment, GivesTheHandleANewValue) {
  Tensor x = from({1, 2});
  const Tensor before = x;
  x += 1;
  x *= from({2, 3});
  EXPECT_THAT(values(x), ElementsAre(4, 9));
  EXPECT_THAT(values(before), ElementsAre(1, 2));

  Tape tape;
  tape.watch(x);
  Tensor y = x;
  for (int i = 0; i < 3; ++i) y *= x;  // x to the power of 4
  y -= 2 * x;
  EXPECT_THAT(values(tape.backward(sum(y))[x]), ElementsAre(4 * 64 - 2, 4 * 729 - 2));
}

TEST(CompoundAssignment, MayChangeTheDtype) {
  Tensor mask = from({1, 0}, u8);
  mask *= from({0.5, 0.5});
  EXPECT_EQ(mask.dtype(), f32);
  EXPECT_EQ(error_of<ValueError>([&] {
              Tensor ids = arange(2);
              ids += 0.5;
            }),
            "[tensor] 0.5 is not exact in i64: take f32 or f64, or convert with cast");
}

TEST(MixedDtypes, HaveOneRule) {
  const Tensor byte = ones({1}, u8), integer = ones({1}, i64), single = ones({1}), twice = ones({1}, f64);
  EXPECT_EQ((byte + byte).dtype(), u8);
  EXPECT_EQ((byte + integer).dtype(), i64);
  EXPECT_EQ((integer - byte).dtype(), i64);
  for (const Tensor& x : {byte, integer}) {
    EXPECT_EQ((x * single).dtype(), f32);
    EXPECT_EQ((single / x).dtype(), f32);
    EXPECT_EQ(maximum(x, twice).dtype(), f64);
    EXPECT_EQ(where(byte, twice, x).dtype(), f64);
  }
  EXPECT_EQ(error_of<DTypeError>([&] { (void)(single + twice); }),
            "[add] dtypes differ: f32 and f64: convert one with cast");
  EXPECT_EQ(error_of<DTypeError>([&] { (void)(integer / byte); }),
            "[div] expected f32 or f64, got i64: convert with cast");
  EXPECT_EQ(error_of<ValueError>([&] { (void)(0.5 * byte); }),
            "[tensor] 0.5 is not exact in u8: take f32 or f64, or convert with cast");
}

TEST(Parts, AreOfAnyDtypeAndOnNoTapeByThemselves) {
  const Tensor x = reshape(arange(6), {2, 3});
  EXPECT_THAT(x[1].data<std::int64_t>(), ElementsAre(3, 4, 5));
  EXPECT_EQ(x(1, 2).shape(), Shape{});
  EXPECT_EQ(x(1, 2).item(), 5);
  EXPECT_EQ((x[{0, 100}].shape()), (Shape{2, 3}));
  EXPECT_EQ((x[{1, 1}].shape()), (Shape{0, 3}));
  EXPECT_EQ((x[{-1, 2}].shape()), (Shape{1, 3}));
  EXPECT_EQ(x().id(), x.id());
  EXPECT_EQ(x(all(), range(3)).id(), x.id());  // all of it
  const std::vector<int> v(2);
  EXPECT_EQ(x[v.size() - 1].shape(), Shape{3});
}

TEST(Parts, HaveSecondDerivatives) {
  const Tensor x = from({1, 2, 3, 4}, {2, 2}, f64);
  Tape outer;
  outer.watch(x);
  Tape inner;
  inner.watch(x);
  const Tensor once = inner.backward(sum(square(x[1]) * x(0, -1)))[x];
  EXPECT_THAT(values(once), ElementsAre(0, 25, 12, 16));
  EXPECT_THAT(values(outer.backward(sum(once))[x]), ElementsAre(0, 14, 10, 12));
}

TEST(Masks, CountAndSelect) {
  const Tensor x = from({-1, 2, NAN, 0});
  EXPECT_THAT(values(x > 0), ElementsAre(0, 1, 0, 0));
  EXPECT_THAT(values(!(x > 0)), ElementsAre(1, 0, 1, 1));
  EXPECT_THAT(values(x[x > 0]), ElementsAre(2));
  EXPECT_THAT(values(x && ones({4}, u8)), ElementsAre(1, 1, 1, 0));  // NaN is not 0
  EXPECT_THAT(values(x[x > 5]), IsEmpty());
  EXPECT_EQ(sum(x <= 2).item(), 3);
  EXPECT_THAT(values(1 - (x > 0)), ElementsAre(1, 0, 1, 1));
}

TEST(Search, NaNIsLast) {
  const Tensor x = from({2, NAN, -INFINITY, INFINITY, 2});
  EXPECT_THAT(values(argsort(x)), ElementsAre(2, 0, 4, 3, 1));
  EXPECT_THAT(values(argsort(x, 0, true)), ElementsAre(1, 3, 0, 4, 2));
  EXPECT_THAT(values(topk(x, 2).indices), ElementsAre(1, 3));
  EXPECT_THAT(values(topk(x, 2, 0, false).indices), ElementsAre(2, 0));
  EXPECT_EQ(argmin(x).item(), 1);
  EXPECT_EQ(argmin(from({3, -INFINITY, -INFINITY})).item(), 1);
  EXPECT_EQ(error_of<ValueError>([&] { (void)topk(x, -1); }), "[topk] expected a count from 0 to 5, got -1");
}

TEST(Integers, KeepTheirEnds) {
  constexpr Index least = std::numeric_limits<Index>::min(), most = std::numeric_limits<Index>::max();
  const Tensor x = from(std::vector<Index>{most, least, 0});
  EXPECT_EQ(min(x).data<std::int64_t>()[0], least);
  EXPECT_EQ(max(x).data<std::int64_t>()[0], most);
  EXPECT_THAT(sort(x).values.data<std::int64_t>(), ElementsAre(least, 0, most));
  EXPECT_EQ(error_of<ValueError>([&] { (void)-x; }),
            "[sub] 0 - -9223372036854775808 does not fit i64: convert with cast");
  EXPECT_EQ(error_of<ValueError>([&] {
              (void)prod(from(std::vector<Index>{most, 2}));
            }),
            "[mul] 9223372036854775807 * 2 does not fit i64: convert with cast");
  EXPECT_EQ(error_of<DTypeError>([] { (void)(-ones({1}, u8)); }),
            "[neg] expected f32 or f64, got u8: convert with cast");
}

TEST(Stddev, OfEqualElementsHasADerivativeOf0) {
  const Tensor x = from({3, 3, 3, 1, 2, 3}, {2, 3}, f64);
  Tape tape;
  tape.watch(x);
  const Tensor y = stddev(x, 1);
  EXPECT_EQ(y.at(0), 0);
  const std::vector<double> dx = values(tape.backward(sum(y))[x]);
  EXPECT_THAT(std::vector<double>(dx.begin(), dx.begin() + 3), ElementsAre(0, 0, 0));
  EXPECT_NEAR(dx[3], -1 / (3 * std::sqrt(2 / 3.)), 1e-12);
}

TEST(Cumsum, AddsInF64) {
  const Tensor y = cumsum(concat({from({1e8}), ones({100})}), 0);
  EXPECT_EQ(y.at(100), 100000096);  // the nearest float to 100000100
}

TEST(IsNaNIsFinite, TellTheEnds) {
  const Tensor x = from({NAN, INFINITY, -INFINITY, 0, -3e38});
  EXPECT_THAT(values(isnan(x)), ElementsAre(1, 0, 0, 0, 0));
  EXPECT_THAT(values(isfinite(x)), ElementsAre(0, 0, 0, 1, 1));
}

TEST(Allclose, AsNumPys) {
  const Tensor x = from({1, 100});
  EXPECT_TRUE(allclose(x, x * (1 + 5e-6)));
  EXPECT_FALSE(allclose(x, x * (1 + 5e-5)));
  EXPECT_TRUE(allclose(x, x * (1 + 5e-5), 1e-4));
  EXPECT_TRUE(allclose(x, x + 0.5, 0, 0.6));
  EXPECT_TRUE(allclose(ones({2, 3}), scalar(1, f64)));  // broadcast, and of any dtype
  const Tensor ends = from({INFINITY, -INFINITY});
  EXPECT_TRUE(allclose(ends, ends));
  EXPECT_FALSE(allclose(ends, -ends));
  EXPECT_FALSE(allclose(zeros({2}), ends));
  EXPECT_FALSE(allclose(from({NAN}), from({NAN})));
  EXPECT_TRUE(allclose(from({NAN}), from({NAN}), 0, 0, true));
  EXPECT_TRUE(allclose(zeros({0}), zeros({0})));
  EXPECT_EQ(error_of<ShapeError>([&] { (void)allclose(x, zeros({3})); }),
            "[sub] shapes do not broadcast: (2) and (3)");
}

TEST(SplitAndChunk, GiveAllPieces) {
  const Tensor x = arange(7);
  std::vector<Index> sizes;
  for (const Tensor& part : split(x, 3)) sizes.push_back(part.size());
  EXPECT_THAT(sizes, ElementsAre(3, 3, 1));
  sizes.clear();
  for (const Tensor& part : chunk(x, 4)) sizes.push_back(part.size());
  EXPECT_THAT(sizes, ElementsAre(2, 2, 2, 1));
  EXPECT_EQ(chunk(x, 100).size(), 7u);
  EXPECT_THAT(split(zeros({0}), 2), IsEmpty());
  EXPECT_EQ(split(x, {3, 4})[1].at(0), 3);
  EXPECT_EQ(error_of<ShapeError>([&] {
              (void)split(x, {3, -1});
            }),
            "[split] axis 0 of (7) is not the sum of (3, -1)");
  EXPECT_EQ(error_of<ValueError>([&] { (void)split(x, 0); }), "[split] expected a size of at least 1, got 0");
  EXPECT_EQ(error_of<ValueError>([&] { (void)chunk(x, 0); }), "[chunk] expected at least 1 piece, got 0");
}

TEST(Pad, RefusesOddAndNegativeWidths) {
  for (const std::vector<Index>& widths : {std::vector<Index>{1}, std::vector<Index>{1, -1}})
    EXPECT_THAT(error_of<ShapeError>([&] { (void)pad(zeros({3}), widths); }),
                testing::StartsWith("[pad] expected up to 1 pairs of widths of 0 or more for (3), got (1"));
}

}  // namespace
}  // namespace elk
