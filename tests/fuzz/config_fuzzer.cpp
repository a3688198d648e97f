// The file of train's --config: what was read comes back when it is written and read again.
#include <lab/config.hpp>
#include <lab/program.hpp>

#include "fuzz.hpp"

namespace {

elk::lab::TrainConfig read(std::string path) {
  std::string program = "train", option = "--config";
  char* arguments[] = {program.data(), option.data(), path.data(), nullptr};
  return elk::lab::parse_train(3, arguments).config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elk;
  static fuzz::MemoryFile file;
  std::string written;
  if (!fuzz::accepted<lab::UsageError>(
          [&] { written = lab::to_json(read(file.holding(fuzz::text(data, size)))); }))
    return 0;
  fuzz::check(lab::to_json(read(file.holding(written))) == written, "another configuration came back");
  return 0;
}
