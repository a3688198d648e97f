// Mistakes that must not pass in silence: a member that fields() forgets, an assigned network whose optimizer
// trains the old weights, weights that were tied and come apart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <elk/debug/doctor.hpp>
#include <elk/debug/summary.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/residual.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/moving_average.hpp>
#include <elk/optim/optimizer.hpp>
#include <elk/train/fit.hpp>
#include <support.hpp>

namespace elk {
namespace {

using nn::Linear;
using nn::Parameter;
using nn::Sequential;
using test::error_of;
using test::values;
using testing::ElementsAre;
using testing::HasSubstr;

// Lists as many of its members as `listed` says.
class Forgetful : public nn::Module {
 public:
  explicit Forgetful(Rng& rng, int listed = 1) : fc1_(3, 4, rng), fc2_(4, 2, rng), listed_(listed) {}
  Tensor forward(const Tensor& x) const override { return fc2_(tanh(fc1_(x))) * scale_; }
  void fields(Fields& f) override {
    if (listed_ > 0) f("fc1", fc1_);
    if (listed_ > 1) f("fc2", fc2_);
    if (listed_ > 2) f("scale", scale_);
  }
  std::string describe() const override { return "Forgetful"; }
  Linear fc1_, fc2_;
  Parameter scale_{ones({2})};

