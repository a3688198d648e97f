// expected: x = where\(mask, y, x\)
#include <elk/ops/arithmetic.hpp>

elk::Tensor without_negative(elk::Tensor x) {
#ifdef MISTAKE
  x[x < 0] = elk::scalar(0);
#else
  x = elk::where(x < 0, 0, x);
#endif
  return x;
}
