// digits: the built-in data set, so that everything runs without a download.
#pragma once

#include <cstdint>

#include <elk/data/dataset.hpp>

namespace elk {

/// Images `first` ... `first + count - 1` of an endless series that `seed` selects: handwritten-looking
/// digits, 28 x 28, 0 = background, 255 = full ink, drawn from our own pen strokes (they contain no image of
/// any other data set). Image i and its label depend only on (seed, i): the same bytes whatever the block,
/// the order, the machine or the number of threads (it uses threads(); see base/parallel.hpp). Each block of
/// ten images that begins at a multiple of ten has each digit once, in random order. ValueError unless 0 <=
/// first, 0 <= count and first + count <= 2^32.
Dataset digits(std::uint32_t seed, Index first, Index count);

/// Images 0 ... n_train - 1 for training and images 2^31 ... 2^31 + n_test - 1 for testing, so that the test
/// set stays the same for any n_train. ValueError when either is negative or more than 2^31.
TrainTest digits_train_test(std::uint32_t seed, Index n_train = 10000, Index n_test = 2000);

}  // namespace elk
