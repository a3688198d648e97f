#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include <elk/base/format.hpp>
#include <elk/data/statistics.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

void check_images(const char* operation, const Dataset& dataset) {
  dataset.check();
  if (dataset.size() == 0) fail<ValueError>("[{}] the dataset holds no images", operation);
}

// n^2 times the covariance of pixel values 0 ... 255, below and on the diagonal, and the sum of each pixel.
struct Moments {
  Tensor covariance;  // f64 (features, features)
  std::vector<std::int64_t> sum;
};

// In whole numbers, so that no rounding depends on the order. f32 holds those up to 2^24, and 1024 products
// of values from -128 to 127 stay within: the fast matrix product of floats is exact. So is all of it in f64
// up to 700,000 images.
Moments moments(const Dataset& dataset) {
  constexpr Index block = 1024, middle = 128;
  const Index n = dataset.size(), features = dataset.features();
  const auto width = static_cast<std::size_t>(features);
  Moments result{zeros({features, features}, f64), std::vector<std::int64_t>(width)};
  double* const total = detail::writable<double>(result.covariance);
  const auto* pixel = dataset.images.data<std::uint8_t>().data();
  for (Index first = 0; first < n; first += block) {
    const Index count = std::min(block, n - first);
    Tensor centred = empty({count, features}, f32);
    float* to = detail::writable<float>(centred);
    for (Index k = 0; k < count; ++k)
      for (std::size_t i = 0; i < width; ++i) {
        const int value = *pixel++ - static_cast<int>(middle);
        result.sum[i] += value;
        *to++ = static_cast<float>(value);
      }
    const Tensor product = kernels::matmul("pca_whitening", centred, true, centred, false);
    const float* const part = detail::readable<float>(product);
    for (Index i = 0; i < features; ++i)
      for (Index j = 0; j <= i; ++j) total[i * features + j] += static_cast<double>(part[i * features + j]);
  }
  const auto number = static_cast<double>(n);
  for (Index i = 0; i < features; ++i)
    for (Index j = 0; j <= i; ++j) {
      double& entry = total[i * features + j];
      entry = number * entry - static_cast<double>(result.sum[static_cast<std::size_t>(i)]) *
                                   static_cast<double>(result.sum[static_cast<std::size_t>(j)]);
    }
  for (auto& sum : result.sum) sum += n * middle;
  return result;
}

}  // namespace

PixelStatistics pixel_statistics(const Dataset& dataset, Per per) {
  check_images("pixel_statistics", dataset);
  const Shape sample = dataset.sample_shape();
  const Index features = dataset.features();
  PixelStatistics result{empty({features}, f64), empty({features}, f64), empty({features}, f64)};
  if (features == 0) return result;
  const Index channels = per == Per::channel && sample.rank() == 3 ? sample[0] : 1;
  // Neighbouring pixels that share their numbers.
  const Index together = per == Per::pixel ? 1 : features / channels;

  // How often each of them has each value: all else follows, to the last bit.
  std::vector<std::array<std::int64_t, 256>> counts(static_cast<std::size_t>(features / together));
  const auto* pixel = dataset.images.data<std::uint8_t>().data();
  for (Index k = 0; k < dataset.size(); ++k)
    for (auto& count : counts)
      for (Index i = 0; i < together; ++i) ++count[*pixel++];

  auto* mean = detail::writable<double>(result.mean);
  auto* deviation = detail::writable<double>(result.deviation);
  auto* scale = detail::writable<double>(result.scale);
  const auto n = static_cast<double>(dataset.size() * together);
  for (const auto& count : counts) {
    std::int64_t sum = 0;
    for (std::size_t v = 0; v < 256; ++v) sum += static_cast<std::int64_t>(v) * count[v];
    const double middle = static_cast<double>(sum) / n;
    double squares = 0;
    for (std::size_t v = 0; v < 256; ++v) {
      const double distance = static_cast<double>(v) - middle;
      squares += static_cast<double>(count[v]) * distance * distance;
    }
    const double spread = std::sqrt(squares / n) / 255;
    mean = std::fill_n(mean, together, middle / 255);
    deviation = std::fill_n(deviation, together, spread);
    scale = std::fill_n(scale, together, spread > 0 ? 1 / spread : 1);
  }
  return result;
}

Whitening pca_whitening(const Dataset& dataset, Index components, double epsilon) {
  check_images("pca_whitening", dataset);
  const Index features = dataset.features();
  if (components < 0 || components > features)
    fail<ValueError>("[pca_whitening] components must be from 0 to {}, got {}", features, components);
  if (!(epsilon >= 0 && std::isfinite(epsilon)))
    fail<ValueError>("[pca_whitening] epsilon must be finite and at least 0, got {}", epsilon);
  if (components == 0) components = features;

  Whitening result{empty({features}, f64), empty({components, features}, f64), empty({components}, f64)};
  const Moments m = moments(dataset);
  const auto n = static_cast<double>(dataset.size());
  auto* const mean = detail::writable<double>(result.mean);
  for (std::size_t i = 0; i < m.sum.size(); ++i) mean[i] = static_cast<double>(m.sum[i]) / n / 255;

  const kernels::Eigen eigen = kernels::eigen_symmetric(m.covariance);
  const auto* const values = detail::readable<double>(eigen.values);
  const auto* row = detail::readable<double>(eigen.vectors);
  auto* to = detail::writable<double>(result.matrix);
  auto* const variance = detail::writable<double>(result.variance);
  // An eigenvalue below this is 0 but for rounding (as in NumPy's matrix_rank).
  const double nothing =
      features == 0 ? 0 : values[0] * static_cast<double>(features) * std::numeric_limits<double>::epsilon();
  for (Index k = 0; k < components; ++k, row += features, to += features) {
    const bool varies = values[k] > nothing;
    variance[k] = varies ? values[k] / (n * n) / (255 * 255) : 0;
    const double divisor = varies ? std::sqrt(variance[k] + epsilon) : 1;
    for (Index i = 0; i < features; ++i) to[i] = row[i] / divisor;
  }
  return result;
}

}  // namespace elk
