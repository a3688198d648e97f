// expected: no match for|no viable overloaded operator
#include <elk/tensor/tensor.hpp>

elk::Tensor middle(const elk::Tensor& x) {
#ifdef MISTAKE
  return x[static_cast<double>(x.size(0)) / 2];
#else
  return x[x.size(0) / 2];
#endif
}
