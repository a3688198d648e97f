// Parameters, fields, state, copying and moving.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <elk/debug/gradcheck.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/optimizer.hpp>
#include <support.hpp>

namespace {

using elk::Tape;
using elk::Tensor;
using elk::nn::Linear;
using elk::nn::Module;
using elk::nn::Parameter;
using elk::nn::Sequential;
using elk::test::error_of;
using elk::test::values;
using testing::ElementsAre;

// As a user writes one: two layers, a parameter of its own, a buffer.
class Net : public Module {
 public:
  explicit Net(elk::Rng& rng) : fc1_(3, 4, rng), fc2_(4, 2, rng) {}
  Tensor forward(const Tensor& x) const override {
    const Tensor y = fc2_(elk::tanh(fc1_((x - mean_) * scale_)));
    return y + shift_ * shift_;
  }
  void fields(Fields& f) override {
    f("fc1", fc1_)("scale", scale_)("shift", shift_)("mean", mean_)("fc2", fc2_);
  }
  const Linear& fc1() const { return fc1_; }
  const Parameter& scale() const { return scale_; }

 private:
  Linear fc1_, fc2_;
  Parameter scale_{elk::ones({3})}, shift_{elk::full({2}, 0.5)};
  Tensor mean_ = elk::from({0.1, 0.2, 0.3});
};

Net make(std::uint64_t seed = 1) {
  elk::Rng rng(seed);
  return Net(rng);
}

std::vector<std::string> names(const elk::State& state) {
  std::vector<std::string> list;
  for (const auto& item : state) list.push_back(item.name);
  return list;
}
std::vector<std::string> names(const std::vector<elk::nn::NamedSlot>& slots) {
  std::vector<std::string> list;
  for (const auto& item : slots) list.push_back(item.name);
  return list;
}

std::vector<double> flat(const elk::State& state) {
  std::vector<double> list;
  for (const auto& item : state)
    for (const double v : values(item.value)) list.push_back(v);
  return list;
}

// One step of training, on data that does not matter.
void train(const Module& net, elk::optim::Optimizer& optimizer) {
  Tape tape;
  optimizer.step(tape.backward(elk::sum(elk::square(net(elk::ones({2, 3}))))));
}

TEST(Module, ListsParametersInOrder) {
  const Net net = make();
  EXPECT_THAT(names(net.parameters()),
              ElementsAre("fc1.weight", "fc1.bias", "scale", "shift", "fc2.weight", "fc2.bias"));
  EXPECT_THAT(names(net.state()),
              ElementsAre("fc1.weight", "fc1.bias", "scale", "shift", "mean", "fc2.weight", "fc2.bias"));
  EXPECT_EQ(net.parameter_count(), 12 + 4 + 3 + 2 + 8 + 2);
  EXPECT_EQ(net.parameters()[0].slot, net.fc1().weight().slot());
}

TEST(Module, HasItsDerivatives) {
  Net net = make();
  net.to(elk::f64);
  elk::Rng rng(2);
  const auto report = gradcheck(net, elk::randn({3, 3}, rng, elk::f64));
  EXPECT_TRUE(report) << report.to_string();
  EXPECT_EQ(report.checked, 2 * (9 + net.parameter_count()));
}

TEST(Module, WithoutForwardSaysSo) {
  struct Two : Module {
    std::string describe() const override { return "Two"; }
  };
  EXPECT_EQ(error_of<elk::Error>([] { (void)Two()(elk::zeros({1})); }),
            "[Two] this module has no forward() of one tensor: call it with all that it takes, and tell fit, "
            "evaluate, doctor and summary how by a Forward");
}

TEST(Fields, RefusesBadNames) {
  Parameter p(elk::zeros({1}));
  elk::nn::Fields fields;
  fields("a", p);
  EXPECT_EQ(error_of<elk::ValueError>([&] { fields("a", p); }), "[fields] the name \"a\" is used twice");
  EXPECT_EQ(error_of<elk::ValueError>([&] { fields("", p); }),
            "[fields] a name must not be empty or hold a dot, got \"\"");
  EXPECT_EQ(error_of<elk::ValueError>([&] { fields("b.c", p); }),
            "[fields] a name must not be empty or hold a dot, got \"b.c\"");
}

TEST(State, IsAValue) {
  Net net = make();
  const elk::State before = net.state();
  const auto numbers = flat(before);
  elk::optim::SGD sgd(net, {.lr = 0.1});
  train(net, sgd);
  EXPECT_EQ(flat(before), numbers);  // copy on write
  EXPECT_NE(flat(net.state()), numbers);
  net.load_state(before);
  EXPECT_EQ(flat(net.state()), numbers);
  train(net, sgd);
  EXPECT_EQ(flat(before), numbers);
  Tape tape;
  (void)elk::square(before[0].value);  // no tape watches it
  EXPECT_EQ(tape.size(), 0u);
}

TEST(State, LoadsByNameIntoTheSameSlots) {
  Net net = make(1);
  const Net other = make(2);
  const auto slot = net.fc1().weight().slot();
  const auto id = net.fc1().weight().value().id();
  elk::State state = other.state();
  std::swap(state.front(), state.back());
  net.load_state(state);
  EXPECT_EQ(flat(net.state()), flat(other.state()));
  EXPECT_EQ(net.fc1().weight().slot(), slot);
  EXPECT_EQ(net.fc1().weight().value().id(), id);
}

TEST(State, RefusesWhatDoesNotFitAndChangesNothing) {
  Net net = make();
  const auto numbers = flat(net.state());
  const auto refused = [&](auto change, auto error) {
    elk::State state = make(2).state();
    change(state);
    const std::string text = error_of<decltype(error)>([&] { net.load_state(state); });
    EXPECT_EQ(flat(net.state()), numbers);
    return text;
  };
  const elk::ValueError value("");
  const elk::ShapeError shape("");
  const elk::DTypeError dtype("");
  EXPECT_EQ(refused([](auto& s) { s.pop_back(); }, value), "[load_state] \"fc2.bias\" is missing");
  EXPECT_EQ(refused(
                [](auto& s) {
                  s.push_back({"fc3.bias", elk::zeros({2})});
                },
                value),
            "[load_state] \"fc3.bias\" is not part of this module");
  EXPECT_EQ(refused(
                [](auto& s) {
                  s[5].value = elk::zeros({4, 2});
                },
                shape),
            "[load_state] \"fc2.weight\" must be f32 (2, 4), got f32 (4, 2)");
  EXPECT_EQ(
      refused(
          [](auto& s) {
            s[5].value = elk::zeros({2, 4}, elk::f64);
          },
          dtype),
      "[load_state] \"fc2.weight\" must be f32, got f64: convert the network with to(f64), or the state "
      "with cast");
  EXPECT_EQ(refused([](auto& s) { s[4].value = elk::zeros({3}, elk::i64); }, dtype),
            "[load_state] \"mean\" must be f32, got i64: convert with cast");
  EXPECT_EQ(refused([](auto& s) { s[4].value = elk::zeros({1}); }, shape),
            "[load_state] \"mean\" must be f32 (3), got f32 (1)");
}

TEST(Copying, GivesSlotsOfItsOwn) {
  const Net net = make();
  Net copy = net;
  EXPECT_EQ(flat(copy.state()), flat(net.state()));
  EXPECT_NE(copy.fc1().weight().slot(), net.fc1().weight().slot());
  const auto numbers = flat(net.state());
  elk::optim::Adam adam(copy, {.lr = 0.1});
  train(copy, adam);
  EXPECT_EQ(flat(net.state()), numbers);
  EXPECT_NE(flat(copy.state()), numbers);
  copy = net;
  EXPECT_EQ(flat(copy.state()), numbers);
}

TEST(Copying, KeepsFrozenFrozen) {
  Net net = make();
  net.freeze();
  Net copy = net;
  EXPECT_TRUE(copy.fc1().weight().frozen());
  copy.freeze(false);
  EXPECT_TRUE(net.fc1().weight().frozen());
}

TEST(Moving, KeepsSlotsSoThatOptimizersStillWork) {
  Net net = make();
  elk::optim::SGD sgd(net, {.lr = 0.1});
  const auto slot = net.fc1().weight().slot();
  const auto numbers = flat(net.state());
  Net moved = std::move(net);
  EXPECT_EQ(moved.fc1().weight().slot(), slot);
  train(moved, sgd);
  EXPECT_NE(flat(moved.state()), numbers);
  static_assert(std::is_nothrow_move_constructible_v<Parameter>);
}

TEST(Moving, WhatWasMovedFromSaysSo) {
  const std::string module = "[module] this object was moved from: use the one that it was moved to",
                    parameter = "[parameter] this object was moved from: use the one that it was moved to";
  const Tensor x = elk::ones({2, 3});
  Net net = make();
  elk::optim::SGD sgd(net, {});
  Net taken = std::move(net);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)net(x); }), module);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)net.parameters(); }), module);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)net.parameter_count(); }), module);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)net.state(); }), module);
  EXPECT_EQ(error_of<elk::ValueError>([&] { net.load_state(taken.state()); }), module);
  EXPECT_EQ(error_of<elk::ValueError>([&] { net.to(elk::f64); }), module);
  EXPECT_EQ(error_of<elk::ValueError>([&] { net.freeze(); }), module);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)net.name_of(&taken); }), module);
  EXPECT_EQ(error_of<elk::ValueError>([&] { elk::optim::SGD(net, {}); }), module);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)net.fc1()(x); }), module);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)net.fc1().forward(x); }), parameter);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)net.fc1().describe(); }), parameter);
  EXPECT_EQ(error_of<elk::ValueError>([&] { const Net copy = net; }), parameter);
  train(taken, sgd);  // slots went along

  // Modules without parameters, too; and one that gets another value is usable again.
  elk::nn::ReLU relu, elsewhere = std::move(relu);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)relu(x); }), module);
  net = std::move(taken);
  EXPECT_EQ(net(x).size(1), 2);
  net = make(2);
  EXPECT_EQ(net(x).size(1), 2);
  Net& same = net;
  net = std::move(same);
  EXPECT_EQ(net(x).size(1), 2);

  Sequential sequence{elk::nn::ReLU(), elk::nn::Tanh()}, rest = std::move(sequence);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)sequence(x); }), module);  // not an empty one
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)sequence.forward(x); }), module);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)sequence.state(); }), module);
  const Sequential copy = sequence;
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)copy(x); }), module);
  EXPECT_EQ(error_of<elk::IndexError>([&] { (void)sequence[0]; }), "[Sequential] there is no module 0 of 0");
  elk::nn::Function function("square", elk::square), other = std::move(function);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)function(x); }), module);
}

