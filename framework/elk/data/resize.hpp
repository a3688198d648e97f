// Scales images of any size to a given size.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// The image u8 (H, W), or its planes (C, H, W), with `rows` and `columns` instead of H and W. Each pixel of
/// the result is the mean of the area that it covers, in exact integers, so that shrinking smooths edges and
/// size 1:1 changes nothing. DTypeError unless u8; ShapeError for another rank, an empty image or a size
/// below 1.
Tensor resize(const Tensor& image, Index rows, Index columns);

/// The same with the longer of H and W scaled to `side` and the other one in proportion, at least 1.
Tensor resize_to_fit(const Tensor& image, Index side);

}  // namespace elk
