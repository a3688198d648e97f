// right +the gradient of weight\n +WRONG +the gradient of bias\n +at \[[0-9]\] of bias \(3\): your rule gives
// [-0-9.]+, finite differences give [-0-9.]+. off by [0-9.]+ \([0-9.]+ %\)
#include <elk/elk.hpp>

elk::Tensor my_linear(const elk::Tensor& x, const elk::Tensor& weight, const elk::Tensor& bias) {
  const elk::Tensor y = elk::matmul_nt(elk::detach(x), elk::detach(weight)) + elk::detach(bias);
  const auto rule_of_x = [weight](const elk::Tensor& dy) { return elk::matmul(dy, weight); };
  const auto rule_of_weight = [x](const elk::Tensor& dy) { return elk::matmul_tn(dy, x); };
  const auto rule_of_bias = [](const elk::Tensor& dy) { return elk::mean(dy, 0); };
  return elk::record("my_linear", y, elk::wrt(x, rule_of_x), elk::wrt(weight, rule_of_weight),
                     elk::wrt(bias, rule_of_bias));
}
