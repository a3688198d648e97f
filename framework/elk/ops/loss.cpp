#include <cmath>

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

// weights * values, but 0 where the weight is 0 and the value -infinity: a class that is ruled out and not
// wanted.
Tensor weighted(const Tensor& weights, const Tensor& values) {
  using enum kernels::Comparison;
  const DType dtype = values.dtype();
  const Tensor product = kernels::mul(weights, values), zero = scalar(0, dtype);
  const Tensor unwanted = kernels::where(kernels::compare(equal, values, scalar(-INFINITY, dtype)),
                                         kernels::compare(equal, weights, zero), zeros({}, u8));
  return record("mul", kernels::where(unwanted, zero, product),
                wrt(weights, [values](const Tensor& dy) { return dy * values; }),
                wrt(values, [weights](const Tensor& dy) { return dy * weights; }));
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
  if (logits.size() == 0)
    fail<ShapeError>("[soft_cross_entropy] the mean over logits {} has no value", logits.shape());
  return -sum(weighted(targets, log_softmax(logits))) / static_cast<double>(logits.size(0));
}

Tensor nll(const Tensor& log_probabilities, const Tensor& labels) {
  if (log_probabilities.rank() != 2 || labels.shape() != Shape{log_probabilities.size(0)})
    fail<ShapeError>("[nll] expected log-probabilities (N, classes) and labels (N), got {} and {}",
                     log_probabilities.shape(), labels.shape());
  return -mean(gather(log_probabilities, 1, expand(labels, 1)));
}

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets) {
  check_pair("binary_cross_entropy_with_logits", logits, targets);
  const Tensor& z = logits;
  const Tensor& t = targets;
  // Not softplus(z) - t z and sigmoid(z) - t, in which everything cancels where the target is met.
  return mean(
      record("binary_cross_entropy", kernels::binary_cross_entropy(z, t),
             wrt(z, [z, t](const Tensor& dy) { return dy * ((1 - t) * sigmoid(z) - t * sigmoid(-z)); }),
             wrt(t, [z](const Tensor& dy) { return dy * -z; })));
}

Tensor huber(const Tensor& prediction, const Tensor& target, double delta) {
  check_pair("huber", prediction, target);
  if (!(delta > 0)) fail<ValueError>("[huber] delta must be above 0, got {}", delta);
  const Tensor e = prediction - target;
  return mean(record("huber", kernels::huber(e, delta),
                     wrt(e, [e, delta](const Tensor& dy) { return dy * clamp(e, -delta, delta); })));
}

Tensor mse(const Tensor& prediction, const Tensor& target) {
  if (prediction.shape() != target.shape())
    fail<ShapeError>("[mse] shapes differ: prediction {}, target {}", prediction.shape(), target.shape());
  return mean(square(prediction - target));
}

}  // namespace elk
