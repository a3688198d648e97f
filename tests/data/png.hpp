// PNG and PGM files for tests, written without libpng.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include <elk/tensor/tensor.hpp>

namespace elk::test {

inline std::string number32(std::uint32_t n) {
  return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
          static_cast<char>(n)};
}

inline std::string chunk(const std::string& name, const std::string& data) {
  const std::string body = name + data;
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return number32(static_cast<std::uint32_t>(data.size())) + body + number32(static_cast<std::uint32_t>(sum));
}

enum Colour { grey = 0, rgb = 2, palette = 3, grey_alpha = 4, rgb_alpha = 6 };

/// A PNG of `height` rows that hold the packed pixels `rows`; `extra` chunks (PLTE, tRNS) come before them.
inline std::string png(std::uint32_t width, std::uint32_t height, Colour colour, int depth,
                       const std::string& rows, const std::string& extra = "") {
  const std::size_t stride = rows.size() / height;
  std::string filtered;
  for (std::size_t y = 0; y < height; ++y) filtered += '\0' + rows.substr(y * stride, stride);
  std::string packed(compressBound(static_cast<uLong>(filtered.size())), '\0');
  uLongf size = static_cast<uLongf>(packed.size());
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(filtered.data()),
           static_cast<uLong>(filtered.size()));
  packed.resize(size);
  const std::string head = number32(width) + number32(height) + static_cast<char>(depth) +
                           static_cast<char>(colour) + std::string(3, '\0');
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", head) + extra + chunk("IDAT", packed) + chunk("IEND", "");
}

inline std::string bytes_of(const Tensor& image) {
  const auto pixels = image.data<std::uint8_t>();
  return {pixels.begin(), pixels.end()};
}

/// A grey PNG of an image u8 (H, W).
inline std::string grey_png(const Tensor& image) {
  return png(static_cast<std::uint32_t>(image.size(-1)), static_cast<std::uint32_t>(image.size(-2)), grey, 8,
             bytes_of(image));
}

inline std::string pgm(const Tensor& image) {
  return "P5\n" + std::to_string(image.size(-1)) + " " + std::to_string(image.size(-2)) + "\n255\n" +
         bytes_of(image);
}

}  // namespace elk::test
