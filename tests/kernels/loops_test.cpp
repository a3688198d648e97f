// The loops of every instruction set that this machine has, against references in f64, and against each
// other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <elk/base/precision.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/loops/loops.hpp>
#include <elk/kernels/update.hpp>
#include <elk/tensor/storage.hpp>
#include <support.hpp>

namespace elk::kernels {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
const double nan = std::numeric_limits<double>::quiet_NaN();

// Each test once for every instruction set; SKIPPED where the machine lacks it.
class EveryInstructionSet : public testing::TestWithParam<InstructionSet> {
 protected:
  void SetUp() override {
    before_ = instruction_set();
    if (!set_instruction_set(GetParam())) GTEST_SKIP() << "this machine has no " << name(GetParam());
  }
  void TearDown() override { set_instruction_set(before_); }

  template <class T>
  std::vector<T> draw(Index count) {
    std::vector<T> list(static_cast<std::size_t>(count));
    for (T& x : list) x = static_cast<T>(rng_.normal());
    return list;
  }

  Rng rng_{7};

 private:
  InstructionSet before_ = InstructionSet::baseline;
};
INSTANTIATE_TEST_SUITE_P(Levels, EveryInstructionSet,
                         testing::Values(InstructionSet::baseline, InstructionSet::avx2,
                                         InstructionSet::avx512, InstructionSet::amx, InstructionSet::neon),
                         [](const auto& one) { return std::string(name(one.param)); });

// Around the sizes of tiles, blocks and vectors, where rows are taken piece by piece, and where they compete
// for the same places of the cache.
struct Sizes {
  Index m, n, k;
};
const std::vector<Sizes> shapes = {
    {1, 1, 1},       {1, 5, 17},      {2, 3, 16},     {5, 10, 64},     {6, 11, 63},    {7, 9, 130},
    {50, 10, 65},    {50, 48, 50},    {50, 49, 7},    {13, 100, 1},    {128, 33, 35},  {3, 4, 2100},
    {300, 70, 50},   {150, 203, 450}, {110, 30, 140}, {20, 208, 300},  {20, 512, 300}, {150, 1024, 140},
    {100, 256, 140}, {1, 203, 37},    {2, 203, 37},   {260, 50, 1100}, {10, 2048, 30}, {129, 17, 260}};

template <class T>
struct Matrices {
  std::vector<T> a, b, bias;
  std::vector<double> product, size;  // and the sum of the magnitudes of what each element is the sum of

