// CIFAR-10's binary files, of one record.
#include <elk/data/cifar.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elk;
  static fuzz::MemoryFile file;
  const std::string& path = file.holding(fuzz::text(data, size));
  fuzz::accepted([&] { read_cifar10({path}, 1).check(); });
  return 0;
}
