// transformer, 2017: attention learns to sort
//
// A. Vaswani et al., "Attention is all you need", NIPS 2017. Twelve numbers from 0 to 31 go in, and each
// position says which number belongs there.
#include <cstdio>
#include <utility>

#include <elk/elk.hpp>

using namespace elk::nn;
using elk::Index, elk::Tensor;

constexpr Index length = 12, numbers = 32, width = 64;

struct Net : Module {
  Embedding tokens, positions;
  Sequential layers;

  explicit Net(elk::Rng& rng) : tokens(numbers, width, rng), positions(length, width, rng) {
    for (int i = 0; i < 2; ++i)
      layers.add(
          TransformerEncoderLayer(width, 4, rng, {.dim_feedforward = 128, .dropout = 0, .norm_first = true}));
    layers.add(LayerNorm(width)).add(Linear(width, numbers, rng));
  }
  Tensor forward(const Tensor& x) const override {  // i64 (N, length); logits (N, length, numbers)
    return layers(tokens(x) + positions(elk::arange(length)));
  }
  void fields(Fields& f) override { f("tokens", tokens)("positions", positions)("layers", layers); }
};

int main(int argc, char**) {
  const int steps = argc > 1 ? 150 : 2000;  // few with --smoke
  elk::Rng rng(1);
  Net net(rng);
  elk::optim::Adam adam(net, {.lr = 1e-3});
  const elk::optim::Schedule schedule = elk::optim::one_cycle(steps, 1);

  double first = 0, last = 0;
  for (int step = 0; step < steps; ++step) {
    const Tensor x = elk::randint(0, numbers, {64, length}, rng), y = elk::sort(x).values;
    elk::Tape tape(rng);
    const Tensor loss = elk::cross_entropy(net(x), y);
    adam.set_lr(schedule(1e-3, step));
    adam.step(tape.backward(loss));
    last = loss.item();
    if (step == 0) first = last;
  }

  const Tensor x = elk::randint(0, numbers, {1000, length}, rng), y = elk::sort(x).values,
               sorted = elk::argmax(net(x));
  for (const auto& [name, row] : {std::pair{"in ", x[0]}, {"out", sorted[0]}}) {
    std::printf("%s ", name);
    for (Index i = 0; i < length; ++i) std::printf(" %2d", static_cast<int>(row.at(i)));
    std::printf("\n");
  }
  const double right = elk::mean(elk::cast(elk::min(elk::equal(sorted, y), 1), elk::f32)).item();
  std::printf("of 1000 new lists %.1f%% are sorted without a mistake\n", 100 * right);
  return argc > 1 ? (last < 0.8 * first ? 0 : 1) : (right > 0.8 ? 0 : 1);
}
