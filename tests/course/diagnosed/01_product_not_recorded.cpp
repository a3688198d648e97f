// right +the value\n +WRONG +the gradient of a\n +the value is right, but no gradient comes to a.\n +see
// docs/course/1-derivative.md
#include <elk/elk.hpp>

elk::Tensor my_product(const elk::Tensor& a, const elk::Tensor& b) { return elk::detach(a) * elk::detach(b); }
