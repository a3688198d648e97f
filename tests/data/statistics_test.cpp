#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include <elk/base/parallel.hpp>
#include <elk/data/batches.hpp>
#include <elk/data/digits.hpp>
#include <elk/data/statistics.hpp>
#include <elk/kernels/kernels.hpp>

#include <tests/support.hpp>
#include "support.hpp"

namespace elk {
namespace {

using test::error_of;
using test::values;
using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;
using testing::Pointwise;

// import numpy as np
// images = np.random.RandomState(7).randint(0, 256, (6, 2, 2))
// x = images.reshape(6, 4) / 255.0
const std::vector<std::uint8_t> six_images{175, 196, 25,  246, 67,  211, 151, 103, 92, 185, 142, 23,
                                           72,  89,  110, 42,  218, 136, 167, 230, 68, 176, 127, 135};

Dataset six(const Shape& shape) { return {"six", from(six_images, shape), zeros({shape[0]}, i64), {"any"}}; }

auto near(const std::vector<double>& expected, double tolerance = 1e-14) {
  return Pointwise(DoubleNear(tolerance), expected);
}

TEST(PixelStatistics, OfEachPixel) {
  const PixelStatistics s = pixel_statistics(six({6, 2, 2}));
  // x.mean(axis=0), x.std(axis=0)
  EXPECT_THAT(values(s.mean),
              near({0.4522875816993464, 0.6490196078431373, 0.4718954248366014, 0.5091503267973856}));
  EXPECT_THAT(values(s.deviation),
              near({0.232551187225144, 0.161797382320598, 0.1813227865550522, 0.333536398482586}));
  for (Index i = 0; i < 4; ++i) EXPECT_EQ(s.scale.at(i), 1 / s.deviation.at(i));
  EXPECT_EQ(s.mean.dtype(), f64);
  EXPECT_EQ(s.mean.shape(), Shape{4});
}

TEST(PixelStatistics, OfEachChannel) {
  // x.mean(), x.std(): grey images have one channel.
  const PixelStatistics all = pixel_statistics(six({6, 2, 2}), Per::channel);
  EXPECT_THAT(values(all.mean), Each(DoubleNear(0.5205882352941176, 1e-14)));
  EXPECT_THAT(values(all.deviation), Each(DoubleNear(0.2490202511442465, 1e-14)));
  EXPECT_EQ(all.mean.shape(), Shape{4});
  // Two channels of two pixels each.
  const PixelStatistics two = pixel_statistics(
      {"two", from(Bytes{0, 2, 10, 10, 4, 6, 10, 10}, {2, 2, 1, 2}), zeros({2}, i64), {"any"}}, Per::channel);
  EXPECT_THAT(values(two.mean), ElementsAre(3. / 255, 3. / 255, 10. / 255, 10. / 255));
  EXPECT_THAT(values(two.deviation), ElementsAre(std::sqrt(5.) / 255, std::sqrt(5.) / 255, 0, 0));
  EXPECT_THAT(values(two.scale), ElementsAre(255 / std::sqrt(5.), 255 / std::sqrt(5.), 1, 1));
}

TEST(PixelStatistics, ConstantPixelsHaveTheScale1) {
  for (const double grey : {0, 1, 77, 255}) {
    const PixelStatistics s = pixel_statistics({"grey", full({3, 2, 2}, grey, u8), zeros({3}, i64), {"any"}});
    EXPECT_THAT(values(s.mean), Each(grey / 255));
    EXPECT_THAT(values(s.deviation), Each(0));
    EXPECT_THAT(values(s.scale), Each(1));
  }
}

TEST(PixelStatistics, Errors) {
  EXPECT_ERROR(pixel_statistics(counting(0, {2, 2})), ValueError,
               "[pixel_statistics] the dataset holds no images");
  EXPECT_EQ(pixel_statistics(counting(3, {0, 2})).mean.shape(), Shape{0});
  EXPECT_EQ(pixel_statistics(counting(3, {0, 2, 2}), Per::channel).mean.shape(), Shape{0});
  Dataset bad = counting(2, {2, 2});
  bad.images = zeros({2, 2, 2});
  EXPECT_THROW(pixel_statistics(bad), DTypeError);
}

TEST(EigenSymmetric, OfATextbookMatrix) {
  // Eigenvalues 3 and 1; what is above the diagonal is not read.
  const kernels::Eigen e = kernels::eigen_symmetric(from({2, 99, 1, 2}, {2, 2}, f64));
  EXPECT_THAT(values(e.values), near({3, 1}));
  const double h = std::sqrt(0.5);
  EXPECT_THAT(values(e.vectors).front(), DoubleNear(h, 1e-14));
  EXPECT_EQ(kernels::eigen_symmetric(zeros({0, 0}, f64)).vectors.shape(), (Shape{0, 0}));
}

TEST(EigenSymmetric, GivesTheMatrixBack) {
  Rng rng(3);
  for (const Index n : {1, 2, 7, 40, 130}) {
    const Tensor a = randn({n, n}, rng, f64), m = kernels::add(a, kernels::transpose(a));
    const kernels::Eigen e = kernels::eigen_symmetric(m);
    // vectorsᵀ diag(values) vectors = m, vectors vectorsᵀ = 1
    const Tensor scaled = kernels::mul(e.vectors, from(values(e.values), {n, 1}));
    const Tensor back = kernels::matmul("test", e.vectors, true, scaled, false);
    EXPECT_THAT(values(back), near(values(m), 1e-12 * static_cast<double>(n)));
    const Tensor unit = kernels::matmul("test", e.vectors, false, e.vectors, true);
    for (Index i = 0; i < n; ++i) {
      if (i > 0) {
        EXPECT_LE(e.values.at(i), e.values.at(i - 1));
      }
      double largest = 0;
      for (Index j = 0; j < n; ++j) {
        EXPECT_NEAR(unit.at(i * n + j), i == j ? 1 : 0, 1e-12);
        if (std::abs(e.vectors.at(i * n + j)) > std::abs(largest)) largest = e.vectors.at(i * n + j);
      }
      EXPECT_GT(largest, 0);
    }
  }
}

TEST(EigenSymmetric, Errors) {
  EXPECT_EQ(error_of<DTypeError>([] {
              kernels::eigen_symmetric(zeros({2, 2}));
            }),
            "[eigen_symmetric] expected f64, got f32");
  EXPECT_EQ(error_of<ShapeError>([] {
              kernels::eigen_symmetric(zeros({2, 3}, f64));
            }),
            "[eigen_symmetric] expected a square matrix of up to 32000 rows, got (2, 3)");
  EXPECT_EQ(error_of<ShapeError>([] { kernels::eigen_symmetric(zeros({4}, f64)); }),
            "[eigen_symmetric] expected a square matrix of up to 32000 rows, got (4)");
  EXPECT_EQ(error_of<ValueError>([] {
              kernels::eigen_symmetric(full({2, 2}, NAN, f64));
            }),
            "[eigen_symmetric] the matrix holds NaN or infinity");
}

TEST(PcaWhitening, IsNumPys) {
  const Whitening w = pca_whitening(six({6, 2, 2}), 0, 0.01);
  // values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
  // values, vectors = values[::-1], vectors.T[::-1]
  // for u in vectors: u *= np.sign(u[np.argmax(np.abs(u))])
  // x.mean(axis=0), values, vectors / np.sqrt(values + 0.01)[:, None]
  EXPECT_THAT(values(w.mean),
              near({0.4522875816993464, 0.6490196078431373, 0.4718954248366014, 0.5091503267973856}));
  EXPECT_THAT(values(w.variance),
              near({0.1563699583467614, 0.0345506548163151, 0.0246673244479177, 0.008794992031451}));
  EXPECT_THAT(values(w.matrix),
              near({1.2808837638805648, 0.1503898598276912, -0.4417337272080994, 2.03771723673904,
                    2.0675654274152055, -2.7443315760947993, 3.237899801211946, -0.395198010623064,
                    -0.4227951083550152, 3.857142144642122, 3.6329724643231565, 0.7686457976319808,
                    5.312274727108921, 2.7770361829185335, -1.511001092142762, -3.8717367314346975},
                   1e-12));
  const Whitening first = pca_whitening(six({6, 2, 2}), 2, 0.01);
  EXPECT_EQ(first.matrix.shape(), (Shape{2, 4}));
  const auto all = values(w.matrix);
  EXPECT_EQ(values(first.matrix), std::vector<double>(all.begin(), all.begin() + 8));
}

// The covariance (k, k) of the whitened images, f64; their means must be 0.
std::vector<double> covariance_of(const Dataset& set, const Whitening& w) {
  std::vector<Index> rows;
  for (Index k = 0; k < set.size(); ++k) rows.push_back(k);
  const Tensor x = kernels::sub(gather(set, rows, f64).x, w.mean);
  const Tensor y = kernels::matmul("test", x, false, w.matrix, true);
  for (const double total : values(kernels::sum(y, 0, false))) EXPECT_NEAR(total, 0, 1e-7);
  auto result = values(kernels::matmul("test", y, true, y, false));
  for (double& entry : result) entry /= static_cast<double>(set.size());
  return result;
}

TEST(PcaWhitening, WhitensToTheIdentity) {
  Rng rng(4);
  Bytes pixels(3000 * 12);  // more than one block; neighbouring pixels are alike
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<std::uint8_t>((i % 12 == 0 ? 128 : pixels[i - 1] / 2 + 64) +
                                          static_cast<int>(rng.integer(-60, 60)));
  const Dataset set{"alike", from(pixels, {3000, 3, 4}), zeros({3000}, i64), {"any"}};
  for (const Index k : {12, 5}) {
    const auto covariance = covariance_of(set, pca_whitening(set, k, 0));
    for (Index i = 0; i < k; ++i)
      for (Index j = 0; j < k; ++j)
        EXPECT_NEAR(covariance[static_cast<std::size_t>(i * k + j)], i == j ? 1 : 0, 1e-10);
  }
  const double epsilon = 0.01;
  const Whitening w = pca_whitening(set, 0, epsilon);
  const auto covariance = covariance_of(set, w);
  for (Index i = 0; i < 12; ++i) {
    const double v = w.variance.at(i);
    EXPECT_NEAR(covariance[static_cast<std::size_t>(i * 13)], v / (v + epsilon), 1e-10);
  }
}

TEST(PcaWhitening, TheSameBitsForAnyNumberOfThreads) {
  const Dataset set = digits(1, 0, 2500);
  const Whitening one = pca_whitening(set, 50);
  set_threads(3);
  const Whitening three = pca_whitening(set, 50);
  set_threads(1);
  EXPECT_EQ(values(one.matrix), values(three.matrix));
  EXPECT_EQ(values(one.variance), values(three.variance));
}

TEST(PcaWhitening, OfDegenerateImages) {
  const auto finite = [](const Whitening& w) {
    for (const Tensor& t : {w.mean, w.matrix, w.variance}) EXPECT_TRUE(kernels::all_finite(t));
  };
  for (const double epsilon : {0.0, 1e-3}) {
    // One image, or all alike: nothing varies, and the components are divided by 1.
    for (const Dataset& set :
         {counting(1, {3, 3}), Dataset{"grey", full({9, 3, 3}, 200, u8), zeros({9}, i64), {"any"}}}) {
      const Whitening w = pca_whitening(set, 0, epsilon);
      finite(w);
      EXPECT_THAT(values(w.variance), Each(0));
      for (const double v : covariance_of(set, w)) EXPECT_NEAR(v, 0, 1e-20);
    }
    // Fewer images than pixels: as many components vary as there are images but one.
    const Dataset few = digits(2, 0, 5);
    const Whitening w = pca_whitening(few, 0, epsilon);
    finite(w);
    const auto variance = values(w.variance);
    EXPECT_GT(variance[3], 1e-3);
    EXPECT_THAT(std::vector<double>(variance.begin() + 4, variance.end()), Each(0));
  }
  // A constant pixel takes no part in what varies.
  Bytes pixels;
  Rng rng(1);
  for (int k = 0; k < 50; ++k)
    for (int i = 0; i < 4; ++i) pixels.push_back(i == 2 ? 9 : static_cast<std::uint8_t>(rng.integer(0, 256)));
  const Whitening w = pca_whitening({"constant", from(pixels, {50, 4}), zeros({50}, i64), {"any"}}, 0, 0);
  finite(w);
  for (Index k = 0; k < 3; ++k) EXPECT_NEAR(w.matrix.at(4 * k + 2), 0, 1e-12);
  EXPECT_EQ(w.variance.at(3), 0);
  EXPECT_NEAR(w.matrix.at(4 * 3 + 2), 1, 1e-12);
  EXPECT_EQ(pca_whitening(counting(3, {0, 2})).matrix.shape(), (Shape{0, 0}));
}

TEST(PcaWhitening, Errors) {
  const Dataset set = six({6, 2, 2});
  EXPECT_ERROR(pca_whitening(set, 5), ValueError, "[pca_whitening] components must be from 0 to 4, got 5");
  EXPECT_ERROR(pca_whitening(set, -1), ValueError, "[pca_whitening] components must be from 0 to 4, got -1");
  EXPECT_ERROR(pca_whitening(set, 0, -1), ValueError,
               "[pca_whitening] epsilon must be finite and at least 0, got -1");
  EXPECT_ERROR(pca_whitening(set, 0, NAN), ValueError,
               "[pca_whitening] epsilon must be finite and at least 0, got nan");
  EXPECT_ERROR(pca_whitening(counting(0, {2, 2})), ValueError, "[pca_whitening] the dataset holds no images");
}

}  // namespace
}  // namespace elk
