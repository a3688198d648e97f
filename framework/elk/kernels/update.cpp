#include <cmath>
#include <limits>
#include <utility>

#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/loops/loops.hpp>
#include <elk/kernels/moments.hpp>

namespace elk::kernels {

namespace {

// See flush_subnormal.
template <class T>
T without_subnormal(T x) {
  return std::abs(x) < std::numeric_limits<T>::min() ? T(0) : x;
}

void check_update(const char* operation, const Tensor& x, const Tensor& y) {
  check_same_dtype(operation, x, y);
  check_same_shape(operation, x, y);
}

}  // namespace

void sgd_update(Tensor& weight, Tensor& velocity, const Tensor& gradient, double lr, double momentum,
                bool nesterov, double weight_decay) {
  check_update("sgd", weight, gradient);
  for_float("sgd", weight.dtype(), [&]<class T>() {
    const Index n = weight.size();
    const T rate = static_cast<T>(lr), mu = static_cast<T>(momentum), decay = static_cast<T>(weight_decay);
    const T* g = readable<T>(gradient);
    T* w = writable<T>(weight);
    if (momentum == 0) {
      loops<T>().sgd(n, w, g, {rate, decay});
      count_flops((decay == 0 ? 2 : 4) * n);
    } else {
      check_update("sgd", weight, velocity);
      T* v = writable<T>(velocity);
      for (Index i = 0; i < n; ++i) {
        const T d = g[i] + decay * w[i];
        v[i] = without_subnormal(mu * v[i] + d);
        w[i] -= rate * (nesterov ? d + mu * v[i] : v[i]);
      }
      count_flops((nesterov ? 8 : 6) * n);
    }
  });
}

void flush_subnormal(Tensor& moment) {
  for_float("flush", moment.dtype(), [&]<class T>() {
    T* const x = writable<T>(moment);
    for (Index i = 0; i < moment.size(); ++i) x[i] = without_subnormal(x[i]);
  });
}

namespace {

// The bias corrections of both moments, folded into the rate and the root.
template <class T>
AdamStep<T> adam_step(double lr, double beta1, double beta2, double epsilon, double weight_decay,
                      bool decoupled, std::int64_t step) {
  const auto t = static_cast<double>(step);
  AdamStep<T> s{};
  s.rate = static_cast<T>(lr / (1 - std::pow(beta1, t)));
  s.root = static_cast<T>(1 / std::sqrt(1 - std::pow(beta2, t)));
  s.beta1 = static_cast<T>(beta1);
  s.beta2 = static_cast<T>(beta2);
  s.c1 = static_cast<T>(1 - beta1);
  s.c2 = static_cast<T>(1 - beta2);
  s.decay = static_cast<T>(decoupled ? 0 : weight_decay);
  s.keep = static_cast<T>(decoupled ? 1 - lr * weight_decay : 1);
  s.epsilon = static_cast<T>(epsilon);
  return s;
}

}  // namespace

void adam_update(Tensor& weight, Tensor& mean, Tensor& square, const Tensor& gradient, double lr,
                 double beta1, double beta2, double epsilon, double weight_decay, bool decoupled,
                 std::int64_t step) {
  check_update("adam", weight, gradient);
  check_update("adam", weight, mean);
  check_update("adam", weight, square);
  for_float("adam", weight.dtype(), [&]<class T>() {
    const Index n = weight.size();
    const auto s = adam_step<T>(lr, beta1, beta2, epsilon, weight_decay, decoupled, step);
    loops<T>().adam(n, writable<T>(weight), writable<T>(mean), writable<T>(square), readable<T>(gradient), s);
    count_flops(15 * n);
  });
}

void amsgrad_update(Tensor& weight, Tensor& mean, Tensor& square, Tensor& max_square, const Tensor& gradient,
                    double lr, double beta1, double beta2, double epsilon, double weight_decay,
                    bool decoupled, std::int64_t step) {
  for (const Tensor* x :
       {&gradient, &std::as_const(mean), &std::as_const(square), &std::as_const(max_square)})
    check_update("adam", weight, *x);
  for_float("adam", weight.dtype(), [&]<class T>() {
    const auto s = adam_step<T>(lr, beta1, beta2, epsilon, weight_decay, decoupled, step);
    const Index n = weight.size();
    const T* const gradients = readable<T>(gradient);
    T *const w = writable<T>(weight), *const m = writable<T>(mean), *const v = writable<T>(square),
             *const most = writable<T>(max_square);
    for (Index i = 0; i < n; ++i) {
      const T g = gradients[i] + s.decay * w[i];
      m[i] = without_subnormal(s.beta1 * m[i] + s.c1 * g);
      v[i] = without_subnormal(s.beta2 * v[i] + s.c2 * g * g);
      most[i] = v[i] <= most[i] ? most[i] : v[i];  // NaN goes on
      w[i] = s.keep * w[i] - s.rate * m[i] / (std::sqrt(most[i]) * s.root + s.epsilon);
    }
    count_flops(16 * n);
  });
}

void lion_update(Tensor& weight, Tensor& mean, const Tensor& gradient, double lr, double beta1, double beta2,
                 double weight_decay) {
  check_update("lion", weight, gradient);
  check_update("lion", weight, mean);
  for_float("lion", weight.dtype(), [&]<class T>() {
    const T b1 = static_cast<T>(beta1), b2 = static_cast<T>(beta2), rate = static_cast<T>(lr);
    const T c1 = static_cast<T>(1 - beta1), c2 = static_cast<T>(1 - beta2);
    const T keep = static_cast<T>(1 - lr * weight_decay);
    const T* g = readable<T>(gradient);
    T *w = writable<T>(weight), *m = writable<T>(mean);
    const Index n = weight.size();
    for (Index i = 0; i < n; ++i) {
      const T c = b1 * m[i] + c1 * g[i];
      const T direction = c > 0 ? T(1) : c < 0 ? T(-1) : c;  // NaN stays
      w[i] = keep * w[i] - rate * direction;
      m[i] = without_subnormal(b2 * m[i] + c2 * g[i]);
    }
    count_flops(10 * n);
  });
}

void average_update(Tensor& average, const Tensor& weight, double decay) {
  check_update("average", average, weight);
  for_float("average", average.dtype(), [&]<class T>() {
    const T keep = static_cast<T>(decay), take = static_cast<T>(1 - decay);
    const T* w = readable<T>(weight);
    T* a = writable<T>(average);
    const Index n = average.size();
    for (Index i = 0; i < n; ++i) a[i] = without_subnormal(keep * a[i] + take * w[i]);
    count_flops(3 * n);
  });
}

}  // namespace elk::kernels
