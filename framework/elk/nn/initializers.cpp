#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <elk/base/format.hpp>
#include <elk/nn/initializers.hpp>
#include <elk/ops/shape.hpp>

namespace elk::nn::init {

namespace {

struct Fans {
  double in, out;
};

Fans fans(const char* name, const Shape& shape) {
  if (shape.rank() < 2)
    fail<ShapeError>("[{}] expected a weight (out, in, ...), got {}: it has no fan", name, shape);
  double field = 1;
  for (int i = 2; i < shape.rank(); ++i) field *= static_cast<double>(shape[i]);
  return {static_cast<double>(shape[1]) * field, static_cast<double>(shape[0]) * field};
}

double kaiming(const char* name, const Parameter& p, const KaimingOptions& options) {
  const Fans fan = fans(name, p.shape());
  return calculate_gain(options.nonlinearity, options.slope) /
         std::sqrt(options.mode == Fan::in ? fan.in : fan.out);
}

double xavier(const char* name, const Parameter& p, double gain) {
  const Fans fan = fans(name, p.shape());
  return gain * std::sqrt(2 / (fan.in + fan.out));
}

void check_std(const char* name, double std) {
  if (!(std >= 0 && std::isfinite(std)))
    fail<ValueError>("[{}] std must be finite and not negative, got {}", name, std);
}

// Rows, none more than their length, at right angles and of length 1, by Gram and Schmidt; twice, which is
// enough for all digits. (L. Giraud et al., 2005.)
void orthonormalize(std::vector<std::vector<double>>& rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<double>& row = rows[i];
    const auto dot = [&](const std::vector<double>& other) {
      double sum = 0;
      for (std::size_t k = 0; k < row.size(); ++k) sum += row[k] * other[k];
      return sum;
    };
    for (int time = 0; time < 2; ++time)
      for (std::size_t j = 0; j < i; ++j) {
        const double share = dot(rows[j]);
        for (std::size_t k = 0; k < row.size(); ++k) row[k] -= share * rows[j][k];
      }
    const double length = std::sqrt(dot(row));
    for (double& v : row) v /= length;
  }
}

}  // namespace

double calculate_gain(Nonlinearity nonlinearity, double slope) {
  switch (nonlinearity) {
    case Nonlinearity::tanh: return 5.0 / 3;
    case Nonlinearity::relu: return std::numbers::sqrt2;
    case Nonlinearity::leaky_relu: return std::sqrt(2 / (1 + slope * slope));
    case Nonlinearity::selu: return 0.75;
    default: return 1;
  }
}

void constant_(Parameter& p, double value) { p.set(full(p.shape(), value, p.value().dtype())); }
void zeros_(Parameter& p) { constant_(p, 0); }
void ones_(Parameter& p) { constant_(p, 1); }

void uniform_(Parameter& p, Rng& rng, double low, double high) {
  p.set(uniform(p.shape(), rng, low, high, p.value().dtype()));
}

void normal_(Parameter& p, Rng& rng, double mean, double std) {
  check_std("normal_", std);
  p.set(mean + std * randn(p.shape(), rng, p.value().dtype()));
}

void trunc_normal_(Parameter& p, Rng& rng, double mean, double std, double low, double high) {
  check_std("trunc_normal_", std);
  if (!(std > 0 && low < high && mean >= low - 2 * std && mean <= high + 2 * std))
    fail<ValueError>(
        "[trunc_normal_] expected low < high within 2 std of the mean, got {} and {} for {} ± {}", low, high,
        mean, std);
  const double a = (low - mean) / std, b = (high - mean) / std, top = a > 0 ? a : b < 0 ? b : 0;
  // Drawn and thrown away where it is outside; of a narrow interval, by the height of the density.
  const auto draw = [&] {
    while (true) {
      if (b - a >= 2) {
        if (const double z = rng.normal(); z >= a && z <= b) return z;
      } else {
        const double z = a + (b - a) * rng.uniform();
        if (rng.uniform() <= std::exp((top * top - z * z) / 2)) return z;
      }
    }
  };
  std::vector<double> values(static_cast<std::size_t>(p.value().size()));
  for (double& value : values) value = mean + std * draw();
  p.set(cast(from(values, p.shape()), p.value().dtype()));
}

