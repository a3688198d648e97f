#include <cmath>
#include <numbers>

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

// DTypeError for f32 beside f64; for integers beside floats only with `exact`: else they give way, as in
// arithmetic.
void check_dtypes(const char* operation, const char* a_name, const Tensor& a, const char* b_name,
                  const Tensor& b, bool exact = false) {
  if (a.dtype() == b.dtype() || !(exact || (is_float(a.dtype()) && is_float(b.dtype())))) return;
  const bool convert_b = is_float(a.dtype());
  fail<DTypeError>("[{}] dtypes differ: {} {}, {} {}: write cast({}, {})", operation, a_name, a.dtype(),
                   b_name, b.dtype(), convert_b ? b_name : a_name, convert_b ? a.dtype() : b.dtype());
}

void check_shapes(const char* operation, const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape())
    fail<ShapeError>("[{}] shapes differ: {} and {}", operation, a.shape(), b.shape());
}

void check_pair(const char* operation, const Tensor& prediction, const Tensor& target) {
  check_shapes(operation, prediction, target);
  check_dtypes(operation, "prediction", prediction, "target", target);
}

void check_labels_dtype(const char* operation, const Tensor& labels) {
  if (labels.dtype() != i64)
    fail<DTypeError>("[{}] expected labels of i64, got {}: write cast(labels, i64)", operation,
                     labels.dtype());
}

Tensor reduced(const Tensor& losses, Reduction reduction) {
  return reduction == Reduction::none ? losses : reduction == Reduction::sum ? sum(losses) : mean(losses);
}

