// Convolution of images: y = x * w, and the two products that differentiate it. They are the three ways to
// leave one factor out of sum(dy * convolve(x, w)), so each is linear in what it takes, and all derivatives
// of one are the other two. Another library's convolution would stand behind these three functions. Private.
#pragma once

#include <array>

#include <elk/tensor/tensor.hpp>

namespace elk::kernels {

/// How windows lie on images: of rows, of columns.
struct Convolution {
  std::array<Index, 2> stride, padding, dilation;
  Index groups;
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
