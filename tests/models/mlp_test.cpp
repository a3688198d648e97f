// The MLP against NumPy's draws and its own description.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include <elk/elk.hpp>
#include <models/mlp.hpp>
#include <models/residual_mlp.hpp>

#include "support.hpp"

namespace elk::models {
namespace {

using test::error_of;
using test::values;
using testing::ElementsAre;

MLPOptions options(std::vector<Index> sizes) {
  return {.sizes = std::move(sizes), .activation = activation("relu"), .dtype = f64};
}

std::vector<std::string> parts(const MLP& net) {
  std::vector<std::string> list;
  for (std::size_t i = 0; i < net.size(); ++i) list.push_back(net[i].describe());
  return list;
}

TEST(Mlp, LayersNamesAndParameters) {
  Rng rng(100);
  const MLP net(options({784, 128, 64, 10}), rng);
  EXPECT_THAT(parts(net),
              ElementsAre("Linear(784, 128)", "relu", "Linear(128, 64)", "relu", "Linear(64, 10)"));
  std::vector<std::string> names;
  for (const NamedTensor& item : net.state())
    names.push_back(item.name + " " + to_string(item.value.shape()));
  EXPECT_THAT(names, ElementsAre("fc1.weight (128, 784)", "fc1.bias (128)", "fc2.weight (64, 128)",
                                 "fc2.bias (64)", "fc3.weight (10, 64)", "fc3.bias (10)"));
  EXPECT_EQ(net.parameter_count(), 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10);
}

TEST(Mlp, SoftmaxRegressionIsTheSmallest) {
  Rng rng(1);
  EXPECT_THAT(parts(MLP(options({784, 10}), rng)), ElementsAre("Linear(784, 10)"));
  for (const std::vector<Index>& sizes : {std::vector<Index>{}, {784}})
    EXPECT_EQ(error_of<ValueError>([&] { MLP(options(sizes), rng); }),
              "[mlp] expected at least two sizes, inputs and classes, got " + std::to_string(sizes.size()));
  EXPECT_EQ(error_of<ShapeError>([&] {
              MLP(options({784, 0, 10}), rng);
            }),
            "[init] expected sizes of at least 1, got 784 inputs and 0 outputs");
}

// RandomState(100).randn(784, 64) * sqrt(2 / 784), then .randn(64, 10) * sqrt(2 / 64); the first numbers are
// those of the study's notes.
TEST(Mlp, DrawsLayerByLayerInTheStudysOrder) {
  struct Case {
    nn::Init init;
    double std1, std2;
  };
  for (const Case& c :
       {Case{nn::Init::he, std::sqrt(2.0 / 784), std::sqrt(2.0 / 64)},
        Case{nn::Init::xavier, 1 / std::sqrt(784.0), 1 / std::sqrt(64.0)}, Case{nn::Init::normal, 1, 1}}) {
    Rng rng(100), draws(100);
    MLPOptions o = options({784, 64, 10});
    o.init = c.init;
    const State state = MLP(o, rng).state();
    for (const auto& [weight, bias, in, out, std] :
         {std::tuple{state[0].value, state[1].value, Index{784}, Index{64}, c.std1},
          std::tuple{state[2].value, state[3].value, Index{64}, Index{10}, c.std2}}) {
      const auto w = weight.data<double>();
      for (Index i = 0; i < in; ++i)
        for (Index j = 0; j < out; ++j)
          ASSERT_EQ(w[static_cast<std::size_t>(j * in + i)], draws.normal() * std) << i << " " << j;
      EXPECT_THAT(values(bias), testing::Each(0));
    }
    EXPECT_EQ(rng.uniform(), draws.uniform());  // nothing more was drawn
  }
  Rng rng(100);
  MLPOptions o = options({784, 64, 10});
  o.init = nn::Init::normal;
  const Tensor w = MLP(o, rng).state()[0].value;
  const double first[] = {-1.74976547, 0.3426804, 1.1530358, -0.25243604};
  for (Index j = 0; j < 4; ++j) EXPECT_NEAR(w.at(j * 784), first[j], 5e-9);
}

TEST(Mlp, ClipComesBeforeTheActivationAndAfterTheLastLayerToo) {
  Rng rng(3);
  MLPOptions o = options({2, 3, 2});
  o.activation = activation("tanh");
  o.clip = clip(0.5);
  o.dropout = 0.25;
  const MLP net(o, rng);
  EXPECT_THAT(parts(net),
              ElementsAre("Linear(2, 3)", "clip(0.5)", "tanh", "Dropout(0.25)", "Linear(3, 2)", "clip(0.5)"));
  const Tensor y = net(from({100, -100}, {1, 2}, f64));
  for (const double v : values(y)) EXPECT_LE(std::abs(v), 0.5);
  EXPECT_EQ(error_of<ValueError>([] { clip(0); }), "[clip] expected a limit above 0, got 0");
  EXPECT_EQ(error_of<ValueError>([] { clip(std::nan("")); }), "[clip] expected a limit above 0, got nan");
}

TEST(Mlp, ForwardByHand) {
  Rng rng(3);
  MLP net(options({2, 2, 2}), rng);
  net.load_state({{"fc1.weight", from({1, -1, 2, 0}, {2, 2}, f64)},
                  {"fc1.bias", from({0.5, -3}, f64)},
                  {"fc2.weight", from({1, 1, -1, 2}, {2, 2}, f64)},
                  {"fc2.bias", from({0, 10}, f64)}});
  // (3, 1): fc1 gives (2.5, 3), both pass; fc2 gives (5.5, 13.5). (1, 3): (-1.5, -1), none passes.
  const Tensor x = from({3, 1, 1, 3}, {2, 2}, f64);
  EXPECT_THAT(values(net(x)), ElementsAre(5.5, 13.5, 0, 10));
  const double p = 1 / (1 + std::exp(8.0)), q = 1 / (1 + std::exp(10.0));
  EXPECT_THAT(values(softmax(net(x))), testing::Pointwise(testing::DoubleNear(1e-15), {p, 1 - p, q, 1 - q}));
}

TEST(Mlp, RefusesADropoutThatIsNoProbability) {
  Rng rng(0);
  for (const double p : {-0.5, 1.0, std::nan("")}) {
    EXPECT_THAT(error_of<ValueError>([&] {
                  MLP({.sizes = {2, 3, 2}, .activation = activation("relu"), .dropout = p}, rng);
                }),
                testing::StartsWith("[dropout] expected a probability"));
    EXPECT_THAT(error_of<ValueError>(
                    [&] { ResidualMLP({.inputs = 2, .width = 3, .classes = 2, .dropout = p}, rng); }),
                testing::StartsWith("[dropout] expected a probability"));
  }
}

TEST(Mlp, DropoutActsInTrainingOnly) {
  Rng rng(3);
  MLPOptions o = options({4, 50, 3});
  o.dropout = 0.5;
  const MLP net(o, rng);
  const Tensor x = ones({1, 4}, f64);
  EXPECT_EQ(values(net(x)), values(net(x)));
  Rng draws(1);
  Tape tape(draws);
  const std::vector<double> first = values(net(x)), second = values(net(x));
  EXPECT_NE(first, second);
}

TEST(Mlp, BatchNormAndNoiseAreOfEveryLayerButTheLast) {
  Rng rng(3), plain_rng(3);
  MLPOptions o = options({4, 5, 6, 3});
  const MLP plain(o, plain_rng);
  o.input = nn::Sequential{nn::Flatten()};
  o.clip = clip(9);
  o.dropout = 0.5;
  o.batch_norm = true;
  o.noise = 0.3;
  const MLP net(o, rng);
  std::vector<std::string> list;
  for (std::size_t i = 0; i < net.size(); ++i) list.push_back(net.name_of(&net[i]) + " " + net[i].describe());
  EXPECT_THAT(
      list, ElementsAre("input Sequential(Flatten)", "noise0 GaussianNoise(0.3)", "fc1 Linear(4, 5, no bias)",
                        "norm1 BatchNorm1d(5)", "noise1 GaussianNoise(0.3)", "clip1 clip(9)", "act1 relu",
                        "drop1 Dropout(0.5)", "fc2 Linear(5, 6, no bias)", "norm2 BatchNorm1d(6)",
                        "noise2 GaussianNoise(0.3)", "clip2 clip(9)", "act2 relu", "drop2 Dropout(0.5)",
                        "fc3 Linear(6, 3)", "clip3 clip(9)"));
  EXPECT_EQ(rng.bits(), plain_rng.bits());  // the weights are those of the plain network
  EXPECT_EQ(values(net.state().front().value), values(plain.state().front().value));
  for (const NamedTensor& item : net.state())
    if (item.name != "norm1.num_batches_tracked" && item.name != "norm2.num_batches_tracked") {
      EXPECT_EQ(item.value.dtype(), f64) << item.name;
    }

  o = options({4, 5, 3});
  o.noise = 0.1;
  EXPECT_THAT(parts(MLP(o, rng)), ElementsAre("GaussianNoise(0.1)", "Linear(4, 5)", "GaussianNoise(0.1)",
                                              "relu", "Linear(5, 3)"));
  o.noise = -1;
  EXPECT_EQ(error_of<ValueError>([&] { MLP(o, rng); }),
            "[gaussian_noise] expected a finite deviation of at least 0, got -1");
}

// In training relu(norm(x w) + noise) with the batch's moments, and noise on x.
TEST(Mlp, BatchNormAndNoiseByHand) {
  Rng rng(3), draws(5), same(5);
  MLPOptions o = options({4, 5, 3});
  o.batch_norm = true;
  o.noise = 0.3;
  const MLP net(o, rng);
  const Tensor x = randn({6, 4}, rng, f64);
  const auto at = [&](const char* name) {
    for (const NamedTensor& item : net.state())
      if (item.name == name) return item.value;
    return Tensor();
  };
  const Tensor z = matmul(x + 0.3 * randn({6, 4}, same, f64), transpose(at("fc1.weight")));
  const Tensor centred = z - mean(z, 0), variance = mean(square(centred), 0);
  const Tensor hidden = relu(centred / sqrt(variance + 1e-5) + 0.3 * randn({6, 5}, same, f64));
  const Tensor logits = matmul(hidden, transpose(at("fc2.weight"))) + at("fc2.bias");
  {
    Tape tape(draws);
    EXPECT_THAT(values(net(x)), testing::Pointwise(testing::DoubleNear(1e-12), values(logits)));
  }
  // Without a tape the running statistics count, and nothing is drawn.
  const Tensor kept = (matmul(x, transpose(at("fc1.weight"))) - at("norm1.running_mean")) /
                      sqrt(at("norm1.running_var") + 1e-5);
  EXPECT_THAT(values(net(x)),
              testing::Pointwise(testing::DoubleNear(1e-12),
                                 values(matmul(relu(kept), transpose(at("fc2.weight"))) + at("fc2.bias"))));
}

TEST(Mlp, ProbabilitiesSumToOne) {
  Rng rng(3);
  MLPOptions o = options({20, 30, 10});
  o.dtype = f32;
  const MLP net(o, rng);
  const Tensor p = softmax(net(1000 * randn({50, 20}, rng)));
  EXPECT_EQ(p.shape(), (Shape{50, 10}));
  for (const double v : values(p)) EXPECT_TRUE(v >= 0 && v <= 1) << v;
  for (const double total : values(sum(p, 1))) EXPECT_NEAR(total, 1, 1e-6);
}

TEST(Mlp, WrongInputs) {
  Rng rng(3);
  const MLP net(options({4, 3}), rng);
  EXPECT_EQ(error_of<ShapeError>([&] {
              net(ones({2, 5}, f64));
            }),
            "[Linear(4, 3)] expected x (..., 4), got (2, 5)");
}

// Factors of the rates by table 3 of Yang et al. 2022, of a network four times, then twice as wide as the
// base.
TEST(MaximalUpdate, ScalesTheLastLayersWeightsAndTheRates) {
  const auto made = [](Index base_width) {
    Rng rng(7);
    MLPOptions about = options({3, 32, 16, 2});
    about.base_width = base_width;
    return MLP(about, rng);
  };
  const MLP standard = made(0);
  // What one step at a rate of 1 takes off each parameter whose gradient is 1 everywhere; Adam's first step
  // is as long whatever the gradient.
  const auto steps = [&](const MLP& net, bool adaptive) {
    std::unique_ptr<optim::Optimizer> optimizer;
    if (adaptive)
      optimizer = std::make_unique<optim::Adam>(net, optim::Adam::Options{.lr = 1, .epsilon = 0});
    else
      optimizer = std::make_unique<optim::SGD>(net, optim::SGD::Options{.lr = 1});
    maximal_update(net, *optimizer, 8, adaptive);
    const State before = net.state();
    Tape tape;
    Tensor loss = scalar(0, f64);
    for (const nn::NamedSlot& p : net.parameters()) loss = loss + sum(p.slot->value());
    optimizer->step(tape.backward(loss));
    std::vector<double> sizes;
    const State after = net.state();
    for (std::size_t i = 0; i < after.size(); ++i)
      sizes.push_back(max(abs(before[i].value - after[i].value)).item());
    return sizes;
  };
  const auto near = [](double x) { return testing::DoubleNear(x, 1e-12); };
  EXPECT_THAT(steps(made(8), false), ElementsAre(near(4), near(4), near(0.5), near(2), near(0.5), near(1)));
  EXPECT_THAT(steps(made(8), true), ElementsAre(near(1), near(1), near(0.25), near(1), near(0.5), near(1)));
  const State wide = made(8).state(), plain = standard.state();
  for (std::size_t i = 0; i < wide.size(); ++i)
    EXPECT_TRUE(allclose(wide[i].value * (i == 4 ? std::sqrt(2.0) : 1.0), plain[i].value)) << wide[i].name;
  // At the base width it is the standard parametrization.
  Rng a(1), b(1);
  MLPOptions at_base = options({3, 8, 2});
  at_base.base_width = 8;
  EXPECT_EQ(values(MLP(at_base, a)(ones({1, 3}, f64))),
            values(MLP(options({3, 8, 2}), b)(ones({1, 3}, f64))));
  optim::SGD sgd(standard, {});
  EXPECT_EQ(error_of<ValueError>([&] { maximal_update(standard, sgd, 0, false); }),
            "[maximal_update] expected a width of 1 or more, got 0");
}

TEST(Activations, ByName) {
  EXPECT_THAT(activation_names(), testing::IsSupersetOf({"relu", "leaky_relu", "sigmoid", "tanh"}));
  const Tensor x = from({-2, 0, 3}, f64);
  EXPECT_THAT(values(activation("relu")(x)), ElementsAre(0, 0, 3));
  EXPECT_THAT(values(activation("leaky_relu")(x)), ElementsAre(-0.02, 0, 3));
  EXPECT_THAT(values(activation("leaky_relu", 0.5)(x)), ElementsAre(-1, 0, 3));
  EXPECT_EQ(values(activation("sigmoid")(x)), values(sigmoid(x)));
  EXPECT_EQ(values(activation("tanh")(x)), values(tanh(x)));
  for (const std::string& name : activation_names()) EXPECT_EQ(activation(name).describe(), name);
  EXPECT_THAT(
      error_of<ValueError>([] { activation("swoosh"); }),
      testing::MatchesRegex("\\[activation\\] expected relu, leaky_relu, sigmoid, tanh.*, got \"swoosh\""));
}

}  // namespace
}  // namespace elk::models
