#include <algorithm>
#include <cmath>

#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/pooling.hpp>
#include <elk/ops/pooling.hpp>
#include <elk/ops/shape.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

using kernels::Taps;
using kernels::Windows;

void check_images(const char* operation, const Tensor& x) {
  if (x.rank() != 4) fail<ShapeError>("[{}] expected x (N, C, H, W), got {}", operation, x.shape());
}
void check_sequences(const char* operation, const Tensor& x) {
  if (x.rank() != 3) fail<ShapeError>("[{}] expected x (N, C, L), got {}", operation, x.shape());
}

// Of x (N, C, H, W).
Windows windows(const char* operation, const Tensor& x, Pair kernel, Pair stride, Pair padding,
                Pair dilation) {
  constexpr Index limit = Index{1} << 31;  // of what is multiplied here
  Windows w{{kernel.rows, kernel.columns},
            {stride.rows, stride.columns},
            {padding.rows, padding.columns},
            {dilation.rows, dilation.columns},
            {}};
  for (const std::size_t axis : {0u, 1u})
    if (w.stride[axis] == 0) w.stride[axis] = w.size[axis];
  for (const std::size_t axis : {0u, 1u}) {
    const Index image = x.size(static_cast<int>(axis) + 2);
    if (std::min({w.size[axis], w.stride[axis], w.dilation[axis]}) < 1 ||
        std::max({w.size[axis], w.stride[axis], w.dilation[axis], image}) >= limit || w.padding[axis] < 0 ||
        w.padding[axis] > w.size[axis] / 2)
      fail<ValueError>(
          "[{}] expected a kernel, stride and dilation above 0 and a padding up to half the kernel, got "
          "kernel "
          "({}), stride ({}), dilation ({}), padding ({})",
          operation, fmt::join(w.size, ", "), fmt::join(w.stride, ", "), fmt::join(w.dilation, ", "),
          fmt::join(w.padding, ", "));
    const Index room = image + 2 * w.padding[axis], reach = (w.size[axis] - 1) * w.dilation[axis] + 1;
    if (reach > room)
      fail<ShapeError>("[{}] the kernel ({}) reaches over more than the image ({}, {}) with padding ({})",
                       operation, fmt::join(w.size, ", "), x.size(2), x.size(3), fmt::join(w.padding, ", "));
    w.out[axis] = (room - reach) / w.stride[axis] + 1;
    // Of those that begin before the image the taps may pass it by.
    for (Index at = -w.padding[axis], k = 0; at < 0 && k < w.out[axis]; at += w.stride[axis], ++k)
      if (at + w.before(axis, at) * w.dilation[axis] >= image)
        fail<ShapeError>(
            "[{}] a window reads nothing of the image ({}, {}): kernel ({}), padding ({}), dilation ({})",
            operation, x.size(2), x.size(3), fmt::join(w.size, ", "), fmt::join(w.padding, ", "),
            fmt::join(w.dilation, ", "));
  }
  return w;
}

Tensor max_pool(const char* operation, const Tensor& x, const Windows& w) {
  const Index planes = x.size(0), channels = x.size(1), pixels = x.size(2) * x.size(3);
  const Tensor places = kernels::max_pool_places(operation, x, w);
  const Shape shape{planes, channels, w.out[0], w.out[1]}, flat{planes, channels, w.out[0] * w.out[1]};
  const Tensor y = kernels::gather(detail::with_shape(x, {planes, channels, pixels}), 2, places);
  return record("max_pool2d", detail::with_shape(y, shape),
                wrt(x, [places, flat, pixels, s = x.shape()](const Tensor& dy) {
                  return reshape(scatter_add(reshape(dy, flat), 2, places, pixels), s);
                }));
}

Tensor resampled(const char* operation, const Tensor& x, int axis, const Taps& taps) {
  return record("resample", kernels::resample(operation, x, axis, taps),
                wrt(x, [axis, back = taps.transposed()](const Tensor& dy) {
                  return resampled("resample", dy, axis, back);
                }));
}

// Averages over windows of an axis.
Taps averages(const Windows& w, std::size_t axis, Index image, bool count_include_pad) {
  Taps taps{image, {}};
  for (Index i = 0; i < w.out[axis]; ++i) {
    const Index first = i * w.stride[axis] - w.padding[axis], begin = std::max<Index>(first, 0),
                end = std::min(first + w.size[axis], image),
                count = count_include_pad ? w.size[axis] : end - begin;
    taps.outputs.push_back(
        {begin, std::vector<double>(static_cast<std::size_t>(end - begin), 1 / static_cast<double>(count))});
  }
  return taps;
}

