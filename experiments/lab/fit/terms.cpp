#include <lab/fit/terms.hpp>

#include <algorithm>
#include <numeric>

namespace elk::lab::scaling {

bool solve(const Matrix& m, const Terms& h, unsigned mask, Terms& c) {
  std::array<std::size_t, terms> at{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < terms; ++i)
    if ((mask >> i & 1) != 0) at[count++] = i;
  Matrix l{};
  Terms y{};
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = m[at[i]][at[j]];
      for (std::size_t k = 0; k < j; ++k) sum -= l[i][k] * l[j][k];
      if (i == j) {
        if (!(sum > 1e-12 * m[at[i]][at[i]])) return false;
        l[i][i] = std::sqrt(sum);
      } else {
        l[i][j] = sum / l[j][j];
      }
    }
    y[i] = h[at[i]];
    for (std::size_t k = 0; k < i; ++k) y[i] -= l[i][k] * y[k];
    y[i] /= l[i][i];
  }
  c = {};
  for (std::size_t i = count; i-- > 0;) {
    for (std::size_t k = i + 1; k < count; ++k) y[i] -= l[k][i] * y[k];
    y[i] /= l[i][i];
    c[at[i]] = y[i];
  }
  return true;
}

namespace {

// The least squares of coefficients of at least 0: with three, the best of all sets of terms that come out
// so.
unsigned solve_from_zero(const Matrix& m, const Terms& h, unsigned all, Terms& c) {
  double best = -1;
  unsigned chosen = 0;
  c = {};
  for (unsigned mask = all; mask > 0; mask = (mask - 1) & all) {
    Terms found;
    if (!solve(m, h, mask, found)) continue;
    double gain = 0;
    bool feasible = true;
    for (std::size_t i = 0; i < terms; ++i) {
      feasible = feasible && found[i] >= 0;
      gain += found[i] * h[i];
    }
    if (!feasible || gain <= best) continue;
    best = gain, chosen = mask, c = found;
    if (mask == all) break;  // no other is lower
  }
  return chosen;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

Coefficients::Coefficients(std::vector<double> weights) : weights_(std::move(weights)) {
  const double total = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  for (double& weight : weights_) weight /= total;
  for (auto& column : columns) column.assign(weights_.size(), 0);
  ratio.resize(weights_.size()), squares.resize(weights_.size());
}

double Coefficients::fit(unsigned mask, const Terms* before, Terms& c, unsigned& used) {
  if (before == nullptr || std::isinf(reweigh(*before))) squares = weights_;
  double last = HUGE_VAL;
  for (int round = 0; round < 50; ++round) {
    matrix = {};
    Terms h{};
    for (std::size_t i = 0; i < squares.size(); ++i)
      for (std::size_t a = 0; a < terms; ++a) {
        const double weighted = squares[i] * columns[a][i];
        h[a] += weighted;
        for (std::size_t b = 0; b <= a; ++b) matrix[a][b] += weighted * columns[b][i];
      }
    for (std::size_t a = 0; a < terms; ++a)
      for (std::size_t b = 0; b < a; ++b) matrix[b][a] = matrix[a][b];
    used = solve_from_zero(matrix, h, mask, c);
    const double loss = reweigh(c);
    const bool settled = std::abs(last - loss) <= 1e-10 * loss + 1e-18;
    last = loss;
    if (settled) break;
  }
  return last;
}

std::vector<double> Coefficients::residuals() const {
  std::vector<double> all;
  for (const double one : ratio) all.push_back(std::log(one));
  return all;
}

double Coefficients::mean_square() const {
  double sum = 0;
  for (std::size_t i = 0; i < ratio.size(); ++i) sum += weights_[i] * std::pow(std::log(ratio[i]), 2);
  return sum;
}

double Coefficients::usual_huber(std::size_t parameters) const {
  std::vector<double> sizes = residuals();
  for (double& size : sizes) size = std::abs(size);
  const auto n = static_cast<double>(sizes.size());
  const double left = std::max(n - static_cast<double>(parameters), 1.0);
  return std::max(1.345 * 1.4826 * median(std::move(sizes)) * std::sqrt(n / left), 1e-6);
}

// Sets the weights at which relative squares have the slope of Huber's loss of the log residuals; that loss.
double Coefficients::reweigh(const Terms& c) {
  double loss = 0;
  for (std::size_t i = 0; i < ratio.size(); ++i) {
    const double at = c[0] * columns[0][i] + c[1] * columns[1][i] + c[2] * columns[2][i];
    ratio[i] = at;
    if (!(at > 1e-6)) {  // a law of next to nothing
      squares = weights_;
      return HUGE_VAL;
    }
    const double residual = std::log(at), size = std::abs(residual);
    const bool inside = size <= huber;
    loss += weights_[i] * (inside ? residual * residual / 2 : huber * (size - huber / 2));
    const double slope = inside ? residual : std::copysign(huber, residual);
    squares[i] = weights_[i] * (size < 1e-9 ? 1 : slope / (at * (at - 1)));
  }
  return loss;
}

}  // namespace elk::lab::scaling