TEST(Moving, AParameterThatWasMovedFromSaysSo) {
  const std::string message = "[parameter] this object was moved from: use the one that it was moved to";
  Parameter w(elk::ones({2}));
  const Parameter taken = std::move(w);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)w.value(); }), message);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)w.shape(); }), message);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)(2 * w); }), message);
  EXPECT_EQ(error_of<elk::ValueError>([&] { w.set(elk::ones({2})); }), message);
  EXPECT_EQ(error_of<elk::ValueError>([&] { w.freeze(); }), message);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)w.frozen(); }), message);
  EXPECT_EQ(error_of<elk::ValueError>([&] { (void)w.slot(); }), message);
  EXPECT_EQ(error_of<elk::ValueError>([&] { const Parameter copy = std::as_const(w); }), message);
  w = taken;
  EXPECT_THAT(values(w), ElementsAre(1, 1));
}

TEST(TiedWeights, AreVisitedOnce) {
  class Tied : public Module {
   public:
    Tensor forward(const Tensor& x) const override { return elk::matmul(elk::matmul(x, w_), w_); }
    void fields(Fields& f) override { f("first", w_)("second", w_); }

   private:
    Parameter w_{elk::from({1, 2, 3, 4}, {2, 2}, elk::f64)};
  };
  Tied net;
  EXPECT_THAT(names(net.parameters()), ElementsAre("first"));
  EXPECT_THAT(names(net.state()), ElementsAre("first"));
  EXPECT_EQ(net.parameter_count(), 4);
  const auto report = gradcheck(net, elk::from({1, 2}, {1, 2}, elk::f64));
  EXPECT_TRUE(report) << report.to_string();
  Tied copy = net;
  EXPECT_EQ(copy.parameters().size(), 1u);
  net.load_state(net.state());
}

