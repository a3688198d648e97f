#include <elk/kernels/views.hpp>
// (the line above must come first)
#include <algorithm>
#include <cmath>

#include <xtensor/xreducer.hpp>

#include <elk/kernels/kernels.hpp>

namespace elk::kernels {

namespace {

// Of a row of n: the maximum (NaN if any is), subtracted everywhere so that no exponential overflows.
template <class T>
T row_max(const T* x, Index n) {
  T top = x[0];
  for (Index j = 1; j < n; ++j) top = (top > x[j] || top != top) ? top : x[j];
  return top;
}

template <class T>
double row_exp_sum(const T* x, Index n, T top) {
  double sum = 0;
  for (Index j = 0; j < n; ++j) sum += std::exp(x[j] - top);
  return sum;
}

// The general form: whole-tensor steps, each assigned to a container, because xtensor 0.24 re-evaluates a
// reducer inside a larger expression for every element.
template <bool take_log>
Tensor by_steps(const Tensor& x, int axis) {
  const Tensor shifted = sub(x, max(x, axis, true));
  const Tensor total = sum(exp(shifted), axis, true);
  return take_log ? sub(shifted, log(total)) : div(exp(shifted), total);
}

template <bool take_log>
Tensor normalized(const char* operation, const Tensor& x, int axis) {
  (void)Axes(axis).of(operation, x.shape());
  if (!is_float(x.dtype())) fail<DTypeError>("[{}] expected f32 or f64, got {}", operation, x.dtype());
  if (x.size() == 0) return empty(x.shape(), x.dtype());
  const bool last = axis == -1 || axis == x.rank() - 1;
  if (!last || reference()) return by_steps<take_log>(x, axis);
  return for_float(operation, x.dtype(), [&]<class T>() {
    Tensor y = empty(x.shape(), x.dtype());
    const Index n = x.size(-1), rows = x.size() / n;
    for (Index i = 0; i < rows; ++i) {
      const T* in = readable<T>(x) + i * n;
      T* out = writable<T>(y) + i * n;
      const T top = row_max(in, n);
      if constexpr (take_log) {
        const T log_sum = static_cast<T>(std::log(row_exp_sum(in, n, top)));
        for (Index j = 0; j < n; ++j) out[j] = (in[j] - top) - log_sum;
      } else {
        double sum = 0;
        for (Index j = 0; j < n; ++j) sum += out[j] = std::exp(in[j] - top);
        const T scale = static_cast<T>(1 / sum);
        for (Index j = 0; j < n; ++j) out[j] *= scale;
      }
    }
    count_flops(5 * x.size());  // maximum, difference, exponential, sum, quotient
    return y;
  });
}

}  // namespace

Tensor softmax(const Tensor& x, int axis) { return normalized<false>("softmax", x, axis); }

Tensor log_softmax(const Tensor& x, int axis) { return normalized<true>("log_softmax", x, axis); }

Tensor cross_entropy(const Tensor& logits, const Tensor& labels) {
  if (logits.rank() != 2)
    fail<ShapeError>("[cross_entropy] expected logits (N, classes), got {}", logits.shape());
  if (labels.dtype() != i64)
    fail<DTypeError>("[cross_entropy] expected labels of i64, got {}", labels.dtype());
  if (labels.shape() != Shape{logits.size(0)})
    fail<ShapeError>("[cross_entropy] logits {} need labels ({}), got {}", logits.shape(), logits.size(0),
                     labels.shape());
  if (logits.size() == 0)
    fail<ShapeError>("[cross_entropy] the mean over logits {} has no value", logits.shape());
  const Index rows = logits.size(0), classes = logits.size(1);
  const auto* label = readable<std::int64_t>(labels);
  for (Index i = 0; i < rows; ++i)
    if (label[i] < 0 || label[i] >= classes)
      fail<IndexError>("[cross_entropy] label {} of row {} is outside 0 to {}", label[i], i, classes - 1);
  return for_float("cross_entropy", logits.dtype(), [&]<class T>() {
    double total = 0;
    for (Index i = 0; i < rows; ++i) {
      const T* z = readable<T>(logits) + i * classes;
      const T top = row_max(z, classes);
      total += std::log(row_exp_sum(z, classes, top)) -
               (static_cast<double>(z[label[i]]) - static_cast<double>(top));
    }
    count_flops(4 * logits.size() + 3 * rows);
    return scalar(total / static_cast<double>(rows), logits.dtype());
  });
}

}  // namespace elk::kernels
