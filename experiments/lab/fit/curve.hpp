// Where a learning curve ends: the loss after the last epoch, predicted from those after the first ones.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>

#include <lab/fit/scaling.hpp>

namespace elk::lab::scaling {

/// What a curve of losses over t, the epochs from 1 on, is taken for.
enum class CurveForm {
  last,         ///< it stays where it is
  exponential,  ///< E + A exp(-t / τ)
  power,        ///< E + A t^-b
  /// E + A t^-b (1 + (t / d)^(1/f))^(-c f): Caballero et al. 2022, arXiv 2210.14891, with one break
  broken,
};
inline constexpr CurveForm curve_forms[] = {CurveForm::last, CurveForm::exponential, CurveForm::power,
                                            CurveForm::broken};
/// "E + A t^-b"
std::string name(CurveForm form);

/// The loss after the last epoch, with a 95 % interval of that measurement itself, its noise included.
struct Forecast {
  CurveForm form = CurveForm::last;
  Estimate loss;
  /// |log predicted - log measured| of the last of the losses, by the form fitted to those before the last
  /// quarter. NaN where it was not needed.
  double held_out_error = std::numeric_limits<double>::quiet_NaN();
};

/// With fewer losses every form is `last`.
constexpr std::size_t fewest_losses = 3;

/// From the losses after the first of `epochs` epochs.
///
/// Shapes (E, τ, b, c, d, f) are drawn evenly from a range, each weighed by how well it fits: by least
/// squares of relative residuals, A and their size integrated out. (Noise of 2 % counts as one residual more,
/// so that a perfect fit to few losses is not believed.) The loss is the median of what all shapes predict
/// together, and its interval reaches from 2.5 to 97.5 % of that. `last` takes a curve for a random walk of
/// the logarithm. The same input gives the same bits.
///
/// ValueError when there are no losses, more than epochs, or one that is not finite and above 0. One loss
/// predicts nothing: its interval is from 0 to infinity.
Forecast forecast(std::span<const double> losses, std::size_t epochs, CurveForm form);
/// By the form that predicts the end of `losses` best from their beginning. What follows may have another
/// form: the interval holds those of all forms, but for that of `last` where another is better.
Forecast forecast(std::span<const double> losses, std::size_t epochs);

}  // namespace elk::lab::scaling
