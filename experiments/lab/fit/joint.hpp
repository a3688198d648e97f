// Fits L(N, D) = E + A N^-alpha + B D^-beta, the joint law of Hoffmann et al. 2022 ("Training compute-optimal
// large language models", section 3.3) of losses over the size of nets and of data, and forms with fewer
// terms.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <elk/base/rng.hpp>
#include <lab/fit/scaling.hpp>

namespace elk::lab::scaling {

/// The terms that a joint law has.
struct Form {
  bool e = true, n = true, d = true;

  std::size_t parameters() const { return std::size_t{e} + 2 * std::size_t{n} + 2 * std::size_t{d}; }
  bool operator==(const Form&) const = default;
};
/// "E + A N^-α + B D^-β"
std::string name(const Form& form);
/// Those with a term of N or of D, most terms first.
std::span<const Form> all_forms();

/// Terms that the form lacks are 0. The coefficients are losses: `a` is what the term of N adds at N = n0,
/// and `b` what that of D adds at D = d0.
struct JointLaw {
  double e = 0, a = 0, alpha = 0, b = 0, beta = 0;
  double n0 = 1, d0 = 1;

  double operator()(double n, double d) const;
  /// The size with the lowest loss of all that spend C = 6 n d FLOPs: (C / 6)^(beta / (alpha + beta)) times a
  /// constant. NaN where the law lacks the term of N or that of D.
  double best_size(double flops) const;
};

struct JointPoint {
  double n = 0, d = 0, loss = 0;
  double weight = 1;
};

struct JointOptions {
  /// Residuals of log L beyond it count by their size, not their square; 0 = 1.345 times their robust
  /// standard deviation (Huber 1964), so that chance alone costs 5 % of the efficiency.
  double huber = 0;
  /// Exponents to start from, pairs; none = a grid of 36.
  std::vector<std::pair<double, double>> starts = {};
};

struct JointFit {
  JointLaw law;
  double huber = 0;        ///< that was used
  double loss = 0;         ///< weighted mean of the Huber loss of the residuals of log L
  double residual = 0;     ///< their root mean square: 0.01 is 1 % of L
  bool converged = false;  ///< the minimum lies inside the range of exponents, 0.01 to 4
};

/// The law that minimizes the weighted mean of Huber(log L(n, d) - log loss), by variable projection (Golub
/// and Pereyra 1973): for given exponents E, A and B are a linear least-squares problem with coefficients of
/// at least 0, so that only the exponents are searched, by Levenberg-Marquardt's method from many starts. A
/// term that does not pay gets the coefficient 0. The same input gives the same bits.
///
/// ValueError when a value is not finite and above 0, when there are fewer points with a weight than
/// parameters, when a size that the form has a term for does not vary enough, or when all losses are one.
JointFit fit_joint(std::span<const JointPoint> points, const Form& form, const JointOptions& options = {});

/// The losses of one size of net and of data, one a seed.
struct JointCell {
  double n = 0, d = 0;
  std::vector<double> losses;
};

struct JointReport {
  Form form;
  JointFit fit;  ///< to the means over seeds
  Estimate e, a, alpha, b, beta;
  std::vector<Estimate> predictions;  ///< at JointReportOptions::predict_at
  std::vector<Estimate> best_sizes;   ///< at JointReportOptions::budgets
  Estimate growth;                    ///< beta / (alpha + beta): their power of C; only with budgets
  /// Cross-validation: mean |log predicted - log measured| of each cell by a fit to the others; NaN when they
  /// are too few.
  double left_out_error = 0;
  std::size_t resamples = 0, failed = 0;  ///< as in Intervals
};

struct JointReportOptions {
  double huber = 0;
  std::vector<std::pair<double, double>> predict_at = {};  ///< pairs of N and D
  std::size_t resamples = 1000;                            ///< of each kind, see bootstrap
  std::vector<double> budgets = {};                        ///< in FLOPs; they need a form with N and D
};

/// A form fitted to cells, with 95 % intervals by bootstrap over seeds and over cells. ValueError as
/// fit_joint, and when a cell has no losses or one that is not finite and above 0.
JointReport fit_joint_cells(const std::vector<JointCell>& cells, const Form& form,
                            const JointReportOptions& options, Rng& rng);

/// What the others predict of the `largest` cells, those of the largest N times D.
struct JointHoldout {
  std::vector<JointPoint> points;  ///< held out: their means
  std::vector<double> predicted;
  double error = 0;  ///< mean |predicted / measured - 1|
};
JointHoldout hold_out_joint(const std::vector<JointCell>& cells, std::size_t largest, const Form& form,
                            double huber = 0);

}  // namespace elk::lab::scaling
