#include <lab/views.hpp>

#include <algorithm>
#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/shape.hpp>
#include <elk/train/evaluate.hpp>
#include <elk/train/metrics.hpp>
#include <lab/program.hpp>

namespace elk::lab {

std::vector<Warp> views(const std::string& tta, const AugmentOptions& augment) {
  const bool both = tta.starts_with("flip,"), flip = both || tta == "flip",
             shifts = tta != "flip" && tta != "none";
  const std::string_view shift = std::string_view(tta).substr(both ? 5 : 0);
  Index far = 0;  // pixels of shift:PIXELS
  if (shift.starts_with("shift:")) {
    const char* const end = shift.data() + shift.size();
    const auto [next, error] = std::from_chars(shift.data() + 6, end, far);
    if (error != std::errc() || next != end) far = 0;
  }
  if (shifts && shift != "shift" && far < 1)
    throw UsageError(fmt::format(
        "--tta: expected none, flip, shift, shift:PIXELS, flip,shift or flip,shift:PIXELS, got \"{}\"", tta));
  const auto needs = [&](const std::string& change, const std::string& learned, bool there) {
    if (!there)
      throw UsageError(fmt::format(
          "--tta {}: the network must have learned from such images, by {} in --augment, which is "
          "\"{}\"",
          change, learned, to_string(augment)));
  };
  if (flip) needs("flip", "flip", augment.flip > 0);
  const double learned = std::max(augment.shift, static_cast<double>(augment.crop));
  if (far > 0)
    needs(std::string(shift), fmt::format("a shift or crop of {} or more", far),
          learned >= static_cast<double>(far));
  else if (shifts)
    needs("shift", "shift or crop", learned > 0);
  std::vector<Warp> all{{}};
  const auto pixels = static_cast<double>(std::max<Index>(far, 1));
  if (shifts)
    for (const double y : {-1, 0, 1})
      for (const double x : {-1, 0, 1})
        if (far > 0 ? x != 0 || y != 0 : x != 0 && y != 0)
          all.push_back({.shift_x = x * pixels, .shift_y = y * pixels});
  if (flip)
    for (std::size_t i = 0, count = all.size(); i < count; ++i) {
      Warp mirrored = all[i];
      mirrored.flip = true;
      all.push_back(mirrored);
    }
  return all;
}

Tensor mean_probabilities(const nn::Module& net, const Dataset& images, const std::vector<Warp>& views,
                          DType dtype) {
  const train::Forward forward = [&](const Batch& batch) {
    Shape shape{batch.size()};
    for (const Index size : images.sample_shape()) shape.push_back(size);
    const Tensor pictures = reshape(batch.x, shape);
    Tensor sum = zeros({batch.size(), static_cast<Index>(images.classes.size())}, f64);
    for (const Warp& view : views)
      sum = sum + softmax(cast(net(reshape(warp(pictures, view), batch.x.shape())), f64));
    return sum / static_cast<double>(views.size());
  };
  return train::predict(net, images, dtype, 1000, forward);
}

double accuracy_of_views(const nn::Module& net, const Dataset& images, const std::vector<Warp>& views,
                         DType dtype) {
  return train::accuracy(mean_probabilities(net, images, views, dtype), images.labels);
}

}  // namespace elk::lab
