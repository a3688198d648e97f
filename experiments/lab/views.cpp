#include <lab/views.hpp>

#include <fmt/format.h>

#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/shape.hpp>
#include <elk/train/evaluate.hpp>
#include <elk/train/metrics.hpp>
#include <lab/program.hpp>

namespace elk::lab {

std::vector<Warp> views(const std::string& tta, const AugmentOptions& augment) {
  const bool both = tta == "flip,shift", flip = both || tta == "flip", shift = both || tta == "shift";
  if (!flip && !shift && tta != "none")
    throw UsageError(fmt::format("--tta: expected none, flip, shift or flip,shift, got \"{}\"", tta));
  const auto needs = [&](const char* change, const char* learned, bool there) {
    if (!there)
      throw UsageError(fmt::format(
          "--tta {}: the network must have learned from such images, by {} in --augment, which is "
          "\"{}\"",
          change, learned, to_string(augment)));
  };
  if (flip) needs("flip", "flip", augment.flip > 0);
  if (shift) needs("shift", "shift or crop", augment.shift > 0 || augment.crop > 0);
  std::vector<Warp> all{{}};
  if (shift)
    for (const double y : {-1, 1})
      for (const double x : {-1, 1}) all.push_back({.shift_x = x, .shift_y = y});
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
