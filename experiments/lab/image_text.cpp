#include <lab/image_text.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include <lab/image_file.hpp>

namespace elk::lab {

namespace {

using Colour = std::array<int, 3>;

// The nearest of the palette: 24 greys from 232 on, and a cube of 6 x 6 x 6 colours from 16 on.
std::string palette256(const Colour& c) {
  if (c[0] == c[1] && c[1] == c[2]) {
    if (c[0] < 4) return "5;16";
    if (c[0] > 246) return "5;231";
    return fmt::format("5;{}", 232 + std::min(23, std::max(0, (c[0] - 3) / 10)));
  }
  const auto step = [](int value) { return value < 48 ? 0 : value < 115 ? 1 : (value - 35) / 40; };
  return fmt::format("5;{}", 16 + 36 * step(c[0]) + 6 * step(c[1]) + step(c[2]));
}

std::string colour(const Colour& c, ImageStyle style) {
  return style == ImageStyle::colours24 ? fmt::format("2;{};{};{}", c[0], c[1], c[2]) : palette256(c);
}

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string draw_ascii(const Tensor& grey) {
  constexpr std::string_view shades = " .:-=+*#%@";
  const Index h = grey.size(0), w = grey.size(1);
  const auto pixels = grey.data<std::uint8_t>();
  std::string text;
  for (Index y = 0; y < h; y += 2) {
    const Index below = y + 1 < h ? y + 1 : y;
    for (Index x = 0; x < w; ++x) {
      const int sum =
          pixels[static_cast<std::size_t>(y * w + x)] + pixels[static_cast<std::size_t>(below * w + x)];
      text += shades[static_cast<std::size_t>((sum * 9 + 255) / 510)];
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

}  // namespace

ImageStyle image_style() {
  if (!isatty(STDOUT_FILENO) || !environment("NO_COLOR").empty() || environment("TERM") == "dumb")
    return ImageStyle::ascii;
  const std::string_view kind = environment("COLORTERM");
  return kind == "truecolor" || kind == "24bit" ? ImageStyle::colours24 : ImageStyle::colours256;
}

std::string draw_image(const Tensor& image, ImageStyle style) {
  if (style == ImageStyle::ascii) return draw_ascii(image.rank() == 3 ? to_grey(image) : image);
  const Index h = image.size(-2), w = image.size(-1), area = h * w;
  const auto pixels = image.data<std::uint8_t>();
  const auto at = [&](Index y, Index x) {
    Colour c;
    for (Index plane = 0; plane < 3; ++plane)
      c[static_cast<std::size_t>(plane)] =
          pixels[static_cast<std::size_t>((image.rank() == 3 ? plane * area : 0) + y * w + x)];
    return c;
  };
  std::string text;
  for (Index y = 0; y < h; y += 2) {
    for (Index x = 0; x < w; ++x) {
      text += fmt::format("\x1b[38;{}m", colour(at(y, x), style));
      // The upper half of the cell in one colour on a ground of the other.
      if (y + 1 < h) text += fmt::format("\x1b[48;{}m", colour(at(y + 1, x), style));
      text += "▀";
    }
    text += "\x1b[0m\n";
  }
  return text;
}

}  // namespace elk::lab
