// Convolution of sequences and images. The batch is the first axis, channels are the second, as in PyTorch.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// Two numbers, for rows and columns: {3, 5}, or 3 for both.
struct Pair {
  Index rows = 0, columns = 0;
  Pair(Index both)
      : rows(both), columns(both) {}  // NOLINT(google-explicit-constructor): .stride = 2 reads well
  Pair(Index of_rows, Index of_columns) : rows(of_rows), columns(of_columns) {}
  friend bool operator==(const Pair& a, const Pair& b) { return a.rows == b.rows && a.columns == b.columns; }
};

/// How a kernel moves over sequences: in steps of `stride`, over `padding` zeros at both ends, with its taps
/// `dilation` apart. Outputs of one of the `groups` use only the channels of the same group.
struct Conv1dOptions {
  Index stride = 1, padding = 0, dilation = 1, groups = 1;
};

/// How a kernel moves over images, likewise.
struct Conv2dOptions {
  Pair stride = 1, padding = 0, dilation = 1;
  Index groups = 1;
};

/// The same for conv_transpose2d, whose result is larger by output_padding rows and columns. Several input
/// sizes of conv2d lead to the same output size with a stride; output_padding selects one of them.
struct ConvTranspose2dOptions {
  Pair stride = 1, padding = 0, output_padding = 0, dilation = 1;
  Index groups = 1;
};

/// y[n, o, i] = bias[o] + sum over c, k of weight[o, c, k] x[n, c, i stride + k dilation - padding]: x (N, C,
/// L), weight (O, C / groups, k), bias (O) or undefined; y (N, O, M), M = (L + 2 padding - dilation (k - 1) -
/// 1) / stride + 1 rounded down.
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv1dOptions& options = {});

/// The same along rows and columns: x (N, C, H, W), weight (O, C / groups, h, w), bias (O) or undefined.
/// ShapeError if these do not fit, or if the kernel is larger than the image with its padding.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv2dOptions& options = {});

/// The transpose of conv2d, which maps from the size of its results back to the size of its inputs, as its
/// gradient does: x (N, C, H, W), weight (C, O / groups, h, w), bias (O) or undefined; (N, O, (H - 1) stride
/// - 2 padding + dilation (h - 1) + output_padding + 1, ...).
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTranspose2dOptions& options = {});

}  // namespace elk
