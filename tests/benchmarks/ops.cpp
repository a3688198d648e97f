// What an operation costs besides its arithmetic: ten of them on 8 elements. "per_operation" is in seconds.
#include "common.hpp"

namespace {

using namespace elk;

constexpr int operations = 10;

Tensor ten(Tensor x, const Tensor& a) {
  for (int i = 0; i < operations / 2; ++i) x = (x * a) + a;
  return x;
}

// `step` is given the chain's input and its factor, a parameter.
template <class F>
void add(const char* title, F step) {
  benchmark::RegisterBenchmark(title, [step](benchmark::State& state) {
    Rng rng(1);
    const nn::Parameter a(randn({8}, rng));
    const Tensor x = randn({8}, rng), dy = ones({8});
    for (auto _ : state) step(x, a.value(), dy);
    state.counters["per_operation"] = benchmark::Counter(
        operations, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  });
}

void add_all() {
  add("ops/not_recorded",
      [](const Tensor& x, const Tensor& a, const Tensor&) { benchmark::DoNotOptimize(ten(x, a)); });
  add("ops/recorded", [](const Tensor& x, const Tensor& a, const Tensor&) {
    Tape tape;
    benchmark::DoNotOptimize(ten(x, a));
  });
  add("ops/recorded_and_backward", [](const Tensor& x, const Tensor& a, const Tensor& dy) {
    Tape tape;
    benchmark::DoNotOptimize(tape.backward(ten(x, a), dy));
  });
}

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv, add_all); }