  // a (m, k) and b (k, n), each as it is or as its transpose.
  Matrices(const Sizes& s, bool ta, bool tb, std::vector<T> x, std::vector<T> y, std::vector<T> z)
      : a(std::move(x)), b(std::move(y)), bias(std::move(z)) {
    for (Index i = 0; i < s.m; ++i)
      for (Index j = 0; j < s.n; ++j) {
        double sum = 0, total = 0;
        for (Index l = 0; l < s.k; ++l) {
          const double term =
              static_cast<double>(a[static_cast<std::size_t>(ta ? l * s.m + i : i * s.k + l)]) *
              static_cast<double>(b[static_cast<std::size_t>(tb ? j * s.k + l : l * s.n + j)]);
          sum += term;
          total += std::abs(term);
        }
        product.push_back(sum);
        size.push_back(total);
      }
  }
};

template <class T>
void expect_near(const std::vector<T>& got, const std::vector<double>& expected,
                 const std::vector<double>& size, double tolerance) {
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(static_cast<double>(got[i]), expected[i], tolerance * (size[i] + 1)) << "element " << i;
}

template <class T>
constexpr double rounding = sizeof(T) == 4 ? 1e-6 : 2e-15;

template <class T>
std::vector<std::uint64_t> bits(const std::vector<T>& x) {
  std::vector<std::uint64_t> list;
  for (const T& value : x)
    list.push_back(std::bit_cast<std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>(value));
  return list;
}

// That `part` (m, n) is the end of `whole` (s.m, s.n), to the bit.
template <class T>
void expect_part(const std::vector<T>& part, const std::vector<T>& whole, const Sizes& s, Index m, Index n) {
  std::vector<T> end;
  for (Index i = s.m - m; i < s.m; ++i)
    for (Index j = s.n - n; j < s.n; ++j) end.push_back(whole[static_cast<std::size_t>(i * s.n + j)]);
  ASSERT_EQ(bits(part), bits(end));
}

#define FOR_BOTH_TYPES(function)            \
  {                                         \
    function.template operator()<float>();  \
    function.template operator()<double>(); \
  }

TEST_P(EveryInstructionSet, LinearLayersAreRight) {
  const auto check = [&]<class T>() {
    for (const bool packed : {false, true})
      for (const Sizes& s : shapes) {
        const Loops<T>& use = loops<T>();
        SCOPED_TRACE(testing::Message() << s.m << " " << s.n << " " << s.k << (packed ? " packed" : ""));
        const Matrices<T> of(s, false, true, draw<T>(s.m * s.k), draw<T>(s.n * s.k), draw<T>(s.n));
        std::vector<T> scratch(static_cast<std::size_t>(Loops<T>::scratch(s.n, s.k)));
        // From row and column on, into m rows and n columns of y.
        const auto multiply = [&](Index row, Index column, Index m, Index n, const T* bias, T* y,
                                  bool backwards) {
          const T *x = of.a.data() + row * s.k, *w = of.b.data() + column * s.k;
          if (packed)
            use.multiply_nt_packed(m, n, s.k, x, s.k, w, s.k, bias, y, n, scratch.data());
          else
            use.multiply_nt(m, n, s.k, x, s.k, w, s.k, bias, y, n, backwards);
        };
        std::vector<T> y(static_cast<std::size_t>(s.m * s.n), T(nan));
        multiply(0, 0, s.m, s.n, nullptr, y.data(), false);
        expect_near(y, of.product, of.size, rounding<T>);
        multiply(0, 0, s.m, s.n, of.bias.data(), y.data(), false);
        std::vector<double> with_bias = of.product;
        for (std::size_t i = 0; i < with_bias.size(); ++i)
          with_bias[i] += static_cast<double>(of.bias[i % static_cast<std::size_t>(s.n)]);
        expect_near(y, with_bias, of.size, rounding<T>);

        // Any part of the result has the same bits when it is computed alone, and from its end: of packed
        // ones what begins at a multiple of 16.
        const Index row = packed ? s.m / 2 / 16 * 16 : s.m / 2, m = s.m - row, n = s.n - s.n / 3;
        std::vector<T> part(static_cast<std::size_t>(m * n));
        multiply(row, s.n / 3, m, n, of.bias.data() + s.n / 3, part.data(), true);
        expect_part(part, y, s, m, n);
      }
  };
  FOR_BOTH_TYPES(check)
}

TEST_P(EveryInstructionSet, GradientsOfInputsAreRight) {
  const auto check = [&]<class T>() {
    for (const Sizes& s : shapes) {
      SCOPED_TRACE(testing::Message() << s.m << " " << s.n << " " << s.k);
      const Matrices<T> of(s, false, false, draw<T>(s.m * s.k), draw<T>(s.n * s.k), {});
      std::vector<T> c(static_cast<std::size_t>(s.m * s.n), T(nan));
      std::vector<T> scratch(static_cast<std::size_t>(Loops<T>::scratch(s.n, s.k)));
      loops<T>().multiply_nn(s.m, s.n, s.k, of.a.data(), s.k, of.b.data(), s.n, c.data(), s.n,
                             scratch.data());
      expect_near(c, of.product, of.size, rounding<T>);

      // Any part of the result has the same bits when it is computed alone.
      const Index m = s.m - s.m / 2, n = s.n - s.n / 3;
      std::vector<T> part(static_cast<std::size_t>(m * n));
      loops<T>().multiply_nn(m, n, s.k, of.a.data() + s.m / 2 * s.k, s.k, of.b.data() + s.n / 3, s.n,
                             part.data(), n, scratch.data());
      expect_part(part, c, s, m, n);
    }
  };
  FOR_BOTH_TYPES(check)
}

TEST_P(EveryInstructionSet, AnUpdateByAProductHasTheBitsOfTheProductAndTheUpdate) {
  const auto check = [&]<class T>() {
    for (const Sizes& s : shapes) {
      SCOPED_TRACE(testing::Message() << s.m << " " << s.n << " " << s.k);
      const Matrices<T> of(s, true, false, draw<T>(s.m * s.k), draw<T>(s.n * s.k), {});
      std::vector<T> c(static_cast<std::size_t>(s.m * s.n), T(nan)),
          scratch(static_cast<std::size_t>(Loops<T>::scratch(s.n, s.k)));
      const auto multiply = [&](std::vector<T>& to, const Update<T>* update) {
        loops<T>().multiply_tn(s.m, s.n, s.k, of.a.data(), s.m, of.b.data(), s.n, to.data(), s.n, update,
                               nullptr, scratch.data());
      };
      multiply(c, nullptr);
      expect_near(c, of.product, of.size, rounding<T>);
      const Index m = s.m - s.m / 2, n = s.n - s.n / 3;
      std::vector<T> part(static_cast<std::size_t>(m * n));
      loops<T>().multiply_tn(m, n, s.k, of.a.data() + s.m / 2, s.m, of.b.data() + s.n / 3, s.n, part.data(),
                             n, nullptr, nullptr, scratch.data());
      expect_part(part, c, s, m, n);
      std::vector<T> taken(c.size(), T(nan));
      const auto take = [&](Index row, Index rows, const T* values) {
        std::copy_n(values, rows * s.n, taken.data() + row * s.n);
      };
      const TakeRows<T> into{[](const void* by, Index row, Index rows, const T* values) {
                               (*static_cast<const decltype(take)*>(by))(row, rows, values);
                             },
                             &take, nullptr, 0, 0};
      loops<T>().multiply_tn(s.m, s.n, s.k, of.a.data(), s.m, of.b.data(), s.n, nullptr, 0, nullptr, &into,
                             scratch.data());
      ASSERT_EQ(bits(taken), bits(c));
      for (const T decay : {T(0), T(0.3)}) {
        const Update<T> update{T(0.1), decay};
        std::vector<T> folded = draw<T>(s.m * s.n), plain = folded;
        multiply(folded, &update);
        loops<T>().sgd(s.m * s.n, plain.data(), c.data(), update);
        ASSERT_EQ(bits(folded), bits(plain));
      }
    }
  };
  FOR_BOTH_TYPES(check)
}

// An element has the same bits wherever it lies: within a vector, or in what is left over at the end.
TEST_P(EveryInstructionSet, ElementsDoNotDependOnWhereTheyLie) {
  const auto check = [&]<class T>() {
    const Loops<T>& use = loops<T>();
    const Index n = 83;
    const std::vector<T> x = draw<T>(n), g = draw<T>(n), w = draw<T>(n), square(x.size(), T(0.3));
    const AdamStep<T> decaying{T(0.1), T(1.1), T(0.9), T(0.99), T(0.1), T(0.01), T(0.01), T(0.999), T(1e-8)};
    AdamStep<T> plain = decaying;
    plain.decay = 0;
    const auto adam = [&](const AdamStep<T>& step) {
      return [&, step](Index i, Index count, T* y) {
        std::vector<T> mean(x.begin() + i, x.begin() + i + count),
            v(square.begin() + i, square.begin() + i + count);
        std::copy_n(w.begin() + i, count, y);
        use.adam(count, y, mean.data(), v.data(), g.data() + i, step);
      };
    };
    using Piece = std::function<void(Index begin, Index count, T * y)>;
    std::vector<std::pair<const char*, Piece>> operations;
    const auto add = [&](const char* name, Piece piece) { operations.emplace_back(name, std::move(piece)); };
    add("exp", [&](Index i, Index count, T* y) { use.exp(count, x.data() + i, T(0.1), y); });
    add("sigmoid", [&](Index i, Index count, T* y) { use.sigmoid(count, x.data() + i, y); });
    add("tanh", [&](Index i, Index count, T* y) { use.tanh(count, x.data() + i, y); });
    if constexpr (sizeof(T) == 4) {
      add("gelu", [&](Index i, Index count, T* y) { use.gelu(count, x.data() + i, y); });
      add("gelu_gradient",
          [&](Index i, Index count, T* y) { use.gelu_gradient(count, g.data() + i, x.data() + i, y); });
    }
    add("leaky_relu", [&](Index i, Index count, T* y) { use.leaky_relu(count, x.data() + i, T(0.1), y); });
    add("gate", [&](Index i, Index count, T* y) { use.gate(count, g.data() + i, x.data() + i, T(0.1), y); });
    add("sgd", [&](Index i, Index count, T* y) {
      std::copy_n(w.begin() + i, count, y);
      use.sgd(count, y, g.data() + i, {T(0.1), T(0.01)});
    });
    add("adam", adam(plain));
    add("adam with decay", adam(decaying));
    for (const auto& [name, piece] : operations) {
      std::vector<T> whole(x.size()), pieces(x.size());
      piece(0, n, whole.data());
      for (const Index length : {1, 3, 8, 17}) {
        for (Index i = 0; i < n; i += length) piece(i, std::min(length, n - i), pieces.data() + i);
        ASSERT_EQ(bits(pieces), bits(whole)) << name << " in pieces of " << length;
      }
    }
  };
  FOR_BOTH_TYPES(check)
}

TEST_P(EveryInstructionSet, ProductsPassOnWhatIsNotFinite) {
  const Index m = 6, n = 7, k = 40;
  std::vector<float> x(static_cast<std::size_t>(m * k), 1), w(static_cast<std::size_t>(n * k), 1),
      y(static_cast<std::size_t>(m * n));
  x[static_cast<std::size_t>(2 * k + 39)] = static_cast<float>(nan);
  w[static_cast<std::size_t>(5 * k + 3)] = static_cast<float>(infinity);
  loops<float>().multiply_nt(m, n, k, x.data(), k, w.data(), k, nullptr, y.data(), n, false);
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j) {
      const float value = y[static_cast<std::size_t>(i * n + j)];
      if (i == 2)
        EXPECT_TRUE(std::isnan(value));
      else
        EXPECT_EQ(value, j == 5 ? static_cast<float>(infinity) : 40.0F);
    }
}

