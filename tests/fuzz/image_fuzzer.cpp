// Images that a user gives to `predict`: PNG, whose checksums are repaired after a mutation so that it gets
// past them, and PGM. What can be read can be made an input of every data set.
#include <zlib.h>

#include <elk/data/load.hpp>
#include <lab/image_file.hpp>
#include <lab/prepare_image.hpp>

#include "fuzz.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

using namespace elk;

constexpr std::size_t signature = 8, head = 8,
                      sum = 4;  // of a PNG; of a chunk its length and name, and its checksum

std::uint32_t number(const std::uint8_t* at) {
  return static_cast<std::uint32_t>(at[0]) << 24 | static_cast<std::uint32_t>(at[1]) << 16 |
         static_cast<std::uint32_t>(at[2]) << 8 | at[3];
}

void put(std::uint8_t* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

bool is_png(const std::uint8_t* data, std::size_t size) {
  return size >= signature && std::memcmp(data, "\x89PNG\r\n\x1a\n", signature) == 0;
}

// The last chunk ends where the file does.
void repair(std::uint8_t* data, std::size_t size) {
  for (std::size_t at = signature; at + head + sum <= size;) {
    const std::size_t room = size - at - head - sum;
    if (number(data + at) > room) put(data + at, static_cast<std::uint32_t>(room));
    const std::size_t length = number(data + at);
    put(data + at + head + length,
        static_cast<std::uint32_t>(crc32(0, data + at + 4, static_cast<uInt>(length + 4))));
    at += head + length + sum;
  }
}

// Small pictures are as good, and a thousand times as fast.
bool is_large(const std::uint8_t* data, std::size_t size) {
  if (!is_png(data, size) || size < signature + head + 8) return false;
  const std::uint64_t width = number(data + signature + head), height = number(data + signature + head + 4);
  return width < 50'000'000 && height < 50'000'000 && width * height > 10'000 && width * height <= 50'000'000;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (is_png(data, size)) repair(data, size);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::MemoryFile file;
  if (is_large(data, size)) return 0;
  Tensor image;
  if (!fuzz::accepted([&] { image = lab::read_colour_image(file.holding(fuzz::text(data, size))); }))
    return 0;
  fuzz::check(image.rank() == 3 && image.size(0) == 3 && image.size() > 0, "not an image of three planes");
  fuzz::check(to_grey(image).size() == image.size() / 3, "its brightness is of another size");
  for (const std::string& set : dataset_names()) fuzz::accepted([&] { lab::prepare_image(image, set); });
  return 0;
}
