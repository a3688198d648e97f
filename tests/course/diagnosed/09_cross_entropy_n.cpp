// WRONG +the gradient of logits\n.*400 %.*\n +all of it is 5 times too large, and 5 is a size here: is a mean
// missing
#include <elk/elk.hpp>

elk::Tensor my_cross_entropy(const elk::Tensor& logits, const elk::Tensor& labels) {
  const elk::Tensor of_label = elk::gather(elk::detach(logits), 1, elk::expand(labels, 1));
  const elk::Tensor loss = elk::mean(elk::logsumexp(elk::detach(logits), 1) - elk::squeeze(of_label, 1));
  const auto rule = [logits, labels](const elk::Tensor& dy) {
    const elk::Tensor target = elk::one_hot(labels, logits.size(1), logits.dtype());
    return dy * (elk::softmax(logits) - target);
  };
  return elk::record("my_cross_entropy", loss, elk::wrt(logits, rule));
}