TEST_P(EveryInstructionSet, APixelIsDividedBy255) {
  std::vector<std::uint8_t> all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i);
  const auto check = [&]<class T>() {
    std::vector<T> scaled(all.size());
    loops<T>().scale_pixels(256, all.data(), scaled.data());
    for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(scaled[i], static_cast<T>(i) / T(255));
  };
  FOR_BOTH_TYPES(check)
}

TEST_P(EveryInstructionSet, SmoothsToTheSameBits) {
  const auto check = [&]<class T>() {
    for (const Index n : {0, 1, 5, 16, 31, 64, 100, 300})
      for (const Index rows : {1, 3, 4, 9})
        for (const Index step : {1, 33})
          for (const Index taps : {1, 2, 25}) {
            const Index x_row = n + 3, y_row = n + 1;
            const auto at = [](const std::vector<T>& v, Index i) { return v[static_cast<std::size_t>(i)]; };
            const std::vector<T> x = draw<T>(rows * x_row + (taps - 1) * step), weights = draw<T>(taps);
            std::vector<T> y(static_cast<std::size_t>(rows * y_row), T(7)), expected(y);
            for (Index row = 0; row < rows; ++row)
              for (Index i = 0; i < n; ++i) {
                T& sum = expected[static_cast<std::size_t>(row * y_row + i)] = 0;
                for (Index k = 0; k < taps; ++k) {  // volatile: not one fused operation
                  const volatile T term = at(weights, k) * at(x, row * x_row + i + k * step);
                  sum += term;
                }
              }
            loops<T>().smooth(rows, n, x.data(), x_row, step, weights.data(), taps, y.data(), y_row);
            ASSERT_EQ(y, expected) << rows << " " << n << " " << step << " " << taps;
          }
  };
  FOR_BOTH_TYPES(check)
}

