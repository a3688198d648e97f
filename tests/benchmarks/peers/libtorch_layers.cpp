// The benchmarks of ../layers.cpp with libtorch's C++ front end. --version prints that of libtorch.
#include <benchmark/benchmark.h>
#include <torch/torch.h>
#include <torch/version.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nn = torch::nn;

struct Layer {
  std::shared_ptr<nn::Module> module;
  std::function<torch::Tensor(const torch::Tensor&)> forward;
  torch::Tensor x;
};

template <class M>
Layer layer(M module, torch::Tensor x) {
  return {module.ptr(), [module](const torch::Tensor& t) mutable { return module->forward(t); }, x};
}

Layer function(std::function<torch::Tensor(const torch::Tensor&)> f, torch::Tensor x) {
  return {std::make_shared<nn::Module>(), std::move(f), x};
}

void add_forward(const std::string& name, Layer (*make)()) {
  benchmark::RegisterBenchmark((name + "/forward").c_str(), [=](benchmark::State& state) {
    torch::manual_seed(1);
    Layer layer = make();
    layer.module->eval();
    const torch::NoGradGuard none;
    benchmark::DoNotOptimize(layer.forward(layer.x));  // as elkgrad's, see repeat
    for (auto _ : state) benchmark::DoNotOptimize(layer.forward(layer.x));
  });
}

void add_step(const std::string& name, Layer (*make)()) {
  benchmark::RegisterBenchmark((name + "/step").c_str(), [=](benchmark::State& state) {
    torch::manual_seed(1);
    Layer layer = make();
    layer.module->train();
    auto x = layer.x;
    if (x.is_floating_point()) x.set_requires_grad(true);
    const auto parameters = layer.module->parameters();
    const auto dy = torch::ones_like(layer.forward(x)).detach();
    const auto step = [&] {
      if (x.requires_grad()) x.mutable_grad().reset();
      for (const auto& p : parameters) p.mutable_grad().reset();
      layer.forward(x).backward(dy);
    };
    step();  // as elkgrad's, see repeat
    for (auto _ : state) step();
  });
}

void add(const std::string& name, Layer (*make)()) {
  add_forward(name, make);
  add_step(name, make);
}

Layer lenet() {
  return layer(
      nn::Sequential(nn::Conv2d(nn::Conv2dOptions(1, 6, 5).padding(2)), nn::ReLU(), nn::MaxPool2d(2),
                     nn::Conv2d(6, 16, 5), nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(), nn::Linear(400, 120),
                     nn::ReLU(), nn::Linear(120, 84), nn::ReLU(), nn::Linear(84, 10)),
      torch::randn({50, 1, 28, 28}));
}

Layer residual_block() {
  const auto convolution = [] { return nn::Conv2d(nn::Conv2dOptions(64, 64, 3).padding(1).bias(false)); };
  nn::Sequential inner(convolution(), nn::BatchNorm2d(64), nn::ReLU(), convolution(), nn::BatchNorm2d(64));
  return {inner.ptr(), [inner](const torch::Tensor& x) mutable { return torch::relu(x + inner->forward(x)); },
          torch::randn({50, 64, 16, 16})};
}

Layer attention() {  // its batch is the second axis
  nn::MultiheadAttention module(nn::MultiheadAttentionOptions(128, 8));
  return {module.ptr(),
          [module](const torch::Tensor& x) mutable {
            return std::get<0>(module->forward(x, x, x, {}, /*need_weights=*/false));
          },
          torch::randn({128, 8, 128})};
}

Layer gru() {
  nn::GRU module(nn::GRUOptions(128, 128).batch_first(true));
  return {module.ptr(), [module](const torch::Tensor& x) mutable { return std::get<0>(module->forward(x)); },
          torch::randn({50, 100, 128})};
}

Layer graph() {
  return function(
      [a = torch::randn({8})](const torch::Tensor& x) {
        torch::Tensor y = x;
        for (int i = 0; i < 100; ++i) y = (y * x) + a;
        return y;
      },
      torch::rand({8}));
}

template <int classes>
Layer softmax() {
  return layer(nn::Softmax(1), torch::randn({50, classes}));
}

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::puts(TORCH_VERSION);
    return 0;
  }
  torch::set_num_threads(1);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  add("layers/layer_norm/50x925", [] {
    return layer(nn::LayerNorm(nn::LayerNormOptions({925})), torch::randn({50, 925}));
  });
  add("layers/gelu/50x925", [] { return layer(nn::GELU(), torch::randn({50, 925})); });
  add("layers/softmax/50x10", softmax<10>);
  add("layers/softmax/50x1000", softmax<1000>);
  add("layers/softmax/50x10000", softmax<10000>);
  add_step("layers/dropout/50x925", [] { return layer(nn::Dropout(0.5), torch::randn({50, 925})); });
  add("layers/embedding/50x100of10000x128", [] {
    return layer(nn::Embedding(10000, 128), torch::randint(0, 10000, {50, 100}));
  });
  add("layers/batch_norm/50x925", [] { return layer(nn::BatchNorm1d(925), torch::randn({50, 925})); });
  add("layers/batch_norm/50x64x16x16", [] {
    return layer(nn::BatchNorm2d(64), torch::randn({50, 64, 16, 16}));
  });
  add("layers/lenet/50x1x28x28", lenet);
  add("layers/residual_block/50x64x16x16", residual_block);
  add("layers/attention/8x128x128", attention);
  add("layers/gru/50x100x128", gru);
  add("layers/graph/200x8", graph);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
