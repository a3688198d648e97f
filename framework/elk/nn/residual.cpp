#include <elk/base/format.hpp>
#include <elk/nn/residual.hpp>
#include <elk/ops/arithmetic.hpp>

namespace elk::nn {

Tensor Residual::forward(const Tensor& x) const {
  const Tensor y = Sequential::forward(x);
  if (y.shape() != x.shape())
    fail<ShapeError>("[Residual] the inner modules turn {} into {}", x.shape(), y.shape());
  return x + y;
}

}  // namespace elk::nn
