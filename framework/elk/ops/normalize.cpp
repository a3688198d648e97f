#include <elk/base/format.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/normalize.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>

namespace elk {

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  if (x.rank() == 0 || weight.shape() != Shape{x.size(-1)} ||
      (bias.defined() && bias.shape() != weight.shape()))
    fail<ShapeError>("[layer_norm] x {} needs a weight and a bias of its last axis, got {} and {}", x.shape(),
                     weight.shape(), bias.defined() ? to_string(bias.shape()) : "none");
  if (!(epsilon > 0)) fail<ValueError>("[layer_norm] epsilon must be above 0, got {}", epsilon);
  const Tensor centred = x - mean(x, -1, true);
  const Tensor y = centred / sqrt(mean(square(centred), -1, true) + epsilon) * weight;
  return bias.defined() ? y + bias : y;
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon) {
  if (x.rank() == 0 || weight.shape() != Shape{x.size(-1)})
    fail<ShapeError>("[rms_norm] x {} needs a weight of its last axis, got {}", x.shape(), weight.shape());
  if (!(epsilon > 0)) fail<ValueError>("[rms_norm] epsilon must be above 0, got {}", epsilon);
  return x / sqrt(mean(square(x), -1, true) + epsilon) * weight;
}

namespace {

// x (N, C, ...) as a matrix (N, C), or, of more axes, as (N, C, rest): then numbers per channel are a row or
// a column beside it, and sums over all but the channels are two over one axis. All of these are fast.
class Channels {
 public:
  Channels(const char* operation, const Tensor& x) : shape_(x.shape()) {
    if (x.rank() < 2) fail<ShapeError>("[{}] expected x (N, C, ...), got {}", operation, x.shape());
    Index rest = 1;
    for (int i = 2; i < x.rank(); ++i) rest *= x.size(i);
    x_ = x.rank() == 2 ? x : reshape(x, {x.size(0), x.size(1), rest});
  }
  const Tensor& x() const { return x_; }
  Tensor result(const Tensor& y) const { return reshape(y, shape_); }

  // Of a number v (C) for each channel.
  Tensor spread(const Tensor& v) const {
    return x_.rank() == 2 ? v : expand(broadcast_to(v, {x_.size(0), x_.size(1)}), 2);
  }
  Tensor mean(const Tensor& x) const {
    const Tensor total = sum(x_.rank() == 2 ? x : sum(x, 2), 0);
    return total / static_cast<double>(x.size() / x.size(1));
  }

 private:
  Shape shape_;
  Tensor x_;
};

void check_per_channel(const char* operation, const Tensor& x, std::initializer_list<const Tensor*> list) {
  for (const Tensor* v : list)
    if (v->shape() != Shape{x.size(1)})
      fail<ShapeError>("[{}] x {} needs {} numbers, one a channel, got {}", operation, x.shape(), x.size(1),
                       v->shape());
}

}  // namespace

ChannelMoments channel_moments(const Tensor& x) {
  const Channels channels("channel_moments", x);
  if (x.size(1) == 0 || x.size() / x.size(1) < 2)
    fail<ShapeError>("[channel_moments] expected at least two numbers a channel, got {}", x.shape());
  const Tensor mean = channels.mean(channels.x());
  return {mean, channels.mean(square(channels.x() - channels.spread(mean)))};
}

Tensor batch_norm(const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor& weight,
                  const Tensor& bias, double epsilon) {
  const Channels channels("batch_norm", x);
  check_per_channel("batch_norm", x, {&mean, &variance, &weight, &bias});
  if (!(epsilon > 0)) fail<ValueError>("[batch_norm] epsilon must be above 0, got {}", epsilon);
  const Tensor scale = weight / sqrt(variance + epsilon);
  return channels.result((channels.x() - channels.spread(mean)) * channels.spread(scale) +
                         channels.spread(bias));
}

Tensor group_norm(const Tensor& x, Index groups, const Tensor& weight, const Tensor& bias, double epsilon) {
  const Channels channels("group_norm", x);
  check_per_channel("group_norm", x, {&weight, &bias});
  if (groups < 1 || x.size(1) % groups != 0)
    fail<ShapeError>("[group_norm] expected groups that divide the {} channels, got {}", x.size(1), groups);
  if (!(epsilon > 0)) fail<ValueError>("[group_norm] epsilon must be above 0, got {}", epsilon);
  Tensor normal = channels.x();
  if (x.size() > 0) {  // or there is no mean
    const Tensor grouped = reshape(x, {x.size(0) * groups, x.size() / x.size(0) / groups}),
                 centred = grouped - mean(grouped, 1, true);
    normal = reshape(centred / sqrt(mean(square(centred), 1, true) + epsilon), normal.shape());
  }
  return channels.result(normal * channels.spread(weight) + channels.spread(bias));
}

}  // namespace elk
