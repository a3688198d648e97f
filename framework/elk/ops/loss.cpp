#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>

namespace elk {

Tensor cross_entropy(const Tensor& logits, const Tensor& labels) {
  return record("cross_entropy", kernels::cross_entropy(logits, labels),
                wrt(logits, [logits, labels](const Tensor& dy) {
                  const Tensor target = kernels::one_hot(labels, logits.size(1), logits.dtype());
                  return (softmax(logits) - target) * (dy / static_cast<double>(logits.size(0)));
                }));
}

Tensor mse(const Tensor& prediction, const Tensor& target) {
  if (prediction.shape() != target.shape())
    fail<ShapeError>("[mse] shapes differ: prediction {}, target {}", prediction.shape(), target.shape());
  return mean(square(prediction - target));
}

}  // namespace elk
