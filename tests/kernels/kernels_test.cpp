// Fast paths against the general kernels, block cuts against plain loops, and the same bits for any number of
// threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <elk/base/flops.hpp>
#include <elk/base/parallel.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/update.hpp>
#include <elk/tensor/storage.hpp>
#include <support.hpp>

namespace elk::kernels {
namespace {

using test::error_of;
using test::values;
using testing::Each;
using testing::ElementsAre;

// Calls `compute` with the fast paths and with the general kernels alone and compares.
void expect_same(const std::string& what, const std::function<Tensor()>& compute, double tolerance) {
  SCOPED_TRACE(what);
  const Tensor fast = compute();
  set_reference(true);
  const Tensor general = compute();
  set_reference(false);
  ASSERT_EQ(to_string(fast.shape()), to_string(general.shape()));
  ASSERT_EQ(fast.dtype(), general.dtype());
  for (Index i = 0; i < fast.size(); ++i)
    ASSERT_NEAR(fast.at(i), general.at(i), tolerance * std::max(1.0, std::abs(general.at(i))))
        << "element " << i;
}

// Sizes around the widths of vectors, lanes and blocks.
const std::vector<Index> sizes = {0, 1, 2, 7, 8, 9, 15, 16, 17, 33, 257};

class Fast : public testing::TestWithParam<DType> {
 protected:
  double tolerance() const { return GetParam() == f64 ? 1e-13 : 1e-5; }
  Rng rng_{1};
  Tensor draw(const Shape& shape) { return randn(shape, rng_, GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(DTypes, Fast, testing::Values(f32, f64),
                         [](const auto& one) { return std::string(name(one.param)); });

TEST_P(Fast, BinaryOperationsOfEverySpread) {
  for (const Index n : sizes) {
    const Tensor full = draw({3, n});
    for (const Shape& shape :
         {Shape{3, n}, Shape{n}, Shape{1, n}, Shape{3, 1}, Shape{1, 1}, Shape{1}, Shape{}}) {
      const Tensor other = draw(shape);
      const auto what = std::to_string(n) + " " + to_string(shape);
      for (const auto f : {add, sub, mul, div, maximum}) {
        expect_same(
            what, [&] { return f(full, other); }, tolerance());
        expect_same(
            what, [&] { return f(other, full); }, tolerance());
      }
      expect_same(
          what, [&] { return compare(Comparison::less, full, other); }, 0);
      expect_same(
          what, [&] { return compare(Comparison::less, other, full); }, 0);
    }
  }
}

TEST_P(Fast, Reductions) {
  for (const Index n : sizes)
    for (const Shape& shape : {Shape{n}, Shape{3, n}, Shape{n, 3}, Shape{2, n, 3}, Shape{2, 3, n}}) {
      const Tensor x = draw(shape);
      for (int axis = 0; axis < shape.rank(); ++axis) {
        const auto what = to_string(shape) + " axis " + std::to_string(axis);
        for (const bool keep : {false, true}) {
          expect_same(
              what, [&] { return sum(x, axis, keep); }, tolerance());
          if (n > 0)
            expect_same(
                what, [&] { return max(x, axis, keep); }, 0);
        }
        expect_same(
            what, [&] { return softmax(x, axis); }, tolerance());
        expect_same(
            what, [&] { return log_softmax(x, axis); }, tolerance());
      }
      expect_same(
          to_string(shape), [&] { return sum(x, Axes::all(), false); }, tolerance());
      if (n > 0)
        expect_same(
            to_string(shape), [&] { return max(x, Axes::all(), false); }, 0);
      if (shape.rank() == 3) {
        expect_same(
            to_string(shape),
            [&] {
              return sum(x, {0, 2}, false);
            },
            tolerance());
        expect_same(
            to_string(shape),
            [&] {
              return sum(x, {1, 2}, false);
            },
            tolerance());
        expect_same(
            to_string(shape),
            [&] {
              return sum(x, {0, 1}, true);
            },
            tolerance());
      }
    }
}

TEST_P(Fast, Transpose) {
  for (const Index rows : sizes)
    for (const Index columns : {Index{1}, Index{16}, Index{19}}) {
      const Tensor x = draw({2, rows, columns});
      expect_same(
          to_string(x.shape()), [&] { return transpose(x); }, 0);
    }
}

// The product by its definition, in f64.
std::vector<double> naive(const Tensor& a, bool ta, const Tensor& b, bool tb, const Tensor& bias) {
  const Index m = a.size(ta ? 1 : 0), k = a.size(ta ? 0 : 1), n = b.size(tb ? 0 : 1);
  std::vector<double> y;
  const auto left = values(a), right = values(b);
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j) {
      double total = bias.defined() ? bias.at(j) : 0;
      for (Index l = 0; l < k; ++l)
        total += left[static_cast<std::size_t>(ta ? l * m + i : i * k + l)] *
                 right[static_cast<std::size_t>(tb ? j * k + l : l * n + j)];
      y.push_back(total);
    }
  return y;
}

struct Sizes {
  Index m, k, n;
};

TEST_P(Fast, MatrixProducts) {
  for (const auto& [m, k, n] : {Sizes{0, 3, 2}, Sizes{2, 0, 3}, Sizes{2, 3, 0}, Sizes{1, 1, 1},
                                Sizes{1, 7, 5}, Sizes{5, 7, 1}, Sizes{17, 33, 9}, Sizes{3, 64, 65}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true})
        for (const bool with_bias : {false, true}) {
          const Tensor a = draw(ta ? Shape{k, m} : Shape{m, k}), b = draw(tb ? Shape{n, k} : Shape{k, n});
          const Tensor bias = with_bias ? draw({n}) : Tensor();
          const Tensor y = matmul("matmul", a, ta, b, tb, bias);
          const auto expected = naive(a, ta, b, tb, bias);
          ASSERT_EQ(y.shape(), (Shape{m, n}));
          for (Index i = 0; i < y.size(); ++i)
            ASSERT_NEAR(y.at(i), expected[static_cast<std::size_t>(i)], 50 * tolerance()) << i;
        }
}

// Products of more than 32 million multiply-adds are cut into blocks whichever kernel does them; smaller
// ones, where it is our loops.
TEST_P(Fast, MatrixProductsInBlocksHaveTheSameBitsForAnyNumberOfThreads) {
  std::vector<Sizes> all{{341, 330, 330}, {925, 784, 50}, {50, 784, 925},  {130, 50, 790},
                         {260, 50, 790},  {600, 784, 10}, {515, 500, 521}, {2, 9000, 2001}};
  if (test::emulated()) all.resize(1);
#ifdef ELK_SANITIZE
  all.pop_back();  // 18 million numbers take long to draw there
#endif
  for (const auto& [m, k, n] : all)
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) {
        const Tensor a = draw(ta ? Shape{k, m} : Shape{m, k}), b = draw(tb ? Shape{n, k} : Shape{k, n});
        const Tensor bias = ta ? draw({n}) : Tensor();
        const Tensor one = matmul("matmul", a, ta, b, tb, bias);
        const auto bytes = [](const Tensor& y) {
          const auto* begin = detail::readable<char>(y);
          return std::string(begin, begin + static_cast<std::size_t>(y.size()) * byte_size(y.dtype()));
        };
        for (const int count : {2, 3, 4}) {
          set_threads(count);
          const Tensor more = matmul("matmul", a, ta, b, tb, bias);
          set_threads(1);
          ASSERT_TRUE(bytes(one) == bytes(more)) << m << " " << k << " " << n << " " << count << " threads";
        }
        // Against the product by definition at scattered places, the seams of the blocks included.
        const Index row_step = 83, column_step = 71;
        for (Index i = 0; i < m; i += i + 1 < m && i + row_step >= m ? m - 1 - i : row_step)
          for (Index j = 0; j < n; j += column_step) {
            double expected = bias.defined() ? bias.at(j) : 0;
            for (Index l = 0; l < k; ++l)
              expected += a.at(ta ? l * m + i : i * k + l) * b.at(tb ? j * k + l : l * n + j);
            ASSERT_NEAR(one.at(i * n + j), expected, GetParam() == f64 ? 1e-10 : 5e-3) << i << " " << j;
          }
      }
}

// By our loops and by BLAS, along either side, in one block of work and in several; with weights that are not
// ordinary, and of an empty batch.
TEST_P(Fast, AnUpdateByAProductHasTheBitsOfTheProductAndTheUpdate) {
  const auto bytes = [](const Tensor& y) {
    const auto* begin = detail::readable<char>(y);
    return std::string(begin, begin + static_cast<std::size_t>(y.size()) * byte_size(y.dtype()));
  };
  std::vector<Sizes> all{{3, 0, 5},      {10, 1, 784}, {10, 1024, 784}, {10, 1025, 784}, {784, 129, 10},
                         {33, 1000, 65}, {1, 500, 1},  {7, 2100, 3},    {341, 330, 350}, {530, 400, 261}};
  if (test::emulated()) all.resize(8);
  for (const Sizes& s : all)
    for (const double decay : {0.0, 0.03}) {
      const Index m = s.m, k = s.k, n = s.n;
      SCOPED_TRACE(testing::Message() << m << " " << k << " " << n << " decay " << decay);
      const Tensor dy = draw({k, m}), x = draw({k, n});
      const Tensor weight = draw({m, n});
      const auto fresh = [&] {
        Tensor copy = weight;
        const Tensor kept = copy;
        detail::make_sole_owner(copy);
        for (const auto& [at, odd] :
             {std::pair{Index{0}, -0.0}, std::pair{n / 2, double{INFINITY}}, std::pair{n - 1, double{NAN}}}) {
          if (GetParam() == f32)
            detail::writable<float>(copy)[at] = static_cast<float>(odd);
          else
            detail::writable<double>(copy)[at] = odd;
        }
        return copy;
      };
      Tensor plain = fresh(), none;
      sgd_update(plain, none, matmul("matmul_tn", dy, true, x, false), 0.1, 0, false, decay);
      for (const int count : {1, 2, 3}) {
        set_threads(count);
        Tensor folded = fresh();
        sgd_update(folded, none, {dy, x}, 0.1, 0, false, decay);
        set_threads(1);
        ASSERT_TRUE(bytes(folded) == bytes(plain)) << count << " threads";
      }
      set_reference(true);
      Tensor folded = fresh(), unfused = fresh();
      sgd_update(folded, none, {dy, x}, 0.1, 0, false, decay);
      sgd_update(unfused, none, matmul("matmul_tn", dy, true, x, false), 0.1, 0, false, decay);
      set_reference(false);
      ASSERT_TRUE(bytes(folded) == bytes(unfused)) << "the general form";
    }
}

// Uninitialised memory of the result must not shine through: 0 * NaN is NaN.
TEST_P(Fast, MatrixProductsOverwriteTheirResult) {
  for (int i = 0; i < 20; ++i) {
    (void)full({40, 40}, NAN, GetParam());  // likely the memory that the product gets
    const Tensor y = matmul("matmul", draw({40, 3}), false, draw({3, 40}), false);
    ASSERT_TRUE(all_finite(y));
  }
}

TEST_P(Fast, AllFinite) {
  EXPECT_TRUE(all_finite(full({9}, 1e30, GetParam())));
  EXPECT_TRUE(all_finite(zeros({0}, GetParam())));
  for (const float bad : {NAN, INFINITY, -INFINITY})
    for (Index at = 0; at < 9; ++at) {
      Tensor x = ones({9}, GetParam());
      if (GetParam() == f32)
        detail::writable<float>(x)[at] = bad;
      else
        detail::writable<double>(x)[at] = static_cast<double>(bad);
      EXPECT_FALSE(all_finite(x)) << bad << " " << at;
    }
  EXPECT_TRUE(all_finite(arange(3)));
}

TEST(Integers, Compare) {
  const Tensor a = from({0, 127, 128, 255}, u8), b = from({255, 127, 1, 0}, u8);
  EXPECT_THAT(values(compare(Comparison::less, a, b)), ElementsAre(1, 0, 0, 0));
  EXPECT_THAT(values(compare(Comparison::greater_equal, a, b)), ElementsAre(0, 1, 1, 1));
  // Neighbours that are one number as doubles.
  const Tensor big = from(std::vector<std::int64_t>{9007199254740993, INT64_MIN});
  const Tensor other = from(std::vector<std::int64_t>{9007199254740992, INT64_MAX});
  EXPECT_THAT(values(compare(Comparison::equal, big, other)), ElementsAre(0, 0));
  EXPECT_THAT(values(compare(Comparison::greater, big, other)), ElementsAre(1, 0));
  EXPECT_EQ(compare(Comparison::equal, a, b).dtype(), u8);
}

TEST(Integers, SumWithoutOverflow) {
  const Tensor bytes = full({1000, 3}, 255, u8);
  EXPECT_EQ(sum(bytes, Axes::all(), false).data<std::int64_t>()[0], 765000);
  EXPECT_THAT(values(sum(bytes, 0, false)), Each(255000));
  const Tensor big = from(std::vector<std::int64_t>{9007199254740993, 2, -1});
  EXPECT_EQ(sum(big, Axes::all(), false).data<std::int64_t>()[0], 9007199254740994);
  set_reference(true);
  EXPECT_EQ(sum(bytes, Axes::all(), false).data<std::int64_t>()[0], 765000);
  EXPECT_EQ(sum(big, Axes::all(), false).data<std::int64_t>()[0], 9007199254740994);
  set_reference(false);
}

TEST(Integers, Argmax) {
  EXPECT_EQ(argmax(from({0, 200, 255, 255}, u8), 0).item(), 2);
  const Tensor big = from(std::vector<std::int64_t>{9007199254740992, 9007199254740993, INT64_MIN});
  EXPECT_EQ(argmax(big, 0).item(), 1);
}

TEST(Flops, AreCountedFromWhatRan) {
  const auto counted = [](const std::function<void()>& f) {
    const std::uint64_t before = flops();
    f();
    return flops() - before;
  };
  const Tensor a = ones({3, 4}), b = ones({4, 5});
  EXPECT_EQ(counted([&] { (void)matmul("matmul", a, false, b, false); }), 2u * 3 * 4 * 5);
  EXPECT_EQ(counted([&] { (void)add(a, a); }), 12u);
  EXPECT_EQ(counted([&] { (void)sum(a, 0, false); }), 12u);
  EXPECT_EQ(counted([&] { (void)transpose(a); }), 0u);
  set_threads(2);
  const Tensor big = ones({400, 400});
  EXPECT_EQ(counted([&] { (void)matmul("matmul", big, false, big, false); }), 2u * 400 * 400 * 400);
  set_threads(1);
}

}  // namespace
}  // namespace elk::kernels