TEST_P(EveryInstructionSet, WarpsToTheSameBits) {
  const auto check = [&]<class T>() {
    for (const Index n : {1, 7, 28, 32, 100})
      for (const bool field : {false, true}) {
        const std::vector<float> dx = draw<float>(n), dy = draw<float>(n);
        // Some of the places lie far outside of the image.
        std::vector<double> column_x, column_y;
        for (Index i = 0; i < n; ++i) {
          column_x.push_back(0.9 * (static_cast<double>(i) - 13.8));
          column_y.push_back(0.7 * (static_cast<double>(i) - 13.8));
        }
        const WarpedLine line{.column_x = column_x.data(),
                              .column_y = column_y.data(),
                              .x = 2.25,
                              .y = -4,
                              .middle_x = 13.5,
                              .middle_y = 9.5,
                              .width = 28,
                              .height = 20,
                              .dx = field ? dx.data() : nullptr,
                              .dy = field ? dy.data() : nullptr};
        std::vector<std::int32_t> left(static_cast<std::size_t>(n)), top(left);
        std::vector<T> right_by(left.size()), down_by(left.size()), y(left.size());
        loops<T>().origins(n, line, left.data(), top.data(), right_by.data(), down_by.data());
        const std::vector<T> above = draw<T>(2 * n), below = draw<T>(2 * n);
        loops<T>().interpolate(n, right_by.data(), down_by.data(), above.data(), below.data(), y.data());
        for (std::size_t i = 0; i < left.size(); ++i) {
          // volatile: products and sums that are rounded one by one
          const auto times = [](auto a, auto b) {
            const volatile auto product = a * b;
            return product;
          };
          double px = column_x[i] + line.x + line.middle_x, py = column_y[i] + line.y + line.middle_y;
          if (field) px += static_cast<double>(dx[i]), py += static_cast<double>(dy[i]);
          px = std::clamp(px, -1.0, line.width) + 1, py = std::clamp(py, -1.0, line.height) + 1;
          ASSERT_EQ(left[i], std::floor(px)) << n << " " << i;
          ASSERT_EQ(top[i], std::floor(py)) << n << " " << i;
          const T a = static_cast<T>(px - std::floor(px)), b = static_cast<T>(py - std::floor(py));
          ASSERT_EQ(right_by[i], a);
          ASSERT_EQ(down_by[i], b);
          const auto between = [&](const std::vector<T>& row) {
            return times(1 - a, row[2 * i]) + times(a, row[2 * i + 1]);
          };
          ASSERT_EQ(y[i], times(1 - b, between(above)) + times(b, between(below))) << n << " " << i;
        }
      }
  };
  FOR_BOTH_TYPES(check)
}

// The largest distance of f's results from the right ones, in units in the last place of f32.
template <class F, class G>
double worst(F f, G right, float low, float high) {
  constexpr Index count = 100'003;
  std::vector<float> x(count), y(count);
  for (Index i = 0; i < count; ++i)
    x[static_cast<std::size_t>(i)] =
        low + (high - low) * static_cast<float>(i) / static_cast<float>(count - 1);
  f(count, x.data(), y.data());
  double most = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = right(static_cast<double>(x[i]));
    const float near = static_cast<float>(std::abs(expected));
    const double unit =
        static_cast<double>(std::nextafter(near, std::numeric_limits<float>::infinity()) - near);
    most = std::max(most, std::abs(static_cast<double>(y[i]) - expected) / unit);
  }
  return most;
}

