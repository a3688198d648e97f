// Prepares drawn and photographed digits as MNIST's were.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// Whether the border of the image u8 (H, W) is light (its median above 127), so that it shows dark ink on
/// light paper.
bool has_light_border(const Tensor& grey);

/// Prepares an image as those of MNIST were (Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based
/// learning applied to document recognition", Proc. IEEE 86(11), 1998, section III.A): the ink's bounding box
/// is scaled to fit 20 x 20 with its proportions kept, edges smoothed, and placed in 28 x 28 so that its
/// centre of mass comes to the middle (that of pixel (14, 14), counted from 0).
///
/// `grey`: u8 (H, W), 0 = black. The median of its border is the colour of the paper; ink is everything
/// darker than light paper, or lighter than dark paper, and the strongest ink becomes 255. If the border is
/// not uniform, the paper has grain, and ink of a fifth of that or less counts as paper. Result: u8 (28, 28),
/// 0 = background, 255 = full ink. ValueError when there is no ink: nothing that differs from the paper by 32
/// or more. DTypeError and ShapeError for anything but such an image.
Tensor center_digit(const Tensor& grey);

}  // namespace elk
