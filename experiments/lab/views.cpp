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

namespace {

constexpr Index most_steps = 10;  // 441 views, 882 with their mirror images

// The offsets along one axis that shift, shift:PIXELS or shift:PIXELS:STEP names, -PIXELS to PIXELS.
std::vector<Index> offsets(std::string_view shift) {
  if (shift == "shift") return {-1, 0, 1};
  Index pixels = 0, step = 0;
  const char *at = shift.data(), *const end = at + shift.size();
  const auto read = [&](std::string_view before, Index& value) {
    if (!std::string_view(at, end).starts_with(before)) return false;
    const auto [next, error] = std::from_chars(at + before.size(), end, value);
    at = next;
    return error == std::errc() && value >= 1;
  };
  bool good = read("shift:", pixels);
  if (good && at != end) good = read(":", step);
  if (step == 0) step = pixels;
  if (!good || at != end || pixels % step != 0 || pixels / step > most_steps) return {};
  std::vector<Index> all;
  for (Index i = -(pixels / step); i <= pixels / step; ++i) all.push_back(i * step);
  return all;
}

}  // namespace

std::vector<Warp> views(const std::string& tta, const AugmentOptions& augment) {
  const bool both = tta.starts_with("flip,"), flip = both || tta == "flip",
             shifts = tta != "flip" && tta != "none";
  const std::string_view shift = std::string_view(tta).substr(both ? 5 : 0);
  const std::vector<Index> along = shifts ? offsets(shift) : std::vector<Index>{0};
  if (along.empty())
    throw UsageError(
        fmt::format("--tta: expected none, flip, S or flip,S, where S is shift, shift:PIXELS or "
                    "shift:PIXELS:STEP, a PIXELS of 1 to {} times STEP, got \"{}\"",
                    most_steps, tta));
  const auto needs = [&](const std::string& change, const std::string& learned, bool there) {
    if (!there)
      throw UsageError(fmt::format(
          "--tta {}: the network must have learned from such images, by {} in --augment, which is "
          "\"{}\"",
          change, learned, to_string(augment)));
  };
  if (flip) needs("flip", "flip", augment.flip > 0);
  const double learned = std::max(augment.shift, static_cast<double>(augment.crop));
  const Index pixels = along.back();
  if (shift == "shift")
    needs("shift", "shift or crop", learned > 0);
  else if (shifts)
    needs(std::string(shift), fmt::format("a shift or crop of {} or more", pixels),
          learned >= static_cast<double>(pixels));
  std::vector<Warp> all{{}};
  for (const Index y : along)
    for (const Index x : along)
      // shift takes the corners only.
      if ((x != 0 || y != 0) && (shift != "shift" || (x != 0 && y != 0)))
        all.push_back({.shift_x = static_cast<double>(x), .shift_y = static_cast<double>(y)});
  if (flip)
    for (std::size_t i = 0, count = all.size(); i < count; ++i) {
      Warp mirrored = all[i];
      mirrored.flip = true;
      all.push_back(mirrored);
    }
  return all;
}

Tensor mean_probabilities(const nn::Module& net, const Dataset& images, const std::vector<Warp>& views,
                          DType dtype, const std::function<bool()>& ended) {
  const train::Forward forward = [&](const Batch& batch) {
    Shape shape{batch.size()};
    for (const Index size : images.sample_shape()) shape.push_back(size);
    const Tensor pictures = reshape(batch.x, shape);
    Tensor sum = zeros({batch.size(), static_cast<Index>(images.classes.size())}, f64);
    for (const Warp& view : views) {
      if (ended && ended()) throw ViewsEnded();
      sum = sum + softmax(cast(net(reshape(warp(pictures, view), batch.x.shape())), f64));
    }
    return sum / static_cast<double>(views.size());
  };
  return train::predict(net, images, dtype, 1000, forward);
}

double accuracy_of_views(const nn::Module& net, const Dataset& images, const std::vector<Warp>& views,
                         DType dtype, const std::function<bool()>& ended) {
  return train::accuracy(mean_probabilities(net, images, views, dtype, ended), images.labels);
}

}  // namespace elk::lab
