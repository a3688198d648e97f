// history.jsonl: what was read comes back when it is written and read again.
#include <elk/train/history.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elk;
  std::vector<train::HistoryRow> rows;
  if (!fuzz::accepted([&] { rows = train::parse_jsonl(std::string(fuzz::text(data, size)), "fuzz"); }))
    return 0;
  const std::string written = train::to_jsonl(rows);  // all fields, and those that are not finite as null
  fuzz::check(train::to_jsonl(train::parse_jsonl(written, "fuzz")) == written, "another history came back");
  return 0;
}
