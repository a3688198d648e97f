#include <elk/kernels/views.hpp>
// (the line above must come first)
#include <atomic>
#include <cmath>
#include <limits>

#include <elk/kernels/kernels.hpp>
#include <elk/kernels/loops/loops.hpp>
#include <elk/kernels/zip.hpp>

namespace elk::kernels {

namespace {

std::atomic<bool> reference_only{false};

// y = f(x), where f maps an xtensor expression to an expression of the same element type.
template <class F>
Tensor map(const char* operation, const Tensor& x, F f, std::int64_t flops_each = 1) {
  return for_float(operation, x.dtype(), [&]<class T>() {
    Tensor y = empty(x.shape(), x.dtype());
    xt::noalias(flat_out<T>(y)) = f(flat<T>(x));
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

}  // namespace

void set_reference(bool on) { reference_only = on; }
bool reference() { return reference_only.load(std::memory_order_relaxed); }

Tensor add(const Tensor& a, const Tensor& b) {
  return zip("add", a, b, [](const auto& u, const auto& v) { return u + v; });
}
Tensor sub(const Tensor& a, const Tensor& b) {
  return zip("sub", a, b, [](const auto& u, const auto& v) { return u - v; });
}
Tensor mul(const Tensor& a, const Tensor& b) {
  return zip("mul", a, b, [](const auto& u, const auto& v) { return u * v; });
}
Tensor div(const Tensor& a, const Tensor& b) {
  return zip("div", a, b, [](const auto& u, const auto& v) { return u / v; });
}
Tensor maximum(const Tensor& a, const Tensor& b) {
  // Not xt::maximum, which drops NaN.
  const auto larger = [](auto u, auto v) { return (u > v || u != u) ? u : v; };
  return zip("maximum", a, b,
             [&](const auto& u, const auto& v) { return xt::make_lambda_xfunction(larger, u, v); });
}

Tensor neg(const Tensor& x) {
  return map("neg", x, [](const auto& v) { return -v; });
}
Tensor square(const Tensor& x) {
  return map("square", x, [](const auto& v) { return v * v; });
}
Tensor sqrt(const Tensor& x) {
  return map("sqrt", x, [](const auto& v) { return xt::sqrt(v); });
}
Tensor exp(const Tensor& x) {
  return map_by(
      [](const auto& l) { return [f = l.exp]<class T>(Index n, const T* v, T* y) { f(n, v, T(0), y); }; },
      "exp", x, [](const auto& v) { return xt::exp(v); });
}
Tensor log(const Tensor& x) {
  return map("log", x, [](const auto& v) { return xt::log(v); });
}
Tensor abs(const Tensor& x) {
  return map("abs", x, [](const auto& v) { return xt::abs(v); });
}
Tensor log1p(const Tensor& x) {
  return map("log1p", x, [](const auto& v) { return xt::log1p(v); });
}
Tensor expm1(const Tensor& x) {
  return map("expm1", x, [](const auto& v) { return xt::expm1(v); });
}
Tensor sin(const Tensor& x) {
  return map("sin", x, [](const auto& v) { return xt::sin(v); });
}
Tensor cos(const Tensor& x) {
  return map("cos", x, [](const auto& v) { return xt::cos(v); });
}
Tensor erf(const Tensor& x) {
  return map("erf", x, [](const auto& v) { return xt::erf(v); });
}
Tensor softplus(const Tensor& x) {
  // Of the negative absolute value, so that no exponential overflows.
  const auto softplus = [](auto v) { return (v > 0 ? v : v * 0) + std::log1p(std::exp(v > 0 ? -v : v)); };
  return map(
      "softplus", x, [&](const auto& v) { return xt::make_lambda_xfunction(softplus, v); }, 4);
}
Tensor gelu(const Tensor& x) {
  const auto gelu = [](auto v) {
    using T = decltype(v);
    constexpr T root_half = T(0.70710678118654752440);
    // erfc, because 1 + erf loses the digits of the lower tail; and -infinity times its 0 is the right 0.
    return v == -std::numeric_limits<T>::infinity() ? T(0) : T(0.5) * v * std::erfc(-v * root_half);
  };
  return map(
      "gelu", x, [&](const auto& v) { return xt::make_lambda_xfunction(gelu, v); }, 4);
}
Tensor pow(const Tensor& a, const Tensor& b) {
  const auto power = [](auto u, auto v) { return std::pow(u, v); };
  return zip("pow", a, b,
             [&](const auto& u, const auto& v) { return xt::make_lambda_xfunction(power, u, v); });
}
Tensor sign(const Tensor& x) {
  const auto sign = [](auto v) { return v > 0 ? decltype(v)(1) : v < 0 ? decltype(v)(-1) : v * 0; };
  return map("sign", x, [&](const auto& v) { return xt::make_lambda_xfunction(sign, v); });
}
Tensor sigmoid(const Tensor& x) {
  // For large negative x the exponential overflows to infinity, and the quotient is the right 0.
  const auto sigmoid = [](auto v) { return decltype(v)(1) / (decltype(v)(1) + std::exp(-v)); };
  return map_by([](const auto& l) { return l.sigmoid; }, "sigmoid", x,
                [&](const auto& v) { return xt::make_lambda_xfunction(sigmoid, v); }, 4);
}
Tensor tanh(const Tensor& x) {
  return map_by([](const auto& l) { return l.tanh; }, "tanh", x, [](const auto& v) { return xt::tanh(v); });
}
Tensor clamp(const Tensor& x, double low, double high) {
  if (!(low <= high)) fail<ValueError>("[clamp] expected low <= high, got {} and {}", low, high);
  const auto clamp = [low, high](auto v) {  // comparisons with NaN are false: NaN stays NaN
    using T = decltype(v);
    const T a = static_cast<T>(low), b = static_cast<T>(high);
    const T raised = v < a ? a : v;
    return raised > b ? b : raised;
  };
  return map("clamp", x, [&](const auto& v) { return xt::make_lambda_xfunction(clamp, v); });
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
      operation, x, [&](const auto& v) { return xt::make_lambda_xfunction(bend, v); });
}

Tensor gate(const Tensor& v, const Tensor& x, double slope) {
  check_same_dtype("gate", v, x);
  check_same_shape("gate", v, x);
  if (!reference())
    return for_float("gate", x.dtype(), [&]<class T>() {
      Tensor y = empty(x.shape(), x.dtype());
      loops<T>().gate(x.size(), readable<T>(v), readable<T>(x), static_cast<T>(slope), writable<T>(y));
      count_flops(x.size());
      return y;
    });
  const auto pass = [slope](auto value, auto by) {
    using T = decltype(value);
    const T below = slope == 0 ? T(0) : static_cast<T>(slope) * value;
    return by > 0 ? value : below;
  };
  return zip("gate", v, x,
             [&](const auto& a, const auto& b) { return xt::make_lambda_xfunction(pass, a, b); });
}

}  // namespace elk::kernels
