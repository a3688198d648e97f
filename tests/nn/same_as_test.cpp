// A module that a Sequential calls more than once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/debug/doctor.hpp>
#include <elk/debug/gradcheck.hpp>
#include <elk/debug/summary.hpp>
#include <elk/nn/batch_norm.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/residual.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/optimizer.hpp>
#include <elk/train/save.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk {
namespace {

using nn::Linear;
using nn::SameAs;
using nn::Sequential;
using nn::Tanh;
using test::error_of;
using test::values;
using testing::HasSubstr;

Sequential twice(Rng& rng) { return Sequential{Linear(3, 3, rng), Tanh(), SameAs(0), Tanh()}; }

Tensor by_hand(const Sequential& net, const Tensor& x) {
  const auto& layer = dynamic_cast<const Linear&>(net[0]);
  return tanh(layer(tanh(layer(x))));
}

void take_step(const Sequential& net, optim::Optimizer& optimizer, const Tensor& x) {
  Tape tape;
  optimizer.step(tape.backward(sum(square(net(x)))));
}

TEST(SameAsLayers, AreOneLayer) {
  Rng rng(1);
  Sequential net = twice(rng);
  const Tensor x = randn({4, 3}, rng, f64);
  EXPECT_EQ(net.size(), 4u);
  EXPECT_EQ(&net[2], &net[0]);
  EXPECT_EQ(net.parameter_count(), 12);
  EXPECT_EQ(net.parameters().size(), 2u);
  EXPECT_EQ(net.describe(), "Sequential(Linear(3, 3), Tanh, SameAs(0), Tanh)");
  EXPECT_EQ(net.name_of(&net[2]), "0");
  net.to(f64);
  EXPECT_EQ(values(net(x)), values(by_hand(net, x)));
  EXPECT_TRUE(bool(gradcheck(net, x)));  // of both uses
  std::ostringstream text;
  text << net;
  EXPECT_EQ(text.str(), R"(Sequential: 12 parameters
  0: Linear(3, 3)
    weight: (3, 3)
    bias: (3)
  1: Tanh
  2: is 0
  3: Tanh
)");
  text << summary(net, {3});
  EXPECT_THAT(text.str(), HasSubstr("is 0"));
  EXPECT_THAT(text.str(), HasSubstr("called 2 times"));
}

TEST(SameAsLayers, StayOneInCopiesMovesFilesAndConversions) {
  Rng rng(1);
  const Sequential first = twice(rng);
  const TemporaryFolder folder;
  train::save(folder / "net.safetensors", first);
  Sequential copy = first, moved = std::move(copy), loaded = twice(rng), read = twice(rng),
             assigned = twice(rng);
  loaded.load_state(first.state());
  train::load(folder / "net.safetensors", read);
  assigned = first;
  for (Sequential* net : {&moved, &loaded, &read, &assigned}) {
    EXPECT_EQ(net->state().size(), 2u);
    EXPECT_EQ(&(*net)[2], &(*net)[0]);
    EXPECT_NE(&(*net)[0], &first[0]);
    net->to(f64);
    const Tensor x = ones({1, 3}, f64);
    optim::SGD sgd(*net, {.lr = 0.1});
    take_step(*net, sgd, x);
    EXPECT_EQ(values((*net)(x)), values(by_hand(*net, x)));
    EXPECT_NE(values(cast((*net)(x), f32)), values(first(ones({1, 3}))));
  }
  EXPECT_EQ(values(first(ones({1, 3}))), values(by_hand(first, ones({1, 3}))));
}

TEST(SameAsLayers, AssignmentKeepsTheSlotsThatAnOptimizerTrains) {
  Rng rng(1);
  Sequential net = twice(rng);
  const Sequential best = net;
  optim::Adam adam(net, {.lr = 0.1});
  const Tensor x = ones({2, 3});
  take_step(net, adam, x);
  const auto slot = net.parameters()[0].slot;
  EXPECT_NE(values(net(x)), values(best(x)));
  net = best;
  EXPECT_EQ(values(net(x)), values(best(x)));
  EXPECT_EQ(net.parameters()[0].slot, slot);
  take_step(net, adam, x);
  EXPECT_NE(values(net(x)), values(best(x)));

  // A network of two layers is another one.
  net = Sequential{Linear(3, 3, rng), Tanh(), Linear(3, 3, rng), Tanh()};
  EXPECT_EQ(net.parameters().size(), 4u);
  net = best;
  EXPECT_EQ(net.parameters().size(), 2u);
  EXPECT_EQ(values(net(x)), values(by_hand(best, x)));
}

TEST(SameAsLayers, OfBlocksWithBuffersByName) {
  Rng rng(1);
  Sequential net;
  net.add("block", nn::Residual{Linear(3, 3, rng), nn::BatchNorm1d(3), nn::ReLU()});
  net.add("again", SameAs(0)).add(SameAs(0)).add("head", Linear(3, 2, rng)).add("last", Tanh());
  EXPECT_EQ(net.size(), 5u);
  Sequential copy = net;
  {
    const Tape tape(rng);
    (void)copy(randn({8, 3}, rng));
  }
  for (const NamedTensor& item : copy.state())
    if (item.name.ends_with("num_batches_tracked")) {
      EXPECT_EQ(item.value.item(), 3);
    }
  std::string names;
  for (const nn::NamedSlot& parameter : copy.parameters()) names += parameter.name + " ";
  EXPECT_EQ(names, "block.0.weight block.0.bias block.1.weight block.1.bias head.weight head.bias ");
  EXPECT_NO_THROW((void)doctor(copy, randn({32, 3}, rng), randint(0, 2, {32}, rng)));
}

TEST(SameAsLayers, StandBehindWhatTheyRepeat) {
  Rng rng(1);
  Sequential net = twice(rng);
  EXPECT_EQ(error_of<IndexError>([&] { net.add(SameAs(4)); }),
            "[Sequential] SameAs(4) must stand behind module 4, of 4 so far");
  EXPECT_EQ(net.size(), 4u);
  EXPECT_EQ(error_of<IndexError>([&] { (void)Sequential{SameAs(0)}; }),
            "[Sequential] SameAs(0) must stand behind module 0, of 0 so far");
  EXPECT_EQ(error_of<ValueError>([&] { net.add("0", SameAs(0)); }), "[fields] the name \"0\" is used twice");
  net.add(SameAs(3)).add(SameAs(4));
  EXPECT_EQ(&net[5], &net[3]);
}

}  // namespace
}  // namespace elk
