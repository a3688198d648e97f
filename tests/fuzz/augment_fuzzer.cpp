// The text of augmentation's options: what was read comes back when it is written and read again.
#include <elk/data/augment.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elk;
  AugmentOptions options;
  if (!fuzz::accepted([&] { options = parse_augment(fuzz::text(data, size)); })) return 0;
  fuzz::check(parse_augment(to_string(options)) == options, "other options came back");
  return 0;
}
