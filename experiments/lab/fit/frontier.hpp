// The loss that a budget of compute can buy: the lower envelope of the curves of nets of several sizes.
#pragma once

#include <lab/fit/scaling.hpp>

namespace elk::lab::scaling {

/// A net after an epoch.
struct Epoch {
  double flops = 0;  ///< of training, so far
  double val_loss = 0, test_loss = 0;
};

struct Net {
  double size = 0;                        ///< its width, or its parameters
  std::vector<std::vector<Epoch>> seeds;  ///< the epochs of each
};

/// After each epoch, the losses of the epoch with the lowest validation loss so far, and the compute of this
/// one. See best_so_far.
std::vector<Epoch> best_epochs(std::span<const Epoch> epochs);

/// After each epoch, the test loss of the epoch with the lowest validation loss so far: what one has who
/// stops there and keeps the best weights, so that overfitting does not count as progress. Epochs with a loss
/// that is not finite are passed over; NaN before the first that counts.
std::vector<double> best_so_far(std::span<const Epoch> epochs);

/// The curve of each net: the means of best_epochs' losses over the seeds drawn, against compute; x = FLOPs,
/// cell = the net. A seed that stopped early keeps its last value; an epoch counts once all seeds have one.
///
/// ValueError when seeds of a net differ in the compute of an epoch, when compute does not grow, or when no
/// epoch of a seed counts.
std::vector<Point> seed_means(const std::vector<Net>& nets, const Resample& resample);

/// The points that no other beats or equals in validation loss with as little compute, or less, by compute:
/// the test loss chooses nothing, and may rise along the envelope. Where a point has no validation loss its
/// loss stands for it. The weight of each is multiplied by the range of log compute that it stands for (half
/// the way to its neighbours), so that a fit does not follow the many epochs of one net where they lie close
/// together.
std::vector<Point> lower_envelope(std::vector<Point> points);

/// L(C): the law of the lower envelope of the nets' seed means; each point of it belongs to the net that
/// reaches it. Every resample, of seeds or of nets (Cells::drawn), has an envelope of its own. ValueError as
/// seed_means and fit_law.
Report fit_frontier(const std::vector<Net>& nets, const Options& options, Rng& rng);

/// What the `largest` nets add at more compute than the others make use of, predicted by the others'
/// frontier.
Holdout hold_out_nets(const std::vector<Net>& nets, std::size_t largest, const Options& options, Rng& rng);

}  // namespace elk::lab::scaling
