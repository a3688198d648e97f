// NumPy's files of one array: what was read comes back when it is written and read again.
#include <elk/io/npy.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elk;
  Tensor array;
  if (!fuzz::accepted([&] { array = parse_npy(fuzz::text(data, size)); })) return 0;
  fuzz::check(fuzz::same(array, parse_npy(format_npy(array))), "another array came back");
  return 0;
}
