// What the benchmark programs share: names, data that need no files, counters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <elk/elk.hpp>
#include <models/mlp.hpp>

namespace elk::bench {

using Sizes = std::vector<Index>;

inline models::MLP net(const Sizes& sizes, Rng& rng, DType dtype = f32) {
  return models::MLP({.sizes = sizes, .activation = models::activation("relu"), .dtype = dtype}, rng);
}

/// n images of as many random pixels, of 10 classes: what a step costs does not depend on what they show.
inline Dataset noise(Index n, Index features, Rng& rng) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(n * features));
  for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(rng.bits() >> 24);
  std::vector<std::int64_t> labels(static_cast<std::size_t>(n));
  for (auto& label : labels) label = rng.integer(0, 10);
  return {"noise", from(pixels, {n, features}), from(labels), std::vector<std::string>(10, "class")};
}

/// Sets the rate of the FLOPs counted since it was made, a second of the benchmark.
class FlopCounter {
 public:
  explicit FlopCounter(benchmark::State& state) : state_(state), before_(flops()) {}
  ~FlopCounter() {
    const auto count = static_cast<double>(flops() - before_);
    // Of a rate of 0 Google Benchmark writes a relative deviation of NaN, which is no JSON.
    if (count > 0) state_.counters["flops"] = benchmark::Counter(count, benchmark::Counter::kIsRate);
  }
  FlopCounter(const FlopCounter&) = delete;
  FlopCounter& operator=(const FlopCounter&) = delete;

 private:
  benchmark::State& state_;
  std::uint64_t before_;
};

/// Sets the rate of bytes read and written, `bytes` in an iteration.
inline void count_bytes(benchmark::State& state, Index bytes) {
  state.counters["bytes"] =
      benchmark::Counter(static_cast<double>(bytes), benchmark::Counter::kIsIterationInvariantRate);
}

/// Runs `step` over and over, once before the time counts: the first one gets memory that is new from the
/// system.
template <class F>
void repeat(benchmark::State& state, F step) {
  benchmark::DoNotOptimize(step());
  const FlopCounter counter(state);
  for (auto _ : state) benchmark::DoNotOptimize(step());
}

/// The whole main of a program whose benchmarks `add` registers.
inline int run(int argc, char** argv, void (*add)()) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  add();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace elk::bench
