#include <lab/prepare_image.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <elk/data/center.hpp>
#include <elk/data/resize.hpp>
#include <elk/ops/shape.hpp>
#include <lab/image_file.hpp>

namespace elk::lab {

namespace {

bool has_size(const Tensor& image, Index side) { return image.size(-2) == side && image.size(-1) == side; }

Tensor prepare_fashion(const Tensor& grey) {
  constexpr Index side = 28;
  if (has_size(grey, side)) return grey;
  const Tensor small = resize_to_fit(grey, side);
  const Index rows = small.size(0), columns = small.size(1);
  const bool light = has_light_border(grey);
  const auto pixels = small.data<std::uint8_t>();
  std::vector<std::uint8_t> result(side * side);
  for (Index i = 0; i < small.size(); ++i) {
    const Index y = (side - rows) / 2 + i / columns, x = (side - columns) / 2 + i % columns;
    const int pixel = pixels[static_cast<std::size_t>(i)];
    result[static_cast<std::size_t>(y * side + x)] = static_cast<std::uint8_t>(light ? 255 - pixel : pixel);
  }
  return from(result, {side, side});
}

Tensor middle_square(const Tensor& image) {
  const Index h = image.size(1), w = image.size(2), side = std::min(h, w);
  const Tensor rows = slice(image, 1, (h - side) / 2, (h - side) / 2 + side);
  return slice(rows, 2, (w - side) / 2, (w - side) / 2 + side);
}

}  // namespace

Tensor prepare_image(const Tensor& image, const std::string& dataset) {
  if (dataset == "cifar-10") return resize(middle_square(image), 32, 32);
  const Tensor grey = to_grey(image);
  if (dataset == "fashion-mnist") return prepare_fashion(grey);
  if (dataset == "digits" || dataset == "mnist")
    return has_size(grey, 28) && !has_light_border(grey) ? grey : center_digit(grey);
  throw ValueError(fmt::format("[prepare] images of the data set \"{}\" are not known here", dataset));
}

}  // namespace elk::lab
