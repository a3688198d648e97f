#include <elk/base/format.hpp>
#include <elk/nn/describe.hpp>
#include <elk/nn/pooling.hpp>

namespace elk::nn {

namespace {

std::string max_pool_text(const char* name, const Pair& kernel, const MaxPoolOptions& options) {
  return fmt::format("{}({}{}{}{})", name, text(kernel), changed(0, "stride", options.stride),
                     changed(0, "padding", options.padding), changed(1, "dilation", options.dilation));
}
std::string avg_pool_text(const char* name, const Pair& kernel, const AvgPoolOptions& options) {
  return fmt::format("{}({}{}{}{})", name, text(kernel), changed(0, "stride", options.stride),
                     changed(0, "padding", options.padding),
                     options.count_include_pad ? "" : ", without padding");
}

}  // namespace

std::string MaxPool2d::describe() const { return max_pool_text("MaxPool2d", kernel_, options_); }
std::string MaxPool1d::describe() const { return max_pool_text("MaxPool1d", kernel_, options_); }
std::string AvgPool2d::describe() const { return avg_pool_text("AvgPool2d", kernel_, options_); }
std::string AvgPool1d::describe() const { return avg_pool_text("AvgPool1d", kernel_, options_); }
std::string AdaptiveAvgPool2d::describe() const { return fmt::format("AdaptiveAvgPool2d({})", text(size_)); }
std::string AdaptiveAvgPool1d::describe() const { return fmt::format("AdaptiveAvgPool1d({})", size_); }

Upsample::Upsample(Pair scale, Interpolation mode) : scale_(scale), mode_(mode) {
  if (scale.rows < 1 || scale.columns < 1)
    fail<ValueError>("[Upsample] expected scales of at least 1, got ({}, {})", scale.rows, scale.columns);
}
Tensor Upsample::forward(const Tensor& x) const {
  if (x.rank() != 4) fail<ShapeError>("[Upsample] expected x (N, C, H, W), got {}", x.shape());
  return interpolate(x, {x.size(2) * scale_.rows, x.size(3) * scale_.columns}, mode_);
}
std::string Upsample::describe() const {
  const char* mode = mode_ == Interpolation::nearest    ? "nearest"
                     : mode_ == Interpolation::bilinear ? "bilinear"
                                                        : "bilinear, align corners";
  return fmt::format("Upsample({}, {})", text(scale_), mode);
}

}  // namespace elk::nn
