// expected: elk::from takes vectors of float, double, bool or integers
#include <elk/tensor/tensor.hpp>

#ifdef MISTAKE
using Number = long double;
#else
using Number = int;
#endif

elk::Tensor copy(const std::vector<Number>& values) { return elk::from(values, {values.size() / 3, 3}); }
