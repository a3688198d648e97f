// WRONG +the gradient of a\n +numerically it is right, but only to some digits, and a rule gives all: is it a
// finite difference
#include <elk/elk.hpp>

elk::Tensor my_product(const elk::Tensor& a, const elk::Tensor& b) {
  const elk::Tensor y = elk::detach(a) * elk::detach(b);
  const auto rule_of_a = [a, b](const elk::Tensor& dy) {
    const double h = 1e-5;
    return dy * ((a + h) * b - (a - h) * b) / (2 * h);
  };
  const auto rule_of_b = [a](const elk::Tensor& dy) { return dy * a; };
  return elk::record("my_product", y, elk::wrt(a, rule_of_a), elk::wrt(b, rule_of_b));
}
