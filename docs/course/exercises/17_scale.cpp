// A factor that is stretched over columns (chapter 3)
//
// y = x s, with x (N, n) and a factor for each row, s (N, 1). The rule of x is right. The rule of s returns
// the wrong shape.
#include <elk/elk.hpp>

elk::Tensor my_scale(const elk::Tensor& x, const elk::Tensor& s) {
  const elk::Tensor y = elk::detach(x) * elk::detach(s);
  const auto rule_of_x = [s](const elk::Tensor& dy) { return dy * s; };
  const auto rule_of_s = [x](const elk::Tensor& dy) { return dy * x; };  // TODO
  return elk::record("my_scale", y, elk::wrt(x, rule_of_x), elk::wrt(s, rule_of_s));
}
