// Kernels in the shapes of training 784-...-10 networks. A kernel that has a fast path is measured in its
// general form as well, under its name and "/reference".
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/update.hpp>

#include "common.hpp"
#include "peak.hpp"

namespace {

using namespace elk;
using bench::repeat;

// `make` prepares the data and returns the call to measure.
template <class Make>
void add(const std::string& title, Make make, bool has_reference = false) {
  for (const bool reference : {false, true}) {
    if (reference && !has_reference) continue;
    benchmark::RegisterBenchmark((title + (reference ? "/reference" : "")).c_str(),
                                 [make, reference](benchmark::State& state) {
                                   kernels::set_reference(reference);
                                   make(state);
                                 });
  }
}

// A kernel bound by memory, which touches `bytes` bytes.
template <class F>
void stream(benchmark::State& state, Index bytes, F call) {
  repeat(state, call);
  bench::count_bytes(state, bytes);
}

// What products can reach at best.
void add_peak() {
  benchmark::RegisterBenchmark("kernels/multiply_add_in_registers/f32", [](benchmark::State& state) {
    double count = 0;
    for (auto _ : state) count += bench::multiply_add_in_registers(kernels::instruction_set());
    state.counters["flops"] = benchmark::Counter(count, benchmark::Counter::kIsRate);
  });
}

void add_matmul(Index in, Index out, Index batch, DType dtype) {
  const std::string shape = fmt::format("{}x{}/b{}/{}", in, out, batch, name(dtype));
  const auto product = [&](const char* title, Shape a, bool ta, Shape b, bool tb) {
    add(
        fmt::format("kernels/matmul_{}/{}", title, shape),
        [=](benchmark::State& state) {
          Rng rng(1);
          const Tensor x = randn(a, rng, dtype), y = randn(b, rng, dtype);
          repeat(state, [&] { return kernels::matmul("matmul", x, ta, y, tb); });
        },
        true);
  };
  product("forward", {batch, in}, false, {out, in}, true);
  product("weight_gradient", {batch, out}, true, {batch, in}, false);
  product("input_gradient", {batch, out}, false, {out, in}, false);
  // In the general form the gradient is written first.
  add(
      fmt::format("kernels/matmul_update/{}", shape),
      [=](benchmark::State& state) {
        Rng rng(1);
        const Tensor dy = randn({batch, out}, rng, dtype), x = randn({batch, in}, rng, dtype);
        Tensor weight = randn({out, in}, rng, dtype), none;
        repeat(state, [&] {
          if (kernels::reference())
            kernels::sgd_update(weight, none, kernels::matmul("matmul", dy, true, x, false), 1e-6, 0, false,
                                0);
          else
            kernels::sgd_update(weight, none, {dy, x}, 1e-6, 0, false, 0);
          return weight.id();
        });
      },
      true);
}

void add_elementwise(Index width, DType dtype) {
  constexpr Index batch = 50;
  const std::string shape = fmt::format("{}x{}/{}", batch, width, name(dtype));
  const Index bytes = batch * width * static_cast<Index>(dtype == f64 ? 8 : 4);
  const auto one = [&](const char* title, Index passes, auto call, bool has_reference) {
    add(
        fmt::format("kernels/{}/{}", title, shape),
        [=](benchmark::State& state) {
          Rng rng(1);
          const Tensor x = randn({batch, width}, rng, dtype), bias = randn({width}, rng, dtype);
          stream(state, passes * bytes, [&] { return call(x, bias); });
        },
        has_reference);
  };
  one(
      "add_bias", 2, [](const Tensor& x, const Tensor& b) { return kernels::add(x, b); }, true);
  one(
      "relu", 2, [](const Tensor& x, const Tensor&) { return kernels::leaky_relu(x, 0); }, true);
  one(
      "relu_gradient", 3, [](const Tensor& x, const Tensor&) { return kernels::gate(x, x, 0); }, true);
  one(
      "sigmoid", 2, [](const Tensor& x, const Tensor&) { return kernels::sigmoid(x); }, true);
  one(
      "tanh", 2, [](const Tensor& x, const Tensor&) { return kernels::tanh(x); }, true);
  one(
      "sum_rows", 1, [](const Tensor& x, const Tensor&) { return kernels::sum(x, 0, false); }, true);
  one(
      "sum", 1, [](const Tensor& x, const Tensor&) { return kernels::sum(x, Axes::all(), false); }, true);
}

void add_loss(Index batch) {
  const std::string shape = fmt::format("{}x10/f32", batch);
  const auto one = [&](const char* title, auto call, bool has_reference) {
    add(
        fmt::format("kernels/{}/{}", title, shape),
        [=](benchmark::State& state) {
          Rng rng(1);
          const Tensor logits = randn({batch, 10}, rng);
          const Tensor labels = bench::noise(batch, 1, rng).labels;
          repeat(state, [&] { return call(logits, labels); });
        },
        has_reference);
  };
  one(
      "softmax", [](const Tensor& z, const Tensor&) { return kernels::softmax(z, 1); }, true);
  one(
      "cross_entropy", [](const Tensor& z, const Tensor& y) { return kernels::cross_entropy(z, y); }, false);
  one(
      "argmax", [](const Tensor& z, const Tensor&) { return kernels::argmax(z, 1); }, false);
}

void add_gather(Index batch) {
  add(fmt::format("kernels/gather_images/{}x784/f32", batch), [=](benchmark::State& state) {
    Rng rng(1);
    const Dataset data = bench::noise(10000, 784, rng);
    const std::vector<Index> order = rng.permutation(data.size());
    const std::span rows(order.data(), static_cast<std::size_t>(batch));
    stream(state, batch * 784 * 5, [&] { return gather(data, rows); });
  });
}

void add_updates(Index n) {
  const auto one = [&](const char* title, Index passes, auto call) {
    add(fmt::format("kernels/{}/{}/f32", title, n), [=](benchmark::State& state) {
      Rng rng(1);
      Tensor weight = randn({n}, rng), first = zeros({n}), second = zeros({n});
      const Tensor gradient = randn({n}, rng);
      stream(state, passes * n * 4, [&] {
        call(weight, first, second, gradient);
        return weight.id();
      });
    });
  };
  one("update_sgd", 3, [](Tensor& w, Tensor& v, Tensor&, const Tensor& g) {
    kernels::sgd_update(w, v, g, 1e-6, 0, false, 0);
  });
  one("update_momentum", 5, [](Tensor& w, Tensor& v, Tensor&, const Tensor& g) {
    kernels::sgd_update(w, v, g, 1e-6, 0.9, false, 0);
  });
  one("update_adam", 7, [](Tensor& w, Tensor& m, Tensor& v, const Tensor& g) {
    kernels::adam_update(w, m, v, g, 1e-6, 0.9, 0.999, 1e-8, 0, false, 1000);
  });
}

void add_all() {
  add_peak();
  for (const Index batch : {1, 50, 512, 1000})
    for (const auto& [in, out] :
         {std::pair<Index, Index>{784, 64}, {784, 128}, {784, 925}, {925, 10}, {784, 2048}, {2048, 2048}})
      add_matmul(in, out, batch, f32);
  add_matmul(784, 925, 50, f64);
  for (const Index width : {128, 925, 2048}) add_elementwise(width, f32);
  add_elementwise(925, f64);
  for (const Index batch : {1, 50, 512, 1000}) add_loss(batch);
  for (const Index batch : {1, 50, 512, 1000}) add_gather(batch);
  for (const Index n : {784 * 128, 784 * 925, 2048 * 2048}) add_updates(n);
}

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv, add_all); }
