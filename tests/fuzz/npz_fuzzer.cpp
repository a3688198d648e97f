// NumPy's archives of arrays: what was read comes back when it is written and read again.
#include <zlib.h>

#include <elk/io/npy.hpp>

#include "fuzz.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

// Puts the right checksums into the directory, for entries that are stored: the fuzzer does not find them.
void repair(std::uint8_t* data, std::size_t size) {
  constexpr std::size_t local = 30, central = 46;
  const auto number = [&](std::size_t at, std::size_t bytes) {
    std::size_t value = 0;
    for (std::size_t i = bytes; i-- > 0;) value = value << 8 | data[at + i];
    return value;
  };
  for (std::size_t at = 0; at + central <= size; ++at) {
    if (std::memcmp(data + at, "PK\1\2", 4) != 0) continue;
    const std::size_t packed = number(at + 20, 4), header = number(at + 42, 4);
    if (number(at + 10, 2) != 0 || header > size || size - header < local) continue;
    const std::size_t begin = header + local + number(header + 26, 2) + number(header + 28, 2);
    if (begin > size || packed > size - begin) continue;
    const std::size_t crc = crc32_z(0, data + begin, packed);
    for (std::size_t i = 0; i < 4; ++i) data[at + 16 + i] = static_cast<std::uint8_t>(crc >> 8 * i);
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0) repair(data, size);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elk;
  State arrays;
  if (!fuzz::accepted([&] { arrays = parse_npz(fuzz::text(data, size)); })) return 0;
  fuzz::check(fuzz::same(arrays, parse_npz(format_npz(arrays))), "other arrays came back");
  return 0;
}
