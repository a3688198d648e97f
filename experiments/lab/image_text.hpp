// Images drawn with letters.
#pragma once

#include <string>

#include <elk/tensor/tensor.hpp>

namespace elk::lab {

enum class ImageStyle {
  ascii,       ///< shades of " .:-=+*#%@", light ink on a dark ground; no control characters
  colours256,  ///< half blocks in the palette of 256 colours
  colours24,   ///< half blocks in 24-bit colours
};

/// What standard output shows: colours on a terminal (24-bit where COLORTERM says truecolor or 24bit) unless
/// NO_COLOR is set to anything (https://no-color.org) or TERM is dumb; ASCII otherwise.
ImageStyle image_style();

/// The image u8 (H, W) or (3, H, W), two rows of pixels a line. Each line ends in a newline; ASCII lines have
/// no spaces at their end, coloured ones reset the colours.
std::string draw_image(const Tensor& image, ImageStyle style);

}  // namespace elk::lab