void check_smoothing(const char* operation, double share) {
  if (!(share >= 0 && share <= 1))
    fail<ValueError>("[{}] label smoothing must be from 0 to 1, got {}", operation, share);
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

namespace {

// Of logits (N, classes): the mean, computed at once.
Tensor mean_cross_entropy(const Tensor& logits, const Tensor& labels) {
  const auto [loss, p] = kernels::cross_entropy(logits, labels);
  const Tensor& probabilities = p;
  return record("cross_entropy", loss, wrt(logits, [logits, labels, probabilities](const Tensor& dy) {
                  if (!Tape::recording()) return kernels::cross_entropy_gradient(probabilities, labels, dy);
                  const Tensor target = kernels::one_hot(labels, logits.size(1), logits.dtype());
                  return (softmax(logits) - target) * (dy / static_cast<double>(logits.size(0)));
                }));
}

// Of logits (N, classes) and targets of that shape; the mean divides by `count`.
Tensor of_targets(const Tensor& logits, const Tensor& targets, Reduction reduction, double count) {
  const Tensor each = weighted(targets, log_softmax(logits));
  if (reduction == Reduction::none) return -sum(each, 1);
  const Tensor total = -sum(each);
  return reduction == Reduction::sum ? total : total / count;
}

void check_soft_targets(const Tensor& logits, const Tensor& targets) {
  check_shapes("soft_cross_entropy", logits, targets);
  check_dtypes("soft_cross_entropy", "logits", logits, "targets", targets, true);
}

void check_labels(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  check_smoothing("cross_entropy", options.label_smoothing);
  if (logits.rank() < 2)
    fail<ShapeError>("[cross_entropy] expected logits (N, classes), got {}", logits.shape());
  if (const Tensor& w = options.weight; w.defined()) {
    if (w.shape() != Shape{logits.size(-1)})
      fail<ShapeError>("[cross_entropy] logits {} need a weight ({}), got {}", logits.shape(),
                       logits.size(-1), w.shape());
    check_dtypes("cross_entropy", "logits", logits, "weight", w, true);
  }
  if (labels.rank() == logits.rank() && is_float(labels.dtype())) return check_soft_targets(logits, labels);
  check_labels_dtype("cross_entropy", labels);
  Shape expected;
  for (int i = 0; i + 1 < logits.rank(); ++i) expected.push_back(logits.size(i));
  if (labels.shape() != expected)
    fail<ShapeError>("[cross_entropy] logits {} need labels {}, got {}", logits.shape(), expected,
                     labels.shape());
  const Index classes = logits.size(-1);
  for (Index i = 0; i < labels.size(); ++i)
    if (const Index label = labels.data<Index>()[static_cast<std::size_t>(i)];
        label != options.ignore_index && (label < 0 || label >= classes))
      fail<IndexError>("[cross_entropy] label {} of row {} is outside 0 to {}", label, i, classes - 1);
}

// (N, classes) of any number of axes before the classes.
Tensor matrix_of(const Tensor& logits) {
  Index n = 1;
  for (int i = 0; i + 1 < logits.rank(); ++i) n *= logits.size(i);
  return reshape(logits, {n, logits.size(-1)});
}

// The rows whose label is another one.
Tensor rows_without(Index ignored, const Tensor& labels) {
  std::vector<Index> rows;
  for (Index i = 0; i < labels.size(); ++i)
    if (labels.data<Index>()[static_cast<std::size_t>(i)] != ignored) rows.push_back(i);
  return from(rows);
}

// Of logits (N, classes) and labels (N).
Tensor of_labels(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  const Tensor& weight = options.weight;
  const double share = options.label_smoothing;
  if (!weight.defined() && share == 0 && options.reduction == Reduction::mean)
    return mean_cross_entropy(logits, labels);
  const Index classes = logits.size(1);
  Tensor targets = kernels::one_hot(labels, classes, logits.dtype());
  if (share > 0) targets = (1 - share) * targets + share / static_cast<double>(classes);
  if (!weight.defined())
    return of_targets(logits, targets, options.reduction, static_cast<double>(labels.size()));
  const Tensor constant = detach(weight);
  return of_targets(logits, targets * constant, options.reduction, sum(take_rows(constant, labels)).item());
}

// Of logits and soft targets (N, classes).
Tensor of_soft_labels(const Tensor& logits, Tensor targets, const CrossEntropyOptions& options) {
  const double share = options.label_smoothing;
  if (share > 0) targets = (1 - share) * targets + share / static_cast<double>(logits.size(1));
  if (options.weight.defined()) targets = targets * detach(options.weight);
  return soft_cross_entropy(logits, targets, options.reduction);
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  check_labels(logits, labels, options);
  const Tensor z = matrix_of(logits);
  Shape shape;  // of single losses
  for (int i = 0; i + 1 < logits.rank(); ++i) shape.push_back(logits.size(i));
  const auto shaped = [&](const Tensor& y) { return y.rank() == 0 ? y : reshape(y, shape); };
  if (is_float(labels.dtype())) return shaped(of_soft_labels(z, matrix_of(labels), options));
  const Tensor flat = reshape(labels, {z.size(0)});
  if (!options.ignore_index) return shaped(of_labels(z, flat, options));
  const Tensor rows = rows_without(*options.ignore_index, flat);
  if (rows.size() == 0 && options.reduction == Reduction::mean)
    fail<ValueError>("[cross_entropy] all {} labels are {}, which is ignored: the mean has no value",
                     labels.size(), *options.ignore_index);
  const Tensor y = of_labels(take_rows(z, rows), take_rows(flat, rows), options);
  return options.reduction == Reduction::none ? shaped(scatter_add_rows(y, rows, flat.size())) : y;
}

Tensor smooth_cross_entropy(const Tensor& logits, const Tensor& labels, double label_smoothing) {
  check_smoothing("smooth_cross_entropy", label_smoothing);
  const Tensor hard = cross_entropy(logits, labels);
  if (label_smoothing == 0) return hard;
  return (1 - label_smoothing) * hard - label_smoothing * mean(log_softmax(logits));
}

Tensor soft_cross_entropy(const Tensor& logits, const Tensor& targets, Reduction reduction) {
  check_soft_targets(logits, targets);
  if (logits.rank() != 2)
    fail<ShapeError>("[soft_cross_entropy] expected logits (N, classes), got {}", logits.shape());
  if (logits.size(1) == 0)
    fail<ShapeError>("[soft_cross_entropy] expected logits of some classes, got {}", logits.shape());
  if (logits.size(0) == 0 && reduction == Reduction::mean)
    fail<ShapeError>("[soft_cross_entropy] the mean over logits {} has no value", logits.shape());
  return of_targets(logits, targets, reduction, static_cast<double>(logits.size(0)));
}

Tensor nll(const Tensor& log_probabilities, const Tensor& labels, Reduction reduction) {
  if (log_probabilities.rank() != 2 || labels.shape() != Shape{log_probabilities.size(0)})
    fail<ShapeError>("[nll] expected log-probabilities (N, classes) and labels (N), got {} and {}",
                     log_probabilities.shape(), labels.shape());
  check_labels_dtype("nll", labels);
  return -reduced(squeeze(gather(log_probabilities, 1, expand(labels, 1)), 1), reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets, Reduction reduction) {
  check_shapes("binary_cross_entropy_with_logits", logits, targets);
  check_dtypes("binary_cross_entropy_with_logits", "logits", logits, "targets", targets, true);
  const Tensor& z = logits;
  const Tensor& t = targets;
  // Not softplus(z) - t z and sigmoid(z) - t, in which everything cancels where the target is met.
  return reduced(
      record("binary_cross_entropy", kernels::binary_cross_entropy(z, t),
             wrt(z, [z, t](const Tensor& dy) { return dy * ((1 - t) * sigmoid(z) - t * sigmoid(-z)); }),
             wrt(t, [z](const Tensor& dy) { return dy * -z; })),
      reduction);
}

namespace {

// Of errors, element by element.
Tensor huber_of(const Tensor& e, double delta) {
  return record("huber", kernels::huber(e, delta),
                wrt(e, [e, delta](const Tensor& dy) { return dy * clamp(e, -delta, delta); }));
}

}  // namespace

Tensor huber(const Tensor& prediction, const Tensor& target, double delta, Reduction reduction) {
  check_pair("huber", prediction, target);
  if (!(delta > 0)) fail<ValueError>("[huber] delta must be above 0, got {}", delta);
  return reduced(huber_of(prediction - target, delta), reduction);
}

Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  if (prediction.shape() != target.shape())
    fail<ShapeError>("[mse] shapes differ: prediction {}, target {}", prediction.shape(), target.shape());
  check_dtypes("mse", "prediction", prediction, "target", target);
  return reduced(square(prediction - target), reduction);
}

Tensor l1(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  check_pair("l1", prediction, target);
  return reduced(abs(prediction - target), reduction);
}

Tensor smooth_l1(const Tensor& prediction, const Tensor& target, double beta, Reduction reduction) {
  check_pair("smooth_l1", prediction, target);
  if (!(beta >= 0 && std::isfinite(beta)))
    fail<ValueError>("[smooth_l1] beta must be finite and at least 0, got {}", beta);
  const Tensor e = prediction - target;
  return reduced(beta == 0 ? abs(e) : huber_of(e, beta) / beta, reduction);
}

Tensor kl_div(const Tensor& log_probabilities, const Tensor& target, Reduction reduction) {
  check_shapes("kl_div", log_probabilities, target);
  check_dtypes("kl_div", "log_probabilities", log_probabilities, "target", target, true);
  const Tensor none = equal(target, 0), zero = scalar(0, target.dtype());
  const Tensor log_target = log(where(none, scalar(1, target.dtype()), target));
  return reduced(where(none, zero, target * (log_target - log_probabilities)), reduction);
}

Tensor hinge(const Tensor& prediction, const Tensor& target, double margin, Reduction reduction) {
  check_pair("hinge", prediction, target);
  return reduced(clamp(margin - target * prediction, 0, INFINITY), reduction);
}

Tensor gaussian_nll(const Tensor& prediction, const Tensor& target, const Tensor& variance,
                    const GaussianNllOptions& options) {
  check_pair("gaussian_nll", prediction, target);
  if (broadcast("gaussian_nll", variance.shape(), prediction.shape()) != prediction.shape())
    fail<ShapeError>("[gaussian_nll] the variance {} does not stretch to {}", variance.shape(),
                     prediction.shape());
  check_dtypes("gaussian_nll", "prediction", prediction, "variance", variance);
  if (!(options.epsilon > 0))
    fail<ValueError>("[gaussian_nll] epsilon must be above 0, got {}", options.epsilon);
  const Tensor now = detach(variance);
  if (const double least = now.size() > 0 ? min(now).item() : 0; least < 0)
    fail<ValueError>("[gaussian_nll] expected variances of at least 0, got {}", least);
  // A constant raises it, so that a variance of 0 still learns.
  const Tensor v = variance + (clamp(now, options.epsilon, INFINITY) - now);
  const double constant = options.full ? std::log(2 * std::numbers::pi) : 0;
  return reduced(0.5 * (log(v) + square(prediction - target) / v + constant), options.reduction);
}

namespace {

// |a - b + epsilon| along the last axis.
Tensor distance(const Tensor& a, const Tensor& b, const TripletOptions& options) {
  const Tensor e = a - b + options.epsilon;
  if (options.p == 2) return sqrt(sum(square(e), -1));
  if (options.p == 1) return sum(abs(e), -1);
  return pow(sum(pow(abs(e), options.p), -1), 1 / options.p);
}

}  // namespace

Tensor triplet_margin(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                      const TripletOptions& options) {
  check_shapes("triplet_margin", anchor, positive);
  check_shapes("triplet_margin", anchor, negative);
  check_dtypes("triplet_margin", "anchor", anchor, "positive", positive);
  check_dtypes("triplet_margin", "anchor", anchor, "negative", negative);
  if (anchor.rank() == 0) fail<ShapeError>("[triplet_margin] expected vectors (..., D), got scalars");
  if (!(options.p >= 1 && std::isfinite(options.p)))
    fail<ValueError>("[triplet_margin] expected a norm of finite p >= 1, got {}", options.p);
  const Tensor near = distance(anchor, positive, options);
  Tensor far = distance(anchor, negative, options);
  if (options.swap) far = minimum(far, distance(positive, negative, options));
  return reduced(clamp(options.margin + near - far, 0, INFINITY), options.reduction);
}

Tensor cosine_similarity(const Tensor& a, const Tensor& b, Axis axis, double epsilon) {
  if (!(epsilon > 0)) fail<ValueError>("[cosine_similarity] epsilon must be above 0, got {}", epsilon);
  check_dtypes("cosine_similarity", "a", a, "b", b);
  // Not maximum(|x|, epsilon): the root of 0 has no finite derivative.
  const auto length = [&](const Tensor& x) {
    return sqrt(clamp(sum(square(x), axis, true), epsilon * epsilon, INFINITY));
  };
  return sum(a / length(a) * (b / length(b)), axis);
}

}  // namespace elk