Tensor avg_pool(const char* operation, const Tensor& x, Pair kernel, const AvgPoolOptions& options) {
  const Windows w = windows(operation, x, kernel, options.stride, options.padding, 1);
  const Tensor rows = resampled(operation, x, 2, averages(w, 0, x.size(2), options.count_include_pad));
  return resampled(operation, rows, 3, averages(w, 1, x.size(3), options.count_include_pad));
}

Taps adaptive(const char* operation, Index image, Index size) {
  if (size < 1 || image < 1 || image > Index{1} << 31 || size > Index{1} << 31)
    fail<ShapeError>("[{}] expected sizes from 1 to 2^31, got {} of {}", operation, size, image);
  Taps taps{image, {}};
  for (Index i = 0; i < size; ++i) {
    const Index begin = i * image / size, end = ((i + 1) * image + size - 1) / size;
    taps.outputs.push_back({begin, std::vector<double>(static_cast<std::size_t>(end - begin),
                                                       1 / static_cast<double>(end - begin))});
  }
  return taps;
}

Taps interpolation(Index image, Index size, Interpolation mode) {
  if (size < 1 || image < 1 || image > Index{1} << 31 || size > Index{1} << 31)
    fail<ShapeError>("[interpolate] expected sizes from 1 to 2^31, got {} of {}", size, image);
  Taps taps{image, {}};
  for (Index i = 0; i < size; ++i) {
    if (mode == Interpolation::nearest) {
      taps.outputs.push_back({i * image / size, {1}});
      continue;
    }
    const double at = static_cast<double>(i), from = static_cast<double>(image),
                 to = static_cast<double>(size),
                 place = mode == Interpolation::align_corners ? (size > 1 ? at * (from - 1) / (to - 1) : 0)
                                                              : std::max((at + 0.5) * from / to - 0.5, 0.0);
    const Index begin = std::min(static_cast<Index>(place), image - 1);
    const double share = place - static_cast<double>(begin);
    if (begin + 1 < image)
      taps.outputs.push_back({begin, {1 - share, share}});
    else
      taps.outputs.push_back({begin, {1}});
  }
  return taps;
}

}  // namespace

Tensor max_pool2d(const Tensor& x, Pair kernel, const MaxPoolOptions& options) {
  check_images("max_pool2d", x);
  return max_pool("max_pool2d", x,
                  windows("max_pool2d", x, kernel, options.stride, options.padding, options.dilation));
}

Tensor max_pool1d(const Tensor& x, Index kernel, const MaxPoolOptions& options) {
  check_sequences("max_pool1d", x);
  const Tensor images = expand(x, 2);
  const Windows w = windows("max_pool1d", images, {1, kernel}, {1, options.stride.columns},
                            {0, options.padding.columns}, {1, options.dilation.columns});
  return squeeze(max_pool("max_pool1d", images, w), 2);
}

Tensor avg_pool2d(const Tensor& x, Pair kernel, const AvgPoolOptions& options) {
  check_images("avg_pool2d", x);
  return avg_pool("avg_pool2d", x, kernel, options);
}

Tensor avg_pool1d(const Tensor& x, Index kernel, const AvgPoolOptions& options) {
  check_sequences("avg_pool1d", x);
  const Windows w = windows("avg_pool1d", expand(x, 2), {1, kernel}, {1, options.stride.columns},
                            {0, options.padding.columns}, 1);
  return resampled("avg_pool1d", x, 2, averages(w, 1, x.size(2), options.count_include_pad));
}

Tensor adaptive_avg_pool2d(const Tensor& x, Pair size) {
  check_images("adaptive_avg_pool2d", x);
  const Tensor rows =
      resampled("adaptive_avg_pool2d", x, 2, adaptive("adaptive_avg_pool2d", x.size(2), size.rows));
  return resampled("adaptive_avg_pool2d", rows, 3, adaptive("adaptive_avg_pool2d", x.size(3), size.columns));
}

Tensor adaptive_avg_pool1d(const Tensor& x, Index size) {
  check_sequences("adaptive_avg_pool1d", x);
  return resampled("adaptive_avg_pool1d", x, 2, adaptive("adaptive_avg_pool1d", x.size(2), size));
}

Tensor interpolate(const Tensor& x, Pair size, Interpolation mode) {
  check_images("interpolate", x);
  const Tensor rows = resampled("interpolate", x, 2, interpolation(x.size(2), size.rows, mode));
  return resampled("interpolate", rows, 3, interpolation(x.size(3), size.columns, mode));
}

}  // namespace elk
