// expected: a tensor never changes, and x\[i\] is a tensor of its own
#include <elk/ops/index.hpp>

elk::Tensor changed(elk::Tensor x, const elk::Tensor& row) {
#ifdef MISTAKE
  x[0] = row;
#else
  x = elk::index_put(x, {0}, row);
#endif
  return x;
}
