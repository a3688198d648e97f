#include "familiar.hpp"

#include <algorithm>
#include <vector>

#include <elk/base/error.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>

#include "doodles.hpp"

namespace elk::demo {

namespace {

constexpr Index pixel_count = 28 * 28;
constexpr int doodles = 450;
constexpr std::size_t nearer = doodles / 20;

// Images (N, 784) of any scale, blurred by 1, 4, 6, 4, 1 along both axes, and of length 1.
Tensor prepared(const Tensor& images) {
  constexpr double weights[] = {1, 4, 6, 4, 1};
  Tensor x = reshape(cast(images, f32), {images.size(0), 28, 28});
  for (const int axis : {1, 2}) {
    Shape border = x.shape();
    border[axis] = 2;
    const Tensor none = zeros(border), wide = concat({none, x, none}, axis);
    Tensor sum;
    for (int k = 0; k < 5; ++k) {
      const Tensor part = weights[k] * slice(wide, axis, k, k + 28);
      sum = k == 0 ? part : sum + part;
    }
    x = sum;
  }
  x = reshape(x, {images.size(0), pixel_count});
  return x / maximum(sqrt(sum(square(x), 1, true)), 1e-12);
}

// Of each of the images (N, 784).
Tensor distances(const Tensor& known, const Tensor& images) {
  return 1 - max(matmul_nt(prepared(images), known), 1);
}

}  // namespace

Familiar::Familiar(const Dataset& digits) {
  const Dataset first = digits.take(0, std::min(count, digits.size()));
  known_ = prepared(reshape(first.images, {first.size(), pixel_count}));
  std::vector<Tensor> drawings;
  for (int i = 0; i < doodles; ++i)
    drawings.push_back(reshape(doodle(static_cast<std::uint64_t>(i)), {1, pixel_count}));
  const Tensor found = cast(distances(known_, concat(drawings)), f64);
  std::vector<double> sorted(found.data<double>().begin(), found.data<double>().end());
  std::sort(sorted.begin(), sorted.end());
  limit_ = sorted[nearer];
}

double Familiar::distance(const Tensor& pixels) const { return distances(known_, pixels).item(); }

std::shared_ptr<const Familiar> Familiars::get(const std::string& dataset) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const Familiar>& made = made_[dataset];
  if (made) return made;
  try {
    made = std::make_shared<Familiar>(data_.get(dataset).train);
  } catch (const FileError&) {
    made = std::make_shared<Familiar>(data_.get("digits").train);
  }
  return made;
}

}  // namespace elk::demo
