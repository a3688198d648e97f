// Convolution of images: y = x * w, and the two products that differentiate it. They are the three ways to
// leave one factor out of sum(dy * convolve(x, w)), so each is linear in what it takes, and all derivatives
// of one are the other two. Another library's convolution would stand behind these three functions. Private.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include <elk/tensor/tensor.hpp>

namespace elk::kernels {

/// How windows lie on images: of rows, of columns.
struct Convolution {
  std::array<Index, 2> stride, padding, dilation;
  Index groups;
};

/// The sizes of a convolution, which have been checked.
struct Geometry {
  Index batch, channels, outputs;  /// channels and outputs of a group
  std::array<Index, 2> image, kernel, out;
  Convolution how;

  Index taps() const { return channels * kernel[0] * kernel[1]; }
  Index pixels() const { return out[0] * out[1]; }
  Index image_size() const { return image[0] * image[1]; }
  /// The input's place that an output's tap reads, along an axis.
  Index place(std::size_t axis, Index output, Index tap) const {
    return output * how.stride[axis] - how.padding[axis] + tap * how.dilation[axis];
  }
  /// Where a window is a pixel: then images are their own columns.
  bool pointwise() const {
    return kernel == std::array<Index, 2>{1, 1} && how.stride == std::array<Index, 2>{1, 1} &&
           how.padding == std::array<Index, 2>{0, 0};
  }
};

/// Of `x` and `weight`; throws where they do not fit.
Geometry geometry(const char* operation, const Shape& x, const Shape& weight, const Convolution& how);

/// The gradient of weights is a sum over parts of the batch: a few runs of parts are summed in f64 each, by
/// one thread, and then in order.
class Runs {
 public:
  Runs(Index parts, Index size);
  Index count() const { return count_; }
  Index begin(Index run) const { return run * length_; }
  Index end(Index run) const { return std::min((run + 1) * length_, parts_); }
  /// The total of the runs' sums of `size` numbers each, which lie behind one another.
  template <class T>
  void add(std::vector<double>& sums, T* total) const {
    for (Index run = 1; run < count_; ++run)
      for (Index i = 0; i < size_; ++i)
        sums[static_cast<std::size_t>(i)] += sums[static_cast<std::size_t>(run * size_ + i)];
    std::transform(sums.begin(), sums.begin() + size_, total, [](double sum) { return static_cast<T>(sum); });
  }

 private:
  Index parts_, size_, length_, count_;
};

/// x (N, C, H, W), weight (O, C / groups, h, w), bias (O) or undefined: (N, O, rows, columns).
Tensor convolve(const char* operation, const Tensor& x, const Tensor& weight, const Tensor& bias,
                const Convolution& convolution);
/// The gradient of an x of `height` and `width` by dy (N, O, rows, columns): (N, C, height, width).
Tensor convolve_input(const char* operation, const Tensor& dy, const Tensor& weight,
                      const Convolution& convolution, Index height, Index width);
/// The gradient of a weight of `height` and `width`: (O, C / groups, height, width).
Tensor convolve_weight(const char* operation, const Tensor& dy, const Tensor& x,
                       const Convolution& convolution, Index height, Index width);

}  // namespace elk::kernels
