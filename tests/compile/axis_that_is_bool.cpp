// expected: keep_dims comes after the axes
#include <elk/ops/reduce.hpp>

elk::Tensor total(const elk::Tensor& x) {
#ifdef MISTAKE
  return elk::sum(x, true);
#else
  return elk::sum(x, elk::Axes::all(), true);
#endif
}
