// A scaling law of losses over sizes (of nets, of data), with what can be said of its truth.
#pragma once

#include <functional>
#include <limits>

#include <lab/fit/bootstrap.hpp>
#include <lab/fit/power_law.hpp>

namespace elk::lab::scaling {

/// A point of a curve, or to fit.
struct Point {
  double x = 0;
  double loss = 0;
  double weight = 1;                                           ///< in the fit
  std::size_t cell = 0;                                        ///< whose it is
  double val_loss = std::numeric_limits<double>::quiet_NaN();  ///< of held-out examples; NaN: none were
};

/// What is to be fitted of a resample.
using PointsOf = std::function<std::vector<Point>(const Resample&)>;

struct Options {
  double huber = 1e-3;  ///< as in PowerLawOptions
  std::vector<double> predict_at = {};
  std::size_t resamples = 1000;  ///< of each kind, see bootstrap
  Cells cells = Cells::weighed;
};

/// A number and its 95 % interval.
struct Estimate {
  double value = 0;
  Interval interval;
};

struct Law {
  PowerLawFit fit;
  Estimate e, a, alpha;
  std::vector<Estimate>
      predictions;  ///< at Options::predict_at; the interval is the law's: new seeds scatter around
  /// Cross-validation: weighted mean |log predicted - log measured| of the points of each cell, by a fit to
  /// those of the others. NaN when the others are too few.
  double left_out_error = 0;
};

struct Report {
  std::vector<Point> points;              ///< that were fitted
  Law with_e, without_e;                  ///< E free, and E = 0
  bool prefers_e = false;                 ///< with_e has the smaller left_out_error
  std::size_t resamples = 0, failed = 0;  ///< as in Intervals

  const Law& law() const { return prefers_e ? with_e : without_e; }
  /// Whether the cells tell that there is a floor: with_e predicts better, and the interval of E leaves out
  /// 0.
  bool has_floor() const { return prefers_e && with_e.e.interval.low > 0; }
  /// Of law(). Where no floor is told the choice between the two may be one by a hair, and the interval holds
  /// those of both.
  Estimate alpha() const;
  Estimate prediction(std::size_t i) const;
};

/// Fits both laws to points of cells; `seeds` has the number of seeds of each cell. ValueError as
/// fit_power_law and bootstrap.
Report fit_law(std::span<const std::size_t> seeds, const PointsOf& points_of, const Options& options,
               Rng& rng);

/// Whether a law predicts what is larger than anything it was fitted to.
struct Holdout {
  /// Points of the largest cells, at larger x than any of the others. None when the largest cells get no
  /// further.
  std::vector<Point> points;
  Report smaller;  ///< of the other cells; its predictions are those of `points`
  /// Weighted mean |predicted / measured - 1|; NaN when there are no points.
  double error_with_e = 0, error_without_e = 0;
};

/// `all` and `smaller` are the points of all cells and of the smaller ones, whose law `fit` fits.
Holdout hold_out(const std::vector<Point>& all, const std::vector<Point>& smaller, Options options,
                 const std::function<Report(const Options&)>& fit);

/// The numbers of the cells but for the `largest` largest. ValueError unless there are more.
std::vector<std::size_t> all_but_largest(std::span<const double> sizes, std::size_t largest);

/// The losses of one size, one a seed.
struct Cell {
  double size = 0;
  std::vector<double> losses;
};

/// L(N) or L(D): the law of the seed means over sizes. ValueError, too, when a cell has no losses or one that
/// is not a finite number above 0.
Report fit_cells(const std::vector<Cell>& cells, const Options& options, Rng& rng);

/// The `largest` cells predicted by the others.
Holdout hold_out_cells(const std::vector<Cell>& cells, std::size_t largest, const Options& options, Rng& rng);

}  // namespace elk::lab::scaling
