#include <elk/elk.hpp>
#include <vector>

elk::Tensor my_convolution(const elk::Tensor& x, const elk::Tensor& w) {
  const elk::Index k = w.size(0), m = x.size(0) - k + 1;
  elk::Tensor y = elk::zeros({m}, elk::f64);
  for (elk::Index j = 0; j < k; ++j)
    y = y + elk::slice(elk::detach(w), 0, j, j + 1) * elk::slice(elk::detach(x), 0, j, j + m);
  const auto rule_of_x = [w, k, m](const elk::Tensor& dy) {
    const elk::Tensor none = elk::zeros({k - 1}, elk::f64), wide = elk::concat({none, dy, none});
    elk::Tensor dx = elk::zeros({m + k - 1}, elk::f64);
    for (elk::Index j = 0; j < k; ++j)
      dx = dx + elk::slice(w, 0, j, j + 1) * elk::slice(wide, 0, k - 1 - j, m + 2 * (k - 1) - j);
    return dx;
  };
  const auto rule_of_w = [x, k, m](const elk::Tensor& dy) {
    std::vector<elk::Tensor> dw;
    for (elk::Index j = 0; j < k; ++j) dw.push_back(elk::sum(dy * elk::slice(x, 0, j, j + m), 0, true));
    return elk::concat(dw);
  };
  return elk::record("my_convolution", y, elk::wrt(x, rule_of_x), elk::wrt(w, rule_of_w));
}
