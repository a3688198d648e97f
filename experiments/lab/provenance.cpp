#include <lab/provenance.hpp>

#include <sys/utsname.h>

#include <ctime>
#include <fstream>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <elk/base/machine.hpp>
#include <lab/commit.hpp>

namespace elk::lab {

namespace {

std::string read_processor_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name"))
      if (const auto begin = line.find_first_not_of(" \t", line.find(':') + 1); begin != std::string::npos)
        return line.substr(begin);
  utsname system{};
  return uname(&system) == 0 ? system.machine : "";
}

}  // namespace

std::string version() { return ELK_VERSION; }
std::string commit() { return ELK_COMMIT; }

std::string processor_name() {
  static const std::string name = read_processor_name();  // every run asks
  return name;
}

ComputedWith computed_with() { return {instruction_set(), blas_name()}; }

std::string to_string(const ComputedWith& with) {
  return fmt::format("{}, {}", with.instruction_set, with.blas);
}

std::string utc_date() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

}  // namespace elk::lab
