// Sums of up to three terms, whose coefficients are at least 0, fitted to losses: what the laws of this
// folder have in common once their exponents are chosen (variable projection, Golub and Pereyra 1973).
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace elk::lab::scaling {

constexpr std::size_t terms = 3;
using Terms = std::array<double, terms>;
using Matrix = std::array<Terms, terms>;

/// Of the points that have one.
template <class Point>
std::vector<double> weights_of(std::span<const Point> points) {
  std::vector<double> weights;
  for (const Point& point : points)
    if (point.weight != 0) weights.push_back(point.weight);
  return weights;
}

/// Solves m c = h for the terms of `mask`; false where it is singular.
bool solve(const Matrix& m, const Terms& h, unsigned mask, Terms& c);

/// The coefficients of at least 0 that minimize the weighted mean of Huber(log of the sum - log loss).
/// Huber's loss of log residuals is one of weighted squares of relative ones, whose weights are computed
/// again until nothing changes.
class Coefficients {
 public:
  /// Relative weights, one a loss; `columns` are to be filled.
  explicit Coefficients(std::vector<double> weights);

  double huber = HUGE_VAL;
  std::array<std::vector<double>, terms> columns;  ///< each term over the loss

  /// Of the terms of `mask`, from the weights of those of `before`, if any; `used` are those above 0. The
  /// loss.
  double fit(unsigned mask, const Terms* before, Terms& c, unsigned& used);

  // Of the last fit:
  std::vector<double> ratio;    ///< the sum over the loss
  std::vector<double> squares;  ///< weights of the squares
  Matrix matrix{};              ///< of the normal equations

  /// The residuals of log L, and the weighted mean of their squares.
  std::vector<double> residuals() const;
  double mean_square() const;
  /// The size beyond which residuals count by their size: 1.345 times their robust standard deviation (Huber
  /// 1964), of a law of so many parameters.
  double usual_huber(std::size_t parameters) const;

 private:
  double reweigh(const Terms& c);
  std::vector<double> weights_;
};

}  // namespace elk::lab::scaling
