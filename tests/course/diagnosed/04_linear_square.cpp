// WRONG +the gradient of weight\n +\[reshape\].*\n +for square matrices, as \(3, 3\), it is right: it takes
// one size for another
#include <elk/elk.hpp>

elk::Tensor my_linear(const elk::Tensor& x, const elk::Tensor& weight, const elk::Tensor& bias) {
  const elk::Tensor y = elk::matmul_nt(elk::detach(x), elk::detach(weight)) + elk::detach(bias);
  const auto rule_of_x = [weight](const elk::Tensor& dy) { return elk::matmul(dy, weight); };
  const auto rule_of_weight = [x, weight](const elk::Tensor& dy) {
    return elk::reshape(elk::matmul_tn(dy, x), {weight.size(1), weight.size(1)});
  };
  const auto rule_of_bias = [](const elk::Tensor& dy) { return elk::sum(dy, 0); };
  return elk::record("my_linear", y, elk::wrt(x, rule_of_x), elk::wrt(weight, rule_of_weight),
                     elk::wrt(bias, rule_of_bias));
}