void xavier_uniform_(Parameter& p, Rng& rng, double gain) {
  const double bound = std::numbers::sqrt3 * xavier("xavier_uniform_", p, gain);
  uniform_(p, rng, -bound, bound);
}

void xavier_normal_(Parameter& p, Rng& rng, double gain) {
  normal_(p, rng, 0, xavier("xavier_normal_", p, gain));
}

void kaiming_uniform_(Parameter& p, Rng& rng, const KaimingOptions& options) {
  const double bound = std::numbers::sqrt3 * kaiming("kaiming_uniform_", p, options);
  uniform_(p, rng, -bound, bound);
}

void kaiming_normal_(Parameter& p, Rng& rng, const KaimingOptions& options) {
  normal_(p, rng, 0, kaiming("kaiming_normal_", p, options));
}

void orthogonal_(Parameter& p, Rng& rng, double gain) {
  if (p.shape().rank() < 2)
    fail<ShapeError>("[orthogonal_] expected a weight (out, in, ...), got {}", p.shape());
  const auto out = static_cast<std::size_t>(p.shape()[0]);
  const std::size_t in = out == 0 ? 0 : static_cast<std::size_t>(p.value().size()) / out;
  const bool wide = out <= in;
  std::vector<std::vector<double>> vectors(wide ? out : in, std::vector<double>(wide ? in : out));
  for (std::vector<double>& vector : vectors)
    for (double& v : vector) v = rng.normal();
  orthonormalize(vectors);
  std::vector<double> values;
  for (std::size_t i = 0; i < out; ++i)
    for (std::size_t j = 0; j < in; ++j) values.push_back(gain * (wide ? vectors[i][j] : vectors[j][i]));
  p.set(cast(from(values, p.shape()), p.value().dtype()));
}

void eye_(Parameter& p) {
  if (p.shape().rank() != 2) fail<ShapeError>("[eye_] expected a matrix (out, in), got {}", p.shape());
  p.set(cast(equal(expand(arange(p.shape()[0]), 1), expand(arange(p.shape()[1]), 0)), p.dtype()));
}

void dirac_(Parameter& p, Index groups) {
  const Shape& shape = p.shape();
  if (shape.rank() < 3 || shape.rank() > 5)
    fail<ShapeError>("[dirac_] expected a weight (out, in, ...) with a kernel of one to three axes, got {}",
                     shape);
  if (groups < 1 || shape[0] % groups != 0)
    fail<ShapeError>("[dirac_] expected groups that divide the {} output channels, got {}", shape[0], groups);
  Index kernel = 1, middle = 0;  // its size, and the position of its middle
  for (int i = 2; i < shape.rank(); ++i) {
    kernel *= shape[i];
    middle = middle * shape[i] + shape[i] / 2;
  }
  const Index outputs = shape[0] / groups;
  std::vector<double> values(static_cast<std::size_t>(p.value().size()));
  if (kernel > 0)
    for (Index group = 0; group < groups; ++group)
      for (Index i = 0; i < std::min(outputs, shape[1]); ++i)
        values[static_cast<std::size_t>(((group * outputs + i) * shape[1] + i) * kernel + middle)] = 1;
  p.set(cast(from(values, shape), p.dtype()));
}

void sparse_(Parameter& p, Rng& rng, double sparsity, double std) {
  if (p.shape().rank() != 2) fail<ShapeError>("[sparse_] expected a matrix (out, in), got {}", p.shape());
  if (!(sparsity >= 0 && sparsity <= 1))
    fail<ValueError>("[sparse_] sparsity must be from 0 to 1, got {}", sparsity);
  check_std("sparse_", std);
  const Index out = p.shape()[0], in = p.shape()[1];
  const auto zero = static_cast<std::size_t>(std::ceil(sparsity * static_cast<double>(out)));
  std::vector<double> values(static_cast<std::size_t>(out * in));
  for (double& value : values) value = std * rng.normal();
  for (Index column = 0; column < in; ++column) {
    const std::vector<Index> rows = rng.permutation(out);
    for (std::size_t i = 0; i < zero; ++i) values[static_cast<std::size_t>(rows[i] * in + column)] = 0;
  }
  p.set(cast(from(values, p.shape()), p.dtype()));
}

}  // namespace elk::nn::init
