#include <algorithm>

#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/convolution.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/convolution.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>

namespace elk {

namespace {

using kernels::Convolution;

Convolution convolution(const Pair& stride, const Pair& padding, const Pair& dilation, Index groups) {
  return {{stride.rows, stride.columns},
          {padding.rows, padding.columns},
          {dilation.rows, dilation.columns},
          groups};
}

// Three products, of which each is linear in both factors: the rules of one are the other two.
Tensor transposed(const char* operation, const Tensor& dy, const Tensor& weight, const Convolution& how,
                  Index height, Index width);
Tensor weighted(const Tensor& dy, const Tensor& x, const Convolution& how, Index height, Index width);

Tensor convolved(const char* operation, const Tensor& x, const Tensor& weight, const Tensor& bias,
                 const Convolution& how) {
  const Tensor y = kernels::convolve(operation, x, weight, bias, how);
  const auto dx = [weight, how, h = x.size(2), w = x.size(3)](const Tensor& dy) {
    return transposed("conv_transpose2d", dy, weight, how, h, w);
  };
  const auto dweight = [x, how, h = weight.size(2), w = weight.size(3)](const Tensor& dy) {
    return weighted(dy, x, how, h, w);
  };
  if (!bias.defined()) return record("conv2d", y, wrt(x, dx), wrt(weight, dweight));
  return record("conv2d", y, wrt(x, dx), wrt(weight, dweight), wrt(bias, [](const Tensor& dy) {
                  return sum(sum(dy, {2, 3}), 0);
                }));
}

Tensor transposed(const char* operation, const Tensor& dy, const Tensor& weight, const Convolution& how,
                  Index height, Index width) {
  return record(
      "conv_transpose2d", kernels::convolve_input(operation, dy, weight, how, height, width),
      wrt(dy, [weight, how](const Tensor& v) { return convolved("conv2d", v, weight, Tensor(), how); }),
      wrt(weight, [dy, how, h = weight.size(2), w = weight.size(3)](const Tensor& v) {
        return weighted(dy, v, how, h, w);
      }));
}

Tensor weighted(const Tensor& dy, const Tensor& x, const Convolution& how, Index height, Index width) {
  return record("conv2d_weight", kernels::convolve_weight("conv2d_weight", dy, x, how, height, width),
                wrt(dy, [x, how](const Tensor& v) { return convolved("conv2d", x, v, Tensor(), how); }),
                wrt(x, [dy, how, h = x.size(2), w = x.size(3)](const Tensor& v) {
                  return transposed("conv_transpose2d", dy, v, how, h, w);
                }));
}

}  // namespace

Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv1dOptions& options) {
  if (x.rank() != 3 || weight.rank() != 3)
    fail<ShapeError>("[conv1d] expected x (N, C, L) and a weight (out, C / groups, k), got {} and {}",
                     x.shape(), weight.shape());
  const Tensor y =
      convolved("conv1d", expand(x, 2), expand(weight, 2), bias,
                {{1, options.stride}, {0, options.padding}, {1, options.dilation}, options.groups});
  return squeeze(y, 2);
}

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options) {
  return convolved("conv2d", x, weight, bias,
                   convolution(options.stride, options.padding, options.dilation, options.groups));
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvTranspose2dOptions& options) {
  if (x.rank() != 4 || weight.rank() != 4 || x.size(1) != weight.size(0))
    fail<ShapeError>(
        "[conv_transpose2d] expected x (N, C, H, W) and a weight (C, out / groups, h, w), got {} and {}",
        x.shape(), weight.shape());
  const Convolution how = convolution(options.stride, options.padding, options.dilation, options.groups);
  const Pair& extra = options.output_padding;
  const auto size = [&](int axis, Index more) {
    const auto at = static_cast<std::size_t>(axis);
    if (more < 0 || more >= std::max(how.stride[at], how.dilation[at]))
      fail<ValueError>(
          "[conv_transpose2d] expected an output padding below the stride or the dilation, got ({}, {})",
          extra.rows, extra.columns);
    return (x.size(2 + axis) - 1) * how.stride[at] - 2 * how.padding[at] +
           how.dilation[at] * (weight.size(2 + axis) - 1) + more + 1;
  };
  const Index height = size(0, extra.rows), width = size(1, extra.columns);
  if (height < 1 || width < 1)
    fail<ShapeError>("[conv_transpose2d] of {} the padding ({}, {}) leaves nothing", x.shape(),
                     options.padding.rows, options.padding.columns);
  const Tensor y = transposed("conv_transpose2d", x, weight, how, height, width);
  if (!bias.defined()) return y;
  const Index outputs = y.size(1);
  if (bias.shape() != Shape{outputs})
    fail<ShapeError>("[conv_transpose2d] expected a bias ({}), got {}", outputs, bias.shape());
  // Of (N, O, pixels) and (N, O, 1) a sum is a fast one.
  const Tensor column = expand(broadcast_to(bias, {y.size(0), outputs}), 2);
  return reshape(reshape(y, {y.size(0), outputs, height * width}) + column, y.shape());
}

}  // namespace elk
