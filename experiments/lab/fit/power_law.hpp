// Fits L(x) = E + A x^-alpha, the form of scaling laws, to measured losses.
#pragma once

#include <cstddef>
#include <span>

namespace elk::lab::scaling {

struct PowerLaw {
  double e = 0;  ///< irreducible loss, at least 0
  double a = 0;  ///< greater than 0
  double alpha = 0;

  double operator()(double x) const;
};

struct PowerLawOptions {
  bool irreducible = true;  ///< E is free; else it is 0
  double huber = 1e-3;      ///< residuals of log L beyond it count by their size, not their square
  int starts = 16;          ///< values of E to start from
};

struct PowerLawFit {
  PowerLaw law;
  double loss = 0;  ///< weighted mean of the Huber loss of the residuals of log L
  /// The size of residual, the same at every point, that has this loss: 0.01 is 1 % of L. It rises and falls
  /// with the loss, so that of two fits the better one has the smaller residual; their root mean square need
  /// not.
  double residual = 0;
  int starts = 0;    ///< starting points,
  int agreeing = 0;  ///< and how many of them led to the same loss as the best one
  /// The gradient is zero, to rounding, and where E is free at least two starting points agree. It is not
  /// where the best alpha would be infinite, as for a single step.
  bool converged = false;
};

/// The law that minimizes the weighted mean of Huber(log L(x_i) - log y_i), as Hoffmann et al. 2022,
/// "Training compute-optimal large language models", section 3.3, fit theirs: L-BFGS over log A, alpha and
/// log E from a grid of starting points, the best end taken. A fit with E free is never worse than one
/// without, and E is exactly 0 where no E > 0 is better. Losses that grow with x give alpha < 0, constant
/// ones alpha = 0 and E = 0. The units of x and y do not matter, and the same input gives the same bits.
/// Weights are relative; none are equal ones.
///
/// ValueError when the lengths differ, a value is not a finite number above 0, a weight is negative or not
/// finite, fewer different x have a weight than there are parameters, or A is too large or small for a
/// double.
PowerLawFit fit_power_law(std::span<const double> x, std::span<const double> y,
                          const PowerLawOptions& options = {}, std::span<const double> weights = {});

}  // namespace elk::lab::scaling
