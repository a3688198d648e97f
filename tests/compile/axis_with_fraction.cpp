// expected: an axis is an integer: the larger of each pair is maximum\(x, 0\.0\)
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/reduce.hpp>

elk::Tensor hinge(const elk::Tensor& margin) {
#ifdef MISTAKE
  return elk::mean(elk::max(1 - margin, 0.0));
#else
  return elk::mean(elk::maximum(1 - margin, 0.0));
#endif
}
