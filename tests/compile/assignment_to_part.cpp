// expected: x = index_put\(x, {i, range\(1, 3\)}, y\)
#include <elk/ops/index.hpp>

elk::Tensor changed(elk::Tensor x) {
#ifdef MISTAKE
  x(elk::all(), elk::range(1, 3)) = 0;
#else
  x = elk::index_put(x, {elk::all(), elk::range(1, 3)}, 0);
#endif
  return x;
}
