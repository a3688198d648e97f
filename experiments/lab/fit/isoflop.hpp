// How large a net, and how much data, a budget of compute asks for: two of the three approaches of Hoffmann
// et al. 2022 ("Training compute-optimal large language models", section 3); the third, the joint law, is
// JointReport::best_sizes.
#pragma once

#include <string>
#include <vector>

#include <lab/fit/joint.hpp>
#include <lab/statistics.hpp>

namespace elk::lab::scaling {

/// Nets of several sizes that were trained with the same compute C = 6 n d, so that a larger one saw fewer
/// examples.
struct Budget {
  double flops = 0;
  std::vector<JointCell> cells;  ///< by n, rising
};

/// What an approach finds. `d` follows from each `n`: C / (6 n).
struct Allocation {
  std::string problem;           ///< why no power of C can be told; empty: `growth` is one
  Estimate growth;               ///< a: the best size grows as C to the power a, the data as C^(1 - a)
  std::vector<Estimate> sizes;   ///< the best size of each budget; NaN where it has none
  std::vector<Estimate> losses;  ///< at it
  std::vector<std::string> why;  ///< of each budget that has none, or ""
  std::size_t resamples = 0, failed = 0;  ///< as in Intervals
  double residual = nan;                  ///< by a law of all cells: JointFit's

  std::size_t found() const;  ///< budgets with a best size
  /// The best size at any budget, on the line of least squares through those that were found of `budgets`.
  /// NaN for fewer than two.
  double size_at(const std::vector<Budget>& budgets, double flops) const;
};

/// So many budgets with a best size are needed for a power of C: its two parameters, and two more.
constexpr std::size_t budgets_for_a_power = 4;

/// Approach 1, by the lower envelope of curves of loss against compute, one for each size of net: at 200
/// budgets between the first and the last, evenly in log C, the size whose curve is lowest; a straight line
/// through log n over log C. Hoffmann et al. take training curves, in whose middle the learning rate is that
/// of a longer run; here a curve goes through the ends of runs whose schedules end there, straight in log-log
/// axes between them. Where the lowest curve is that of the smallest or the largest net, the best size may
/// lie beyond, and the budget does not count. Sizes are those of the grid.
///
/// Intervals as bootstrap tells; cells are drawn, so that other sizes make the envelope; where fewer than
/// three sizes are the best ones, no power is told. ValueError when a budget has no cells, a cell no losses,
/// or a value is not finite and above 0.
Allocation by_envelope(const std::vector<Budget>& budgets, std::size_t resamples, Rng& rng);

/// Approach 2: the lowest point of a parabola of log loss over log n, for each budget, through the lowest
/// cell and up to two on either side; then a straight line through log n over log C. Farther cells are left
/// out, as the curves are no parabolas: their sides are powers with other exponents, which shifts the lowest
/// point (Hoffmann et al. fit all). A budget has a best size when there are cells on both sides of the lowest
/// one and the parabola's lowest point lies among them. For intervals cells are shifted by the residuals of
/// all budgets' parabolas together, as one parabola has at most two cells more than parameters; else
/// likewise.
Allocation by_parabolas(const std::vector<Budget>& budgets, std::size_t resamples, Rng& rng);

/// L(C): the law of the parabolas' lowest losses over compute; its points have the budget as `cell`.
/// Intervals as by_parabolas. ValueError as that, and for fewer than three budgets with a best size.
Report fit_lowest(const std::vector<Budget>& budgets, Options options, Rng& rng);

/// What the law of the others predicts for the `largest` budgets.
Holdout hold_out_lowest(const std::vector<Budget>& budgets, std::size_t largest, const Options& options,
                        Rng& rng);

/// The size to train with so much compute: that of the line through the parabolas' lowest points; where fewer
/// than three budgets have one, that of the joint law. ValueError where that law lacks a term, too.
double advised_size(const std::vector<Budget>& budgets, double flops);
/// Whether it is that of the line.
bool advised_by_line(const std::vector<Budget>& budgets);

/// What the advice of the other budgets would have cost a budget: the loss at the size that they advise,
/// between its neighbours in the grid, over the lowest loss of the budget's cells, less 1.
struct Regret {
  double worst = 0;      ///< of all budgets that can be told of
  std::size_t told = 0;  ///< so many: their advised size lies inside the grid, and the others give advice
};
Regret regret(const std::vector<Budget>& budgets);

/// The points of a budget's parabola, from the first cell that it was fitted to to the last: n and loss. None
/// where it has no lowest point.
std::vector<std::pair<double, double>> parabola(const Budget& budget);

}  // namespace elk::lab::scaling
