// The rules of a convolution (chapter 7)
//
// In one dimension: y_i = Σ_j w_j x_(i+j), with x (n), w (k) and y (n - k + 1). Each w is used at every
// position, each x at up to k positions. Below, no gradient flows.
#include <elk/elk.hpp>
#include <vector>

elk::Tensor my_convolution(const elk::Tensor& x, const elk::Tensor& w) {
  const elk::Index k = w.size(0), m = x.size(0) - k + 1;
  elk::Tensor y = elk::zeros({m}, elk::f64);
  for (elk::Index j = 0; j < k; ++j)
    y = y + elk::slice(elk::detach(w), 0, j, j + 1) * elk::slice(elk::detach(x), 0, j, j + m);
  const auto rule_of_x = [](const elk::Tensor& /*dy*/) { return elk::Tensor(); };  // TODO
  const auto rule_of_w = [](const elk::Tensor& /*dy*/) { return elk::Tensor(); };  // TODO
  return elk::record("my_convolution", y, elk::wrt(x, rule_of_x), elk::wrt(w, rule_of_w));
}
