#include <lab/paper.hpp>

#include <fmt/format.h>

#include <elk/elk.hpp>

namespace elk::lab::paper {

Tensor summed(const Tensor& loss, Index batch_size) {
  return record("summed", detach(loss),
                wrt(loss, [n = static_cast<double>(batch_size)](const Tensor& dy) { return dy * n; }));
}

Tensor mean_loss(const Tensor& logits, const Tensor& labels) {
  const Tensor error = detach(softmax(logits)) - one_hot(labels, logits.size(1), logits.dtype());
  return record("paper_mean", mean(square(error)), wrt(logits, [error](const Tensor& dy) {
                  return error * (2 * dy / static_cast<double>(error.size(0)));
                }));
}

nn::Function straight_through_clip(double limit) {
  return {fmt::format("straight_through_clip({})", limit), [limit](const Tensor& x) {
            return record("straight_through_clip", detach(clamp(x, -limit, limit)),
                          wrt(x, [](const Tensor& dy) { return dy; }));
          }};
}

nn::Function leaky_relu(double slope) {
  return {fmt::format("paper_leaky_relu({})", slope), [slope](const Tensor& x) {
            return record("paper_leaky_relu", detach(elk::leaky_relu(x, slope)),
                          wrt(x, [x](const Tensor& dy) { return where(greater(x, 0), dy, 0.005 * dy); }));
          }};
}

}  // namespace elk::lab::paper
