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
  const bool both = tta.starts_with("flip,"), flip = both || tta == "flip";
  std::string_view of_shift = flip || tta == "none" ? std::string_view() : tta;
  if (both) of_shift = std::string_view(tta).substr(5);
  const bool shift = !of_shift.empty();
  Index pixels = 1;
  bool good = of_shift == "shift" || (!shift && (tta == "flip" || tta == "none")), far = false;
  if (of_shift.starts_with("shift:")) {
    const char* const end = of_shift.data() + of_shift.size();
    const auto [next, error] = std::from_chars(of_shift.data() + 6, end, pixels);
    far = good = error == std::errc() && next == end && pixels >= 1;
  }
  if (!good)
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
  if (far)
    needs(std::string(of_shift), fmt::format("a shift or crop of {} or more", pixels),
          learned >= static_cast<double>(pixels));
  else if (shift)
    needs("shift", "shift or crop", learned > 0);
  std::vector<Warp> all{{}};
  if (shift)
    for (const double y : {-1, 0, 1})
      for (const double x : {-1, 0, 1})
        if (far ? x != 0 || y != 0 : x != 0 && y != 0)
          all.push_back(
              {.shift_x = x * static_cast<double>(pixels), .shift_y = y * static_cast<double>(pixels)});
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
