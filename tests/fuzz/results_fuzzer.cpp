// results.json: what was read comes back when it is written and read again.
#include <lab/results.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elk;
  lab::Results results;
  if (!fuzz::accepted([&] { results = lab::parse_results(std::string(fuzz::text(data, size)), "fuzz"); }))
    return 0;
  const std::string written = lab::to_json(results);
  fuzz::check(lab::to_json(lab::parse_results(written, "fuzz")) == written, "other results came back");
  return 0;
}
