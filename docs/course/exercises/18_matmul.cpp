// The two rules of a matrix product (chapter 3)
//
// y = a b, with a (n, k) and b (k, m), so dy is (n, m). Each rule is a product of two of these three.
#include <elk/elk.hpp>

elk::Tensor my_matmul(const elk::Tensor& a, const elk::Tensor& b) {
  const elk::Tensor y = elk::matmul(elk::detach(a), elk::detach(b));
  const auto rule_of_a = [](const elk::Tensor& /*dy*/) { return elk::Tensor(); };  // TODO
  const auto rule_of_b = [](const elk::Tensor& /*dy*/) { return elk::Tensor(); };  // TODO
  return elk::record("my_matmul", y, elk::wrt(a, rule_of_a), elk::wrt(b, rule_of_b));
}
