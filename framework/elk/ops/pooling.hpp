// Pooling and interpolation of images (N, C, H, W) and sequences (N, C, L).
#pragma once

#include <elk/ops/convolution.hpp>

namespace elk {

/// How windows lie on an image; a stride of 0 means the window's size. For averages the image is padded with
/// zeros; padding never counts as a maximum. It is at most half a window.
struct MaxPoolOptions {
  Pair stride = 0, padding = 0, dilation = 1;
};
/// The same for averages; at the edge the mean is over the window with its padding, or without it.
struct AvgPoolOptions {
  Pair stride = 0, padding = 0;
  bool count_include_pad = true;
};

/// The largest of each window of `kernel` rows and columns, per channel: x (N, C, H, W), result (N, C, H',
/// W') with H' = (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1 rounded down. Among equal elements
/// the gradient goes to the first. NaN if any element is NaN. ShapeError if a window is larger than the image
/// with its padding.
Tensor max_pool2d(const Tensor& x, Pair kernel, const MaxPoolOptions& options = {});
/// The same along x (N, C, L); options count in columns.
Tensor max_pool1d(const Tensor& x, Index kernel, const MaxPoolOptions& options = {});
/// The mean of each window, likewise.
Tensor avg_pool2d(const Tensor& x, Pair kernel, const AvgPoolOptions& options = {});
/// The same along x (N, C, L); options count in columns.
Tensor avg_pool1d(const Tensor& x, Index kernel, const AvgPoolOptions& options = {});
/// Means over windows that divide the image into `size` rows and columns as evenly as they can: from i H / H'
/// rounded down to (i + 1) H / H' rounded up. With size 1, the mean of each channel.
Tensor adaptive_avg_pool2d(const Tensor& x, Pair size);
/// The same along x (N, C, L).
Tensor adaptive_avg_pool1d(const Tensor& x, Index size);

/// How interpolate() fills in.
enum class Interpolation {
  nearest,        ///< pixel i H / H' rounded down
  bilinear,       ///< between the centres of pixels
  align_corners,  ///< bilinear, with the corners' pixels on the corners'
};
/// x (N, C, H, W) as images of another size, `size` rows and columns.
Tensor interpolate(const Tensor& x, Pair size, Interpolation mode = Interpolation::nearest);

}  // namespace elk
