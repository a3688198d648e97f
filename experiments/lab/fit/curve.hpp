// Where a learning curve ends: the loss after the last epoch, predicted from those after the first ones.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <lab/fit/scaling.hpp>

namespace elk::lab::scaling {

/// What a curve of losses is taken for. Over t: the sum of the learning rates of the epochs so far, the
/// highest rate counted as 1; where it stays the same t is the number of epochs. (Training with a decaying
/// rate comes as far as that sum: Tissue et al. 2024, arXiv 2408.11029.) A lower rate also leaves less noise
/// in the weights: all but `last` are times 1 - c (1 - rate), where c is at most 0.2.
enum class CurveForm {
  last,         ///< it stays where it is, less surely the more epochs are left
  exponential,  ///< E + A exp(-t / τ)
  power,        ///< E + A t^-b
  /// E + A t^-b (1 + (t / d)^(1/f))^(-a f): Caballero et al. 2022, arXiv 2210.14891, with one break
  broken,
};
inline constexpr CurveForm curve_forms[] = {CurveForm::last, CurveForm::exponential, CurveForm::power,
                                            CurveForm::broken};
/// "E + A t^-b"
std::string name(CurveForm form);

/// With fewer losses every form is `last`.
constexpr std::size_t fewest_losses = 3;

/// The loss after the last epoch, with a 95 % interval of that measurement itself, its noise included: from
/// the losses after the first epochs of a run, and the learning rates of all that are planned, of which only
/// the ratios matter. (All alike where they are not known.)
///
/// Shapes (E, τ, b, a, d, f, c) are drawn evenly from a range, each weighed by how well it fits: by least
/// squares of relative residuals, A and their size integrated out. (Noise of 2 % counts as one residual more,
/// so that a perfect fit to few losses is not believed.) The loss is the median of what all shapes predict
/// together, and its interval reaches from 2.5 to 97.5 % of that. `last` takes a curve for a random walk of
/// the logarithm. The same input gives the same bits.
///
/// ValueError when there are no losses, more than rates, one that is not finite and above 0, or a rate that
/// is not finite or below 0. One loss predicts nothing: its interval is from 0 to infinity.
Estimate forecast(std::span<const double> losses, std::span<const double> rates, CurveForm form);
/// By the broken law, the best for most curves. What follows may have another form: the interval holds those
/// of the other two laws.
Estimate forecast(std::span<const double> losses, std::span<const double> rates);

}  // namespace elk::lab::scaling
