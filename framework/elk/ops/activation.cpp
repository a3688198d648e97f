#include <cmath>
#include <numbers>

#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/dropout.hpp>
#include <elk/kernels/gelu.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/softmax.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>

namespace elk {

namespace {

void check_float(const char* operation, const Tensor& x) {
  if (!is_float(x.dtype()))
    fail<DTypeError>("[{}] expected f32 or f64, got {}: convert with cast", operation, x.dtype());
}

// dy where x > 0 or NaN, slope * dy elsewhere: linear in dy, so it is its own rule.
Tensor gate(const Tensor& dy, const Tensor& x, double slope) {
  return record("gate", kernels::gate(dy, x, slope),
                wrt(dy, [x, slope](const Tensor& ddy) { return gate(ddy, x, slope); }));
}

// dy times the derivative at x. The rules keep x: of a result near 1 the derivative cannot be told any more.
Tensor sigmoid_gradient(const Tensor& dy, const Tensor& x) {
  return record(
      "sigmoid_gradient", kernels::sigmoid_gradient(dy, x),
      wrt(dy, [x](const Tensor& ddy) { return sigmoid_gradient(ddy, x); }),
      wrt(x, [dy, x](const Tensor& ddy) { return sigmoid_gradient(ddy * dy, x) * -tanh(0.5 * x); }));
}

Tensor tanh_gradient(const Tensor& dy, const Tensor& x) {
  return record("tanh_gradient", kernels::tanh_gradient(dy, x),
                wrt(dy, [x](const Tensor& ddy) { return tanh_gradient(ddy, x); }),
                wrt(x, [dy, x](const Tensor& ddy) { return tanh_gradient(ddy * dy, x) * (-2 * tanh(x)); }));
}

// dy times P(x) + x p(x), the derivative of x P(x); that one's own is p(x) (2 - x²), which is 0 beyond 40.
Tensor gelu_gradient(const Tensor& dy, const Tensor& x) {
  return record("gelu_gradient", kernels::gelu_gradient(dy, x),
                wrt(dy, [x](const Tensor& ddy) { return gelu_gradient(ddy, x); }),
                wrt(x, [dy, x](const Tensor& ddy) {
                  constexpr double root_2pi = std::numbers::inv_sqrtpi * std::numbers::sqrt2 / 2;
                  const Tensor squared = square(clamp(x, -40, 40));
                  return ddy * dy * (root_2pi * exp(-0.5 * squared) * (2 - squared));
                }));
}

}  // namespace

Tensor relu(const Tensor& x) {
  const Tensor y = kernels::leaky_relu(x, 0);
  return record("relu", y, wrt(x, [y](const Tensor& dy) { return gate(dy, y, 0); }));  // y > 0 where x > 0
}

Tensor leaky_relu(const Tensor& x, double slope) {
  return record("leaky_relu", kernels::leaky_relu(x, slope),
                wrt(x, [x, slope](const Tensor& dy) { return gate(dy, x, slope); }));
}

Tensor sigmoid(const Tensor& x) {
  return record("sigmoid", kernels::sigmoid(x),
                wrt(x, [x](const Tensor& dy) { return sigmoid_gradient(dy, x); }));
}

Tensor tanh(const Tensor& x) {
  return record("tanh", kernels::tanh(x), wrt(x, [x](const Tensor& dy) { return tanh_gradient(dy, x); }));
}

Tensor softplus(const Tensor& x) {
  return record("softplus", kernels::softplus(x), wrt(x, [x](const Tensor& dy) { return dy * sigmoid(x); }));
}

Tensor gelu(const Tensor& x) {
  return record("gelu", kernels::gelu(x), wrt(x, [x](const Tensor& dy) { return gelu_gradient(dy, x); }));
}

Tensor silu(const Tensor& x) {
  check_float("silu", x);
  // Beyond 1000 sigmoid is 0 or 1 in both dtypes, and infinity times 0 would be NaN.
  return record("silu", kernels::mul(kernels::clamp(x, -1000, INFINITY), kernels::sigmoid(x)),
                wrt(x, [x](const Tensor& dy) {
                  const Tensor near = clamp(x, -1000, 1000);
                  return dy * (sigmoid(near) * (1 + near * sigmoid(-near)));
                }));
}

Tensor elu(const Tensor& x, double alpha) {
  check_float("elu", x);
  const Tensor above = greater(x, 0), constant = detach(x);
  return record("elu", where(above, constant, alpha * expm1(clamp(constant, -INFINITY, 0))),
                wrt(x, [x, above, alpha](const Tensor& dy) {
                  const Tensor slope = alpha * exp(clamp(x, -INFINITY, 0));
                  return dy * where(above, ones(x.shape(), x.dtype()), slope);
                }));
}

Tensor selu(const Tensor& x) {
  check_float("selu", x);
  constexpr double alpha = 1.6732632423543772848170429916717, scale = 1.0507009873554804934193349852946;
  return scale * elu(x, alpha);
}

Tensor softsign(const Tensor& x) {
  check_float("softsign", x);
  const Tensor near = clamp(detach(x), -1e30, 1e30);  // infinity / infinity would be NaN
  return record("softsign", near / (1 + abs(near)),
                wrt(x, [x](const Tensor& dy) { return dy * square(1 / (1 + abs(x))); }));
}

Tensor hardtanh(const Tensor& x, double low, double high) {
  check_float("hardtanh", x);
  if (!(low < high)) fail<ValueError>("[hardtanh] expected low < high, got {} and {}", low, high);
  return record("hardtanh", kernels::clamp(x, low, high), wrt(x, [x, low, high](const Tensor& dy) {
                  const Tensor zero = scalar(0, x.dtype());
                  return where(less_equal(x, low), zero, where(greater_equal(x, high), zero, dy));
                }));
}

Tensor log_sigmoid(const Tensor& x) {
  check_float("log_sigmoid", x);
  return record("log_sigmoid", kernels::neg(kernels::softplus(kernels::neg(x))),
                wrt(x, [x](const Tensor& dy) { return dy * sigmoid(-x); }));
}

namespace {

// The gradients of softmax and log_softmax, from their results; linear in dy.
Tensor softmax_gradient(const Tensor& dy, const Tensor& y, int axis) {
  return record("softmax_gradient", kernels::softmax_gradient(dy, y, axis),
                wrt(dy, [y, axis](const Tensor& v) { return y * (v - sum(v * y, axis, true)); }),
                wrt(y, [dy, y, axis](const Tensor& v) {
                  return v * dy - v * sum(dy * y, axis, true) - dy * sum(v * y, axis, true);
                }));
}

Tensor log_softmax_gradient(const Tensor& dy, const Tensor& y, int axis) {
  return record("log_softmax_gradient", kernels::log_softmax_gradient(dy, y, axis),
                wrt(dy, [y, axis](const Tensor& v) { return v - sum(exp(y) * v, axis, true); }),
                wrt(y, [dy, y, axis](const Tensor& v) { return -v * exp(y) * sum(dy, axis, true); }));
}

}  // namespace

Tensor softmax(const Tensor& x, Axis axis) {
  const Tensor y = kernels::softmax(x, axis);
  return record("softmax", y, wrt(x, [y, axis](const Tensor& dy) { return softmax_gradient(dy, y, axis); }));
}

Tensor log_softmax(const Tensor& x, Axis axis) {
  const Tensor y = kernels::log_softmax(x, axis);
  return record("log_softmax", y,
                wrt(x, [y, axis](const Tensor& dy) { return log_softmax_gradient(dy, y, axis); }));
}

bool training() { return Tape::training_rng() != nullptr; }

Tensor dropout(const Tensor& x, double p) {
  if (!(p >= 0 && p < 1)) fail<ValueError>("[dropout] expected a probability from 0 to below 1, got {}", p);
  Rng* rng = Tape::training_rng();
  if (rng == nullptr || p == 0) return x;
  return x * kernels::dropout_factors(x.shape(), p, *rng, x.dtype());
}

Tensor gaussian_noise(const Tensor& x, double deviation) {
  check_float("gaussian_noise", x);
  if (!(deviation >= 0 && std::isfinite(deviation)))
    fail<ValueError>("[gaussian_noise] expected a finite deviation of at least 0, got {}", deviation);
  Rng* rng = Tape::training_rng();
  if (rng == nullptr || deviation == 0) return x;
  return x + deviation * randn(x.shape(), *rng, x.dtype());
}

}  // namespace elk
