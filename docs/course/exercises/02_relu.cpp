// The rule of a ReLU (chapter 2)
//
// y = max(x, 0). The rule below is the rule of y = x. Where x is exactly 0, use 0 as the derivative.
#include <elk/elk.hpp>

elk::Tensor my_relu(const elk::Tensor& x) {
  const elk::Tensor y = elk::maximum(elk::detach(x), 0);
  return elk::record("my_relu", y, elk::wrt(x, [](const elk::Tensor& dy) { return dy; }));  // TODO
}
