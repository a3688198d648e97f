#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>

namespace elk {

namespace {

void check_pair(const char* operation, const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape())
    fail<ShapeError>("[{}] shapes differ: {} and {}", operation, a.shape(), b.shape());
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels) {
  if (labels.rank() == 2 && is_float(labels.dtype())) return soft_cross_entropy(logits, labels);
  const auto [loss, p] = kernels::cross_entropy(logits, labels);
  const Tensor& probabilities = p;
  return record("cross_entropy", loss, wrt(logits, [logits, labels, probabilities](const Tensor& dy) {
                  if (!Tape::recording()) return kernels::cross_entropy_gradient(probabilities, labels, dy);
                  const Tensor target = kernels::one_hot(labels, logits.size(1), logits.dtype());
                  return (softmax(logits) - target) * (dy / static_cast<double>(logits.size(0)));
                }));
}

Tensor smooth_cross_entropy(const Tensor& logits, const Tensor& labels, double label_smoothing) {
  if (!(label_smoothing >= 0 && label_smoothing <= 1))
    fail<ValueError>("[smooth_cross_entropy] label smoothing must be from 0 to 1, got {}", label_smoothing);
  const Tensor hard = cross_entropy(logits, labels);
  if (label_smoothing == 0) return hard;
  return (1 - label_smoothing) * hard - label_smoothing * mean(log_softmax(logits));
}

Tensor soft_cross_entropy(const Tensor& logits, const Tensor& targets) {
  check_pair("soft_cross_entropy", logits, targets);
  if (logits.rank() != 2)
    fail<ShapeError>("[soft_cross_entropy] expected logits (N, classes), got {}", logits.shape());
  return -sum(targets * log_softmax(logits)) / static_cast<double>(logits.size(0));
}

Tensor nll(const Tensor& log_probabilities, const Tensor& labels) {
  if (log_probabilities.rank() != 2 || labels.shape() != Shape{log_probabilities.size(0)})
    fail<ShapeError>("[nll] expected log-probabilities (N, classes) and labels (N), got {} and {}",
                     log_probabilities.shape(), labels.shape());
  return -mean(gather(log_probabilities, 1, expand(labels, 1)));
}

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets) {
  check_pair("binary_cross_entropy_with_logits", logits, targets);
  return mean(softplus(logits) - logits * targets);
}

Tensor huber(const Tensor& prediction, const Tensor& target, double delta) {
  check_pair("huber", prediction, target);
  if (!(delta > 0)) fail<ValueError>("[huber] delta must be above 0, got {}", delta);
  const Tensor error = prediction - target, size = abs(error);
  return mean(where(less_equal(size, delta), 0.5 * square(error), delta * (size - delta / 2)));
}

Tensor mse(const Tensor& prediction, const Tensor& target) {
  if (prediction.shape() != target.shape())
    fail<ShapeError>("[mse] shapes differ: prediction {}, target {}", prediction.shape(), target.shape());
  return mean(square(prediction - target));
}

}  // namespace elk
