// The rule of a layer norm (chapter 7)
//
// y = (x - mean) / deviation, with the mean and the standard deviation of each row of x (N, n). The rule
// below treats both as constants. They are not: each depends on every element of the row.
#include <elk/elk.hpp>

elk::Tensor deviation(const elk::Tensor& x) { return elk::sqrt(elk::var(x, 1, true) + 1e-5); }  // (N, 1)

elk::Tensor my_layer_norm(const elk::Tensor& x) {
  const elk::Tensor constant = elk::detach(x);
  const elk::Tensor y = (constant - elk::mean(constant, 1, true)) / deviation(constant);
  return elk::record("my_layer_norm", y, elk::wrt(x, [x](const elk::Tensor& dy) {
                       return dy / deviation(x);  // TODO
                     }));
}
