// Layers alone: forward in evaluation, and a step of training, which is forward and backward without an
// update. The benchmarks of peers/libtorch_layers.cpp have the same names and do the same.
#include <memory>
#include <utility>

#include "common.hpp"

namespace {

using namespace elk;

struct Layer {
  std::shared_ptr<const nn::Module> module;
  Tensor x;
};

template <class M>
Layer layer(M module, Tensor x) {
  return {std::make_shared<M>(std::move(module)), std::move(x)};
}

void add_forward(const std::string& name, Layer (*make)(Rng&)) {
  benchmark::RegisterBenchmark((name + "/forward").c_str(), [=](benchmark::State& state) {
    Rng rng(1);
    const Layer layer = make(rng);
    bench::repeat(state, [&] { return layer.module->forward(layer.x); });
  });
}

void add_step(const std::string& name, Layer (*make)(Rng&)) {
  benchmark::RegisterBenchmark((name + "/step").c_str(), [=](benchmark::State& state) {
    Rng rng(1);
    const Layer layer = make(rng);
    const Tensor dy = ones_like(layer.module->forward(layer.x));
    bench::repeat(state, [&] {
      Tape tape(rng);
      if (is_float(layer.x.dtype())) tape.watch(layer.x);
      return tape.backward(layer.module->forward(layer.x), dy);
    });
  });
}

void add(const std::string& name, Layer (*make)(Rng&)) {
  add_forward(name, make);
  add_step(name, make);
}

Layer lenet(Rng& rng) {
  return layer(nn::Sequential{nn::Conv2d(1, 6, 5, rng, {.padding = 2}), nn::ReLU(), nn::MaxPool2d(2),
                              nn::Conv2d(6, 16, 5, rng), nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(),
                              nn::Linear(400, 120, rng), nn::ReLU(), nn::Linear(120, 84, rng), nn::ReLU(),
                              nn::Linear(84, 10, rng)},
               randn({50, 1, 28, 28}, rng));
}

Layer residual_block(Rng& rng) {
  const auto convolution = [&] { return nn::Conv2d(64, 64, 3, rng, {.padding = 1, .bias = false}); };
  return layer(nn::Sequential{nn::Residual{convolution(), nn::BatchNorm2d(64), nn::ReLU(), convolution(),
                                           nn::BatchNorm2d(64)},
                              nn::ReLU()},
               randn({50, 64, 16, 16}, rng));
}

// 200 operations on 8 elements: what each costs besides its arithmetic.
Layer graph(Rng& rng) {
  return layer(nn::Function("graph",
                            [a = randn({8}, rng)](const Tensor& x) {
                              Tensor y = x;
                              for (int i = 0; i < 100; ++i) y = (y * x) + a;
                              return y;
                            }),
               uniform({8}, rng));
}

void add_all() {
  add("layers/layer_norm/50x925", [](Rng& rng) { return layer(nn::LayerNorm(925), randn({50, 925}, rng)); });
  add("layers/gelu/50x925", [](Rng& rng) { return layer(nn::GELU(), randn({50, 925}, rng)); });
  add("layers/softmax/50x10", [](Rng& rng) { return layer(nn::Softmax(), randn({50, 10}, rng)); });
  add("layers/softmax/50x1000", [](Rng& rng) { return layer(nn::Softmax(), randn({50, 1000}, rng)); });
  add("layers/softmax/50x10000", [](Rng& rng) { return layer(nn::Softmax(), randn({50, 10000}, rng)); });
  add_step("layers/dropout/50x925", [](Rng& rng) { return layer(nn::Dropout(0.5), randn({50, 925}, rng)); });
  add("layers/embedding/50x100of10000x128", [](Rng& rng) {
    return layer(nn::Embedding(10000, 128, rng), randint(0, 10000, {50, 100}, rng));
  });
  add("layers/batch_norm/50x925", [](Rng& rng) {
    return layer(nn::BatchNorm1d(925), randn({50, 925}, rng));
  });
  add("layers/batch_norm/50x64x16x16", [](Rng& rng) {
    return layer(nn::BatchNorm2d(64), randn({50, 64, 16, 16}, rng));
  });
  add("layers/lenet/50x1x28x28", lenet);
  add("layers/residual_block/50x64x16x16", residual_block);
  add("layers/attention/8x128x128", [](Rng& rng) {
    return layer(nn::MultiheadAttention(128, 8, rng), randn({8, 128, 128}, rng));
  });
  add("layers/gru/50x100x128", [](Rng& rng) {
    return layer(nn::GRU(128, 128, rng), randn({50, 100, 128}, rng));
  });
  add("layers/graph/200x8", graph);
}

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv, add_all); }
