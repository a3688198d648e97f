#include <elk/elk.hpp>

elk::Tensor my_squared_error(const elk::Tensor& logits, const elk::Tensor& targets) {
  const auto n = static_cast<double>(logits.size(0));
  const elk::Tensor loss = elk::sum(elk::square(elk::softmax(elk::detach(logits)) - targets)) / n;
  return elk::record("my_squared_error", loss, elk::wrt(logits, [logits, targets, n](const elk::Tensor& dy) {
                       const elk::Tensor p = elk::softmax(logits);
                       const elk::Tensor dp = dy * (2 / n) * (p - targets);
                       return p * (dp - elk::sum(dp * p, 1, true));
                     }));
}
