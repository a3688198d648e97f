#include <elk/elk.hpp>

elk::Tensor my_sigmoid(const elk::Tensor& x) {
  const elk::Tensor y = 1 / (1 + elk::exp(-elk::detach(x)));
  return elk::record("my_sigmoid", y, elk::wrt(x, [y](const elk::Tensor& dy) { return dy * y * (1 - y); }));
}
