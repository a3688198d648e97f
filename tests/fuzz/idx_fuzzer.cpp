// IDX files of images and of labels.
#include <elk/data/idx.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elk;
  static fuzz::MemoryFile file;
  const std::string& path = file.holding(fuzz::text(data, size));
  fuzz::accepted([&] { read_idx_images(path); });
  fuzz::accepted([&] { read_idx_labels(path); });
  return 0;
}
