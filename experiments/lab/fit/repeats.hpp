// What data are worth that a net sees again and again: the law of Muennighoff et al. 2023 ("Scaling
// data-constrained language models", arXiv 2305.16264, section 3.1) of the losses of one size of net.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <elk/base/rng.hpp>
#include <lab/fit/scaling.hpp>

namespace elk::lab::scaling {

/// What a law of repeated data knows of repeating: nothing (each epoch is worth as many new examples), that
/// epochs are worth less and less, and that they do harm besides.
struct RepeatForm {
  bool fades = true, harms = false;

  std::size_t parameters() const { return 3 + std::size_t{fades} + std::size_t{harms}; }
  bool operator==(const RepeatForm&) const = default;
};
/// "epochs fade"
std::string name(const RepeatForm& form);

/// L = E + B (D'/d0)^-beta + harm (U/d0)^-beta ln k of U examples that are seen k times each, where D' = U +
/// U R* (1 - exp(-(k - 1) / R*)). The coefficients are losses.
struct RepeatLaw {
  double e = 0, b = 0, beta = 0;
  double rounds = 0;  ///< R*; infinite where epochs do not fade
  double harm = 0;
  double d0 = 1;

  double operator()(double unique, double epochs) const;
  /// D': so many new examples are worth as much.
  double effective(double unique, double epochs) const;
  /// What the k-th epoch adds to D', as a share of U.
  double worth(double k) const;
};

/// The losses of `unique` examples seen `epochs` times each, one a seed.
struct RepeatCell {
  double unique = 0, epochs = 1;
  std::vector<double> losses;
};

struct RepeatPoint {
  double unique = 0, epochs = 1, loss = 0;
  double weight = 1;
};

struct RepeatFit {
  RepeatLaw law;
  double huber = 0;        ///< that was used
  double loss = 0;         ///< weighted mean of the Huber loss of the residuals of log L
  double residual = 0;     ///< their root mean square: 0.01 is 1 % of L
  bool converged = false;  ///< the minimum lies inside the ranges, beta 0.01 to 4 and R* 0.01 to 10,000
};

struct RepeatOptions {
  double huber = 0;                                    ///< as in JointOptions
  std::vector<std::pair<double, double>> starts = {};  ///< beta and R* to start from; none = a grid
};

/// The law that minimizes the weighted mean of Huber(log L - log loss), by variable projection as fit_joint:
/// beta and R* are searched by the simplex method of Nelder and Mead. The same input gives the same bits.
///
/// ValueError when a value is not finite and above 0, or epochs below 1, when there are fewer points with a
/// weight than parameters, when all have one number of epochs, when fewer than three different numbers of
/// examples are there, or when all losses are one.
RepeatFit fit_repeats(std::span<const RepeatPoint> points, const RepeatForm& form,
                      const RepeatOptions& options = {});

struct RepeatReport {
  RepeatForm form;
  RepeatFit fit;  ///< to the means over seeds
  Estimate e, b, beta, rounds, harm;
  std::vector<Estimate> worths;  ///< of the epochs asked for
  double left_out_error = 0;     ///< as in JointReport
  /// Mean |predicted / measured - 1| of the cells of the most epochs by a fit to the others; NaN when those
  /// are too few.
  double held_out_error = 0;
  std::size_t resamples = 0, failed = 0;  ///< as in Intervals
};

/// A form fitted to cells, with 95 % intervals by bootstrap over seeds and over cells. ValueError as
/// fit_repeats, and when a cell has no losses.
RepeatReport fit_repeat_cells(const std::vector<RepeatCell>& cells, const RepeatForm& form,
                              std::span<const double> epochs, std::size_t resamples, Rng& rng);

/// So many new examples leave the same loss, by what was measured of those that are seen once: along straight
/// lines in log-log axes between them. NaN where the loss lies outside of theirs.
double measured_worth(const std::vector<RepeatCell>& cells, double loss);

}  // namespace elk::lab::scaling
