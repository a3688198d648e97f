// Augmentation: each image is a little different in each epoch, so that a network learns from more than the
// data set.
//
//   const Augment augment(parse_augment("shift:2,rotate:10,elastic:1"), seed);
//   for (const auto& [x, labels] : Batches(train, 50, rng).augmented(augment, epoch)) ...
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <elk/data/batches.hpp>

namespace elk {

/// How far images may change; by default not at all. Each draw is uniform over its range, in both directions.
struct AugmentOptions {
  double shift = 0;   ///< up to so many pixels along each axis; 0 ... 1000
  double rotate = 0;  ///< up to so many degrees; 0 ... 180
  double scale = 0;   ///< by a factor from 1 - scale to 1 + scale; 0 ... 0.9
  double shear = 0;   ///< verticals slant by up to so many degrees; 0 ... 80
  /// Elastic distortion: the standard deviation, in pixels along each axis, of where a pixel comes from; 0
  /// ... 1000. 1.4 is alpha = 34 of P. Y. Simard, D. Steinkraus, J. C. Platt, "Best practices for
  /// convolutional neural networks applied to visual document analysis", 2003, at its sigma = 4. Here the
  /// field of displacements wraps around at the image's edges, so that it is as strong there as inside.
  double elastic = 0;
  double elastic_sigma = 4;  ///< of the Gaussian that smooths the field, in pixels; 0.1 ... 100
  double flip = 0;           ///< probability of a mirror image, left and right exchanged; 0 ... 1
  Index crop = 0;            ///< so many zeros on each side, then a random crop of the size; 0 ... 1000
  /// Side of a square that is set to zero, its middle at a random pixel; 0 ... 1000. (T. DeVries,
  /// G. W. Taylor, "Improved regularization of convolutional neural networks with cutout", 2017.)
  Index cutout = 0;
  double noise = 0;  ///< standard deviation of normal noise on each value, then limited to [0, 1]; 0 ... 10
  /// alpha of Beta(alpha, alpha), from which the share of each image is drawn; the rest is an image drawn
  /// from the whole data set, changed in its own way. Labels mix in the same shares. 0 ... 100, 0: no mixing.
  /// (H. Zhang et al., "mixup: beyond empirical risk minimization", 2018.)
  double mixup = 0;

  bool operator==(const AugmentOptions&) const = default;
};

/// From a text such as "shift:2,rotate:10,flip": option names as above, each with its value; flip alone is
/// flip:0.5, and "" changes nothing. ValueError naming the part that is wrong.
AugmentOptions parse_augment(std::string_view text);

/// The options that differ from their defaults, in the order above: parse_augment gives them back exactly.
std::string to_string(const AugmentOptions& options);

/// Makes batches of changed images. An image's change depends only on (seed, epoch, its row in the data set):
/// the same bits in any batch, order, resumed run or number of threads (it uses threads(); see
/// base/parallel.hpp).
class Augment {
 public:
  /// ValueError for an option outside its range.
  Augment(const AugmentOptions& options, std::uint32_t seed);

  /// As gather(), of images changed for `epoch`: x f32 or f64 (B, features), still in [0, 1]. With mixup the
  /// labels are soft targets of x's dtype (B, classes), each row adding up to 1: see soft_cross_entropy. The
  /// changes come in the order warp and elastic distortion (one resampling), noise, cutout, mixup. ShapeError
  /// unless images are (H, W) or (C, H, W) and not empty, ValueError unless epoch is from 0 to 2^32 - 1, and
  /// the errors of gather(). Without options it is gather() to the bit, of any data.
  Batch operator()(const Dataset& dataset, std::span<const Index> rows, Index epoch, DType dtype = f32) const;

  const AugmentOptions& options() const { return options_; }
  std::uint32_t seed() const { return seed_; }

 private:
  void change(Tensor& x, const Shape& sample, std::span<const Index> rows, std::uint32_t epoch) const;

  AugmentOptions options_;
  std::uint32_t seed_;
};

/// One change of an image's geometry about its centre: mirrored, then scaled, sheared, rotated and shifted.
struct Warp {
  bool flip = false;                ///< left and right exchanged
  double scale = 1;                 ///< 0.001 ... 1000; 2 doubles lengths
  double shear = 0;                 ///< degrees by which verticals slant, their tops to the right; -80 ... 80
  double rotate = 0;                ///< degrees, counterclockwise; -360 ... 360
  double shift_x = 0, shift_y = 0;  ///< pixels, to the right and down; -10^6 ... 10^6
};

/// images, f32 or f64 (..., H, W), warped: each pixel of the result is interpolated between the four pixels
/// nearest to its origin; outside of an image all is 0. Mirroring and shifts by whole pixels keep values
/// exact. ValueError for a member outside its range.
Tensor warp(const Tensor& images, const Warp& change);

/// A draw from Beta(alpha, alpha), alpha above 0: as NumPy's RandomState.beta(alpha, alpha). (M. D. Jöhnk,
/// 1964; above 1 from two gamma variables: G. Marsaglia, W. W. Tsang, "A simple method for generating gamma
/// variables", 2000.)
double draw_beta(Rng& rng, double alpha);

}  // namespace elk
