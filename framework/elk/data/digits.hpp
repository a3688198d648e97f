// digits: the built-in data set, so that everything runs with nothing downloaded.
#pragma once

#include <cstdint>

#include <elk/data/dataset.hpp>

namespace elk {

/// Images `first` ... `first + count - 1` of the endless series that `seed` stands for: handwritten-looking
/// digits, 28 x 28, 0 = background, 255 = full ink, drawn from pen strokes of our own (no image of any other
/// set is in them). Image i and its label depend on (seed, i) alone: the same bytes whatever the block, the
/// order, the machine or the number of threads (it uses threads(); see base/parallel.hpp). Every ten images
/// from a multiple of ten on hold each digit once, in random order. ValueError unless 0 <= first, 0 <= count
/// and first + count <= 2^32.
Dataset digits(std::uint32_t seed, Index first, Index count);

/// Images 0 ... n_train - 1 to learn from and images 2^31 ... 2^31 + n_test - 1 to judge by, so that the test
/// set stays the same for any n_train. ValueError when either is negative or more than 2^31.
TrainTest digits_train_test(std::uint32_t seed, Index n_train = 10000, Index n_test = 2000);

}  // namespace elk