TEST(Parameter, RefusesWhatItCannotHold) {
  EXPECT_EQ(error_of<elk::DTypeError>([] { Parameter p(elk::arange(2)); }),
            "[parameter] expected f32 or f64, got i64: convert with cast");
  Parameter p(elk::zeros({2}));
  EXPECT_EQ(error_of<elk::ShapeError>([&] { p.set(elk::zeros({3})); }),
            "[parameter] expected shape (2), got (3)");
  EXPECT_EQ(error_of<elk::DTypeError>([&] { p.set(elk::arange(2)); }),
            "[parameter] expected f32 or f64, got i64: convert with cast");
}

TEST(Parameter, SetKeepsTheIdentity) {
  Parameter p(elk::zeros({2}));
  const auto id = p.value().id();
  const Tensor kept = p.value(), next = elk::ones({2});
  p.set(next);
  EXPECT_EQ(p.value().id(), id);
  EXPECT_NE(next.id(), id);
  EXPECT_THAT(values(kept), ElementsAre(0, 0));
  EXPECT_THAT(values(p), ElementsAre(1, 1));
}

// In a namespace that uses nothing of elk, as here, the operators must be found by their arguments.
TEST(Parameter, TakesPartInArithmetic) {
  const Parameter a(elk::from({1, 2})), b(elk::from({3, 5}));
  EXPECT_THAT(values(a + b), ElementsAre(4, 7));
  EXPECT_THAT(values(2 * a - b / 2.0), ElementsAre(0.5, 1.5));
  EXPECT_THAT(values(-a), ElementsAre(-1, -2));
  EXPECT_THAT(values(1 - a * elk::ones({2})), ElementsAre(0, -1));
}

