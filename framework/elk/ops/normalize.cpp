#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/normalize.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/normalize.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>

namespace elk {

namespace {

using kernels::Moments;
using kernels::Normalization;

// The four operations of a normalization z = (x - mean) scale, y = z weight + bias, of which each has rules
// made of the others. The moments are those of x, constants here: what depends on them is in the rules for x.
kernels::Normalized normalized(const char* operation, const Tensor& x, const Tensor& weight,
                               const Tensor& bias, const Normalization& how);
Tensor input_gradient(const Tensor& dy, const Tensor& x, const Tensor& weight, const Moments& moments,
                      const Normalization& how);
Tensor weight_gradient(const Tensor& dy, const Tensor& x, const Moments& moments, const Normalization& how);

Tensor grouped(const Tensor& x, const Normalization& how) {
  return reshape(x, {how.outer, how.groups, how.run});
}

// x times v, which is a number for each group, or for each place of a run.
Tensor times(const Tensor& x, const Tensor& v, const Normalization& how) {
  return reshape(grouped(x, how) * (how.per_group ? reshape(v, {how.groups, 1}) : v), x.shape());
}
// The sums that go with it.
Tensor summed(const Tensor& x, const Normalization& how) {
  if (how.run == 1) return sum(reshape(x, {how.outer, how.groups}), 0);
  const Tensor all = grouped(x, how);
  return how.per_group ? sum(sum(all, 2), 0) : sum(all, {0, 1});
}

// The gradient with respect to x of the sum of v times x's gradient, which is scale P(g), where P(g) = g -
// mean(g) - z mean(g z), and g is dy times the weight.
Tensor second_gradient(const Tensor& given, const Tensor& by, const Tensor& input, const Moments& moments,
                       const Normalization& how) {
  const Tensor v = grouped(given, how), g = grouped(by, how), x = grouped(input, how);
  const auto average = [&](const Tensor& t) {
    return how.outer == 1 ? mean(t, 2, true) : mean(t, {0, 2}, true);
  };
  const Tensor z = normalized("normalize", x, Tensor(), Tensor(), how).y,
               scale = 1 / sqrt(average(square(how.centred ? x - average(x) : x)) + how.epsilon),
               vz = average(v * z), gz = average(g * z);
  Tensor rest = average(v * g) - vz * gz;
  if (how.centred) rest = rest - average(v) * average(g);
  const Tensor dx = -scale * (rest * scale * z + gz * input_gradient(v, x, Tensor(), moments, how) +
                              vz * input_gradient(g, x, Tensor(), moments, how));
  return reshape(dx, input.shape());
}

kernels::Normalized normalized(const char* operation, const Tensor& x, const Tensor& weight,
                               const Tensor& bias, const Normalization& how) {
  kernels::Normalized result = kernels::normalize(operation, x, weight, bias, how);
  const Moments moments = result.moments;
  const auto dx = wrt(
      x, [x, weight, moments, how](const Tensor& dy) { return input_gradient(dy, x, weight, moments, how); });
  const auto dweight =
      wrt(weight, [x, moments, how](const Tensor& dy) { return weight_gradient(dy, x, moments, how); });
  const auto dbias = wrt(bias, [how](const Tensor& dy) { return summed(dy, how); });
  if (!weight.defined())
    record(operation, result.y, dx);
  else if (!bias.defined())
    record(operation, result.y, dx, dweight);
  else
    record(operation, result.y, dx, dweight, dbias);
  return result;
}

Tensor input_gradient(const Tensor& dy, const Tensor& x, const Tensor& weight, const Moments& moments,
                      const Normalization& how) {
  const Tensor y = kernels::normalize_gradient(dy, x, weight, moments, how);
  const auto ddy = wrt(dy, [x, weight, moments, how](const Tensor& v) {
    const Tensor through = input_gradient(v, x, Tensor(), moments, how);
    return weight.defined() ? times(through, weight, how) : through;
  });
  const auto dx = wrt(x, [dy, x, weight, moments, how](const Tensor& v) {
    return second_gradient(v, weight.defined() ? times(dy, weight, how) : dy, x, moments, how);
  });
  if (!weight.defined()) return record("normalize_gradient", y, ddy, dx);
  return record("normalize_gradient", y, ddy, dx, wrt(weight, [dy, x, moments, how](const Tensor& v) {
                  return summed(dy * input_gradient(v, x, Tensor(), moments, how), how);
                }));
}

Tensor weight_gradient(const Tensor& dy, const Tensor& x, const Moments& moments, const Normalization& how) {
  return record("normalize_weight", kernels::normalize_weight_gradient(dy, x, moments, how),
                wrt(dy,
                    [x, how](const Tensor& v) {
                      return times(normalized("normalize", x, Tensor(), Tensor(), how).y, v, how);
                    }),
                wrt(x, [dy, x, moments, how](const Tensor& v) {
                  return input_gradient(times(dy, v, how), x, Tensor(), moments, how);
                }));
}

// The general form is composed of single operations; so is what is empty.
bool composed(const Tensor& x) { return x.size() == 0 || kernels::reference(); }

// Of the last axis.
Normalization of_rows(const Tensor& x, double epsilon, bool centred) {
  return {1, x.size() / x.size(-1), x.size(-1), epsilon, centred, false};
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  if (x.rank() == 0 || weight.shape() != Shape{x.size(-1)} ||
      (bias.defined() && bias.shape() != weight.shape()))
    fail<ShapeError>("[layer_norm] x {} needs a weight and a bias of its last axis, got {} and {}", x.shape(),
                     weight.shape(), bias.defined() ? to_string(bias.shape()) : "none");
  if (!(epsilon > 0)) fail<ValueError>("[layer_norm] epsilon must be above 0, got {}", epsilon);
  if (!composed(x)) return normalized("layer_norm", x, weight, bias, of_rows(x, epsilon, true)).y;
  const Tensor centred = x - mean(x, -1, true);
  const Tensor y = centred / sqrt(mean(square(centred), -1, true) + epsilon) * weight;
  return bias.defined() ? y + bias : y;
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon) {
  if (x.rank() == 0 || weight.shape() != Shape{x.size(-1)})
    fail<ShapeError>("[rms_norm] x {} needs a weight of its last axis, got {}", x.shape(), weight.shape());
  if (!(epsilon > 0)) fail<ValueError>("[rms_norm] epsilon must be above 0, got {}", epsilon);
  if (!composed(x)) return normalized("rms_norm", x, weight, Tensor(), of_rows(x, epsilon, false)).y;
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
  // Sums of all but the channels.
  Tensor total(const Tensor& x) const { return sum(x_.rank() == 2 ? x : sum(x, 2), 0); }
  Tensor mean(const Tensor& x) const { return total(x) / static_cast<double>(x.size() / x.size(1)); }

 private:
  Shape shape_;
  Tensor x_;
};

// (x - mean) scale + bias
Tensor standardized(const Channels& channels, const Tensor& mean, const Tensor& scale, const Tensor& bias) {
  const Tensor& x = channels.x();
  if (composed(x)) return (x - channels.spread(mean)) * channels.spread(scale) + channels.spread(bias);
  return record("standardize", kernels::standardize(x, mean, scale, bias),
                wrt(x, [channels, scale](const Tensor& dy) { return dy * channels.spread(scale); }),
                wrt(mean, [channels, scale](const Tensor& dy) { return -channels.total(dy) * scale; }),
                wrt(scale,
                    [channels, mean](const Tensor& dy) {
                      return channels.total(dy * (channels.x() - channels.spread(mean)));
                    }),
                wrt(bias, [channels](const Tensor& dy) { return channels.total(dy); }));
}

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
  return channels.result(standardized(channels, mean, weight / sqrt(variance + epsilon), bias));
}

BatchNormalized batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  const Channels channels("batch_norm", x);
  check_per_channel("batch_norm", x, {&weight, &bias});
  if (!(epsilon > 0)) fail<ValueError>("[batch_norm] epsilon must be above 0, got {}", epsilon);
  if (composed(x)) {
    const ChannelMoments moments = channel_moments(x);
    return {batch_norm(x, moments.mean, moments.variance, weight, bias, epsilon),
            {detach(moments.mean), detach(moments.variance)}};
  }
  if (x.size() / x.size(1) < 2)
    fail<ShapeError>("[batch_norm] expected at least two numbers a channel, got {}", x.shape());
  const auto [y, moments] =
      normalized("batch_norm", x, weight, bias,
                 {x.size(0), x.size(1), x.size() / x.size(0) / x.size(1), epsilon, true, true});
  return {y, {kernels::cast(moments.mean, x.dtype()), kernels::cast(moments.variance, x.dtype())}};
}

Tensor group_norm(const Tensor& x, Index groups, const Tensor& weight, const Tensor& bias, double epsilon) {
  const Channels channels("group_norm", x);
  check_per_channel("group_norm", x, {&weight, &bias});
  if (groups < 1 || x.size(1) % groups != 0)
    fail<ShapeError>("[group_norm] expected groups that divide the {} channels, got {}", x.size(1), groups);
  if (!(epsilon > 0)) fail<ValueError>("[group_norm] epsilon must be above 0, got {}", epsilon);
  Tensor normal = channels.x();
  if (!composed(x)) {
    const Index run = x.size() / x.size(0) / groups;
    normal = normalized("group_norm", channels.x(), Tensor(), Tensor(),
                        {1, x.size(0) * groups, run, epsilon, true, false})
                 .y;
  } else if (x.size() > 0) {  // or there is no mean
    const Tensor grouped = reshape(x, {x.size(0) * groups, x.size() / x.size(0) / groups}),
                 centred = grouped - mean(grouped, 1, true);
    normal = reshape(centred / sqrt(mean(square(centred), 1, true) + epsilon), normal.shape());
  }
  return channels.result(normal * channels.spread(weight) + channels.spread(bias));
}

}  // namespace elk
