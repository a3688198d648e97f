#include <cmath>

#include <elk/base/format.hpp>
#include <elk/nn/convolution.hpp>
#include <elk/nn/describe.hpp>

namespace elk::nn {

namespace {

// A weight of `outer` and `inner` channels in groups, and a kernel.
Shape weight_shape(const char* layer, Index outer, Index inner, Index groups, Pair kernel) {
  if (outer < 1 || inner < 1 || groups < 1 || outer % groups != 0 || inner % groups != 0)
    fail<ShapeError>("[{}] expected channels above 0 that the groups divide, got {} and {} in {}", layer,
                     outer, inner, groups);
  if (kernel.rows < 1 || kernel.columns < 1)
    fail<ShapeError>("[{}] expected a kernel of at least (1, 1), got ({}, {})", layer, kernel.rows,
                     kernel.columns);
  return {outer, inner / groups, kernel.rows, kernel.columns};
}

Shape without_rows(const Shape& shape) { return {shape[0], shape[1], shape[3]}; }

// Uniform within 1 / sqrt(n) of 0.
Tensor drawn(const Shape& shape, Index n, Rng& rng, DType dtype) {
  const double bound = 1 / std::sqrt(static_cast<double>(n));
  return uniform(shape, rng, -bound, bound, dtype);
}

Index inputs(const Shape& weight) { return weight.size() / weight[0]; }

// What is not as usual, for describe().
template <class Options>
std::string unusual(const Options& options, bool has_bias) {
  std::string text = changed(1, "stride", options.stride) + changed(0, "padding", options.padding);
  if constexpr (requires { options.output_padding; })
    text += changed(0, "output padding", options.output_padding);
  return text + changed(1, "dilation", options.dilation) + changed(1, "groups", options.groups) +
         (has_bias ? "" : ", no bias");
}

}  // namespace

Convolution::Convolution(const Shape& weight, Index outputs, bool bias, Rng& rng, DType dtype)
    : weight_(drawn(weight, inputs(weight), rng, dtype)) {
  if (bias) bias_.emplace(drawn({outputs}, inputs(weight), rng, dtype));
}

void Convolution::fields(Fields& f) {
  f("weight", weight_);
  if (bias_) f("bias", *bias_);
}

const Parameter& Convolution::bias() const {
  if (!bias_) fail<ValueError>("[{}] this layer was made without a bias", describe());
  return *bias_;
}

Conv1d::Conv1d(Index in, Index out, Index kernel, Rng& rng, const Options& options)
    : Convolution(without_rows(weight_shape("Conv1d", out, in, options.groups, {1, kernel})), out,
                  options.bias, rng, float_dtype("Conv1d", options.dtype)),
      options_(options) {}

Tensor Conv1d::forward(const Tensor& x) const {
  check_dtype(*this, x, weight().dtype());
  return conv1d(x, weight(), bias_or_none(),
                {options_.stride, options_.padding, options_.dilation, options_.groups});
}

std::string Conv1d::describe() const {
  const Shape& w = weight().shape();
  return fmt::format("Conv1d({}, {}, {}{})", w[1] * options_.groups, w[0], w[2],
                     unusual(options_, has_bias()));
}

Conv2d::Conv2d(Index in, Index out, Pair kernel, Rng& rng, const Options& options)
    : Convolution(weight_shape("Conv2d", out, in, options.groups, kernel), out, options.bias, rng,
                  float_dtype("Conv2d", options.dtype)),
      options_(options) {}

Tensor Conv2d::forward(const Tensor& x) const {
  check_dtype(*this, x, weight().dtype());
  return conv2d(x, weight(), bias_or_none(),
                {options_.stride, options_.padding, options_.dilation, options_.groups});
}

std::string Conv2d::describe() const {
  const Shape& w = weight().shape();
  return fmt::format("Conv2d({}, {}, {}{})", w[1] * options_.groups, w[0], text({w[2], w[3]}),
                     unusual(options_, has_bias()));
}

ConvTranspose2d::ConvTranspose2d(Index in, Index out, Pair kernel, Rng& rng, const Options& options)
    : Convolution(weight_shape("ConvTranspose2d", in, out, options.groups, kernel), out, options.bias, rng,
                  float_dtype("ConvTranspose2d", options.dtype)),
      options_(options) {}

Tensor ConvTranspose2d::forward(const Tensor& x) const {
  check_dtype(*this, x, weight().dtype());
  return conv_transpose2d(
      x, weight(), bias_or_none(),
      {options_.stride, options_.padding, options_.output_padding, options_.dilation, options_.groups});
}

std::string ConvTranspose2d::describe() const {
  const Shape& w = weight().shape();
  return fmt::format("ConvTranspose2d({}, {}, {}{})", w[0], w[1] * options_.groups, text({w[2], w[3]}),
                     unusual(options_, has_bias()));
}

}  // namespace elk::nn
