// Reading images: PNG by libpng, and PGM.
#pragma once

#include <string>

#include <elk/tensor/tensor.hpp>

namespace elk {

/// Reads a PNG of any kind, or a PGM (P2 or P5, up to 16 bits), as u8, 0 ... 255: (H, W) of a grey image, and
/// (3, H, W), red, green and blue, of one in colour or with a palette. 16 bits become 8. What is transparent
/// shows a background: black where the visible parts are light, white where they are dark, so that a drawing
/// stands out. FileError naming the file when it is missing, damaged, cut off, of another format, or of more
/// than 50 million pixels (checked before memory is set aside), and for any PNG where elkgrad was built
/// without libpng.
Tensor read_image(const std::string& path);

/// The brightness of a colour image u8 (3, H, W): u8 (H, W), by the weights of ITU-R BT.601; grey stays as it
/// is. ShapeError or DTypeError for what is no such image.
Tensor to_grey(const Tensor& image);

}  // namespace elk
