// Whole training steps (reading a batch, forward, backward, update), inference, and reading data.
#include <cstdlib>
#include <numeric>

#include <elk/data/augment.hpp>
#include <elk/data/idx.hpp>

#include "common.hpp"
#include "step.hpp"

namespace {

using namespace elk;
using bench::Sizes;

void add_step(const Sizes& sizes, Index batch, const std::string& optimizer, DType dtype) {
  const std::string title =
      fmt::format("step/{}/b{}/{}/{}", fmt::join(sizes, "-"), batch, optimizer, name(dtype));
  benchmark::RegisterBenchmark(title.c_str(), [=](benchmark::State& state) {
    bench::TrainingStep step(sizes, batch, optimizer, dtype);
    bench::repeat(state, [&] { return step(); });
    state.SetItemsProcessed(state.iterations() * batch);
  });
}

void add_inference(const Sizes& sizes, Index batch) {
  const std::string title = fmt::format("inference/{}/b{}/f32", fmt::join(sizes, "-"), batch);
  benchmark::RegisterBenchmark(title.c_str(), [=](benchmark::State& state) {
    Rng rng(1);
    const models::MLP net = bench::net(sizes, rng);
    const Tensor x = uniform({batch, sizes.front()}, rng);
    bench::repeat(state, [&] { return softmax(net(x)); });
    state.SetItemsProcessed(state.iterations() * batch);
  });
}

// Of one batch in each iteration, another epoch each.
void add_augmentation(const std::string& title, const std::string& how, const Shape& image) {
  benchmark::RegisterBenchmark(("data/augment/" + title).c_str(), [=](benchmark::State& state) {
    Rng rng(1);
    Dataset data = bench::noise(50, image.size(), rng);
    Shape shape{data.size()};
    for (const Index size : image) shape.push_back(size);
    data.images = reshape(data.images, shape);
    std::vector<Index> rows(static_cast<std::size_t>(data.size()));
    std::iota(rows.begin(), rows.end(), Index{0});
    const Augment augment(parse_augment(how), 1);
    Index epoch = 0;
    for (auto _ : state) benchmark::DoNotOptimize(augment(data, rows, epoch++, f32).x.id());
    state.SetItemsProcessed(state.iterations() * data.size());
  });
}

void add_data() {
  add_augmentation("28x28/b50/shift,rotate,elastic", "shift:2,rotate:10,elastic:1", {28, 28});
  add_augmentation("3x32x32/b50/crop,flip", "crop:4,flip", {3, 32, 32});
  benchmark::RegisterBenchmark("data/draw_digits/1000", [](benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(digits(1, 0, 1000));
    state.SetItemsProcessed(state.iterations() * 1000);
  });
  benchmark::RegisterBenchmark("data/read_mnist/70000", [](benchmark::State& state) {
    const char* folder = std::getenv("ELK_DATA_DIR");
    try {
      for (auto _ : state) benchmark::DoNotOptimize(load_mnist(folder != nullptr ? folder : "data"));
    } catch (const Error&) {
      state.SkipWithError("there is no MNIST here");
    }
    state.SetItemsProcessed(state.iterations() * 70000);
  });
  benchmark::RegisterBenchmark("data/epoch_of_batches/10000x784/b50", [](benchmark::State& state) {
    Rng rng(1);
    const Dataset data = bench::noise(10000, 784, rng);
    const Batches batches(data, 50, rng);
    for (auto _ : state)
      for (const auto& [x, labels] : batches) benchmark::DoNotOptimize(x.id());
    state.SetItemsProcessed(state.iterations() * data.size());
  });
}

void add_all() {
  for (const Index width : {64, 128, 925})
    for (const char* optimizer : {"sgd", "adam"})
      for (const DType dtype : {f32, f64}) add_step({784, width, 10}, 50, optimizer, dtype);
  for (const Index batch : {50, 512})
    for (const char* optimizer : {"sgd", "adam"}) add_step({784, 2048, 2048, 10}, batch, optimizer, f32);
  for (const Index batch : {1, 1000}) add_inference({784, 925, 10}, batch);
  add_data();
}

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv, add_all); }
