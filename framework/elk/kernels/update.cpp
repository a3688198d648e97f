#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/loops/loops.hpp>
#include <elk/kernels/multiply.hpp>
#include <elk/kernels/update.hpp>

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
void check_update(const char* operation, const Tensor& weight, const Gradient& gradient) {
  if (weight.dtype() != gradient.dtype())
    fail<DTypeError>("[{}] dtypes differ: {} and {}", operation, weight.dtype(), gradient.dtype());
  if (weight.shape() != gradient.shape())
    fail<ShapeError>("[{}] shapes differ: {} and {}", operation, weight.shape(), gradient.shape());
}

// Calls f(begin, count, g) with all elements g of a gradient, `count` from `begin` on at a time; f reads
// `touched` at the same places.
template <class T, class F>
void each_block(const Gradient& gradient, std::vector<const T*> touched, F f) {
  if (gradient.whole.defined()) return f(0, gradient.whole.size(), readable<T>(gradient.whole));
  const PrecisionScope scope(gradient.precision);
  take_product<T>(gradient.dy, gradient.x, {f, std::move(touched)});
}

}  // namespace

Gradient::Gradient(const Tensor& errors, const Tensor& inputs, Precision in)
    : dy(errors), x(inputs), precision(in) {
  check_same_dtype("step", dy, x);
  if (dy.rank() != 2 || x.rank() != 2 || dy.size(0) != x.size(0))
    fail<ShapeError>("[step] {} x {} is not the gradient of a linear layer's weight", dy.shape(), x.shape());
  if (dy.size() == 0 || x.size() == 0) whole = zeros({dy.size(1), x.size(1)}, dy.dtype());
}

