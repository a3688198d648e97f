// Labelled images in memory, and selections from them.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include <elk/tensor/tensor.hpp>

namespace elk {

/// N labelled images. A cheap handle: copies share the tensors.
struct Dataset {
  std::string name;                  ///< "mnist"
  Tensor images;                     ///< u8 (N, ...sample shape); 0 ... 255
  Tensor labels;                     ///< i64 (N); 0 ... classes - 1
  std::vector<std::string> classes;  ///< the name of each label

  /// N, the number of images.
  Index size() const { return images.size(0); }
  /// The shape of one image, for example (28, 28) or (3, 32, 32).
  Shape sample_shape() const;
  /// The number of values of one image, for example 784.
  Index features() const { return sample_shape().size(); }

  /// Throws unless images and labels are as described above: DTypeError, ShapeError, or IndexError for a
  /// label that no class has. Loaders call it; call it, too, when you fill a Dataset by hand.
  void check() const;

  /// Copies of the `count` images from `first` on. IndexError when they are not all there.
  Dataset take(Index first, Index count) const;
  /// Copies of the images `rows`, in that order. IndexError for a row outside 0 ... N - 1.
  Dataset subset(std::span<const Index> rows) const;
};

/// The training set and the test set.
struct TrainTest {
  Dataset train, test;
};

/// Holds out `held_out` images drawn at random (the first of `rng.permutation(N)`); returns the others and
/// these, each in their original order. ValueError unless 0 <= held_out < N.
std::pair<Dataset, Dataset> split(const Dataset& dataset, Index held_out, Rng& rng);

}  // namespace elk
