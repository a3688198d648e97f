#include <elk/base/format.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/normalize.hpp>
#include <elk/ops/reduce.hpp>

namespace elk {

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  if (x.rank() == 0 || weight.shape() != Shape{x.size(-1)} ||
      (bias.defined() && bias.shape() != weight.shape()))
    fail<ShapeError>("[layer_norm] x {} needs a weight and a bias of its last axis, got {} and {}", x.shape(),
                     weight.shape(), bias.defined() ? to_string(bias.shape()) : "none");
  if (!(epsilon > 0)) fail<ValueError>("[layer_norm] epsilon must be above 0, got {}", epsilon);
  const Tensor centred = x - mean(x, -1, true);
  const Tensor y = centred / sqrt(mean(square(centred), -1, true) + epsilon) * weight;
  return bias.defined() ? y + bias : y;
}

}  // namespace elk
