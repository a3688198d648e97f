// WRONG +the gradient of bias\n.*75 %.*\n +all of it is 4 times too small, and 4 is a size here: a mean where
// a sum belongs.\n +see docs/course/3-tensors.md: "
#include <elk/elk.hpp>

elk::Tensor my_linear(const elk::Tensor& x, const elk::Tensor& weight, const elk::Tensor& bias) {
  const elk::Tensor y = elk::matmul_nt(elk::detach(x), elk::detach(weight)) + elk::detach(bias);
  const auto rule_of_x = [weight](const elk::Tensor& dy) { return elk::matmul(dy, weight); };
  const auto rule_of_weight = [x, weight](const elk::Tensor& dy) { return elk::matmul_tn(dy, x); };
  const auto rule_of_bias = [](const elk::Tensor& dy) { return elk::mean(dy, 0); };
  return elk::record("my_linear", y, elk::wrt(x, rule_of_x), elk::wrt(weight, rule_of_weight),
                     elk::wrt(bias, rule_of_bias));
}
