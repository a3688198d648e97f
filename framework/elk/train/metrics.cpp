#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include <elk/base/format.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/train/metrics.hpp>

namespace elk::train {

namespace {

void check(const char* metric, const Tensor& logits, const Tensor& labels) {
  if (logits.rank() != 2 || labels.rank() != 1 || logits.size(0) != labels.size())
    fail<ShapeError>("[{}] expected logits (N, classes) and labels (N), got {} and {}", metric,
                     logits.shape(), labels.shape());
  if (labels.size() == 0) fail<ShapeError>("[{}] no examples", metric);
  if (labels.dtype() != i64)
    fail<DTypeError>("[{}] labels must be i64, got {}: write cast(labels, i64)", metric, labels.dtype());
  for (const std::int64_t label : labels.data<std::int64_t>())
    if (label < 0 || label >= logits.size(1))
      fail<IndexError>("[{}] label {} is outside {} classes", metric, label, logits.size(1));
}

}  // namespace

double accuracy(const Tensor& logits, const Tensor& labels) {
  check("accuracy", logits, labels);
  const Tensor predicted = argmax(logits, -1);
  const auto found = predicted.data<std::int64_t>(), wanted = labels.data<std::int64_t>();
  const auto right = std::inner_product(found.begin(), found.end(), wanted.begin(), Index{0}, std::plus<>(),
                                        std::equal_to<>());
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

double top_k_accuracy(const Tensor& logits, const Tensor& labels, Index k) {
  check("top_k_accuracy", logits, labels);
  const Index classes = logits.size(1);
  if (k < 1 || k > classes) fail<ValueError>("[top_k_accuracy] k must be from 1 to {}, got {}", classes, k);
  const Tensor wide = cast(logits, f64);
  const double* row = wide.data<double>().data();
  Index right = 0;
  for (const std::int64_t label : labels.data<std::int64_t>()) {
    Index before = 0;  // classes that come before the label's; a NaN comes before every number
    for (Index j = 0; j < classes; ++j) {
      const bool larger = row[j] > row[label] || (std::isnan(row[j]) && !std::isnan(row[label]));
      const bool equal = row[j] == row[label] || (std::isnan(row[j]) && std::isnan(row[label]));
      before += larger || (equal && j < label);
    }
    right += before < k;
    row += classes;
  }
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

Tensor confusion_matrix(const Tensor& logits, const Tensor& labels) {
  check("confusion_matrix", logits, labels);
  const Index classes = logits.size(1);
  const Tensor predicted = argmax(logits, -1);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(classes * classes));
  const auto found = predicted.data<std::int64_t>(), wanted = labels.data<std::int64_t>();
  for (std::size_t i = 0; i < found.size(); ++i)
    ++counts[static_cast<std::size_t>(wanted[i] * classes + found[i])];
  return from(counts, {classes, classes});
}

double calibration_error(const Tensor& logits, const Tensor& labels, Index bins) {
  check("calibration_error", logits, labels);
  constexpr Index most_bins = 1'000'000;
  if (bins < 1 || bins > most_bins)
    fail<ValueError>("[calibration_error] expected 1 to {} bins, got {}", most_bins, bins);
  const Tensor probabilities = softmax(cast(logits, f64)), predicted = argmax(probabilities, -1);
  const auto p = probabilities.data<double>();
  const auto found = predicted.data<std::int64_t>(), wanted = labels.data<std::int64_t>();
  // Of each bin: the sum of (right - confidence), for |share right - mean confidence| times its examples.
  std::vector<double> gap(static_cast<std::size_t>(bins));
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double confidence =
        p[i * static_cast<std::size_t>(logits.size(1)) + static_cast<std::size_t>(found[i])];
    if (std::isnan(confidence)) return NAN;
    const auto bin = std::min(static_cast<Index>(confidence * static_cast<double>(bins)), bins - 1);
    gap[static_cast<std::size_t>(bin)] += (found[i] == wanted[i] ? 1 : 0) - confidence;
  }
  double total = 0;
  for (const double g : gap) total += std::abs(g);
  return total / static_cast<double>(found.size());
}

}  // namespace elk::train