 private:
  int listed_;
};

Gradients gradients_of(const nn::Module& net, const Tensor& x = ones({2, 3})) {
  Tape tape;
  return tape.backward(sum(square(net(x))));
}

const std::string lists_two =
    "the forward pass used 5 parameters, the network lists 2: not listed: Linear(4, 2), a parameter (2) of "
    "Forgetful";

TEST(Forgotten, TheFirstStepSaysWhich) {
  Rng rng(1);
  Forgetful net(rng);
  optim::Adam adam(net, {});
  const std::vector<double> before = values(net.fc1_.weight());
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(error_of<TapeError>([&] { adam.step(gradients_of(net)); }),
              "[step] " + lists_two + ": name it in fields(), or freeze it");
  EXPECT_EQ(values(net.fc1_.weight()), before);  // nothing moved
  net.fc2_.freeze();
  net.scale_.freeze();
  adam.step(gradients_of(net));
  EXPECT_NE(values(net.fc1_.weight()), before);
}

TEST(Forgotten, ANetworkThatListsAllIsLeftAlone) {
  Rng rng(1);
  Forgetful net(rng, 3);
  optim::Adam adam(net, {});
  adam.step(gradients_of(net));
  adam.step(gradients_of(net));
}

TEST(Forgotten, ANetworkThatListsNothingGetsNoOptimizer) {
  Rng rng(1);
  const Forgetful net(rng, 0);
  EXPECT_EQ(error_of<ValueError>([&] { optim::Adam(net, {}); }),
            "[optimizer] Forgetful lists no parameters: name them in its fields()");
}

TEST(Forgotten, AlsoWhereTheNetworkMovedMeanwhile) {
  Rng rng(1);
  Forgetful net(rng);
  optim::Adam adam(net, {});
  const Forgetful moved = std::move(net);
  EXPECT_THAT(error_of<TapeError>([&] { adam.step(gradients_of(moved)); }), HasSubstr(lists_two));
  const Forgetful copy = moved;  // which is another network
  EXPECT_THAT(error_of<TapeError>([&] { adam.step(gradients_of(copy)); }), HasSubstr("no gradient for"));
}

TEST(Forgotten, BeneathAModuleThatIsListed) {
  Rng rng(1);
  const Sequential net{Linear(3, 3, rng), Forgetful(rng)};
  optim::SGD sgd(net, {});
  EXPECT_THAT(error_of<TapeError>([&] { sgd.step(gradients_of(net)); }),
              HasSubstr("used 7 parameters, the network lists 4: not listed: Forgetful, Linear(4, 2)"));
}

TEST(Forgotten, WhatAFunctionInASequentialHolds) {
  Rng rng(1);
  const Linear hidden(3, 3, rng);
  const Sequential net{nn::Function("twice", [&](const Tensor& x) { return hidden(hidden(x)); }),
                       Linear(3, 2, rng)};
  optim::SGD sgd(net, {});
  EXPECT_THAT(error_of<TapeError>([&] { sgd.step(gradients_of(net)); }),
              HasSubstr("used 4 parameters, the network lists 2: not listed: Linear(3, 3)"));
}

TEST(Forgotten, AModuleOfSeveralInputsThatEntersIsSeen) {
  class Two : public nn::Module {
   public:
    explicit Two(Rng& rng) : a_(3, 2, rng), b_(3, 2, rng) {}
    Tensor operator()(const Tensor& x, const Tensor& y) const {
      const Scope scope = enter();
      return a_(x) + b_(y);
    }
    void fields(Fields& f) override { f("a", a_); }
    Linear a_, b_;
  };
  Rng rng(1);
  const Two net(rng);
  optim::SGD sgd(net, {});
  Tape tape;
  const Gradients gradients = tape.backward(sum(net(ones({1, 3}), ones({1, 3}))));
  EXPECT_THAT(error_of<TapeError>([&] { sgd.step(gradients); }), HasSubstr("not listed: Linear(3, 2)"));
}

TEST(Forgotten, ThreadsMayCallTheNetworkAtOnce) {
  Rng rng(1);
  const Forgetful net(rng);
  optim::SGD sgd(net, {});
  Gradients first, second;
  std::thread other([&] { second = gradients_of(net); });
  first = gradients_of(net);
  other.join();
  first += second;
  EXPECT_THAT(error_of<TapeError>([&] { sgd.step(first); }), HasSubstr("used 5 parameters"));
}

TEST(Forgotten, FitSummaryAndDoctorSaySo) {
  Rng rng(1);
  Forgetful net(rng);
  const Summary table = summary(net, {3});
  EXPECT_EQ(table.unlisted, lists_two);
  EXPECT_THAT(to_string(table), HasSubstr(lists_two + ": name it in fields()\n"));
  EXPECT_EQ(summary(Forgetful(rng, 3), {3}).unlisted, "");

  const Tensor x = randn({16, 3}, rng), labels = from(std::vector<Index>(16, 1));
  const Diagnosis diagnosis = doctor(net, x, labels);
  EXPECT_EQ(diagnosis.severity(), Severity::problem);
  EXPECT_THAT(to_string(diagnosis), HasSubstr("the forward pass used 5 parameters"));

  // The optimizer is of a part, so it has nothing to say; the fit has.
  const Dataset data{"tiny", cast(zeros({4, 3}), u8), from(std::vector<Index>{0, 1, 0, 1}), {"a", "b"}};
  optim::SGD sgd(net.fc1_, {});
  EXPECT_EQ(error_of<TapeError>([&] { train::fit(net, sgd, data, rng); }),
            "[fit] " + lists_two + ": name it in fields(), or freeze it");
}

// Gradients of another network's parameters, which are no business of this one's optimizer.
TEST(Forgotten, AGanIsFine) {
  Rng rng(1);
  struct Gan : nn::Module {
    explicit Gan(Rng& r) : generator{Linear(2, 3, r), nn::Tanh()}, discriminator{Linear(3, 1, r)} {}
    Tensor forward(const Tensor& z) const override { return discriminator(generator(z)); }
    Sequential generator, discriminator;  // lists neither: an optimizer of its own for each
  };
  const Gan gan(rng);
  optim::Adam of_generator(gan.generator, {}), of_discriminator(gan.discriminator, {});
  for (int i = 0; i < 2; ++i) {
    of_generator.step(gradients_of(gan, ones({4, 2})));
    Tape tape;
    const Tensor fake = detach(gan.generator(ones({4, 2})));
    of_discriminator.step(tape.backward(mean(gan.discriminator(fake))));
  }
}

TEST(Forgotten, AFrozenBackboneAndAWrapperAreFine) {
  Rng rng(1);
  Linear backbone(3, 4, rng);
  backbone.freeze();
  const Sequential net{nn::Function("backbone", [&](const Tensor& x) { return backbone(x); }),
                       Linear(4, 2, rng)};
  optim::SGD sgd(net, {});
  sgd.step(gradients_of(net));

  // A loss as a module, which reads a network that has an optimizer of its own.
  const Linear trained(3, 2, rng);
  const nn::Function wrapper("loss", [&](const Tensor& x) { return mean(square(trained(x))); });
  optim::SGD other(trained, {});
  Tape tape;
  other.step(tape.backward(wrapper(ones({2, 3}))));
}

// A step of MAML: adapted copies, whose gradients are added for the original.
TEST(Forgotten, MetaLearningIsFine) {
  Rng rng(1);
  Forgetful net(rng, 3);
  optim::SGD meta(net, {.lr = 0.1});
  Tape outer;
  Tensor loss;
  {
    Tape inner;
    const Gradients g = inner.backward(sum(square(net(ones({2, 3})))));
    const Tensor fast = net.fc1_.weight() - 0.1 * g[net.fc1_.weight()];
    loss = sum(square(net.fc2_(tanh(linear(ones({2, 3}), fast, net.fc1_.bias()))) * net.scale_));
  }
  meta.step(outer.backward(loss));
}

TEST(Assigning, KeepsTheSlotsThatAnOptimizerTrains) {
  Rng rng(1);
  Forgetful net(rng, 3);
  const Forgetful best = net;
  optim::Adam adam(net, {.lr = 0.1});
  adam.step(gradients_of(net));
  const auto slot = net.fc1_.weight().slot();
  EXPECT_NE(values(net.fc1_.weight()), values(best.fc1_.weight()));
  net = best;
  EXPECT_EQ(values(net.fc1_.weight()), values(best.fc1_.weight()));
  EXPECT_EQ(net.fc1_.weight().slot(), slot);
  adam.step(gradients_of(net));
  EXPECT_NE(values(net.fc1_.weight()), values(best.fc1_.weight()));

  net = Forgetful(rng, 3);  // a fresh start
  EXPECT_EQ(net.fc1_.weight().slot(), slot);
  adam.step(gradients_of(net));
}

TEST(Assigning, KeepsThoseOfASequentialToo) {
  Rng rng(1);
  const auto make = [&] {
    return Sequential{Linear(3, 4, rng), nn::Tanh(), nn::Residual{Linear(4, 4, rng), nn::ReLU()}};
  };
  Sequential net = make();
  const Sequential best = net;
  optim::SGD sgd(net, {});
  const auto slot = net.parameters()[3].slot;
  sgd.step(gradients_of(net));
  net = best;
  EXPECT_EQ(values(net(ones({1, 3}))), values(best(ones({1, 3}))));
  EXPECT_EQ(net.parameters()[3].slot, slot);
  net = make();
  EXPECT_EQ(net.parameters()[3].slot, slot);
  sgd.step(gradients_of(net));
}

TEST(Assigning, AnOptimizerOfWhatIsGoneSaysSo) {
  Rng rng(1);
  Sequential net{Linear(3, 4, rng)};
  optim::SGD sgd(net, {});
  net = Sequential{nn::Tanh(), Linear(3, 2, rng)};  // another architecture
  EXPECT_EQ(error_of<TapeError>([&] { sgd.step(gradients_of(net)); }),
            "[step] no module has the parameter \"0.weight\" any more: make a new optimizer");
}

TEST(Assigning, RefusesAnotherShapeWhereAnOptimizerFollows) {
  Rng rng(1);
  Linear net(3, 4, rng);
  net = Linear(5, 6, rng);  // nobody follows
  EXPECT_EQ(net.weight().shape(), (Shape{6, 5}));
  const optim::SGD sgd(net, {});
  EXPECT_EQ(error_of<ShapeError>([&] { net = Linear(3, 4, rng); }),
            "[parameter] an optimizer follows this parameter (6, 5), which cannot become (4, 3)");
}

TEST(Assigning, ExchangingNetworksExchangesSlots) {
  Rng rng(1);
  Linear a(3, 2, rng), b(3, 2, rng);
  optim::SGD of_a(a, {}), of_b(b, {});
  const auto slot_a = a.weight().slot(), slot_b = b.weight().slot();
  std::swap(a, b);
  EXPECT_EQ(a.weight().slot(), slot_b);
  EXPECT_EQ(b.weight().slot(), slot_a);

  std::vector<Linear> layers{a, b, a};
  layers.erase(layers.begin());
  EXPECT_EQ(values(layers[0].weight()), values(b.weight()));
  EXPECT_EQ(values(layers[1].weight()), values(a.weight()));
}

// An autoencoder whose decoder is the encoder's weight the other way round.
class Tied : public nn::Module {
 public:
  explicit Tied(Rng& rng) : encoder_(4, 2, rng), bias_(zeros({4})) {}
  Tensor forward(const Tensor& x) const override {
    return matmul(tanh(encoder_(x)), encoder_.weight()) + bias_;
  }
  void fields(Fields& f) override { f("encoder", encoder_)("bias", bias_); }
  Linear encoder_;
  Parameter bias_;
};

TEST(Tying, SurvivesCopyingMovingSavingAndConverting) {
  Rng rng(1);
  const Tied first(rng);
  Tied copy = first, moved = std::move(copy), loaded(rng);
  loaded.load_state(first.state());
  for (Tied* net : {&moved, &loaded}) {
    EXPECT_EQ(net->state().size(), 3u);
    net->to(f64);
    optim::SGD sgd(*net, {.lr = 0.1});
    sgd.step(gradients_of(*net, ones({1, 4}, f64)));
    // Both uses see the one weight, and the original is as it was.
    const Tensor w = net->encoder_.weight().value();
    const Tensor expected = matmul(tanh(linear(ones({1, 4}, f64), w, net->encoder_.bias())), w) + net->bias_;
    EXPECT_EQ(values((*net)(ones({1, 4}, f64))), values(expected));
    EXPECT_NE(values(cast(w, f32)), values(first.encoder_.weight()));
  }
}

TEST(Parameters, AreSetAndFrozenByName) {
  Rng rng(1);
  Linear layer(2, 2, rng);
  layer.weight().set(from({1, 2, 3, 4}, {2, 2}));
  layer.bias().freeze();
  optim::SGD sgd(layer, {});
  sgd.step(gradients_of(layer, ones({1, 2})));
  EXPECT_NE(values(layer.weight()), values(from({1, 2, 3, 4}, {2, 2})));
  EXPECT_THAT(values(layer.bias()), ElementsAre(0, 0));
  for (const auto& [name, slot] : layer.parameters()) {
    slot->set(zeros(slot->value().shape()));
    slot->freeze();
  }
  EXPECT_THAT(values(layer.weight()), ElementsAre(0, 0, 0, 0));
  Tape tape;
  (void)layer(ones({1, 2}));
  EXPECT_EQ(tape.size(), 0u);
  EXPECT_EQ(error_of<ShapeError>([&] { layer.weight().set(zeros({2})); }),
            "[parameter] expected shape (2, 2), got (2)");
}

TEST(Printing, ShowsWhatAModuleHolds) {
  Rng rng(1);
  Sequential net{Linear(3, 4, rng), nn::ReLU(), Forgetful(rng, 2)};
  net[0].freeze();
  std::ostringstream out;
  out << net;
  EXPECT_EQ(out.str(), R"(Sequential: 42 parameters
  0: Linear(3, 4)
    weight: (4, 3), frozen
    bias: (4), frozen
  1: ReLU
  2: Forgetful
    fc1: Linear(3, 4)
      weight: (4, 3)
      bias: (4)
    fc2: Linear(4, 2)
      weight: (2, 4)
      bias: (2)
)");
  out.str("");
  out << static_cast<Linear&>(net[0]).bias();
  EXPECT_EQ(out.str(), to_string(zeros({4})));
}

TEST(SequentialOrder, BracesDrawInOrder) {
  Rng rng(1), again(1);
  const Sequential net{Linear(3, 4, rng), Linear(4, 2, rng)};
  const Linear first(3, 4, again), second(4, 2, again);
  EXPECT_EQ(values(net.parameters()[0].slot->value()), values(first.weight()));
  EXPECT_EQ(values(net.parameters()[2].slot->value()), values(second.weight()));
  const Sequential copy{net};  // not a network of one network
  EXPECT_EQ(copy.describe(), net.describe());
}

}  // namespace
}  // namespace elk
