#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <elk/base/error.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/tensor/storage.hpp>
#include <elk/tensor/tensor.hpp>
#include <support.hpp>

namespace elk {
namespace {

using ::testing::ElementsAre;
using ::testing::ThrowsMessage;

constexpr DType all_dtypes[] = {f32, f64, i64, u8};

TEST(Factories, ShapesDTypesAndValues) {
  for (const DType dtype : all_dtypes) {
    const Tensor zero = zeros({2, 3}, dtype), one = ones({4}, dtype), seven = full({2, 1, 2}, 7, dtype);
    EXPECT_EQ(zero.dtype(), dtype);
    EXPECT_EQ(zero.shape(), (Shape{2, 3}));
    EXPECT_EQ(zero.rank(), 2);
    EXPECT_EQ(zero.size(), 6);
    EXPECT_EQ(zero.size(0), 2);
    EXPECT_EQ(zero.size(-1), 3);
    for (Index i = 0; i < 6; ++i) EXPECT_EQ(zero.at(i), 0);
    for (Index i = 0; i < 4; ++i) EXPECT_EQ(one.at(i), 1);
    for (Index i = 0; i < 4; ++i) EXPECT_EQ(seven.at(i), 7);
    EXPECT_EQ(scalar(3, dtype).shape(), Shape());
    EXPECT_EQ(scalar(3, dtype).item(), 3);
  }
  EXPECT_EQ(zeros({}).dtype(), f32);
  EXPECT_THAT(from({1, 2, 3}).data<float>(), ElementsAre(1, 2, 3));
  EXPECT_EQ(from({1, 2, 3}).shape(), Shape{3});
  EXPECT_EQ(from({}).shape(), Shape{0});
  EXPECT_THAT(from({1, 2, 3, 4}, {2, 2}, i64).data<std::int64_t>(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(arange(4).data<std::int64_t>(), ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(arange(0).size(), 0);
}

TEST(Factories, FromVectors) {
  EXPECT_THAT(from(std::vector<float>{0.5f, -1}).data<float>(), ElementsAre(0.5f, -1));
  EXPECT_THAT(from(std::vector<double>{0.1, 2}, {2, 1}).data<double>(), ElementsAre(0.1, 2));
  EXPECT_THAT(from(std::vector<std::int64_t>{9007199254740993}).data<std::int64_t>(),
              ElementsAre(9007199254740993));
  EXPECT_THAT(from(std::vector<std::uint8_t>{0, 255}).data<std::uint8_t>(), ElementsAre(0, 255));
}

TEST(Factories, FromVectorsOfAnyNumbers) {
  const std::vector<int> ints{1, -2, 3, 4, 5, 6};
  EXPECT_THAT(from(ints).data<std::int64_t>(), ElementsAre(1, -2, 3, 4, 5, 6));
  EXPECT_EQ(from(ints, {ints.size() / 3, 3}).shape(), (Shape{2, 3}));
  EXPECT_THAT(from(std::vector<bool>{true, false}).data<std::uint8_t>(), ElementsAre(1, 0));
  EXPECT_THAT(from(std::vector<std::size_t>{7}).data<std::int64_t>(), ElementsAre(7));
  EXPECT_THAT(from(std::vector<short>{-7}).data<std::int64_t>(), ElementsAre(-7));
  EXPECT_THAT(from(std::vector<int>{}).dtype(), i64);
  EXPECT_THAT(([] {
                from(std::vector<std::uint64_t>{1, ~std::uint64_t{0}});
              }),
              ThrowsMessage<ValueError>("[from] 18446744073709551615 does not fit i64"));
  EXPECT_THAT(([&] { from(ints, {ints.size(), 3}); }), ThrowsMessage<ShapeError>(testing::HasSubstr("6")));
}

TEST(Factories, LikeAnother) {
  const Tensor x = full({2, 1}, 7, f64);
  for (const auto& [like, value] : {std::pair{zeros_like(x), 0}, std::pair{ones_like(x), 1}}) {
    EXPECT_EQ(like.shape(), x.shape());
    EXPECT_EQ(like.dtype(), f64);
    EXPECT_EQ(like.at(1), value);
  }
}

TEST(Factories, Sequences) {
  EXPECT_THAT(arange(2, 5).data<std::int64_t>(), ElementsAre(2, 3, 4));
  EXPECT_THAT(arange(5, 0, -2).data<std::int64_t>(), ElementsAre(5, 3, 1));
  EXPECT_EQ(arange(2, 2).shape(), Shape{0});
  EXPECT_EQ(arange(2, 5, -1).shape(), Shape{0});
  EXPECT_EQ(arange(std::size_t{1}, 3L).dtype(), i64);
  constexpr Index least = std::numeric_limits<Index>::min(), most = std::numeric_limits<Index>::max();
  EXPECT_THAT(arange(least, most, most).data<std::int64_t>(), ElementsAre(least, -1, most - 1));
  EXPECT_THAT(arange(9007199254740993, 9007199254740995).data<std::int64_t>(),
              ElementsAre(9007199254740993, 9007199254740994));
  EXPECT_THAT(arange(0, 1, 0.25).data<float>(), ElementsAre(0, 0.25f, 0.5f, 0.75f));
  EXPECT_THAT(arange(1., 0.1, -0.5, f64).data<double>(), ElementsAre(1, 0.5));
  EXPECT_THAT(arange(3, f64).data<double>(), ElementsAre(0, 1, 2));
  EXPECT_THAT(arange(0, 6, 2, u8).data<std::uint8_t>(), ElementsAre(0, 2, 4));
  EXPECT_THAT([] { arange(0, 3, 0); }, ThrowsMessage<ValueError>("[arange] the step must not be 0"));
  EXPECT_THAT(
      [] { arange(0, 1, 0.); },
      ThrowsMessage<ValueError>("[arange] expected finite numbers and a step other than 0, got 0, 1 and 0"));
  EXPECT_THAT([] { arange(0, INFINITY); }, ThrowsMessage<ValueError>(testing::HasSubstr("expected finite")));
  EXPECT_THAT([] { arange(0, 1e300, 1e-300); },
              ThrowsMessage<ValueError>("[arange] 0 to 1e+300 by 1e-300 are too many"));
  EXPECT_THAT([] { arange(0, 400, 100, u8); },
              ThrowsMessage<ValueError>(testing::HasSubstr("does not fit u8")));

  EXPECT_THAT(linspace(0, 1, 5).data<float>(), ElementsAre(0, 0.25f, 0.5f, 0.75f, 1));
  EXPECT_THAT(linspace(0, 10, 11, f64).data<double>(), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_THAT(linspace(-0.1, 0.3, 3, f64).data<double>(),
              ElementsAre(-0.1, testing::DoubleNear(0.1, 1e-16), 0.3));
  EXPECT_THAT(linspace(2, 9, 1).data<float>(), ElementsAre(2));
  EXPECT_EQ(linspace(2, 9, 0).shape(), Shape{0});
  EXPECT_THAT([] { linspace(0, 1, -1); },
              ThrowsMessage<ShapeError>("[tensor] shape (-1) has a negative size"));
  EXPECT_THAT([] { linspace(0, 1, 2, i64); },
              ThrowsMessage<DTypeError>("[linspace] expected f32 or f64, got i64"));
}

TEST(Factories, RandomIntegersAreNumPys) {
  Rng rng(100);
  EXPECT_THAT(randint(-3, 9, {2, 4}, rng).data<std::int64_t>(), ElementsAre(5, 5, 0, 4, 4, -3, 7, 1));
  EXPECT_THAT(randint(0, Index{1} << 40, {3}, rng).data<std::int64_t>(),
              ElementsAre(421707665461, 284370247394, 62074045218));
  EXPECT_EQ(randint(0, 256, {2}, rng, u8).dtype(), u8);
  EXPECT_EQ(randint(0, 2, {0}, rng).size(), 0);
  EXPECT_THAT([&] { randint(3, 3, {2}, rng); },
              ThrowsMessage<ValueError>("[randint] expected low < high, got 3 and 3"));
  EXPECT_THAT(([&] { randint(0, 257, {2}, rng, u8); }),
              ThrowsMessage<DTypeError>(
                  "[randint] expected i64, or u8 for numbers from 0 to 255, got u8 for 0 to 256"));
  EXPECT_THAT(([&] { randint(0, 2, {2}, rng, f32); }),
              ThrowsMessage<DTypeError>(testing::HasSubstr("got f32")));
}

TEST(Factories, MultinomialDrawsByWeight) {
  Rng rng(100);
  const Tensor weights = from({0.5, 0, 2, 1.5}, f64);
  EXPECT_THAT(multinomial(weights, 8, rng, true).data<std::int64_t>(),
              ElementsAre(2, 2, 2, 3, 0, 0, 3, 3));  // NumPy's choice
  // Without replacement all that can be drawn are, once.
  for (int i = 0; i < 20; ++i)
    EXPECT_THAT(multinomial(weights, 3, rng).data<std::int64_t>(), testing::UnorderedElementsAre(0, 2, 3));
  const Tensor rows = multinomial(from({1, 0, 0, 0, 0, 1}, {2, 3}), 2, rng, true);
  EXPECT_EQ(rows.shape(), (Shape{2, 2}));
  EXPECT_THAT(rows.data<std::int64_t>(), ElementsAre(0, 0, 2, 2));
  EXPECT_EQ(multinomial(zeros({3}), 0, rng).size(), 0);

  // The first of two drawn without replacement is as likely as its weight.
  double first = 0;
  for (int i = 0; i < 4000; ++i) first += multinomial(weights, 2, rng).at(0) == 2 ? 1 : 0;
  EXPECT_NEAR(first / 4000, 0.5, 0.03);

  EXPECT_THAT(
      [&] { multinomial(weights, 4, rng); },
      ThrowsMessage<ValueError>("[multinomial] 3 of 4 weights are above 0, of which 4 cannot be drawn"));
  EXPECT_THAT(
      [&] { multinomial(zeros({3}), 1, rng, true); },
      ThrowsMessage<ValueError>("[multinomial] 0 of 3 weights are above 0, of which 1 cannot be drawn"));
  EXPECT_THAT(
      [&] {
        multinomial(from({1, -1}), 1, rng);
      },
      ThrowsMessage<ValueError>("[multinomial] expected finite weights of 0 or more, got -1"));
  EXPECT_THAT(
      [&] {
        multinomial(from({1, NAN}), 1, rng);
      },
      ThrowsMessage<ValueError>(testing::HasSubstr("got nan")));
  EXPECT_THAT([&] { multinomial(scalar(1), 1, rng); },
              ThrowsMessage<ShapeError>(
                  "[multinomial] expected weights (n) or (rows, n) and a count of 0 or more, got () and 1"));
  EXPECT_THAT([&] { multinomial(arange(3), 1, rng); },
              ThrowsMessage<DTypeError>("[multinomial] expected f32 or f64, got i64: convert with cast"));
}

TEST(Factories, CountMustMatchShape) {
  EXPECT_THAT(([] {
                from({1, 2, 3}, {2, 2});
              }),
              ThrowsMessage<ShapeError>("[from] shape (2, 2) needs 4 values, got 3"));
  EXPECT_THAT(([] {
                from(std::vector<double>{1, 2, 3}, {2});
              }),
              ThrowsMessage<ShapeError>("[from] shape (2) needs 2 values, got 3"));
  // Found before 4 TiB are asked for.
  EXPECT_THAT(([] { from(std::vector<float>{1}, {Index{1} << 40}); }),
              ThrowsMessage<ShapeError>("[from] shape (1099511627776) needs 1099511627776 values, got 1"));
}

TEST(Factories, ValuesMustFitTheDType) {
  EXPECT_EQ(full({1}, 255, u8).at(0), 255);
  EXPECT_THAT(([] { full({1}, 256, u8); }), ThrowsMessage<ValueError>("[tensor] 256 does not fit u8"));
  EXPECT_THAT(([] { from({1, -1}, u8); }), ThrowsMessage<ValueError>("[tensor] -1 does not fit u8"));
  EXPECT_THAT(([] { scalar(NAN, i64); }), ThrowsMessage<ValueError>("[tensor] nan does not fit i64"));
  EXPECT_THAT(([] { scalar(9223372036854775808.0, i64); }),
              ThrowsMessage<ValueError>("[tensor] 9.223372036854776e+18 does not fit i64"));
  EXPECT_EQ(scalar(-9223372036854775808.0, i64).data<std::int64_t>()[0],
            std::numeric_limits<std::int64_t>::min());
  EXPECT_TRUE(std::isnan(scalar(NAN).item()));
}

// Nothing is cut off in silence.
TEST(Factories, ValuesMustBeExactInAnIntegerDType) {
  const auto text = [](const char* number, const char* dtype) {
    return ThrowsMessage<ValueError>(std::string("[tensor] ") + number + " is not exact in " + dtype +
                                     ": take f32 or f64, or convert with cast");
  };
  EXPECT_THAT(([] { from({2.7}, i64); }), text("2.7", "i64"));
  EXPECT_THAT(([] { from({1, 2.5}, {2, 1}, u8); }), text("2.5", "u8"));
  EXPECT_THAT(([] { scalar(-0.5, i64); }), text("-0.5", "i64"));
  EXPECT_THAT(([] { full({2}, 255.9, u8); }), text("255.9", "u8"));
  EXPECT_THAT(([] { less(arange(3), 0.5); }), text("0.5", "i64"));
  EXPECT_EQ(less(arange(3), 2).at(1), 1);
  EXPECT_EQ(scalar(0.1).at(0), 0.1F);  // of fractions every dtype has the nearest
}

TEST(Factories, UniformNeverReturnsItsEnd) {
  Rng rng(1);
  const auto range = [&](double low, double high, DType dtype) {
    const Tensor x = uniform({2000}, rng, low, high, dtype);
    for (Index i = 0; i < x.size(); ++i) {
      ASSERT_GE(x.at(i), low);
      ASSERT_LT(x.at(i), high);
    }
  };
  range(1, 1 + 1e-7, f32);
  range(1 - 1e-8, 1 + 1e-7, f32);
  range(-1 - 3e-7, -1, f32);
  range(16777215, 16777217, f32);
  range(0, 1e-45, f32);
  range(1, 1 + 3e-16, f64);
  range(0, 5e-324, f64);
  // A draw of 1 - 2^-53 is 1 in f32; the stream goes on where it would have.
  Rng::State state = Rng(1).state();
  state.key.fill(0x12dd9bb3u);  // which bits() tempers to ones
  state.position = 0;
  Rng ones(1), same(1);
  ones.set_state(state);
  same.set_state(state);
  EXPECT_EQ(same.uniform(), 1 - 0x1p-53);
  EXPECT_EQ(uniform({1}, ones).at(0), 1 - 0x1p-24);
  EXPECT_EQ(ones.bits(), same.bits());
  // As before where nothing is rounded to the end, and one draw each.
  Rng a(7), b(7);
  const Tensor x = uniform({1000}, a, -0.3, 0.7);
  for (Index i = 0; i < x.size(); ++i) ASSERT_EQ(x.at(i), static_cast<float>(b.uniform(-0.3, 0.7)));
  EXPECT_EQ(uniform({2}, a, 3, 3).at(1), 3);
  b.uniform(), b.uniform();
  EXPECT_EQ(a.bits(), b.bits());
  const auto refused = [](double low, double high, DType dtype) {
    Rng r(1);
    return test::error_of<ValueError>([&] { (void)uniform({2}, r, low, high, dtype); });
  };
  EXPECT_EQ(refused(2, 1, f32),
            "[uniform] expected a range [low, high) with numbers of f32 in it, got [2, 1)");
  EXPECT_NE(refused(1 + 1e-9, 1 + 2e-9, f32), "no error");
  EXPECT_NE(refused(-INFINITY, 0, f64), "no error");
  EXPECT_NE(refused(-1.7e308, 1.7e308, f64), "no error");
  EXPECT_NE(refused(NAN, 1, f32), "no error");
}

TEST(Factories, RandomOnesDrawInRowMajorOrder) {
  Rng a(100), b(100);
  const Tensor x = randn({2, 2}, a, f64);
  EXPECT_NEAR(x.at(0), -1.74976547, 5e-9);
  EXPECT_NEAR(x.at(3), -0.25243604, 5e-9);
  EXPECT_EQ(randn({2, 2}, b).at(2), static_cast<float>(x.at(2)));
  EXPECT_EQ(a.bits(), b.bits());  // f32 and f64 draw alike

  Rng c(100), d(100);
  const Tensor u = uniform({3}, c, -1, 1, f64);
  for (Index i = 0; i < 3; ++i) EXPECT_EQ(u.at(i), d.uniform(-1, 1));
  EXPECT_EQ(uniform({2, 0}, c).size(), 0);
  EXPECT_THAT(([&] { randn({2}, a, i64); }),
              ThrowsMessage<DTypeError>("[randn] expected f32 or f64, got i64"));
  EXPECT_THAT(([&] { uniform({2}, a, 0, 1, u8); }),
              ThrowsMessage<DTypeError>("[uniform] expected f32 or f64, got u8"));
}

TEST(Factories, RefuseAbsurdShapes) {
  constexpr Index huge = Index{1} << 62;
  EXPECT_THAT(([] {
                zeros({2, -1});
              }),
              ThrowsMessage<ShapeError>("[tensor] shape (2, -1) has a negative size"));
  EXPECT_THAT(([] {
                zeros({-1, 0});
              }),
              ThrowsMessage<ShapeError>("[tensor] shape (-1, 0) has a negative size"));
  EXPECT_THAT([] { arange(-1); }, ThrowsMessage<ShapeError>("[arange] expected 0 or more, got -1"));
  EXPECT_THAT(
      ([] {
        zeros({huge, 4});
      }),  // 2^64 elements: none, where products wrap around
      ThrowsMessage<ShapeError>("[tensor] shape (4611686018427387904, 4) of f32 is larger than 64 TiB"));
  EXPECT_THAT(
      ([] {
        empty({huge, 0}, u8);
      }),
      ThrowsMessage<ShapeError>("[tensor] shape (4611686018427387904, 0) of u8 is larger than 64 TiB"));
  EXPECT_THAT(([] { ones({Index{1} << 44}, f64); }),
              ThrowsMessage<ShapeError>("[tensor] shape (17592186044416) of f64 is larger than 64 TiB"));
}

#ifndef ELK_SANITIZE  // which end the program instead
TEST(Factories, SayWhenThereIsNoMemory) {
  try {
    empty({Index{1} << 44}, f32);
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[tensor] no memory for shape (17592186044416) of f32: 67108864 MiB");
    return;
  }
  GTEST_SKIP() << "this machine promises memory that it does not have";
}
#endif

TEST(Tensor, ElementsAreAligned) {
  for (const Index n : {1, 3, 17, 1000}) {
    const Tensor x = zeros({n}, u8);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(x.data<std::uint8_t>().data()) % 64, 0u);
  }
}

TEST(Tensor, DataMustBeAskedForByItsType) {
  const Tensor x = zeros({2}, f32);
  EXPECT_EQ(x.data<float>().size(), 2u);
  EXPECT_THAT([&] { (void)x.data<double>(); },
              ThrowsMessage<DTypeError>("[data] the tensor holds f32, asked for f64"));
  EXPECT_THAT([] { (void)zeros({2}, u8).data<std::int64_t>(); },
              ThrowsMessage<DTypeError>("[data] the tensor holds u8, asked for i64"));
}

TEST(Tensor, AtAndItem) {
  const Tensor x = from({1.5, -2}, f64);
  EXPECT_EQ(x.at(1), -2);
  EXPECT_THAT([&] { (void)x.at(2); }, ThrowsMessage<IndexError>("[at] element 2 is outside a tensor of 2"));
  EXPECT_THAT([&] { (void)x.at(-1); }, ThrowsMessage<IndexError>("[at] element -1 is outside a tensor of 2"));
  EXPECT_THAT([&] { (void)x.item(); },
              ThrowsMessage<ShapeError>("[item] expected a tensor of one element, got shape (2)"));
  EXPECT_THAT([] { (void)zeros({0}).item(); },
              ThrowsMessage<ShapeError>("[item] expected a tensor of one element, got shape (0)"));
  EXPECT_EQ(full({1, 1, 1}, 4).item(), 4);
  EXPECT_THAT([&] { (void)x.size(1); }, ThrowsMessage<IndexError>("[shape] axis 1 is outside (2)"));
}

TEST(Tensor, UndefinedOnesSaySo) {
  const Tensor x;
  EXPECT_FALSE(x.defined());
  EXPECT_TRUE(zeros({0}).defined());
  const auto error = ThrowsMessage<ValueError>(
      "[tensor] this tensor is undefined: it was default-made and never assigned, or moved from");
  EXPECT_THAT([&] { (void)x.shape(); }, error);
  EXPECT_THAT([&] { (void)x.dtype(); }, error);
  EXPECT_THAT([&] { (void)x.rank(); }, error);
  EXPECT_THAT([&] { (void)x.size(); }, error);
  EXPECT_THAT([&] { (void)x.id(); }, error);
  EXPECT_THAT([&] { (void)x.at(0); }, error);
  EXPECT_THAT([&] { (void)x.item(); }, error);
  EXPECT_THAT([&] { (void)x.data<float>(); }, error);
}

TEST(Tensor, MovedFromIsUndefined) {
  Tensor x = ones({2});
  const Tensor y = std::move(x);
  EXPECT_FALSE(x.defined());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(y.size(), 2);
}

TEST(Tensor, CopiesShareElementsAndId) {
  const Tensor x = ones({2}), y = x, z = ones({2});
  EXPECT_EQ(x.id(), y.id());
  EXPECT_EQ(x.data<float>().data(), y.data<float>().data());
  EXPECT_NE(x.id(), z.id());
}

TEST(Tensor, IdsAreUniqueAcrossThreads) {
  std::vector<std::vector<std::uint64_t>> ids(4);
  std::vector<std::thread> workers;
  for (auto& mine : ids)
    workers.emplace_back([&mine] {
      for (int i = 0; i < 1000; ++i) mine.push_back(zeros({}).id());
    });
  for (auto& worker : workers) worker.join();
  std::set<std::uint64_t> all;
  for (const auto& mine : ids) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 4000u);
}

TEST(CopyOnWrite, TheSoleOwnerKeepsItsElements) {
  Tensor x = ones({3});
  const float* before = x.data<float>().data();
  EXPECT_TRUE(detail::TensorAccess::sole_owner(x));
  detail::make_sole_owner(x);
  EXPECT_EQ(x.data<float>().data(), before);
}

TEST(CopyOnWrite, AnotherHandleKeepsTheOldElements) {
  Tensor x = detail::with_id(ones({3}), 77, true);
  const Tensor kept = x;
  EXPECT_FALSE(detail::TensorAccess::sole_owner(x));
  detail::make_sole_owner(x);
  detail::writable<float>(x)[0] = 5;
  EXPECT_THAT(x.data<float>(), ElementsAre(5, 1, 1));
  EXPECT_THAT(kept.data<float>(), ElementsAre(1, 1, 1));
  EXPECT_TRUE(detail::TensorAccess::sole_owner(x));
  EXPECT_EQ(x.id(), 77u);  // still the same parameter
  EXPECT_TRUE(detail::is_watched(x));
}

TEST(CopyOnWrite, AnotherShapeOfTheSameElementsCountsAsAHandle) {
  Tensor x = from({1, 2, 3, 4, 5, 6});
  const Tensor matrix = detail::with_shape(x, {2, 3});
  EXPECT_EQ(matrix.data<float>().data(), x.data<float>().data());
  EXPECT_NE(matrix.id(), x.id());
  EXPECT_EQ(matrix.shape(), (Shape{2, 3}));
  EXPECT_FALSE(detail::TensorAccess::sole_owner(x));
  detail::make_sole_owner(x);
  detail::writable<float>(x)[0] = 9;
  EXPECT_EQ(matrix.at(0), 1);
}

TEST(CopyOnWrite, WithIdIsTheSameTensorForTapes) {
  const Tensor x = ones({2});
  EXPECT_FALSE(detail::is_watched(x));
  const Tensor y = detail::with_id(x, x.id(), true);
  EXPECT_EQ(y.id(), x.id());
  EXPECT_TRUE(detail::is_watched(y));
  EXPECT_FALSE(detail::is_watched(x));
  EXPECT_FALSE(detail::is_watched(detail::with_shape(y, {1, 2})));
}

TEST(CopyOnWrite, EmptyTensors) {
  Tensor x = zeros({0, 3});
  const Tensor kept = x;
  detail::make_sole_owner(x);
  EXPECT_EQ(x.shape(), (Shape{0, 3}));
  EXPECT_EQ(x.data<float>().size(), 0u);
}

}  // namespace
}  // namespace elk
