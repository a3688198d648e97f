// elk::Rng against NumPy's RandomState, bit for bit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <elk/base/error.hpp>
#include <elk/base/rng.hpp>

namespace elk {
namespace {

namespace numpy {
#include "golden/rng.inc"
}

using ::testing::ThrowsMessage;

template <class Draw>
auto drawn(std::size_t count, Draw draw) {
  std::vector<decltype(draw())> values(count);
  for (auto& value : values) value = draw();
  return values;
}

TEST(Rng, StreamOfThePaper) {
  Rng bits(100);
  EXPECT_EQ(bits.bits(), 2333906440u);
  EXPECT_EQ(bits.bits(), 2882591512u);
  EXPECT_EQ(bits.bits(), 1195587395u);

  Rng rng(100);
  EXPECT_NEAR(rng.normal(), -1.74976547, 5e-9);
  EXPECT_NEAR(rng.normal(), 0.3426804, 5e-8);
  EXPECT_NEAR(rng.normal(), 1.1530358, 5e-8);
  EXPECT_NEAR(rng.normal(), -0.25243604, 5e-9);
  for (int i = 4; i < 784 * 64 + 64 * 10; ++i) rng.normal();
  auto order = rng.permutation(60000);
  order.resize(numpy::epoch.size());
  EXPECT_EQ(order, numpy::epoch);
  EXPECT_EQ(order[0], 57297);
  EXPECT_EQ(order[3], 19773);
}

TEST(Rng, BitsAreTheStandardMersenneTwister) {
  for (const std::uint32_t seed : {0u, 1u, 100u, 5489u, 0xffffffffu}) {
    std::mt19937 expected(seed);
    Rng rng(seed);
    for (int i = 0; i < 3000; ++i) ASSERT_EQ(rng.bits(), expected()) << "seed " << seed << ", draw " << i;
  }
}

TEST(Rng, ManyBitsAreThoseOfAsManyCalls) {
  Rng rng(100), one_by_one(100);
  for (const std::size_t count : std::vector<std::size_t>{0, 1, 3, 620, 1, 623, 624, 625, 2000}) {
    std::vector<std::uint32_t> many(count);
    rng.bits(many);
    EXPECT_EQ(many, drawn(count, [&] { return one_by_one.bits(); })) << count;
  }
  EXPECT_EQ(rng.bits(), one_by_one.bits());
}

TEST(Rng, ManyStreamsAreThoseOfTheirKeys) {
  for (const std::uint32_t count : {0u, 1u, 7u, 16u, 37u}) {
    std::vector<std::uint32_t> keys;
    for (std::uint32_t i = 0; i < count; ++i) keys.insert(keys.end(), {5, i, 0xffffffffu - i});
    std::vector<Rng> streams = Rng::keyed_each(keys, 3);
    ASSERT_EQ(streams.size(), count);
    for (std::uint32_t i = 0; i < count; ++i) {
      Rng alone = Rng::keyed({5, i, 0xffffffffu - i});
      for (int k = 0; k < 1000; ++k) ASSERT_EQ(streams[i].bits(), alone.bits());
    }
  }
  const std::vector<std::uint32_t> five(5);
  EXPECT_THAT([&] { (void)Rng::keyed_each(five, 3); },
              ThrowsMessage<ValueError>("[rng] expected keys of 3 numbers each, got 5 numbers"));
  EXPECT_THAT([&] { (void)Rng::keyed_each(five, 0); }, ThrowsMessage<ValueError>("[rng] the key is empty"));
}

TEST(Rng, BitsAfterAMillionDraws) {
  Rng rng(100);
  for (int i = 1; i < 1000000; ++i) rng.bits();
  EXPECT_EQ(rng.bits(), numpy::word_1000000);
}

TEST(Rng, Uniform) {
  for (const auto& [seed, expected] : {std::pair(0u, numpy::uniform_0),
                                       {100u, numpy::uniform_100},
                                       {0xffffffffu, numpy::uniform_4294967295}}) {
    Rng rng(seed);
    EXPECT_EQ(drawn(expected.size(), [&] { return rng.uniform(); }), expected) << seed;
  }
  Rng rng(100);
  EXPECT_EQ(drawn(numpy::between.size(), [&] { return rng.uniform(-0.3, 1.7); }), numpy::between);
}

TEST(Rng, Normal) {
  for (const auto& [seed, expected] :
       {std::pair(0u, numpy::normal_0), {100u, numpy::normal_100}, {0xffffffffu, numpy::normal_4294967295}}) {
    Rng rng(seed);
    EXPECT_EQ(drawn(expected.size(), [&] { return rng.normal(); }), expected) << seed;
  }
}

TEST(Rng, Integer) {
  constexpr std::int64_t word = std::int64_t{1} << 32;
  constexpr auto least = std::numeric_limits<std::int64_t>::min(),
                 most = std::numeric_limits<std::int64_t>::max();
  struct Case {
    std::int64_t low, high;
    const std::vector<std::int64_t>& expected;
  };
  for (const Case& c : {Case{-3, 7, numpy::integers_small}, Case{0, 16, numpy::integers_power},
                        Case{5, 6, numpy::integers_one}, Case{-5, word - 5, numpy::integers_words},
                        Case{0, word + 1, numpy::integers_beyond_words},
                        Case{-(std::int64_t{1} << 40), (std::int64_t{1} << 41) + 3, numpy::integers_wide},
                        Case{least, most, numpy::integers_whole}}) {
    Rng rng(100);
    EXPECT_EQ(drawn(c.expected.size(), [&] { return rng.integer(c.low, c.high); }), c.expected)
        << c.low << " " << c.high;
  }
}

TEST(Rng, Permutation) {
  for (const auto& [seed, expected] : {std::pair(0u, numpy::permutation_0),
                                       {100u, numpy::permutation_100},
                                       {0xffffffffu, numpy::permutation_4294967295}})
    EXPECT_EQ(Rng(seed).permutation(40), expected) << seed;
  EXPECT_TRUE(Rng(1).permutation(0).empty());
  EXPECT_EQ(Rng(1).permutation(1), std::vector<std::int64_t>{0});
}

TEST(Rng, KeysAsSeed) {
  const auto uniforms = [](Rng rng) { return drawn(4, [&] { return rng.uniform(); }); };
  EXPECT_EQ(uniforms(Rng::keyed({100})), numpy::key_one);
  EXPECT_EQ(uniforms(Rng::keyed({100, 7})), numpy::key_two);
  EXPECT_EQ(uniforms(Rng::keyed({0xffffffffu, 0, 1})), numpy::key_three);
}

// One stream through all kinds of draws: the normal in waiting survives the others, integer(5, 6) draws
// nothing.
TEST(Rng, DrawsOfAllKindsFromOneStream) {
  Rng rng(42);
  std::vector<double> values;
  for (int i = 0; i < 3; ++i) values.push_back(rng.normal());
  for (int i = 0; i < 2; ++i) values.push_back(rng.uniform());
  for (int i = 0; i < 3; ++i) values.push_back(static_cast<double>(rng.integer(0, 1000)));
  values.push_back(static_cast<double>(rng.integer(5, 6)));
  for (const std::int64_t i : rng.permutation(5)) values.push_back(static_cast<double>(i));
  for (int i = 0; i < 2; ++i) values.push_back(rng.normal());
  values.push_back(static_cast<double>(rng.integer(0, std::int64_t{1} << 40)));
  values.push_back(rng.uniform());
  EXPECT_EQ(values, numpy::mixed);
}

TEST(Rng, UniformStaysBelowOneAndNormalsHaveTheirMoments) {
  Rng rng(7);
  double sum = 0, squares = 0;
  constexpr int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double u = rng.uniform();
    ASSERT_TRUE(u >= 0 && u < 1);
    const double x = rng.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / n, 0, 0.02);
  EXPECT_NEAR(squares / n, 1, 0.02);
}

TEST(Rng, StateContinuesTheStream) {
  Rng rng(3);
  for (int i = 0; i < 701; ++i) rng.uniform();
  rng.normal();  // leaves one in waiting
  const Rng copy = rng;
  const Rng::State state = rng.state();
  EXPECT_TRUE(state.has_gauss);
  const auto next = [](Rng r) {
    return std::vector<double>{r.normal(), r.normal(), r.uniform(), static_cast<double>(r.integer(0, 1000))};
  };
  Rng other(99);
  other.set_state(state);
  EXPECT_EQ(next(other), next(rng));
  EXPECT_EQ(next(copy), next(rng));
}

TEST(Rng, RefusesAStateThatCannotBeOne) {
  Rng rng(1);
  const Rng::State good = rng.state();
  const auto setting = [&](auto change) {
    return [&, change] {
      Rng::State state = good;
      change(state);
      rng.set_state(state);
    };
  };
  EXPECT_THAT(setting([](auto& s) { s.position = 625; }),
              ThrowsMessage<ValueError>("[rng] the position must be from 0 to 624, got 625"));
  EXPECT_THAT(setting([](auto& s) { s.position = -1; }),
              ThrowsMessage<ValueError>("[rng] the position must be from 0 to 624, got -1"));
  EXPECT_THAT(setting([](auto& s) {
                s.key.fill(0);
                s.key[0] = 0x7fffffffu;  // bits that take no part
              }),
              ThrowsMessage<ValueError>("[rng] the key is all zeros"));
  EXPECT_THAT(setting([](auto& s) {
                s.has_gauss = true;
                s.gauss = NAN;
              }),
              ThrowsMessage<ValueError>("[rng] the normal number in waiting must be finite, got nan"));
  EXPECT_EQ(rng.bits(), Rng(1).bits());  // a refused state changes nothing
}

TEST(Rng, Errors) {
  EXPECT_NO_THROW(Rng(0xffffffffu));
  EXPECT_THAT([] { Rng(std::uint64_t{1} << 32); },
              ThrowsMessage<ValueError>("[rng] the seed must be from 0 to 4294967295, got 4294967296"));
  EXPECT_THAT(
      [] { Rng rng(static_cast<std::uint64_t>(-1)); },
      ThrowsMessage<ValueError>("[rng] the seed must be from 0 to 4294967295, got 18446744073709551615"));
  EXPECT_THAT([] { (void)Rng::keyed({}); }, ThrowsMessage<ValueError>("[rng] the key is empty"));
  Rng rng(1);
  EXPECT_THAT([&] { rng.integer(3, 3); },
              ThrowsMessage<ValueError>("[rng] integer needs low < high, got 3 and 3"));
  EXPECT_THAT([&] { rng.integer(3, -3); },
              ThrowsMessage<ValueError>("[rng] integer needs low < high, got 3 and -3"));
  EXPECT_THAT([&] { rng.permutation(-1); },
              ThrowsMessage<ValueError>("[rng] permutation needs n >= 0, got -1"));
  EXPECT_EQ(rng.bits(), Rng(1).bits());  // a refused draw draws nothing
}

}  // namespace
}  // namespace elk