TEST(To, ConvertsParametersAndBuffers) {
  class WithSteps : public Module {
   public:
    void fields(Fields& f) override { f("scale", scale_)("mean", mean_)("steps", steps_); }
    Parameter scale_{elk::ones({3})};
    Tensor mean_ = elk::zeros({3}), steps_ = elk::arange(1);
  };
  WithSteps module;
  const auto slot = module.scale_.slot();
  module.to(elk::f64);
  EXPECT_EQ(module.scale_.value().dtype(), elk::f64);
  EXPECT_EQ(module.mean_.dtype(), elk::f64);
  EXPECT_EQ(module.steps_.dtype(), elk::i64);
  EXPECT_EQ(module.scale_.slot(), slot);
  EXPECT_EQ(error_of<elk::DTypeError>([&] { module.to(elk::u8); }), "[to] expected f32 or f64, got u8");
}

TEST(To, ChangesNothingWhenItThrows) {
  class Late : public Module {
   public:
    void fields(Fields& f) override { f("weight", weight)("mean", mean); }
    Parameter weight{elk::ones({2})};
    Tensor mean;  // not yet there
  } net;
  EXPECT_THROW(net.to(elk::f64), elk::ValueError);
  EXPECT_EQ(net.weight.value().dtype(), elk::f32);
}

TEST(To, KeepsTheValuesAndFreezing) {
  Net net = make();
  const auto numbers = flat(net.state());
  net.freeze();
  net.to(elk::f64);
  EXPECT_EQ(flat(net.state()), numbers);
  EXPECT_TRUE(net.fc1().weight().frozen());
  Tape tape;
  (void)net(elk::zeros({1, 3}, elk::f64));
  EXPECT_EQ(tape.size(), 0u);
}

TEST(NameOf, FindsParts) {
  elk::Rng rng(1);
  const Linear elsewhere(2, 2, rng);
  const Net net = make();
  EXPECT_EQ(net.name_of(&net.fc1()), "fc1");
  EXPECT_EQ(net.name_of(&net), "");
  EXPECT_EQ(net.name_of(nullptr), "");
  EXPECT_EQ(net.name_of(&elsewhere), "Linear(2, 2)");
}

TEST(Scopes, TellWhichModuleRuns) {
  const Net net = make();
  Tape tape;
  std::vector<std::string> seen;
  tape.observe([&](const Tape::Event& event) {
    seen.push_back(std::string(event.operation) + " in \"" +
                   net.name_of(static_cast<const Module*>(event.scope)) + "\"");
  });
  (void)net(elk::zeros({1, 3}));
  EXPECT_THAT(seen, ElementsAre("mul in \"\"", "linear in \"fc1\"", "tanh in \"\"", "linear in \"fc2\"",
                                "mul in \"\"", "add in \"\""));
}

