// The rule of a softmax (chapter 7)
//
// y = exp(x) / sum(exp(x)) over each row. The rule below is the rule of a sigmoid: it treats each y as a
// function of its own x only. But every x of a row moves every y.
#include <elk/elk.hpp>

elk::Tensor my_softmax(const elk::Tensor& x) {
  const elk::Tensor y = elk::softmax(elk::detach(x));
  const auto rule = [y](const elk::Tensor& dy) { return dy * y * (1 - y); };  // TODO
  return elk::record("my_softmax", y, elk::wrt(x, rule));
}
