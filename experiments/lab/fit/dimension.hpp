// The intrinsic dimension of a set that points were drawn from, by the distances to their nearest neighbours.
#pragma once

#include <cstddef>
#include <vector>

#include <elk/tensor/tensor.hpp>
#include <lab/fit/scaling.hpp>

namespace elk::lab::scaling {

/// The nearest neighbours of each of `points` different points.
struct Neighbours {
  struct Neighbour {
    double distance = 0;    ///< Euclidean, above 0
    std::size_t point = 0;  ///< which one it is
  };
  std::size_t points = 0;
  std::size_t duplicates = 0;        ///< points left out as they equal an earlier one
  std::size_t k = 0;                 ///< neighbours that an estimate may use
  std::vector<Neighbour> list = {};  ///< `each` for every point, the nearest first
  std::size_t each = 0;              ///< at least k; more, where there are some, to replace those left out
};

/// The k nearest neighbours of the points x (n, features), f32 or f64. Of equal points one counts, as a copy
/// has no distance that tells of a dimension. Neighbours are found by products of matrices, in x's dtype, and
/// their distances then taken in f64. ValueError for k below 2, a value that is not finite, or no more than k
/// different points; ShapeError and DTypeError for another x.
Neighbours nearest(const Tensor& x, std::size_t k);

/// An estimate of a dimension, where points have one density as far as their farthest neighbour used.
/// Where neighbours are far apart it is biased, the more so the higher the dimension is: boundaries make it
/// too small, strong curvature, and noise as large as the distances, too large. The interval of 95 % is of
/// the sampling of points alone, by a jackknife that leaves out each of twenty groups of them; that bias is
/// not in it. ValueError where neighbours are all at one distance, so that they tell of no dimension, as
/// those of a simplex are.
///
/// TwoNN: the ratio of the distances to the second and the first neighbour has the distribution 1 - r^-d; d
/// is the slope of the line through 0 of -log(1 - F(r)) over log r, without the tenth of the largest r
/// (Facco, d'Errico, Rodriguez and Laio 2017, "Estimating the intrinsic dimension of datasets by a minimal
/// neighborhood information").
Estimate two_nn(const Neighbours& neighbours);
/// Maximum likelihood: 1 / d is the mean over points, and over neighbours j below k, of log(T_k / T_j), T the
/// distances (Levina and Bickel 2004, "Maximum likelihood estimation of intrinsic dimension", whose mean of
/// d itself is too large: MacKay and Ghahramani 2005).
Estimate max_likelihood(const Neighbours& neighbours);

}  // namespace elk::lab::scaling