TEST_P(EveryInstructionSet, ExponentialsAreRightToTheLastPlaces) {
  const Loops<float>& use = loops<float>();
  const auto plain_exp = [&](Index n, const float* x, float* y) { use.exp(n, x, 0, y); };
  EXPECT_LT(worst(
                plain_exp, [](double x) { return std::exp(x); }, -105, 88.7F),
            1.5);
  EXPECT_LT(worst(
                use.sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -105, 80),
            4);
  EXPECT_LT(worst(
                use.tanh, [](double x) { return std::tanh(x); }, -12, 12),
            0.55);
  EXPECT_LT(worst(
                use.tanh, [](double x) { return std::tanh(x); }, -1e-3F, 1e-3F),
            0.55);
}

TEST_P(EveryInstructionSet, GeluIsRightAlsoInItsTail) {
  const Loops<float>& use = loops<float>();
  const auto below = [](double x) { return 0.5 * std::erfc(-x * std::sqrt(0.5)); };
  const auto gelu = [&](double x) { return x * below(x); };
  EXPECT_LT(worst(use.gelu, gelu, -12.5F, -1), 16);
  EXPECT_LT(worst(use.gelu, gelu, -1, 20), 6);
  std::vector<float> x, ones, y;
  for (float v = -20; v < 20; v += 0.00331F) x.push_back(v);
  ones.assign(x.size(), 1), y.resize(x.size());
  use.gelu_gradient(static_cast<Index>(x.size()), ones.data(), x.data(), y.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double u = static_cast<double>(x[i]),
                 density = std::exp(-u * u / 2) / std::sqrt(2 * std::acos(-1.0));
    ASSERT_NEAR(static_cast<double>(y[i]), below(u) + u * density, 3e-7) << u;
  }
  const auto limit = std::numeric_limits<float>::infinity();
  const std::vector<float> ends{limit, -limit, std::numeric_limits<float>::quiet_NaN(), 1e30F, -1e30F};
  std::vector<float> value(ends.size()), slope(ends.size());
  use.gelu(5, ends.data(), value.data());
  use.gelu_gradient(5, ones.data(), ends.data(), slope.data());
  EXPECT_THAT(value, testing::ElementsAre(limit, 0, testing::IsNan(), 1e30F, 0));
  EXPECT_THAT(slope, testing::ElementsAre(1, 0, testing::IsNan(), 1, 0));
}

