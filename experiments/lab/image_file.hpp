// Images that users give to programs.
#pragma once

#include <string>

#include <elk/data/image_file.hpp>

namespace elk::lab {

/// As elk::read_image, always of three planes: u8 (3, H, W), which are equal in a grey image.
Tensor read_colour_image(const std::string& path);

}  // namespace elk::lab
