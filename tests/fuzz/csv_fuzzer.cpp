// Tables of text.
#include <elk/data/csv.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elk;
  const std::string_view text = fuzz::text(data, size);
  fuzz::accepted([&] {
    const Table table = parse_csv(text);
    for (const std::string& name : table.names()) fuzz::accepted([&] { table.categories(name); });
    for (const std::string& name : table.names()) fuzz::accepted([&] { table.column(name); });
  });
  fuzz::accepted([&] { parse_csv(text, {.separator = ';', .header = false}); });
  return 0;
}
