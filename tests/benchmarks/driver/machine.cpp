#include "machine.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include <elk/base/machine.hpp>
#include <elk/base/parallel.hpp>
#include <lab/provenance.hpp>

namespace elk::bench {

namespace {

using nlohmann::ordered_json;

// The value behind the first "key : value" of a file of /proc.
std::string value_of(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const auto begin = line.find_first_not_of(" \t", line.find(':') + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

// Those that matrix products are made of.
std::vector<std::string> instruction_sets() {
  static const std::set<std::string> telling{
      "sse4_2",   "avx",         "avx2",        "fma",         "f16c",     "avx512f",
      "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16",
      "amx_int8", "asimd",       "sve",         "sve2",        "bf16"};
  std::string flags = value_of("/proc/cpuinfo", "flags");
  if (flags.empty()) flags = value_of("/proc/cpuinfo", "Features");  // of an ARM
  std::istringstream words(flags);
  std::vector<std::string> found;
  for (std::string word; words >> word;)
    if (telling.contains(word)) found.push_back(word);
  return found;
}

}  // namespace

ordered_json machine() {
  utsname system{};
  uname(&system);
  const auto kib = [](int name) { return std::max(sysconf(name), 0L) / 1024; };
  double load = 0;
  getloadavg(&load, 1);
  return {{"processor", lab::processor_name()},
          {"processors", available_processors()},
          {"instruction_set", instruction_set()},  // whose loops were measured
          {"instruction_sets", instruction_sets()},
          {"l1d_kib", kib(_SC_LEVEL1_DCACHE_SIZE)},
          {"l2_kib", kib(_SC_LEVEL2_CACHE_SIZE)},
          {"l3_kib", kib(_SC_LEVEL3_CACHE_SIZE)},
          {"memory_gib", std::atof(value_of("/proc/meminfo", "MemTotal").c_str()) / (1 << 20)},
          {"system", fmt::format("{} {}", system.sysname, system.release)},
          {"load_average", load}};
}

ordered_json compiler() {
  return {{"name", ELK_COMPILER}, {"build_type", ELK_BUILD_TYPE}, {"flags", ELK_COMPILER_FLAGS}};
}

ordered_json versions() {
  ordered_json all{{"elkgrad", ELK_VERSION}, {"xtensor", XTENSOR_VERSION}, {"BLAS", blas_name()}};
  if (*BENCHMARK_VERSION != '\0') all["Google Benchmark"] = BENCHMARK_VERSION;
  return all;
}

}  // namespace elk::bench