// Against loops of f64, for lengths around those of vectors.
TEST_P(EveryInstructionSet, RowsAreRight) {
  const auto check = [&]<class T>() {
    const Loops<T>& use = loops<T>();
    for (const Index n : {1, 2, 3, 7, 8, 10, 15, 16, 17, 31, 33, 64, 100, 1027}) {
      SCOPED_TRACE(n);
      const auto size = static_cast<std::size_t>(n);
      const std::vector<T> x = draw<T>(n), dy = draw<T>(n), weight = draw<T>(n), bias = draw<T>(n),
                           means = draw<T>(n), scales = draw<T>(n), factors = draw<T>(n);
      const auto wide = [](T v) { return static_cast<double>(v); };
      const auto total = [&](auto term) {
        double sum = 0;
        for (std::size_t i = 0; i < size; ++i) sum += term(i);
        return sum;
      };
      const double tolerance = 1e-12 * static_cast<double>(n + 1), mean = 0.3, scale = 1.7;
      EXPECT_NEAR(use.sum(n, x.data()), total([&](std::size_t i) { return wide(x[i]); }), tolerance);
      EXPECT_NEAR(use.squares(n, x.data(), mean),
                  total([&](std::size_t i) { return (wide(x[i]) - mean) * (wide(x[i]) - mean); }), tolerance);
      EXPECT_NEAR(use.product_sum(n, x.data(), dy.data()),
                  total([&](std::size_t i) { return wide(x[i]) * wide(dy[i]); }), tolerance);
      for (const T* by : {static_cast<const T*>(nullptr), weight.data()}) {
        double sums[2] = {1, 2};
        use.gradient_sums(n, dy.data(), x.data(), mean, scale, by, sums);
        const auto g = [&](std::size_t i) { return wide(dy[i]) * (by == nullptr ? 1 : wide(by[i])); };
        EXPECT_NEAR(sums[0], 1 + total(g), tolerance);
        EXPECT_NEAR(sums[1], 2 + total([&](std::size_t i) { return g(i) * (wide(x[i]) - mean) * scale; }),
                    tolerance);
      }
      const auto expect_all = [&](const std::vector<T>& got, auto right) {
        for (std::size_t i = 0; i < size; ++i)
          ASSERT_NEAR(wide(got[i]), right(i), rounding<T> * (20 + 20 * std::abs(right(i)))) << i;
      };
      std::vector<T> y(size);
      const T m = static_cast<T>(mean), s = static_cast<T>(scale);
      const auto z = [&](std::size_t i) { return (wide(x[i]) - wide(m)) * wide(s); };
      use.standardize(n, x.data(), m, s, weight.data(), bias.data(), y.data());
      expect_all(y, [&](std::size_t i) { return z(i) * wide(weight[i]) + wide(bias[i]); });
      use.standardize(n, x.data(), m, s, weight.data(), nullptr, y.data());
      expect_all(y, [&](std::size_t i) { return z(i) * wide(weight[i]); });
      use.standardize(n, x.data(), m, s, nullptr, nullptr, y.data());
      expect_all(y, z);
      use.shift_scale(n, x.data(), m, s, T(0.5), y.data());
      expect_all(y, [&](std::size_t i) { return z(i) + 0.5; });
      for (const T* by : {static_cast<const T*>(nullptr), weight.data()}) {
        use.standardize_gradient(n, dy.data(), x.data(), m, s, by, T(2), T(0.25), T(0.5), y.data());
        expect_all(y, [&](std::size_t i) {
          return 2 * (wide(dy[i]) * (by == nullptr ? 1 : wide(by[i])) - 0.25 - 0.5 * z(i));
        });
      }
      const auto column = [&](std::size_t i) { return (wide(x[i]) - wide(means[i])) * wide(scales[i]); };
      use.standardize_columns(n, x.data(), means.data(), scales.data(), bias.data(), y.data());
      expect_all(y, [&](std::size_t i) { return column(i) + wide(bias[i]); });
      use.standardize_columns(n, x.data(), means.data(), scales.data(), nullptr, y.data());
      expect_all(y, column);
      use.standardize_gradient_columns(n, dy.data(), x.data(), means.data(), scales.data(), factors.data(),
                                       weight.data(), bias.data(), y.data());
      expect_all(y, [&](std::size_t i) {
        return wide(factors[i]) * (wide(dy[i]) - wide(weight[i]) - column(i) * wide(bias[i]));
      });
      std::vector<double> sums(size, 1), about(size, 0.5);
      use.add_standardized(n, dy.data(), x.data(), m, s, sums.data());
      use.add_standardized_columns(n, dy.data(), x.data(), means.data(), scales.data(), sums.data());
      use.add_squares(n, x.data(), about.data(), sums.data());
      expect_all(std::vector<T>(sums.begin(), sums.end()), [&](std::size_t i) {
        return 1 + wide(dy[i]) * (z(i) + column(i)) + (wide(x[i]) - 0.5) * (wide(x[i]) - 0.5);
      });

      const T top = use.largest(n, x.data());
      EXPECT_EQ(top, *std::max_element(x.begin(), x.end()));
      EXPECT_NEAR(use.exp_sum(n, x.data(), top, y.data()),
                  total([&](std::size_t i) { return std::exp(wide(x[i]) - wide(top)); }), 1e-6 * wide(T(n)));
      expect_all(y, [&](std::size_t i) { return std::exp(wide(x[i]) - wide(top)); });
      use.softmax_gradient(n, dy.data(), x.data(), m, y.data());
      expect_all(y, [&](std::size_t i) { return wide(x[i]) * (wide(dy[i]) - wide(m)); });
      use.log_softmax_gradient(n, dy.data(), x.data(), m, y.data());
      expect_all(y, [&](std::size_t i) { return wide(dy[i]) - std::exp(wide(x[i])) * wide(m); });
      use.shifted(n, x.data(), m, s, y.data());
      expect_all(y, [&](std::size_t i) { return wide(x[i]) - wide(m) - wide(s); });
      y = x;
      use.scaled(n, y.data(), s, y.data());
      expect_all(y, [&](std::size_t i) { return wide(x[i]) * wide(s); });
      // One NaN, wherever it is.
      for (const Index at : {Index(0), n / 2, n - 1}) {
        std::vector<T> with = x;
        with[static_cast<std::size_t>(at)] = static_cast<T>(nan);
        EXPECT_TRUE(std::isnan(use.largest(n, with.data()))) << at;
        with[static_cast<std::size_t>(at)] = static_cast<T>(infinity);
        EXPECT_EQ(use.largest(n, with.data()), static_cast<T>(infinity)) << at;
      }
    }
  };
  FOR_BOTH_TYPES(check)
}

