// Each layer's values, shapes, errors and initial weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/debug/gradcheck.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/residual.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/normalize.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <support.hpp>

namespace elk::nn {
namespace {

using test::error_of;
using test::values;
using testing::DoubleNear;
using testing::ElementsAre;

TEST(Linear, ComputesXTimesTransposedWeightPlusBias) {
  Rng rng(1);
  Linear layer(2, 3, rng, {.dtype = f64});
  layer.load_state({{"weight", from({1, 2, 3, 4, 5, 6}, {3, 2}, f64)}, {"bias", from({10, 20, 30}, f64)}});
  EXPECT_THAT(values(layer(from({1, -1, 0, 2}, {2, 2}, f64))), ElementsAre(9, 19, 29, 14, 28, 42));
  EXPECT_EQ(layer.weight().shape(), (Shape{3, 2}));
  EXPECT_EQ(layer(zeros({0, 2}, f64)).shape(), (Shape{0, 3}));
  EXPECT_EQ(layer.describe(), "Linear(2, 3)");
  const GradcheckReport report = gradcheck(layer, randn({4, 2}, rng, f64));
  EXPECT_TRUE(report) << report.to_string();
}

TEST(Linear, StartsWithABiasOfZero) {
  Rng rng(1);
  const Linear layer(4, 3, rng);
  EXPECT_THAT(values(layer.bias()), ElementsAre(0, 0, 0));
  EXPECT_EQ(layer.weight().value().dtype(), f32);
  EXPECT_EQ(layer.parameter_count(), 15);
}

TEST(Linear, MayLackTheBias) {
  Rng rng(1);
  Linear layer(2, 3, rng, {.bias = false, .dtype = f64});
  EXPECT_EQ(layer.parameters().size(), 1u);
  EXPECT_EQ(layer.describe(), "Linear(2, 3, no bias)");
  EXPECT_THAT(values(layer(zeros({1, 2}, f64))), ElementsAre(0, 0, 0));
  EXPECT_EQ(error_of<ValueError>([&] { (void)layer.bias(); }),
            "[Linear(2, 3, no bias)] this layer was made without a bias");
  EXPECT_TRUE(gradcheck(layer, ones({2, 2}, f64)));
}

TEST(Linear, RefusesWrongInputs) {
  Rng rng(1);
  const Linear layer(784, 128, rng);
  EXPECT_EQ(error_of<ShapeError>([&] {
              (void)layer(zeros({50, 100}));
            }),
            "[Linear(784, 128)] expected x (..., 784), got (50, 100)");
  EXPECT_EQ(error_of<ShapeError>([&] { (void)layer(zeros({})); }),
            "[Linear(784, 128)] expected x (..., 784), got ()");
  EXPECT_EQ(error_of<DTypeError>([&] {
              (void)layer(zeros({1, 784}, f64));
            }),
            "[Linear(784, 128)] its weight is f32, x is f64: write cast(x, f32), or net.to(f64)");
  EXPECT_EQ(error_of<ShapeError>([&] { Linear(0, 3, rng); }),
            "[init] expected sizes of at least 1, got 0 inputs and 3 outputs");
  EXPECT_EQ(error_of<DTypeError>([&] { Linear(2, 3, rng, {.dtype = i64}); }),
            "[Linear] expected a dtype of f32 or f64, got i64");
}

// numpy.random.RandomState(100).randn(2, 3), whose transpose times the standard deviation is the weight.
TEST(InitialWeight, IsNumPysTransposed) {
  const double randn[] = {-1.7497654730546974,  0.34268040332750216, 1.153035802563644,
                          -0.25243603652138985, 0.9813207869512316,  0.5142188413943821};
  const auto expect = [&](Init init, double std) {
    Rng rng(100);
    const Tensor w = initial_weight(2, 3, init, rng, f64);
    EXPECT_EQ(w.shape(), (Shape{3, 2}));
    for (int i = 0; i < 2; ++i)
      for (int j = 0; j < 3; ++j) EXPECT_DOUBLE_EQ(w.at(j * 2 + i), randn[i * 3 + j] * std);
  };
  expect(Init::normal, 1);
  expect(Init::he, 1);  // sqrt(2 / 2)
  expect(Init::xavier, std::sqrt(1.0 / 2));
  Rng rng(100);
  EXPECT_EQ(initial_weight(2, 3, Init::normal, rng).at(0), static_cast<float>(randn[0]));
}

TEST(InitialWeight, HasItsSpread) {
  for (const auto& [init, std] :
       {std::pair{Init::he, std::sqrt(2.0 / 400)}, {Init::xavier, 0.05}, {Init::normal, 1.0}}) {
    Rng rng(1);
    const Tensor w = initial_weight(400, 300, init, rng, f64);
    EXPECT_NEAR(std::sqrt(mean(square(w)).item()) / std, 1, 0.01);
    EXPECT_NEAR(mean(w).item() / std, 0, 0.015);
  }
}

TEST(InitialWeight, Names) {
  EXPECT_EQ(init_from("he"), Init::he);
  EXPECT_EQ(init_from("xavier"), Init::xavier);
  EXPECT_EQ(init_from("normal"), Init::normal);
  EXPECT_EQ(error_of<ValueError>([] { (void)init_from("He"); }),
            "[init] expected he, xavier or normal, got \"He\"");
}

TEST(Activations, AreTheOperations) {
  const Tensor x = from({-2, -0.5, 0, 0.5, 2, 3}, {2, 3}, f64);
  EXPECT_EQ(values(ReLU()(x)), values(relu(x)));
  EXPECT_EQ(values(LeakyReLU()(x)), values(leaky_relu(x, 0.01)));
  EXPECT_EQ(values(LeakyReLU(0.2)(x)), values(leaky_relu(x, 0.2)));
  EXPECT_EQ(values(Sigmoid()(x)), values(sigmoid(x)));
  EXPECT_EQ(values(Tanh()(x)), values(tanh(x)));
  EXPECT_EQ(values(Softmax()(x)), values(softmax(x, -1)));
  EXPECT_EQ(values(SiLU()(x)), values(silu(x)));
  EXPECT_EQ(values(ELU(0.5)(x)), values(elu(x, 0.5)));
  EXPECT_EQ(values(SELU()(x)), values(selu(x)));
  EXPECT_EQ(values(Softsign()(x)), values(softsign(x)));
  EXPECT_EQ(values(Hardtanh(-2, 0.5)(x)), values(hardtanh(x, -2, 0.5)));
  EXPECT_EQ(values(LogSigmoid()(x)), values(log_sigmoid(x)));
  EXPECT_EQ(ReLU().describe(), "ReLU");
  EXPECT_EQ(LeakyReLU(0.2).describe(), "LeakyReLU(0.2)");
  EXPECT_EQ(Sigmoid().describe(), "Sigmoid");
  EXPECT_EQ(Tanh().describe(), "Tanh");
  EXPECT_EQ(Softmax().describe(), "Softmax");
  EXPECT_EQ(SiLU().describe(), "SiLU");
  EXPECT_EQ(ELU(0.5).describe(), "ELU(0.5)");
  EXPECT_EQ(SELU().describe(), "SELU");
  EXPECT_EQ(Softsign().describe(), "Softsign");
  EXPECT_EQ(Hardtanh().describe(), "Hardtanh(-1, 1)");
  EXPECT_EQ(LogSigmoid().describe(), "LogSigmoid");
  EXPECT_EQ(ReLU().parameter_count(), 0);
  EXPECT_TRUE(ReLU().state().empty());
}

TEST(Dropout, ActsOnTrainingTapesAlone) {
  const Dropout layer(0.25);
  EXPECT_EQ(layer.describe(), "Dropout(0.25)");
  const Tensor x = ones({200, 100}, f64);
  EXPECT_EQ(layer(x).id(), x.id());
  Rng rng(3);
  std::vector<double> first;
  {
    Tape tape(rng);
    first = values(layer(x));
    EXPECT_NE(first, values(layer(x)));  // the stream goes on
  }
  Index kept = 0;
  for (const double v : first) {
    EXPECT_TRUE(v == 0 || std::abs(v - 4.0 / 3) < 1e-15);
    kept += v != 0;
  }
  EXPECT_NEAR(static_cast<double>(kept) / 2e4, 0.75, 0.016);
  Rng same(3);
  Tape tape(same);
  EXPECT_EQ(values(layer(x)), first);
  EXPECT_EQ(error_of<ValueError>([] { Dropout(1.5); }),
            "[dropout] expected a probability from 0 to below 1, got 1.5");
}

TEST(GaussianNoise, ActsOnTrainingTapesAlone) {
  const GaussianNoise layer(0.25);
  EXPECT_EQ(layer.describe(), "GaussianNoise(0.25)");
  EXPECT_TRUE(GaussianNoise(0.25).state().empty());
  const Tensor x = ones({20, 10}, f64);
  EXPECT_EQ(layer(x).id(), x.id());
  Rng rng(3), same(3);
  Tape tape(rng);
  EXPECT_EQ(values(layer(x)), values(x + 0.25 * randn({20, 10}, same, f64)));
  EXPECT_EQ(values(layer(x)), values(x + 0.25 * randn({20, 10}, same, f64)));  // the stream goes on
  EXPECT_EQ(error_of<ValueError>([] { GaussianNoise(-1); }),
            "[gaussian_noise] expected a finite deviation of at least 0, got -1");
}

TEST(LayerNorm, BringsTheLastAxisToMeanZeroAndVarianceOne) {
  LayerNorm norm(4, 1e-12, f64);
  const Tensor y = norm(from({1, 2, 3, 4, -2, -2, 2, 2}, {2, 4}, f64));
  const double a = 1.5 / std::sqrt(1.25), b = 0.5 / std::sqrt(1.25);
  EXPECT_THAT(values(y), testing::Pointwise(testing::DoubleNear(1e-9), {-a, -b, b, a, -1.0, -1.0, 1.0, 1.0}));
  EXPECT_EQ(norm.describe(), "LayerNorm(4)");
  EXPECT_EQ(norm.parameters()[0].name, "weight");
  EXPECT_TRUE(gradcheck(norm, from({1, 2.5, 3, 4, -2, 1, 2, 0}, {2, 4}, f64)));
}

TEST(Flatten, KeepsTheFirstAxis) {
  EXPECT_EQ(Flatten()(zeros({5, 2, 3})).shape(), (Shape{5, 6}));
  EXPECT_EQ(Flatten()(zeros({5})).shape(), (Shape{5, 1}));
  EXPECT_EQ(Flatten()(zeros({0, 2, 3})).shape(), (Shape{0, 6}));
  EXPECT_EQ(error_of<ShapeError>([] { Flatten()(scalar(1)); }),
            "[Flatten] expected x (N, ...), got a scalar");
}

TEST(Residual, AddsItsInput) {
  Rng rng(1);
  Residual block{LayerNorm(3), Linear(3, 3, rng), GELU()};
  block.to(f64);
  const Tensor x = from({1, -2, 0.5}, {1, 3}, f64);
  const Tensor inner = gelu(
      linear(layer_norm(x, ones({3}, f64), zeros({3}, f64)), block.state()[2].value, block.state()[3].value));
  EXPECT_THAT(values(block(x)), testing::Pointwise(testing::DoubleNear(1e-12), values(x + inner)));
  EXPECT_EQ(block.parameters()[2].name, "1.weight");
  EXPECT_TRUE(gradcheck(block, x));
  Residual copy = block;
  EXPECT_EQ(values(copy(x)), values(block(x)));
  EXPECT_EQ(error_of<ShapeError>([&] {
              Residual{Linear(3, 2, rng), ReLU()}(zeros({1, 3}));
            }),
            "[Residual] the inner modules turn (1, 3) into (1, 2)");
}

TEST(Function, MakesALayerOfAFunction) {
  const Function layer("triple", [](const Tensor& x) { return 3 * x; });
  EXPECT_EQ(layer(scalar(2)).item(), 6);
  EXPECT_EQ(layer.describe(), "triple");
}

}  // namespace
}  // namespace elk::nn
