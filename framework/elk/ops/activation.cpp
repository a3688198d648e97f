#include <numbers>

#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>

namespace elk {

namespace {

// dy where x > 0, slope * dy elsewhere: linear in dy, so it is its own rule.
Tensor gate(const Tensor& dy, const Tensor& x, double slope) {
  return record("gate", kernels::gate(dy, x, slope),
                wrt(dy, [x, slope](const Tensor& ddy) { return gate(ddy, x, slope); }));
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
  const Tensor y = kernels::sigmoid(x);
  return record("sigmoid", y, wrt(x, [y](const Tensor& dy) { return dy * (y * (1 - y)); }));
}

Tensor tanh(const Tensor& x) {
  const Tensor y = kernels::tanh(x);
  return record("tanh", y, wrt(x, [y](const Tensor& dy) { return dy * (1 - square(y)); }));
}

Tensor softplus(const Tensor& x) {
  return record("softplus", kernels::softplus(x), wrt(x, [x](const Tensor& dy) { return dy * sigmoid(x); }));
}

Tensor gelu(const Tensor& x) {
  return record("gelu", kernels::gelu(x), wrt(x, [x](const Tensor& dy) {  // of x P(x): P(x) + x p(x)
                  constexpr double root_half = 0.5 * std::numbers::sqrt2,
                                   root_2pi = std::numbers::inv_sqrtpi * root_half;
                  const Tensor below = 0.5 * (1 + erf(root_half * x)),
                               density = root_2pi * exp(-0.5 * square(x));
                  return dy * (below + x * density);
                }));
}

Tensor softmax(const Tensor& x, int axis) {
  const Tensor y = kernels::softmax(x, axis);
  return record("softmax", y, wrt(x, [y, axis](const Tensor& dy) {  // y (dy - <dy, y>)
                  return y * (dy - sum(dy * y, axis, true));
                }));
}

Tensor log_softmax(const Tensor& x, int axis) {
  const Tensor y = kernels::log_softmax(x, axis);
  return record("log_softmax", y,
                wrt(x, [y, axis](const Tensor& dy) { return dy - exp(y) * sum(dy, axis, true); }));
}

Tensor dropout(const Tensor& x, double p) {
  if (!(p >= 0 && p < 1)) fail<ValueError>("[dropout] expected a probability from 0 to below 1, got {}", p);
  Rng* rng = Tape::training_rng();
  if (rng == nullptr || p == 0) return x;
  const Tensor kept = kernels::compare(kernels::Comparison::greater_equal,
                                       uniform(x.shape(), *rng, 0, 1, f64), scalar(p, f64));
  return x * kernels::mul(kernels::cast(kept, x.dtype()), scalar(1 / (1 - p), x.dtype()));
}

}  // namespace elk
