#include <cmath>

#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/shape.hpp>

namespace elk {

namespace {

Tensor number(double value, const Tensor& like) {
  if (!is_float(like.dtype()) && value != std::trunc(value))
    fail<ValueError>("[number] {} beside a tensor of {} would be rounded: convert the tensor with cast",
                     value, like.dtype());
  return scalar(value, like.dtype());
}

// 1 where the comparison holds and 0 elsewhere, as a constant of a's dtype.
Tensor indicator(kernels::Comparison comparison, const Tensor& a, const Tensor& b) {
  return kernels::cast(kernels::compare(comparison, a, b), a.dtype());
}

}  // namespace

Tensor operator+(const Tensor& a, const Tensor& b) {
  return record("add", kernels::add(a, b),
                wrt(a, [s = a.shape()](const Tensor& dy) { return sum_to(dy, s); }),
                wrt(b, [s = b.shape()](const Tensor& dy) { return sum_to(dy, s); }));
}
Tensor operator+(const Tensor& a, double b) { return a + number(b, a); }
Tensor operator+(double a, const Tensor& b) { return number(a, b) + b; }

Tensor operator-(const Tensor& a, const Tensor& b) {
  return record("sub", kernels::sub(a, b),
                wrt(a, [s = a.shape()](const Tensor& dy) { return sum_to(dy, s); }),
                wrt(b, [s = b.shape()](const Tensor& dy) { return sum_to(-dy, s); }));
}
Tensor operator-(const Tensor& a, double b) { return a - number(b, a); }
Tensor operator-(double a, const Tensor& b) { return number(a, b) - b; }

Tensor operator*(const Tensor& a, const Tensor& b) {
  return record("mul", kernels::mul(a, b),
                wrt(a, [s = a.shape(), b](const Tensor& dy) { return sum_to(dy * b, s); }),
                wrt(b, [s = b.shape(), a](const Tensor& dy) { return sum_to(dy * a, s); }));
}
Tensor operator*(const Tensor& a, double b) { return a * number(b, a); }
Tensor operator*(double a, const Tensor& b) { return number(a, b) * b; }

Tensor operator/(const Tensor& a, const Tensor& b) {
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
  using enum kernels::Comparison;
  const auto rule = [](const Tensor& x, const Tensor& other) {
    return [s = x.shape(), x, other](const Tensor& dy) {
      const Tensor wins = kernels::add(indicator(greater, x, other), indicator(greater_equal, x, other));
      return sum_to(dy * (0.5 * wins), s);
    };
  };
  return record("maximum", kernels::maximum(a, b), wrt(a, rule(a, b)), wrt(b, rule(b, a)));
}
Tensor maximum(const Tensor& a, double b) { return maximum(a, number(b, a)); }

Tensor minimum(const Tensor& a, const Tensor& b) { return -maximum(-a, -b); }
Tensor minimum(const Tensor& a, double b) { return minimum(a, number(b, a)); }

Tensor pow(const Tensor& a, const Tensor& b) {
  const Tensor y = kernels::pow(a, b);
  return record(
      "pow", y,
      wrt(a, [s = a.shape(), a, b](const Tensor& dy) { return sum_to(dy * (b * pow(a, b - 1)), s); }),
      wrt(b, [s = b.shape(), a, y](const Tensor& dy) {
        // Where a is 0 the derivative is 0, and not 0 * log(0).
        const Tensor zero = equal(a, 0);
        return sum_to(dy * (y * log(where(zero, number(1, a), a))), s);
      }));
}
Tensor pow(const Tensor& a, double b) {
  // The derivative of a constant is 0 also at 0, where b * pow(a, b - 1) is 0 times infinity.
  if (b == 0) return ones(a.shape(), a.dtype());
  return record("pow", kernels::pow(a, number(b, a)),
                wrt(a, [a, b](const Tensor& dy) { return dy * (b * pow(a, b - 1)); }));
}

Tensor clamp(const Tensor& x, double low, double high) {
  const Tensor y = kernels::clamp(x, low, high);
  return record("clamp", y, wrt(x, [x, y](const Tensor& dy) {  // y differs from x exactly where x was outside
                  return dy * indicator(kernels::Comparison::equal, x, y);
                }));
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  return record("where", kernels::where(condition, a, b),
                wrt(a, [s = a.shape(), condition](
                           const Tensor& dy) { return sum_to(where(condition, dy, number(0, dy)), s); }),
                wrt(b, [s = b.shape(), condition](const Tensor& dy) {
                  return sum_to(where(condition, number(0, dy), dy), s);
                }));
}

Tensor equal(const Tensor& a, const Tensor& b) { return kernels::compare(kernels::Comparison::equal, a, b); }
Tensor not_equal(const Tensor& a, const Tensor& b) {
  return kernels::compare(kernels::Comparison::not_equal, a, b);
}
Tensor less(const Tensor& a, const Tensor& b) { return kernels::compare(kernels::Comparison::less, a, b); }
Tensor less_equal(const Tensor& a, const Tensor& b) {
  return kernels::compare(kernels::Comparison::less_equal, a, b);
}
Tensor greater(const Tensor& a, const Tensor& b) {
  return kernels::compare(kernels::Comparison::greater, a, b);
}
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  return kernels::compare(kernels::Comparison::greater_equal, a, b);
}
Tensor equal(const Tensor& a, double b) { return equal(a, number(b, a)); }
Tensor not_equal(const Tensor& a, double b) { return not_equal(a, number(b, a)); }
Tensor less(const Tensor& a, double b) { return less(a, number(b, a)); }
Tensor less_equal(const Tensor& a, double b) { return less_equal(a, number(b, a)); }
Tensor greater(const Tensor& a, double b) { return greater(a, number(b, a)); }
Tensor greater_equal(const Tensor& a, double b) { return greater_equal(a, number(b, a)); }

}  // namespace elk
