// expected: an axis is an integer: softmax\(x / temperature, -1\)
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>

elk::Tensor sharper(const elk::Tensor& logits) {
#ifdef MISTAKE
  return elk::softmax(logits, 0.5);
#else
  return elk::softmax(logits / 0.5);
#endif
}
