#include <lab/image_file.hpp>

#include <elk/ops/shape.hpp>

namespace elk::lab {

Tensor read_colour_image(const std::string& path) {
  const Tensor image = elk::read_image(path);
  return image.rank() == 3 ? image : concat({expand(image, 0), expand(image, 0), expand(image, 0)}, 0);
}

}  // namespace elk::lab
