// Statistics of the images of a data set, to scale a network's inputs to mean 0 and variance 1: the tensors
// for nn::Normalize and nn::Whiten (see nn/normalize.hpp). Pixels are in [0, 1], as in a Batch. Measure only
// the training set.
#pragma once

#include <elk/data/dataset.hpp>

namespace elk {

/// f64 (features) each.
struct PixelStatistics {
  Tensor mean;
  Tensor deviation;  ///< standard deviation, of the population: the mean of squares, not their sum / (N - 1)
  Tensor scale;      ///< 1 / deviation; 1 where the deviation is 0
};

/// Whether each pixel has its own mean, or each channel, whose statistics are then used for all its pixels.
/// Images (C, H, W) have C channels, all others one. A pixel that is rarely above 0 has a small deviation,
/// and so becomes large when it is; with channels this does not happen.
enum class Per { pixel, channel };

/// Mean and deviation over all images. They are computed with integers, so their bits depend only on the
/// images. ValueError when there are none.
PixelStatistics pixel_statistics(const Dataset& dataset, Per per = Per::pixel);

/// All f64.
struct Whitening {
  Tensor mean;      ///< (features): of each pixel
  Tensor matrix;    ///< (components, features)
  Tensor variance;  ///< (components): of the images along each principal component, the largest first
};

/// PCA whitening: the rows of `matrix` are the first `components` (0: all) principal components u, each
/// divided by sqrt(variance + epsilon). (x - mean) matrixᵀ of all images has mean 0, no correlations, and the
/// variances variance / (variance + epsilon). epsilon keeps components that are little but noise from being
/// blown up; 0.001 is a deviation of 8 of 255 grey levels. A component along which the images do not vary at
/// all is divided by 1. Signs: the largest element of each u is positive. (A. Hyvärinen, J. Hurri, P. Hoyer,
/// "Natural Image Statistics", 2009, chapter 5.) Takes some 30 features² bytes of memory and features³ time.
/// ValueError when there are no images, or unless components is from 0 to features and epsilon at least 0.
Whitening pca_whitening(const Dataset& dataset, Index components = 0, double epsilon = 1e-3);

}  // namespace elk
