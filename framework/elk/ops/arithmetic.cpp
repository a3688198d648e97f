#include <cmath>

#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/shape.hpp>

namespace elk {

namespace {

// A plain number beside a tensor, in its dtype.
Tensor number(double value, const Tensor& like) { return scalar(value, like.dtype()); }

// 1 where both of two results of comparisons are.
Tensor both(const Tensor& a, const Tensor& b) { return kernels::where(a, b, zeros({}, u8)); }

// 1 where the comparison holds and 0 elsewhere, as a constant of a's dtype.
Tensor indicator(kernels::Comparison comparison, const Tensor& a, const Tensor& b) {
  return kernels::cast(kernels::compare(comparison, a, b), a.dtype());
}

// Whether one operand gives way to the other's dtype.
bool mixed(const Tensor& a, const Tensor& b) {
  return a.dtype() != b.dtype() && !(is_float(a.dtype()) && is_float(b.dtype()));
}

// `a` as it stands beside b, when they are mixed.
Tensor beside(const Tensor& a, const Tensor& b) {
  const bool gives_way = a.dtype() == u8 || (a.dtype() == i64 && is_float(b.dtype()));
  return gives_way ? kernels::cast(a, b.dtype()) : a;
}

Tensor compared(kernels::Comparison comparison, const Tensor& a, const Tensor& b) {
  if (mixed(a, b)) return kernels::compare(comparison, beside(a, b), beside(b, a));
  return kernels::compare(comparison, a, b);
}

Tensor truth(const Tensor& x) { return compared(kernels::Comparison::not_equal, x, number(0, x)); }

}  // namespace

Tensor operator+(const Tensor& a, const Tensor& b) {
  if (mixed(a, b)) return beside(a, b) + beside(b, a);
  return record("add", kernels::add(a, b),
                wrt(a, [s = a.shape()](const Tensor& dy) { return sum_to(dy, s); }),
                wrt(b, [s = b.shape()](const Tensor& dy) { return sum_to(dy, s); }));
}
Tensor operator+(const Tensor& a, double b) { return a + number(b, a); }
Tensor operator+(double a, const Tensor& b) { return number(a, b) + b; }

Tensor operator-(const Tensor& a, const Tensor& b) {
  if (mixed(a, b)) return beside(a, b) - beside(b, a);
  return record("sub", kernels::sub(a, b),
                wrt(a, [s = a.shape()](const Tensor& dy) { return sum_to(dy, s); }),
                wrt(b, [s = b.shape()](const Tensor& dy) { return sum_to(-dy, s); }));
}
Tensor operator-(const Tensor& a, double b) { return a - number(b, a); }
Tensor operator-(double a, const Tensor& b) { return number(a, b) - b; }

Tensor operator*(const Tensor& a, const Tensor& b) {
  if (mixed(a, b)) return beside(a, b) * beside(b, a);
  return record("mul", kernels::mul(a, b),
                wrt(a, [s = a.shape(), b](const Tensor& dy) { return sum_to(dy * b, s); }),
                wrt(b, [s = b.shape(), a](const Tensor& dy) { return sum_to(dy * a, s); }));
}
Tensor operator*(const Tensor& a, double b) { return a * number(b, a); }
Tensor operator*(double a, const Tensor& b) { return number(a, b) * b; }

Tensor operator/(const Tensor& a, const Tensor& b) {
  if (mixed(a, b)) return beside(a, b) / beside(b, a);
  const Tensor y = kernels::div(a, b);
  return record("div", y, wrt(a, [s = a.shape(), b](const Tensor& dy) { return sum_to(dy / b, s); }),
                wrt(b, [s = b.shape(), b, y](const Tensor& dy) { return sum_to(-dy * y / b, s); }));
}
Tensor operator/(const Tensor& a, double b) { return a / number(b, a); }
Tensor operator/(double a, const Tensor& b) { return number(a, b) / b; }

Tensor neg(const Tensor& x) {
  return record("neg", kernels::neg(x), wrt(x, [](const Tensor& dy) { return -dy; }));
}

Tensor maximum(const Tensor& a, const Tensor& b) {
  if (mixed(a, b)) return maximum(beside(a, b), beside(b, a));
  if (!is_float(a.dtype())) return where(greater(a, b), a, b);
  using enum kernels::Comparison;
  const auto rule = [](const Tensor& x, const Tensor& other) {
    return [s = x.shape(), x, other](const Tensor& dy) {
      // 2 where x is the larger, 1 where they are equal, and 2 where one is NaN, which so goes on.
      const Tensor two = scalar(2, x.dtype());
      const Tensor wins =
          kernels::sub(two, kernels::add(indicator(less, x, other), indicator(less_equal, x, other)));
      return sum_to(dy * (0.5 * wins), s);
    };
  };
  return record("maximum", kernels::maximum(a, b), wrt(a, rule(a, b)), wrt(b, rule(b, a)));
}
Tensor maximum(const Tensor& a, double b) { return maximum(a, number(b, a)); }
Tensor maximum(double a, const Tensor& b) { return maximum(number(a, b), b); }

Tensor minimum(const Tensor& a, const Tensor& b) {
  if (mixed(a, b)) return minimum(beside(a, b), beside(b, a));
  if (!is_float(a.dtype())) return where(less(a, b), a, b);
  return -maximum(-a, -b);
}
Tensor minimum(const Tensor& a, double b) { return minimum(a, number(b, a)); }
Tensor minimum(double a, const Tensor& b) { return minimum(number(a, b), b); }

Tensor pow(const Tensor& a, const Tensor& b) {
  if (mixed(a, b)) return pow(beside(a, b), beside(b, a));
  const Tensor y = kernels::pow(a, b);
  return record("pow", y,
                wrt(a,
                    [s = a.shape(), a, b](const Tensor& dy) {
                      // The derivative of the constant 1 is 0 also at 0, and not 0 * pow(0, -1).
                      const Tensor inverse = kernels::abs(kernels::div(number(1, a), a));
                      const Tensor base = where(both(equal(b, 0), equal(inverse, INFINITY)), number(1, a), a);
                      return sum_to(dy * (b * pow(base, b - 1)), s);
                    }),
                wrt(b, [s = b.shape(), a, b, y](const Tensor& dy) {
                  // Where a is 0 and stays it with b, the derivative is 0, and not 0 * log(0); and of
                  // infinity likewise.
                  const Tensor zero = both(equal(a, 0), greater_equal(b, 0)),
                               end = both(equal(a, INFINITY), less(b, 0));
                  return sum_to(dy * (y * log(where(zero, number(1, a), where(end, number(1, a), a)))), s);
                }));
}
Tensor pow(const Tensor& a, double b) {
  // The derivative of a constant is 0 also at 0, where b * pow(a, b - 1) is 0 times infinity.
  if (b == 0)
    return record("pow", ones(a.shape(), a.dtype()),
                  wrt(a, [](const Tensor& dy) { return zeros(dy.shape(), dy.dtype()); }));
  return record("pow", kernels::pow(a, number(b, a)),
                wrt(a, [a, b](const Tensor& dy) { return dy * (b * pow(a, b - 1)); }));
}
Tensor pow(double a, const Tensor& b) { return pow(number(a, b), b); }

namespace {

// dy where x is inside or NaN, 0 elsewhere: linear in dy, so it is its own rule.
Tensor clamp_gradient(const Tensor& dy, const Tensor& x, double low, double high) {
  return record("clamp_gradient", kernels::clamp_gradient(dy, x, low, high),
                wrt(dy, [=](const Tensor& ddy) { return clamp_gradient(ddy, x, low, high); }));
}

}  // namespace

Tensor clamp(const Tensor& x, double low, double high) {
  return record("clamp", kernels::clamp(x, low, high),
                wrt(x, [=](const Tensor& dy) { return clamp_gradient(dy, x, low, high); }));
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  if (mixed(a, b)) return where(condition, beside(a, b), beside(b, a));
  return record("where", kernels::where(condition, a, b),
                wrt(a, [s = a.shape(), condition](
                           const Tensor& dy) { return sum_to(where(condition, dy, number(0, dy)), s); }),
                wrt(b, [s = b.shape(), condition](const Tensor& dy) {
                  return sum_to(where(condition, number(0, dy), dy), s);
                }));
}

Tensor where(const Tensor& condition, const Tensor& a, double b) { return where(condition, a, number(b, a)); }
Tensor where(const Tensor& condition, double a, const Tensor& b) { return where(condition, number(a, b), b); }
Tensor where(const Tensor& condition, double a, double b, DType dtype) {
  return where(condition, scalar(a, dtype), scalar(b, dtype));
}

Tensor equal(const Tensor& a, const Tensor& b) { return compared(kernels::Comparison::equal, a, b); }
Tensor not_equal(const Tensor& a, const Tensor& b) { return compared(kernels::Comparison::not_equal, a, b); }
Tensor less(const Tensor& a, const Tensor& b) { return compared(kernels::Comparison::less, a, b); }
Tensor less_equal(const Tensor& a, const Tensor& b) {
  return compared(kernels::Comparison::less_equal, a, b);
}
Tensor greater(const Tensor& a, const Tensor& b) { return compared(kernels::Comparison::greater, a, b); }
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  return compared(kernels::Comparison::greater_equal, a, b);
}
Tensor equal(const Tensor& a, double b) { return equal(a, number(b, a)); }
Tensor not_equal(const Tensor& a, double b) { return not_equal(a, number(b, a)); }
Tensor less(const Tensor& a, double b) { return less(a, number(b, a)); }
Tensor less_equal(const Tensor& a, double b) { return less_equal(a, number(b, a)); }
Tensor greater(const Tensor& a, double b) { return greater(a, number(b, a)); }
Tensor greater_equal(const Tensor& a, double b) { return greater_equal(a, number(b, a)); }

Tensor logical_and(const Tensor& a, const Tensor& b) { return both(truth(a), truth(b)); }
Tensor logical_or(const Tensor& a, const Tensor& b) {
  return kernels::where(truth(a), ones({}, u8), truth(b));
}
Tensor logical_not(const Tensor& x) { return compared(kernels::Comparison::equal, x, number(0, x)); }

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  const Tensor u = kernels::cast(a, f64), v = kernels::cast(b, f64);
  const Tensor distance = kernels::abs(kernels::sub(u, v));
  const Tensor allowed = kernels::add(scalar(atol, f64), kernels::mul(scalar(rtol, f64), kernels::abs(v)));
  // An infinity is far from everything else, although what it allows is infinite.
  const Tensor near = both(distance <= allowed, distance < INFINITY);
  Tensor close = logical_or(near, equal(u, v));
  if (equal_nan) close = logical_or(close, both(not_equal(u, u), not_equal(v, v)));
  return kernels::sum(close, Axes::all(), false).item() == static_cast<double>(close.size());
}

}  // namespace elk
