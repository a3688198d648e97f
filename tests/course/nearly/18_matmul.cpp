// WRONG +the gradient of b\n +\[my_matmul\].*\n +it is the transpose of what it should be
#include <elk/elk.hpp>

elk::Tensor my_matmul(const elk::Tensor& a, const elk::Tensor& b) {
  const elk::Tensor y = elk::matmul(elk::detach(a), elk::detach(b));
  const auto rule_of_a = [b](const elk::Tensor& dy) { return elk::matmul_nt(dy, b); };
  const auto rule_of_b = [a](const elk::Tensor& dy) { return elk::matmul_tn(dy, a); };
  return elk::record("my_matmul", y, elk::wrt(a, rule_of_a), elk::wrt(b, rule_of_b));
}
