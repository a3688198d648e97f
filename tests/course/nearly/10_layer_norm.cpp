// right +the gradient of x\n +WRONG +the gradient's own derivative
#include <elk/elk.hpp>

elk::Tensor deviation(const elk::Tensor& x) { return elk::sqrt(elk::var(x, 1, true) + 1e-5); }  // (N, 1)

elk::Tensor my_layer_norm(const elk::Tensor& x) {
  const elk::Tensor constant = elk::detach(x);
  const elk::Tensor y = (constant - elk::mean(constant, 1, true)) / deviation(constant);
  return elk::record("my_layer_norm", y, elk::wrt(x, [x, y](const elk::Tensor& dy) {
                       const elk::Tensor of_mean = elk::mean(dy, 1, true);
                       const elk::Tensor of_deviation = y * elk::mean(dy * y, 1, true);
                       return (dy - of_mean - of_deviation) / deviation(elk::detach(x));
                     }));
}
