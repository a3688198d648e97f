// expected: an axis is an integer: .*sort\(x, -1, true\)
#include <elk/ops/search.hpp>

elk::Tensor largest_first(const elk::Tensor& x) {
#ifdef MISTAKE
  return elk::sort(x, true).values;
#else
  return elk::sort(x, -1, true).values;
#endif
}
