#include <algorithm>
#include <cmath>

#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/loops/loops.hpp>

namespace elk::kernels {

namespace {

// Of a row of n: the maximum (NaN if any is), subtracted everywhere so that no exponential overflows.
template <class T>
T row_max(const T* x, Index n) {
  T top = x[0];
  for (Index j = 1; j < n; ++j) top = (top > x[j] || top != top) ? top : x[j];
  return top;
}

// Of a row of n: the exponentials of its elements less the maximum, and their sum.
template <class T>
double row_exponentials(const T* x, Index n, T top, T* y) {
  loops<T>().exp(n, x, top, y);
  double sum = 0;
  for (Index j = 0; j < n; ++j) sum += y[j];
  return sum;
}

// The general form: whole-tensor steps.
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
      const double sum = row_exponentials(in, n, top, out);
      if constexpr (take_log) {
        const T log_sum = static_cast<T>(std::log(sum));
        for (Index j = 0; j < n; ++j) out[j] = (in[j] - top) - log_sum;
      } else {
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

CrossEntropy cross_entropy(const Tensor& logits, const Tensor& labels) {
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
    Tensor probabilities = empty(logits.shape(), logits.dtype());
    double total = 0;
    for (Index i = 0; i < rows; ++i) {
      const T* z = readable<T>(logits) + i * classes;
      const T top = row_max(z, classes);
      T* p = writable<T>(probabilities) + i * classes;
      const double sum = row_exponentials(z, classes, top, p);
      total += std::log(sum) - (static_cast<double>(z[label[i]]) - static_cast<double>(top));
      const T scale = static_cast<T>(1 / sum);
      for (Index j = 0; j < classes; ++j) p[j] *= scale;
    }
    count_flops(5 * logits.size() + 3 * rows);
    return CrossEntropy{scalar(total / static_cast<double>(rows), logits.dtype()), probabilities};
  });
}

Tensor cross_entropy_gradient(const Tensor& probabilities, const Tensor& labels, const Tensor& dy) {
  return for_float("cross_entropy", probabilities.dtype(), [&]<class T>() {
    const Index rows = probabilities.size(0), classes = probabilities.size(1);
    Tensor dz = empty(probabilities.shape(), probabilities.dtype());
    const T scale = *readable<T>(dy) / static_cast<T>(rows);
    const T* p = readable<T>(probabilities);
    T* out = writable<T>(dz);
    for (Index i = 0; i < dz.size(); ++i) out[i] = p[i] * scale;
    const auto* label = readable<std::int64_t>(labels);
    for (Index i = 0; i < rows; ++i) {
      const Index at = i * classes + label[i];
      out[at] = (p[at] - 1) * scale;
    }
    count_flops(2 * dz.size());
    return dz;
  });
}

}  // namespace elk::kernels
