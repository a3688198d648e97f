#include "micro.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include <fmt/format.h>

#include <elk/base/error.hpp>

#include "child.hpp"
#include "statistics.hpp"

namespace elk::bench {

using nlohmann::ordered_json;

std::vector<Benchmark> list_benchmarks(const std::string& folder, const std::vector<std::string>& names) {
  std::vector<Benchmark> all;
  for (const std::string& name : names) {
    const std::string program = folder + "/" + name;
    if (!std::filesystem::exists(program)) continue;
    std::istringstream lines(output_of({program, "--benchmark_list_tests=true"}, -1));
    for (std::string line; std::getline(lines, line);) all.push_back({program, line});
  }
  return all;
}

ordered_json measure(const Benchmark& benchmark, const Effort& effort, int core) {
  const std::string output =
      output_of({benchmark.program, fmt::format("--benchmark_filter=^{}$", benchmark.name),
                 "--benchmark_format=json", fmt::format("--benchmark_min_time={}", effort.seconds),
                 fmt::format("--benchmark_repetitions={}", effort.repetitions)},
                core);
  std::vector<double> seconds;
  ordered_json counters = ordered_json::object();
  const ordered_json parsed = ordered_json::parse(output);
  for (const ordered_json& run : parsed.at("benchmarks")) {
    if (run.value("error_occurred", false))
      return {{"name", benchmark.name}, {"error", run.value("error_message", "")}};
    const bool repetition = run.at("run_type") == "iteration";
    if (repetition) seconds.push_back(run.at("cpu_time").get<double>() * 1e-9);  // it is in ns
    if (!repetition && run.at("aggregate_name") != "median") continue;  // of one repetition there is none
    for (const char* counter : {"flops", "bytes", "per_operation", "items_per_second"})
      if (run.contains(counter)) counters[counter] = run.at(counter);
  }
  if (seconds.empty()) throw Error(fmt::format("{} has measured nothing", benchmark.name));
  const Spread spread(seconds);
  return {{"name", benchmark.name},
          {"seconds", spread.median},
          {"seconds_min", spread.min},
          {"seconds_max", spread.max},
          {"counters", counters}};
}

ordered_json measure_pairs(const Benchmark& benchmark, const std::string& peer, const Effort& effort,
                           int pairs, int core, const std::function<void(double)>& pair_done) {
  const auto seconds = [&](const std::string& program) {
    const ordered_json result = measure({program, benchmark.name}, {effort.seconds, 1}, core);
    if (result.contains("error")) throw Error(result["error"].get<std::string>());
    return result["seconds"].get<double>();
  };
  Pairs measured;
  for (int pair = 0; pair < pairs; ++pair) {
    const double ours = seconds(benchmark.program);
    pair_done(measured.add(ours, seconds(peer)));
  }
  ordered_json result{{"name", benchmark.name}};
  measured.write(result);
  return result;
}

}  // namespace elk::bench
