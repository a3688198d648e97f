// WRONG +the gradient at 0
#include <elk/elk.hpp>

elk::Tensor my_relu(const elk::Tensor& x) {
  const elk::Tensor y = elk::maximum(elk::detach(x), 0);
  return elk::record("my_relu", y, elk::wrt(x, [x](const elk::Tensor& dy) {
                       return dy * elk::cast(elk::greater_equal(x, 0), dy.dtype());
                     }));
}
