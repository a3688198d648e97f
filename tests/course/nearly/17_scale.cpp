// right +the gradient of x\n +WRONG +the gradient of s\n.*\n +all of it is 3 times too small, and 3 is a size
// here: a mean where a sum belongs
#include <elk/elk.hpp>

elk::Tensor my_scale(const elk::Tensor& x, const elk::Tensor& s) {
  const elk::Tensor y = elk::detach(x) * elk::detach(s);
  const auto rule_of_x = [s](const elk::Tensor& dy) { return dy * s; };
  const auto rule_of_s = [x](const elk::Tensor& dy) { return elk::mean(dy * x, 1, true); };
  return elk::record("my_scale", y, elk::wrt(x, rule_of_x), elk::wrt(s, rule_of_s));
}