TEST(Sequential, RunsItsPartsAndNamesThem) {
  elk::Rng rng(1);
  const Sequential net{Linear(3, 4, rng), elk::nn::ReLU(), Sequential{Linear(4, 2, rng), elk::nn::Softmax()}};
  EXPECT_THAT(names(net.parameters()), ElementsAre("0.weight", "0.bias", "2.0.weight", "2.0.bias"));
  EXPECT_EQ(net.describe(), "Sequential(Linear(3, 4), ReLU, Sequential(Linear(4, 2), Softmax))");
  EXPECT_EQ(net.size(), 3u);
  EXPECT_EQ(net.name_of(&dynamic_cast<const Sequential&>(net[2])[0]), "2.0");
  const Tensor x = elk::ones({5, 3});
  const Tensor expected = net[2](elk::relu(net[0](x)));
  EXPECT_EQ(values(net(x)), values(expected));
  EXPECT_EQ(error_of<elk::IndexError>([&] { (void)net[3]; }), "[Sequential] there is no module 3 of 3");
}

TEST(Sequential, EmptyPassesEverything) {
  const Sequential net;
  const Tensor x = elk::ones({2});
  EXPECT_EQ(net(x).id(), x.id());
  EXPECT_EQ(error_of<elk::IndexError>([&] { (void)net[0]; }), "[Sequential] there is no module 0 of 0");
}

TEST(Sequential, TakesGivenNames) {
  elk::Rng rng(1);
  Sequential net;
  net.add("fc", Linear(2, 2, rng)).add(elk::nn::Tanh());
  EXPECT_THAT(names(net.state()), ElementsAre("fc.weight", "fc.bias"));
  EXPECT_EQ(net.name_of(&net[1]), "1");
  EXPECT_EQ(error_of<elk::ValueError>([&] { net.add("fc", elk::nn::Tanh()); }),
            "[fields] the name \"fc\" is used twice");
  EXPECT_EQ(error_of<elk::ValueError>([&] { net.add("a.b", elk::nn::Tanh()); }),
            "[fields] a name must not be empty or hold a dot, got \"a.b\"");
  EXPECT_EQ(net.size(), 2u);
}

TEST(Sequential, CopiesItsModules) {
  elk::Rng rng(1);
  Sequential net{Linear(3, 2, rng), Sequential(Linear(2, 2, rng))};
  Sequential copy = net;  // of a non-const one: not a Sequential that holds a Sequential
  EXPECT_EQ(copy.size(), 2u);
  const auto numbers = flat(net.state());
  elk::optim::SGD sgd(copy, {.lr = 0.1});
  train(copy, sgd);
  EXPECT_EQ(flat(net.state()), numbers);
  EXPECT_NE(flat(copy.state()), numbers);
  copy = net;
  EXPECT_EQ(flat(copy.state()), numbers);
  elk::optim::SGD again(copy, {.lr = 0.1});
  const Sequential moved = std::move(copy);
  train(moved, again);
  EXPECT_NE(flat(moved.state()), numbers);
}

TEST(Sequential, HoldsModulesOfTheUser) {
  elk::Rng rng(1);
  const Sequential net{Net(rng), elk::nn::Function("double", [](const Tensor& x) { return 2 * x; })};
  EXPECT_EQ(net.describe(), "Sequential(Module, double)");
  EXPECT_EQ(names(net.state())[0], "0.fc1.weight");
  EXPECT_EQ(values(net(elk::ones({1, 3}))), values(2 * net[0](elk::ones({1, 3}))));
}

TEST(Training, LearnsXor) {
  elk::Rng rng(1);
  const Sequential net{Linear(2, 8, rng), elk::nn::Tanh(), Linear(8, 2, rng)};
  const Tensor x = elk::from({0, 0, 0, 1, 1, 0, 1, 1}, {4, 2}), labels = elk::from({0, 1, 1, 0}, elk::i64);
  elk::optim::Adam adam(net, {.lr = 0.05});
  double loss = 1;
  for (int step = 0; step < 200; ++step) {
    Tape tape(rng);
    const Tensor now = elk::cross_entropy(net(x), labels);
    loss = now.item();
    adam.step(tape.backward(now));
  }
  EXPECT_LT(loss, 0.05);
  EXPECT_THAT(values(elk::argmax(net(x))), ElementsAre(0, 1, 1, 0));
}

}  // namespace
