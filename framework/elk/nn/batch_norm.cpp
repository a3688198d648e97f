#include <elk/base/format.hpp>
#include <elk/nn/batch_norm.hpp>
#include <elk/nn/describe.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/normalize.hpp>
#include <elk/ops/shape.hpp>

namespace elk::nn {

BatchNorm::BatchNorm(Index channels, const Options& options)
    : options_(options),
      weight_(ones({channels}, float_dtype("BatchNorm", options.dtype))),
      bias_(zeros({channels}, options.dtype)),
      mean_(zeros({channels}, options.dtype)),
      variance_(ones({channels}, options.dtype)),
      batches_(zeros({}, i64)) {
  if (!(options.momentum >= 0 && options.momentum <= 1))
    fail<ValueError>("[BatchNorm] expected a momentum from 0 to 1, got {}", options.momentum);
}

void BatchNorm::fields(Fields& f) {
  f("weight", weight_)("bias", bias_)("running_mean", mean_)("running_var", variance_);
  f("num_batches_tracked", batches_);
}

Tensor BatchNorm::forward(const Tensor& x) const {
  check(x);
  check_dtype(*this, x, weight_.dtype());
  if (!training()) return batch_norm(x, mean_.value(), variance_.value(), weight_, bias_, options_.epsilon);
  const BatchNormalized result = batch_norm(x, weight_, bias_, options_.epsilon);
  keep(result.moments.mean, result.moments.variance, x.size() / channels());
  return result.y;
}

void BatchNorm::keep(const Tensor& mean, const Tensor& variance, Index count) const {
  const double share = options_.momentum, n = static_cast<double>(count);
  mean_.update([&](const Tensor& kept) { return (1 - share) * kept + share * mean; });
  variance_.update([&](const Tensor& kept) { return (1 - share) * kept + share * n / (n - 1) * variance; });
  batches_.update([](const Tensor& kept) { return scalar(kept.item() + 1, i64); });
}

std::string BatchNorm1d::describe() const { return fmt::format("BatchNorm1d({})", channels()); }
std::string BatchNorm2d::describe() const { return fmt::format("BatchNorm2d({})", channels()); }

void BatchNorm1d::check(const Tensor& x) const {
  if ((x.rank() != 2 && x.rank() != 3) || x.size(1) != channels())
    fail<ShapeError>("[{}] expected x (N, {}) or (N, {}, L), got {}", describe(), channels(), channels(),
                     x.shape());
}
void BatchNorm2d::check(const Tensor& x) const {
  if (x.rank() != 4 || x.size(1) != channels())
    fail<ShapeError>("[{}] expected x (N, {}, H, W), got {}", describe(), channels(), x.shape());
}

GroupNorm::GroupNorm(Index groups, Index channels, double epsilon, DType dtype)
    : groups_(groups),
      weight_(ones({channels}, float_dtype("GroupNorm", dtype))),
      bias_(zeros({channels}, dtype)),
      epsilon_(epsilon) {
  if (groups < 1 || channels % groups != 0)
    fail<ShapeError>("[GroupNorm] expected groups that divide the {} channels, got {}", channels, groups);
}
Tensor GroupNorm::forward(const Tensor& x) const {
  check_dtype(*this, x, weight_.dtype());
  return group_norm(x, groups_, weight_, bias_, epsilon_);
}
std::string GroupNorm::describe() const {
  return fmt::format("GroupNorm({}, {})", groups_, weight_.shape()[0]);
}

RMSNorm::RMSNorm(Index size, double epsilon, DType dtype)
    : weight_(ones({size}, float_dtype("RMSNorm", dtype))), epsilon_(epsilon) {}
Tensor RMSNorm::forward(const Tensor& x) const {
  check_dtype(*this, x, weight_.dtype());
  return rms_norm(x, weight_, epsilon_);
}
std::string RMSNorm::describe() const { return fmt::format("RMSNorm({})", weight_.shape()[0]); }

}  // namespace elk::nn
