// How the cost of training grows with width, depth, batch and data: scaling/<what grows>/<its size>.
#include "common.hpp"
#include "step.hpp"

namespace {

using namespace elk;
using bench::Sizes;

void add(const std::string& what, Index size, const Sizes& sizes, Index batch) {
  benchmark::RegisterBenchmark(fmt::format("scaling/{}/{}", what, size).c_str(),
                               [=](benchmark::State& state) {
                                 bench::TrainingStep step(sizes, batch);
                                 bench::repeat(state, [&] { return step(); });
                               });
}

// An epoch of `examples` examples, shuffled anew.
void add_data(Index examples) {
  benchmark::RegisterBenchmark(fmt::format("scaling/data/{}", examples).c_str(),
                               [=](benchmark::State& state) {
                                 Rng rng(1);
                                 const Dataset data = bench::noise(examples, 784, rng);
                                 models::MLP net = bench::net({784, 128, 10}, rng);
                                 optim::SGD sgd(net, {.lr = 1e-4});
                                 const Batches batches(data, 50, rng);
                                 bench::repeat(state, [&] {
                                   for (const auto& [x, labels] : batches) {
                                     Tape tape(rng);
                                     sgd.step(tape.backward(cross_entropy(net(x), labels)));
                                   }
                                   return net.parameter_count();
                                 });
                               });
}

void add_all() {
  for (Index width = 8; width <= 4096; width *= 2) add("width", width, {784, width, 10}, 50);
  for (Index depth = 1; depth <= 16; depth *= 2) {
    Sizes sizes{784};
    sizes.insert(sizes.end(), static_cast<std::size_t>(depth), 128);
    sizes.push_back(10);
    add("depth", depth, sizes, 50);
  }
  for (Index batch = 1; batch <= 4096; batch *= 2) add("batch", batch, {784, 128, 10}, batch);
  for (const Index examples : {1000, 2000, 5000, 10000, 20000, 60000}) add_data(examples);
}

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv, add_all); }