void sgd_update(Tensor& weight, Tensor& velocity, const Gradient& gradient, double lr, double momentum,
                bool nesterov, double weight_decay) {
  check_update("sgd", weight, gradient);
  if (momentum != 0) check_update("sgd", weight, std::as_const(velocity));
  for_float("sgd", weight.dtype(), [&]<class T>() {
    const T rate = static_cast<T>(lr), mu = static_cast<T>(momentum), decay = static_cast<T>(weight_decay);
    if (momentum == 0) {
      count_flops((decay == 0 ? 2 : 4) * weight.size());
      if (gradient.whole.defined())
        return loops<T>().sgd(weight.size(), writable<T>(weight), readable<T>(gradient.whole), {rate, decay});
      const PrecisionScope scope(gradient.precision);
      return update_by_product<T>(weight, gradient.dy, gradient.x, {rate, decay});
    }
    T *const weights = writable<T>(weight), *const velocities = writable<T>(velocity);
    each_block<T>(gradient, {weights, velocities}, [&](Index begin, Index count, const T* g) {
      T *const w = weights + begin, *const v = velocities + begin;
      for (Index i = 0; i < count; ++i) {
        const T d = g[i] + decay * w[i];
        v[i] = without_subnormal(mu * v[i] + d);
        w[i] -= rate * (nesterov ? d + mu * v[i] : v[i]);
      }
    });
    count_flops((nesterov ? 8 : 6) * weight.size());
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

void adam_update(Tensor& weight, Tensor& mean, Tensor& square, const Gradient& gradient, double lr,
                 double beta1, double beta2, double epsilon, double weight_decay, bool decoupled,
                 std::int64_t step) {
  check_update("adam", weight, gradient);
  for (const Tensor* x : {&std::as_const(mean), &std::as_const(square)}) check_update("adam", weight, *x);
  for_float("adam", weight.dtype(), [&]<class T>() {
    const auto s = adam_step<T>(lr, beta1, beta2, epsilon, weight_decay, decoupled, step);
    T *const w = writable<T>(weight), *const m = writable<T>(mean), *const v = writable<T>(square);
    each_block<T>(gradient, {w, m, v}, [&](Index begin, Index count, const T* g) {
      loops<T>().adam(count, w + begin, m + begin, v + begin, g, s);
    });
    count_flops(15 * weight.size());
  });
}

void amsgrad_update(Tensor& weight, Tensor& mean, Tensor& square, Tensor& max_square,
                    const Gradient& gradient, double lr, double beta1, double beta2, double epsilon,
                    double weight_decay, bool decoupled, std::int64_t step) {
  check_update("adam", weight, gradient);
  for (const Tensor* x : {&std::as_const(mean), &std::as_const(square), &std::as_const(max_square)})
    check_update("adam", weight, *x);
  for_float("adam", weight.dtype(), [&]<class T>() {
    const auto s = adam_step<T>(lr, beta1, beta2, epsilon, weight_decay, decoupled, step);
    T *const weights = writable<T>(weight), *const means = writable<T>(mean),
             *const squares = writable<T>(square), *const largest = writable<T>(max_square);
    each_block<T>(gradient, {weights, means, squares, largest},
                  [&](Index begin, Index count, const T* gradients) {
                    T *const w = weights + begin, *const m = means + begin, *const v = squares + begin,
                             *const most = largest + begin;
                    for (Index i = 0; i < count; ++i) {
                      const T g = gradients[i] + s.decay * w[i];
                      m[i] = without_subnormal(s.beta1 * m[i] + s.c1 * g);
                      v[i] = without_subnormal(s.beta2 * v[i] + s.c2 * g * g);
                      most[i] = v[i] <= most[i] ? most[i] : v[i];  // NaN goes on
                      w[i] = s.keep * w[i] - s.rate * m[i] / (std::sqrt(most[i]) * s.root + s.epsilon);
                    }
                  });
    count_flops(16 * weight.size());
  });
}

void rmsprop_update(Tensor& weight, Tensor& square, Tensor& mean, Tensor& velocity, const Gradient& gradient,
                    double lr, double alpha, double epsilon, double weight_decay, double momentum) {
  check_update("rmsprop", weight, gradient);
  for (const Tensor* x : {&std::as_const(square), &std::as_const(mean), &std::as_const(velocity)})
    if (x->defined()) check_update("rmsprop", weight, *x);
  for_float("rmsprop", weight.dtype(), [&]<class T>() {
    const T rate = static_cast<T>(lr), keep = static_cast<T>(alpha), take = static_cast<T>(1 - alpha),
            least = static_cast<T>(epsilon), decay = static_cast<T>(weight_decay),
            mu = static_cast<T>(momentum);
    T *const weights = writable<T>(weight), *const squares = writable<T>(square),
             *const means = mean.defined() ? writable<T>(mean) : nullptr,
             *const velocities = velocity.defined() ? writable<T>(velocity) : nullptr;
    std::vector<const T*> touched{weights, squares};
    for (const T* x : {means, velocities})
      if (x) touched.push_back(x);
    each_block<T>(gradient, std::move(touched), [&](Index begin, Index count, const T* gradients) {
      for (Index i = 0; i < count; ++i) {
        const Index at = begin + i;
        const T g = gradients[i] + decay * weights[at];
        squares[at] = without_subnormal(keep * squares[at] + take * (g * g));
        T spread = squares[at];
        if (means) {
          means[at] = without_subnormal(keep * means[at] + take * g);
          spread -= means[at] * means[at];
        }
        T move = g / (std::sqrt(spread) + least);
        if (velocities) move = velocities[at] = without_subnormal(mu * velocities[at] + move);
        weights[at] -= rate * move;
      }
    });
    count_flops((9 + (means ? 5 : 0) + (velocities ? 2 : 0)) * weight.size());
  });
}

void lion_update(Tensor& weight, Tensor& mean, const Gradient& gradient, double lr, double beta1,
                 double beta2, double weight_decay) {
  check_update("lion", weight, gradient);
  check_update("lion", weight, std::as_const(mean));
  for_float("lion", weight.dtype(), [&]<class T>() {
    const T b1 = static_cast<T>(beta1), b2 = static_cast<T>(beta2), rate = static_cast<T>(lr);
    const T c1 = static_cast<T>(1 - beta1), c2 = static_cast<T>(1 - beta2);
    const T keep = static_cast<T>(1 - lr * weight_decay);
    T *const weights = writable<T>(weight), *const means = writable<T>(mean);
    each_block<T>(gradient, {weights, means}, [&](Index begin, Index count, const T* g) {
      T *const w = weights + begin, *const m = means + begin;
      for (Index i = 0; i < count; ++i) {
        const T c = b1 * m[i] + c1 * g[i];
        const T direction = c > 0 ? T(1) : c < 0 ? T(-1) : c;  // NaN stays
        w[i] = keep * w[i] - rate * direction;
        m[i] = without_subnormal(b2 * m[i] + c2 * g[i]);
      }
    });
    count_flops(10 * weight.size());
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
