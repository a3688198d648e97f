// expected: could not convert|is not contextually convertible
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/reduce.hpp>

bool positive(const elk::Tensor& x) {
#ifdef MISTAKE
  if (x > 0) return true;
  return false;
#else
  return elk::sum(x > 0).item() == static_cast<double>(x.size());
#endif
}
