// What pooling and interpolation are made of. Private.
#pragma once

#include <array>
#include <vector>

#include <elk/tensor/tensor.hpp>

namespace elk::kernels {

/// A linear map along an axis whose outputs are sums over a few neighbouring inputs: of weights[0] x[begin] +
/// weights[1] x[begin + 1] + ...
struct Taps {
  struct Output {
    Index begin = 0;
    std::vector<double> weights;
  };
  Index inputs;
  std::vector<Output> outputs;

  /// The transposed map, by which gradients go back.
  Taps transposed() const;
};

/// Maps an axis of x, of size `taps.inputs`; summed in f64.
Tensor resample(const char* operation, const Tensor& x, int axis, const Taps& taps);

/// Windows on images: of rows, of columns.
struct Windows {
  std::array<Index, 2> size, stride, padding, dilation, out;

  /// Of a window whose first tap is at `first` along an axis: how many of its taps lie before the image.
  Index before(std::size_t axis, Index first) const {
    return first >= 0 ? 0 : (dilation[axis] - 1 - first) / dilation[axis];
  }
};
/// Where in its image of x (N, C, H, W) the largest of each window is: i64 (N, C, out), counted row by row.
/// The first of equals; NaN counts as largest. Every window has a place in the image.
Tensor max_pool_places(const char* operation, const Tensor& x, const Windows& windows);

}  // namespace elk::kernels
