// Model files.
#include <models/model_file.hpp>

#include "safetensors_mutator.hpp"

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  return elk::fuzz::mutate_safetensors(data, size, max_size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elk;
  static fuzz::MemoryFile file;
  const std::string& path = file.holding(fuzz::text(data, size));
  fuzz::accepted([&] { models::load_model(path); });
  return 0;
}
