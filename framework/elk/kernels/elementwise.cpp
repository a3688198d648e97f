#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numbers>

#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/gelu.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/loops/loops.hpp>
#include <elk/kernels/zip.hpp>

namespace elk::kernels {

namespace {

std::atomic<bool> reference_only{false};

// y = f(x), element by element.
template <class F>
Tensor map(const char* operation, const Tensor& x, F f, std::int64_t flops_each = 1) {
  return for_float(operation, x.dtype(), [&]<class T>() {
    Tensor y = empty(x.shape(), x.dtype());
    std::transform(readable<T>(x), readable<T>(x) + x.size(), writable<T>(y), f);
    count_flops(flops_each * x.size());
    return y;
  });
}

// The same by a loop of ours, which `pick` finds among those of the instruction set.
template <class Pick, class F>
Tensor map_by(Pick pick, const char* operation, const Tensor& x, F general, std::int64_t flops_each = 1) {
  if (reference()) return map(operation, x, general, flops_each);
  return for_float(operation, x.dtype(), [&]<class T>() {
    Tensor y = empty(x.shape(), x.dtype());
    pick(loops<T>())(x.size(), readable<T>(x), writable<T>(y));
    count_flops(flops_each * x.size());
    return y;
  });
}

// exp(-x²/2): of the square as it is rounded, times what the rounding takes away.
double half_square_exponential(double x) {
  const double square = x * x, rest = std::fma(x, x, -square);
  return std::exp(-0.5 * square) * (std::isfinite(square) ? 1 - 0.5 * rest : 1);
}

// The share of a standard normal below x, in f64 for both dtypes: the tail is as sensitive to rounding as x²
// is large. erfc, because 1 + erf loses the digits of the lower tail.
double normal_below(double x) {
  constexpr double root_half = std::numbers::sqrt2 / 2, root_half_rest = -4.833646656726457e-17;
  const double a = -x * root_half, rest = std::fma(-x, root_half, -a) - x * root_half_rest;
  const double tail = std::erfc(a);
  // erfc'(a) = -2 / sqrt(pi) exp(-a²)
  return std::isfinite(rest) ? 0.5 * (tail - rest * 2 * std::numbers::inv_sqrtpi * half_square_exponential(x))
                             : 0.5 * tail;
}

// P(x) + x p(x), the derivative of x P(x).
template <class T>
T normal_slope(T x) {
  const double u = x,
               density = std::numbers::inv_sqrtpi * std::numbers::sqrt2 / 2 * half_square_exponential(u);
  return static_cast<T>(normal_below(u) + (std::isinf(u) ? 0 : u * density));
}

// Of weights between 0 and 1 with what may be infinite: 0 times infinity is 0.
template <class T>
T share(T weight, T of) {
  return weight == 0 && of == std::numeric_limits<T>::infinity() ? T(0) : weight * of;
}

// log(1 + exp(x)), by exponentials that do not overflow.
template <class T>
T soft_plus(T x) {
  return (x <= 0 ? T(0) : x) + std::log1p(std::exp(-std::abs(x)));  // NaN stays
}

// A kernel of two tensors of the same shape: y = f(a, b) element by element, by the loop that `pick` finds.
template <class Pick, class F>
Tensor pair_by(Pick pick, const char* operation, const Tensor& a, const Tensor& b, const F& general,
               std::int64_t flops_each) {
  check_same_dtype(operation, a, b);
  check_same_shape(operation, a, b);
  if (reference()) return zip(operation, a, b, general);
  return for_float(operation, a.dtype(), [&]<class T>() {
    Tensor y = empty(a.shape(), a.dtype());
    pick(loops<T>())(a.size(), readable<T>(a), readable<T>(b), writable<T>(y));
    count_flops(flops_each * a.size());
    return y;
  });
}

}  // namespace

void set_reference(bool on) { reference_only = on; }
bool reference() { return reference_only.load(std::memory_order_relaxed); }

Tensor add(const Tensor& a, const Tensor& b) {
  if (!is_float(a.dtype())) return exact_add(a, b);
  return zip("add", a, b, [](auto u, auto v) { return u + v; });
}
Tensor sub(const Tensor& a, const Tensor& b) {
  if (!is_float(a.dtype())) return exact_sub(a, b);
  return zip("sub", a, b, [](auto u, auto v) { return u - v; });
}
Tensor mul(const Tensor& a, const Tensor& b) {
  if (!is_float(a.dtype())) return exact_mul(a, b);
  return zip("mul", a, b, [](auto u, auto v) { return u * v; });
}
Tensor div(const Tensor& a, const Tensor& b) {
  return zip("div", a, b, [](auto u, auto v) { return u / v; });
}
Tensor maximum(const Tensor& a, const Tensor& b) {
  const auto larger = [](auto u, auto v) { return (u > v || u != u) ? u : v; };
  return zip("maximum", a, b, larger);
}

Tensor neg(const Tensor& x) {
  if (x.dtype() == i64) return exact_sub(zeros({}, i64), x);
  return map("neg", x, [](auto v) { return -v; });
}
Tensor square(const Tensor& x) {
  return map("square", x, [](auto v) { return v * v; });
}
Tensor sqrt(const Tensor& x) {
  return map("sqrt", x, [](auto v) { return std::sqrt(v); });
}
Tensor exp(const Tensor& x) {
  return map_by(
      [](const auto& l) { return [f = l.exp]<class T>(Index n, const T* v, T* y) { f(n, v, T(0), y); }; },
      "exp", x, [](auto v) { return std::exp(v); });
}
Tensor log(const Tensor& x) {
  return map("log", x, [](auto v) { return std::log(v); });
}
Tensor abs(const Tensor& x) {
  return map("abs", x, [](auto v) { return std::abs(v); });
}
Tensor log1p(const Tensor& x) {
  return map("log1p", x, [](auto v) { return std::log1p(v); });
}
Tensor expm1(const Tensor& x) {
  return map("expm1", x, [](auto v) { return std::expm1(v); });
}
Tensor sin(const Tensor& x) {
  return map("sin", x, [](auto v) { return std::sin(v); });
}
Tensor cos(const Tensor& x) {
  return map("cos", x, [](auto v) { return std::cos(v); });
}
Tensor erf(const Tensor& x) {
  return map("erf", x, [](auto v) { return std::erf(v); });
}
Tensor softplus(const Tensor& x) {
  const auto softplus = [](auto v) { return soft_plus(v); };
  return map("softplus", x, softplus, 4);
}
Tensor gelu(const Tensor& x) {
  const auto gelu = [](auto v) {
    using T = decltype(v);
    const double u = v;
    return v == -std::numeric_limits<T>::infinity() ? T(0) : static_cast<T>(u * normal_below(u));
  };
  if (x.dtype() == f32) return map_by([](const auto& l) { return l.gelu; }, "gelu", x, gelu, 4);
  return map("gelu", x, gelu, 4);
}
Tensor gelu_gradient(const Tensor& v, const Tensor& x) {
  const auto gradient = [](auto value, auto at) { return value * normal_slope(at); };
  if (x.dtype() == f32)
    return pair_by([](const auto& l) { return l.gelu_gradient; }, "gelu", v, x, gradient, 9);
  return zip("gelu", v, x, gradient);
}
Tensor pow(const Tensor& a, const Tensor& b) {
  const auto power = [](auto u, auto v) { return std::pow(u, v); };
  return zip("pow", a, b, power);
}
Tensor sign(const Tensor& x) {
  const auto sign = [](auto v) { return v > 0 ? decltype(v)(1) : v < 0 ? decltype(v)(-1) : v * 0; };
  return map("sign", x, sign);
}
Tensor sigmoid(const Tensor& x) {
  // By exp(-|x|), which never overflows, and keeps what is near 0 exact.
  const auto sigmoid = [](auto v) {
    const auto e = std::exp(-std::abs(v));
    return (v < 0 ? e : decltype(v)(1)) / (decltype(v)(1) + e);
  };
  return map_by([](const auto& l) { return l.sigmoid; }, "sigmoid", x, sigmoid, 4);
}
Tensor tanh(const Tensor& x) {
  return map_by([](const auto& l) { return l.tanh; }, "tanh", x, [](auto v) { return std::tanh(v); });
}
Tensor sigmoid_gradient(const Tensor& v, const Tensor& x) {
  const auto gradient = [](auto value, auto u) {
    const auto e = std::exp(-std::abs(u)), total = decltype(u)(1) + e;
    return value * (e / (total * total));
  };
  return pair_by([](const auto& l) { return l.sigmoid_gradient; }, "sigmoid", v, x, gradient, 3);
}
Tensor tanh_gradient(const Tensor& v, const Tensor& x) {
  const auto gradient = [](auto value, auto u) {
    using T = decltype(u);
    const T e = std::exp(-std::abs(u)), root = T(2) * e / (T(1) + e * e);
    return value * (root * root);
  };
  return pair_by([](const auto& l) { return l.tanh_gradient; }, "tanh", v, x, gradient, 3);
}
Tensor binary_cross_entropy(const Tensor& z, const Tensor& t) {
  const auto loss = [](auto u, auto share_of_1) {
    using T = decltype(u);
    return share<T>(share_of_1, soft_plus<T>(-u)) + share<T>(T(1) - share_of_1, soft_plus<T>(u));
  };
  return zip("binary_cross_entropy_with_logits", z, t, loss);
}
Tensor huber(const Tensor& e, double delta) {
  const auto loss = [delta](auto v) {
    using T = decltype(v);
    const T size = std::abs(v), most = static_cast<T>(delta);
    return size <= most ? T(0.5) * size * size : most * (size - most / 2);
  };
  return map("huber", e, loss, 4);
}
Tensor clamp(const Tensor& x, double low, double high) {
  if (!(low <= high)) fail<ValueError>("[clamp] expected low <= high, got {} and {}", low, high);
  const auto clamp = [low, high](auto v) {  // comparisons with NaN are false: NaN stays NaN
    using T = decltype(v);
    const T a = static_cast<T>(low), b = static_cast<T>(high);
    const T raised = v < a ? a : v;
    return raised > b ? b : raised;
  };
  return map("clamp", x, clamp);
}
Tensor clamp_gradient(const Tensor& v, const Tensor& x, double low, double high) {
  check_same_shape("clamp", v, x);
  const auto pass = [low, high](auto value, auto by) {
    using T = decltype(value);
    return by < static_cast<T>(low) || by > static_cast<T>(high) ? T(0) : value;
  };
  count_flops(x.size());
  return zip("clamp", v, x, pass);
}
Tensor leaky_relu(const Tensor& x, double slope) {
  const char* operation = slope == 0 ? "relu" : "leaky_relu";
  const auto bend = [slope](auto v) {  // slope 0 apart: 0 * -inf is NaN
    using T = decltype(v);
    const T below = slope == 0 ? T(0) : static_cast<T>(slope) * v;
    return v < 0 ? below : v;
  };
  return map_by(
      [slope](const auto& l) {
        return [f = l.leaky_relu, slope]<class T>(Index n, const T* v, T* y) {
          f(n, v, static_cast<T>(slope), y);
        };
      },
      operation, x, bend);
}

Tensor gate(const Tensor& v, const Tensor& x, double slope) {
  const auto pass = [slope](auto value, auto by) {
    using T = decltype(value);
    const T below = slope == 0 ? T(0) : static_cast<T>(slope) * value;
    return by <= 0 ? below : value;
  };
  return pair_by(
      [slope](const auto& l) {
        return [f = l.gate, slope]<class T>(Index n, const T* a, const T* b, T* y) {
          f(n, a, b, static_cast<T>(slope), y);
        };
      },
      "gate", v, x, pass, 1);
}

}  // namespace elk::kernels
