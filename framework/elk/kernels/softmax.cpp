#include <algorithm>
#include <cmath>

#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/loops/loops.hpp>
#include <elk/kernels/softmax.hpp>

namespace elk::kernels {

namespace {

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
  if (!is_float(x.dtype()))
    fail<DTypeError>("[{}] expected f32 or f64, got {}: convert with cast", operation, x.dtype());
  if (x.size() == 0) return empty(x.shape(), x.dtype());
  const bool last = axis == -1 || axis == x.rank() - 1;
  if (!last || reference()) return by_steps<take_log>(x, axis);
  return for_float(operation, x.dtype(), [&]<class T>() {
    Tensor y = empty(x.shape(), x.dtype());
    const Index n = x.size(-1), rows = x.size() / n;
    const Loops<T>& use = loops<T>();
    for (Index i = 0; i < rows; ++i) {
      const T* in = readable<T>(x) + i * n;
      T* out = writable<T>(y) + i * n;
      const T top = use.largest(n, in);  // subtracted everywhere, so that no exponential overflows
      const double sum = use.exp_sum(n, in, top, out);
      if constexpr (take_log)
        use.shifted(n, in, top, static_cast<T>(std::log(sum)), out);
      else
        use.scaled(n, out, static_cast<T>(1 / sum), out);
    }
    count_flops(5 * x.size());  // maximum, difference, exponential, sum, quotient
    return y;
  });
}

}  // namespace

Tensor softmax(const Tensor& x, int axis) { return normalized<false>("softmax", x, axis); }

Tensor log_softmax(const Tensor& x, int axis) { return normalized<true>("log_softmax", x, axis); }

namespace {

// f(n, dy, y, dx) for each row of n: where the axis is the last one.
template <class F>
Tensor of_rows(const char* operation, const Tensor& dy, const Tensor& y, F f) {
  check_same_dtype(operation, dy, y);
  check_same_shape(operation, dy, y);
  return for_float(operation, y.dtype(), [&]<class T>() {
    Tensor dx = empty(y.shape(), y.dtype());
    const Index n = y.size(-1);
    for (Index i = 0; i < y.size(); i += n)
      f(n, readable<T>(dy) + i, readable<T>(y) + i, writable<T>(dx) + i);
    count_flops(4 * y.size());
    return dx;
  });
}

bool by_rows(const Tensor& y, int axis) {
  return y.size() > 0 && (axis == -1 || axis == y.rank() - 1) && !reference();
}

}  // namespace

Tensor softmax_gradient(const Tensor& dy, const Tensor& y, int axis) {
  if (!by_rows(y, axis)) return mul(y, sub(dy, sum(mul(dy, y), axis, true)));
  return of_rows("softmax", dy, y, []<class T>(Index n, const T* d, const T* v, T* dx) {
    loops<T>().softmax_gradient(n, d, v, static_cast<T>(loops<T>().product_sum(n, d, v)), dx);
  });
}

Tensor log_softmax_gradient(const Tensor& dy, const Tensor& y, int axis) {
  if (!by_rows(y, axis)) return sub(dy, mul(exp(y), sum(dy, axis, true)));
  return of_rows("log_softmax", dy, y, []<class T>(Index n, const T* d, const T* v, T* dx) {
    loops<T>().log_softmax_gradient(n, d, v, static_cast<T>(loops<T>().sum(n, d)), dx);
  });
}

CrossEntropy cross_entropy(const Tensor& logits, const Tensor& labels) {
  if (logits.rank() != 2)
    fail<ShapeError>("[cross_entropy] expected logits (N, classes), got {}", logits.shape());
  if (labels.dtype() != i64)
    fail<DTypeError>("[cross_entropy] expected labels of i64, got {}: write cast(labels, i64)",
                     labels.dtype());
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
    const Loops<T>& use = loops<T>();
    double total = 0;
    for (Index i = 0; i < rows; ++i) {
      const T* z = readable<T>(logits) + i * classes;
      const T top = use.largest(classes, z);
      T* p = writable<T>(probabilities) + i * classes;
      const double sum = use.exp_sum(classes, z, top, p);
      total += std::log(sum) - (static_cast<double>(z[label[i]]) - static_cast<double>(top));
      use.scaled(classes, p, static_cast<T>(1 / sum), p);
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
    loops<T>().scaled(dz.size(), p, scale, out);
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
