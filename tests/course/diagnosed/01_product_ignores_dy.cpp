// WRONG +the gradient of a\n.*\n +the rule of a ignores dy: it gives the same whatever arrives
#include <elk/elk.hpp>

elk::Tensor my_product(const elk::Tensor& a, const elk::Tensor& b) {
  const elk::Tensor y = elk::detach(a) * elk::detach(b);
  const auto rule_of_a = [b](const elk::Tensor&) { return b; };
  const auto rule_of_b = [a](const elk::Tensor& dy) { return dy * a; };
  return elk::record("my_product", y, elk::wrt(a, rule_of_a), elk::wrt(b, rule_of_b));
}
