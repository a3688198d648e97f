// WRONG +the gradient of x\n.*\n +all of it is exactly -1 times
#include <elk/elk.hpp>

elk::Tensor my_softmax(const elk::Tensor& x) {
  const elk::Tensor y = elk::softmax(elk::detach(x));
  const auto rule = [y](const elk::Tensor& dy) { return y * (elk::sum(dy * y, 1, true) - dy); };
  return elk::record("my_softmax", y, elk::wrt(x, rule));
}