// Of a tanh near 1 the last place is the least of what there is to get wrong: between neighbours it must not
// fall.
TEST_P(EveryInstructionSet, TanhRisesAndItsSlopeIsRight) {
  const Loops<float>& use = loops<float>();
  // Neighbours around 2000 points of each binade, from the smallest numbers to beyond where it is 1.
  std::vector<float> x;
  for (std::uint32_t at = 0; at < std::bit_cast<std::uint32_t>(20.0F); at += (1u << 23) / 2000)
    for (std::uint32_t i = 0; i < 8; ++i) x.push_back(std::bit_cast<float>(at + i));
  std::vector<float> y(x.size()), below(x), mirrored(x.size());
  const auto n = static_cast<Index>(x.size());
  use.tanh(n, x.data(), y.data());
  for (float& value : below) value = -value;
  use.tanh(n, below.data(), mirrored.data());
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (i > 0) {
      ASSERT_LE(y[i - 1], y[i]) << x[i];
    }
    ASSERT_EQ(mirrored[i], -y[i]) << x[i];
  }
  const auto check = [&](auto gradient, auto slope, float end) {
    std::vector<float> at, ones, got;
    for (float v = 0; v < end; v += 0.00731F) at.push_back(v), at.push_back(-v);
    ones.assign(at.size(), 1), got.resize(at.size());
    gradient(static_cast<Index>(at.size()), ones.data(), at.data(), got.data());
    for (std::size_t i = 0; i < at.size(); ++i) {
      const double right = slope(static_cast<double>(at[i]));
      ASSERT_NEAR(got[i], right, 1e-6 * right + 2e-45) << at[i];
    }
  };
  check(
      use.tanh_gradient, [](double v) { return 1 / (std::cosh(v) * std::cosh(v)); }, 60);
  check(
      use.sigmoid_gradient, [](double v) { return 1 / (2 + 2 * std::cosh(v)); }, 110);
}

TEST_P(EveryInstructionSet, ExponentialsOfWhatIsNotOrdinary) {
  const auto check = [&]<class T>() {
    const auto of = [](auto f, double x) {
      const T in = static_cast<T>(x);
      T out = 0;
      f(1, &in, &out);
      return static_cast<double>(out);
    };
    const Loops<T>& use = loops<T>();
    const auto plain_exp = [&](Index n, const T* x, T* y) { use.exp(n, x, 0, y); };
    EXPECT_EQ(of(plain_exp, 0), 1);
    EXPECT_EQ(of(plain_exp, infinity), infinity);
    EXPECT_EQ(of(plain_exp, -infinity), 0);
    EXPECT_EQ(of(plain_exp, 1000), infinity);
    const double low = sizeof(T) == 4 ? -100 : -740;  // where numbers are subnormal
    EXPECT_NEAR(of(plain_exp, low), std::exp(low),
                2 * static_cast<double>(std::numeric_limits<T>::denorm_min()));
    EXPECT_GT(of(plain_exp, low), 0);
    EXPECT_GT(of(use.sigmoid, low), 0);
    EXPECT_EQ(of(plain_exp, -1000), 0);
    EXPECT_TRUE(std::isnan(of(plain_exp, nan)));
    EXPECT_EQ(of(use.sigmoid, infinity), 1);
    EXPECT_EQ(of(use.sigmoid, -infinity), 0);
    EXPECT_EQ(of(use.sigmoid, -1000), 0);
    EXPECT_EQ(of(use.sigmoid, 0), 0.5);
    EXPECT_TRUE(std::isnan(of(use.sigmoid, nan)));
    EXPECT_EQ(of(use.tanh, infinity), 1);
    EXPECT_EQ(of(use.tanh, -infinity), -1);
    EXPECT_TRUE(std::signbit(of(use.tanh, -0.0)));
    EXPECT_EQ(of(use.tanh, 0), 0);
    EXPECT_TRUE(std::isnan(of(use.tanh, nan)));
  };
  FOR_BOTH_TYPES(check)
}

TEST_P(EveryInstructionSet, ActivationsOfWhatIsNotOrdinary) {
  const auto check = [&]<class T>() {
    const std::vector<T> x{T(nan), T(infinity), T(-infinity), T(-2), T(0), T(3)};
    std::vector<T> y(x.size()), ones(x.size(), T(1));
    const auto n = static_cast<Index>(x.size());
    loops<T>().leaky_relu(n, x.data(), T(0), y.data());
    EXPECT_TRUE(std::isnan(y[0]));
    EXPECT_EQ(std::vector<T>(y.begin() + 1, y.end()), (std::vector<T>{T(infinity), 0, 0, 0, 3}));
    loops<T>().leaky_relu(n, x.data(), T(0.5), y.data());
    EXPECT_EQ(std::vector<T>(y.begin() + 1, y.end()), (std::vector<T>{T(infinity), T(-infinity), -1, 0, 3}));
    loops<T>().gate(n, ones.data(), x.data(), T(0.5), y.data());
    EXPECT_EQ(y, (std::vector<T>{1, 1, T(0.5), T(0.5), T(0.5), 1}));  // at NaN what comes goes on
    loops<T>().gate(n, x.data(), ones.data(), T(0), y.data());
    EXPECT_EQ(std::vector<T>(y.begin() + 1, y.end()), std::vector<T>(x.begin() + 1, x.end()));
  };
  FOR_BOTH_TYPES(check)
}

