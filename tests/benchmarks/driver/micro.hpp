// The programs of Google Benchmark beside this one. Each benchmark gets a process of its own, so that one of
// them can be picked, none disturbs another, and what was measured is kept when the user stops.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace elk::bench {

struct Benchmark {
  std::string program, name;
};

/// What the programs `names` of `folder` have; those that were not built have nothing.
std::vector<Benchmark> list_benchmarks(const std::string& folder, const std::vector<std::string>& names);

struct Effort {
  double seconds = 0.1;  ///< a repetition
  int repetitions = 5;
};

/// Name, processor seconds an iteration (median, least and most of the repetitions) and counters; or name and
/// error.
nlohmann::ordered_json measure(const Benchmark& benchmark, const Effort& effort, int core);

/// A benchmark and the one of the same name in `peer`, a program, in turn, A B A B ...: an object with the
/// name, the seconds of both and the ratios. `pair_done` is called after each pair with its ratio. Error
/// where one of them cannot be measured.
nlohmann::ordered_json measure_pairs(const Benchmark& benchmark, const std::string& peer,
                                     const Effort& effort, int pairs, int core,
                                     const std::function<void(double)>& pair_done);

}  // namespace elk::bench
