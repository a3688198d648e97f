// WRONG +the gradient of a\n.*\n +the value is right, but no gradient comes to a
#include <elk/elk.hpp>

elk::Tensor my_product(const elk::Tensor& a, const elk::Tensor& b) {
  const elk::Tensor y = elk::detach(a) * elk::detach(b);
  const auto rule_of_a = [](const elk::Tensor& dy) { return 0 * dy; };
  const auto rule_of_b = [a](const elk::Tensor& dy) { return dy * a; };
  return elk::record("my_product", y, elk::wrt(a, rule_of_a), elk::wrt(b, rule_of_b));
}
