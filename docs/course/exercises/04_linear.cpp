// The three rules of a linear layer (chapter 3)
//
// y = x weightᵀ + bias: x (N, in), weight (out, in), bias (out), y and dy (N, out). Each rule returns a
// gradient of its input's shape; an undefined tensor, as below, means zeros.
#include <elk/elk.hpp>

elk::Tensor my_linear(const elk::Tensor& x, const elk::Tensor& weight, const elk::Tensor& bias) {
  const elk::Tensor y = elk::matmul_nt(elk::detach(x), elk::detach(weight)) + elk::detach(bias);
  const auto rule_of_x = [](const elk::Tensor& /*dy*/) { return elk::Tensor(); };       // TODO
  const auto rule_of_weight = [](const elk::Tensor& /*dy*/) { return elk::Tensor(); };  // TODO
  const auto rule_of_bias = [](const elk::Tensor& /*dy*/) { return elk::Tensor(); };    // TODO
  return elk::record("my_linear", y, elk::wrt(x, rule_of_x), elk::wrt(weight, rule_of_weight),
                     elk::wrt(bias, rule_of_bias));
}
