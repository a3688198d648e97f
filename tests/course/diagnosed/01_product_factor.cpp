// WRONG +the gradient of b\n.*\n +all of it is 3 times what it should be: a constant factor is wrong
#include <elk/elk.hpp>

elk::Tensor my_product(const elk::Tensor& a, const elk::Tensor& b) {
  const elk::Tensor y = elk::detach(a) * elk::detach(b);
  const auto rule_of_a = [b](const elk::Tensor& dy) { return dy * b; };
  const auto rule_of_b = [a](const elk::Tensor& dy) { return 3 * dy * a; };
  return elk::record("my_product", y, elk::wrt(a, rule_of_a), elk::wrt(b, rule_of_b));
}