// In bf16 each operand is off by up to 2^-9 of itself.
TEST(Bf16, ProductsAreNearThoseOfF32) {
  if (!bf16_available()) GTEST_SKIP() << "this machine has no AMX";
  Rng rng(3);
  for (const auto& [m, n, k] : std::vector<std::tuple<Index, Index, Index>>{
           {1, 1, 1}, {31, 33, 17}, {50, 10, 100}, {64, 96, 32}, {5, 200, 1500}, {600, 40, 1030}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) {
        SCOPED_TRACE(testing::Message() << m << " " << n << " " << k << " " << ta << tb);
        const Tensor a = randn(ta ? Shape{k, m} : Shape{m, k}, rng),
                     b = randn(tb ? Shape{n, k} : Shape{k, n}, rng);
        const Tensor bias = randn({n}, rng);
        const Tensor exact = matmul("matmul", cast(a, f64), ta, cast(b, f64), tb, cast(bias, f64));
        const PrecisionScope scope(Precision::bf16);
        const Tensor got = matmul("matmul", a, ta, b, tb, bias);
        const double tolerance = 0.03 * std::sqrt(static_cast<double>(k));
        double largest = 0;
        for (Index i = 0; i < got.size(); ++i) {
          ASSERT_NEAR(got.at(i), exact.at(i), tolerance);
          largest = std::max(largest, std::abs(got.at(i) - exact.at(i)));
        }
        EXPECT_GT(largest, 0) << "these are not the products of bf16";
      }
}

TEST(Bf16, WholeNumbersOfSevenBitsAreExact) {
  if (!bf16_available()) GTEST_SKIP() << "this machine has no AMX";
  Rng rng(4);
  const auto whole = [&](const Shape& shape) {
    std::vector<float> list;
    for (Index i = 0; i < shape.size(); ++i)
      list.push_back(static_cast<float>(std::floor(rng.uniform(-64, 64))));
    return from(list, shape);
  };
  // The last: several blocks of rows, panels of columns and blocks along k, none of them whole.
  for (const auto& [m, n, k] : std::vector<std::tuple<Index, Index, Index>>{{70, 45, 90}, {530, 131, 1060}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) {
        const Tensor a = whole(ta ? Shape{k, m} : Shape{m, k}), b = whole(tb ? Shape{n, k} : Shape{k, n});
        const Tensor exact = matmul("matmul", cast(a, f64), ta, cast(b, f64), tb);
        const PrecisionScope scope(Precision::bf16);
        EXPECT_EQ(test::values(matmul("matmul", a, ta, b, tb)), test::values(cast(exact, f32)))
            << m << ta << tb;
      }
}

TEST(Bf16, AnUpdateByAProductIsThatByItsGradient) {
  if (!bf16_available()) GTEST_SKIP() << "this machine has no AMX";
  Rng rng(5);
  const PrecisionScope scope(Precision::bf16);
  for (const Index batch : {1, 70, 1024, 1025, 2500}) {
    const Tensor dy = randn({batch, 40}, rng), x = randn({batch, 50}, rng), weight = randn({40, 50}, rng);
    for (const double decay : {0.0, 0.2}) {
      Tensor folded = add(weight, scalar(0)), plain = add(weight, scalar(0)), none;
      detail::writable<float>(folded)[7] = detail::writable<float>(plain)[7] = static_cast<float>(infinity);
      sgd_update(folded, none, {dy, x}, 0.1, 0, false, decay);
      sgd_update(plain, none, matmul("matmul", dy, true, x, false), 0.1, 0, false, decay);
      EXPECT_THAT(test::values(folded),
                  testing::Pointwise(testing::NanSensitiveDoubleEq(), test::values(plain)))
          << batch << " rows, decay " << decay;
    }
  }
}

TEST(Bf16, WhereTheMachineLacksItProductsAreThoseOfF32) {
  const InstructionSet before = instruction_set();
  if (!set_instruction_set(InstructionSet::avx512))
    GTEST_SKIP() << "this machine has no AVX-512 to fall back to";
  EXPECT_FALSE(bf16_available());
  Rng rng(6);
  const Tensor a = randn({70, 90}, rng), b = randn({90, 45}, rng);
  const Tensor full = matmul("matmul", a, false, b, false);
  {
    const PrecisionScope scope(Precision::bf16);
    EXPECT_EQ(test::values(matmul("matmul", a, false, b, false)), test::values(full));
  }
  set_instruction_set(before);
}

TEST(Precision, IsThatOfTheInnermostScope) {
  EXPECT_EQ(precision(), Precision::full);
  {
    const PrecisionScope outer(Precision::bf16);
    {
      const PrecisionScope inner(Precision::full);
      EXPECT_EQ(precision(), Precision::full);
    }
    EXPECT_EQ(precision(), Precision::bf16);
  }
  EXPECT_EQ(precision(), Precision::full);
}

}  // namespace
}  // namespace elk::kernels
