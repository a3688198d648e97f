// right +the gradient of a\n.*WRONG +the gradient of b\n.*\n +all of it is exactly -1 times what it should
// be: a sign is wrong.\n +see docs/course/1-derivative.md: "
#include <elk/elk.hpp>

elk::Tensor my_product(const elk::Tensor& a, const elk::Tensor& b) {
  const elk::Tensor y = elk::detach(a) * elk::detach(b);
  const auto rule_of_a = [b](const elk::Tensor& dy) { return dy * b; };
  const auto rule_of_b = [a](const elk::Tensor& dy) { return -dy * a; };
  return elk::record("my_product", y, elk::wrt(a, rule_of_a), elk::wrt(b, rule_of_b));
}
