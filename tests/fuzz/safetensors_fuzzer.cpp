// Safetensors files: what was read comes back when it is written and read again.
#include <elk/io/safetensors.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elk;
  SafetensorsFile file;
  if (!fuzz::accepted([&] { file = parse_safetensors(fuzz::text(data, size)); })) return 0;
  const SafetensorsFile again = parse_safetensors(format_safetensors(file.tensors, file.metadata));
  fuzz::check(fuzz::same(file.tensors, again.tensors) && file.metadata == again.metadata,
              "another content came back");
  return 0;
}
