// Initial weights: their distributions, and what they refuse.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include <elk/nn/initializers.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/convolution.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <nlohmann/json.hpp>
#include <support.hpp>

namespace elk::nn {
namespace {

using test::error_of;
using test::values;

double std_of(const Parameter& p) { return std::sqrt(var(p.value()).item()); }
double largest(const Parameter& p) { return max(abs(p.value())).item(); }

TEST(Init, GainsArePyTorchs) {  // torch.nn.init.calculate_gain
  using init::calculate_gain;
  EXPECT_EQ(calculate_gain(Nonlinearity::linear), 1);
  EXPECT_EQ(calculate_gain(Nonlinearity::sigmoid), 1);
  EXPECT_DOUBLE_EQ(calculate_gain(Nonlinearity::tanh), 1.6666666666666667);
  EXPECT_DOUBLE_EQ(calculate_gain(Nonlinearity::relu), 1.4142135623730951);
  EXPECT_DOUBLE_EQ(calculate_gain(Nonlinearity::leaky_relu), 1.4141428569978354);
  EXPECT_DOUBLE_EQ(calculate_gain(Nonlinearity::leaky_relu, 0.2), 1.3867504905630728);
  EXPECT_EQ(calculate_gain(Nonlinearity::selu), 0.75);
}

TEST(Init, SpreadsByTheFans) {
  Rng rng(1);
  Parameter p(zeros({300, 40, 2, 5}, f64));  // 400 in, 3000 out
  const std::uint64_t id = p.value().id();
  init::xavier_uniform_(p, rng);
  EXPECT_NEAR(largest(p) / std::sqrt(6.0 / 3400), 1, 1e-3);
  EXPECT_LE(largest(p), std::sqrt(6.0 / 3400));
  init::xavier_normal_(p, rng, 2);
  EXPECT_NEAR(std_of(p) / (2 * std::sqrt(2.0 / 3400)), 1, 0.01);
  init::kaiming_uniform_(p, rng);
  EXPECT_NEAR(largest(p) / std::sqrt(6.0 / 400), 1, 1e-3);
  init::kaiming_uniform_(p, rng, {.slope = std::sqrt(5)});  // what PyTorch's Linear begins with
  EXPECT_NEAR(largest(p) * std::sqrt(400), 1, 1e-3);
  init::kaiming_normal_(p, rng, {.mode = Fan::out, .nonlinearity = Nonlinearity::relu});
  EXPECT_NEAR(std_of(p) / std::sqrt(2.0 / 3000), 1, 0.01);
  init::uniform_(p, rng, -1, 3);
  EXPECT_NEAR(mean(p.value()).item(), 1, 0.02);
  init::normal_(p, rng, 2, 0.5);
  EXPECT_NEAR(mean(p.value()).item(), 2, 0.01);
  EXPECT_NEAR(std_of(p), 0.5, 0.01);
  init::constant_(p, 0.25);
  EXPECT_EQ(values(sum(p.value()))[0], 30000.0);
  init::ones_(p);
  EXPECT_EQ(mean(p.value()).item(), 1);
  init::zeros_(p);
  EXPECT_EQ(largest(p), 0);
  EXPECT_EQ(p.value().id(), id);
  EXPECT_EQ(p.value().dtype(), f64);
}

TEST(Init, ATruncatedNormalStaysWithin) {
  Rng rng(1);
  Parameter p(zeros({200, 500}));
  init::trunc_normal_(p, rng, 1, 0.5, 0, 2);
  EXPECT_LE(largest(p), 2);
  EXPECT_GE(min(p.value()).item(), 0);
  EXPECT_NEAR(mean(p.value()).item(), 1, 0.01);
  EXPECT_NEAR(std_of(p), 0.5 * 0.87963, 0.005);  // of a normal cut off at 2 std
  init::trunc_normal_(p, rng, 0, 1, 1, 1.5);     // by the other way of drawing
  EXPECT_GE(min(p.value()).item(), 1);
  EXPECT_LE(largest(p), 1.5);
  EXPECT_NEAR(mean(p.value()).item(), 1.22434, 0.002);  // (density(1) - density(1.5)) / what lies between
  EXPECT_EQ(error_of<ValueError>([&] { init::trunc_normal_(p, rng, 0, 1, 3, 4); }),
            "[trunc_normal_] expected low < high within 2 std of the mean, got 3 and 4 for 0 ± 1");
}

TEST(Init, OrthogonalRowsOrColumns) {
  Rng rng(1);
  for (const auto& [out, in] : {std::pair{20, 30}, {30, 20}, {25, 25}}) {
    Parameter p(zeros({out, in}, f64));
    init::orthogonal_(p, rng, 2);
    const Tensor& w = p.value();
    const Tensor products = out <= in ? matmul_nt(w, w) : matmul_tn(w, w);
    const Tensor expected = 4 * one_hot(arange(products.size(0)), products.size(0), f64);
    EXPECT_LT(max(abs(products - expected)).item(), 1e-13) << out << " " << in;
  }
  Parameter kernel(zeros({4, 2, 3, 3}));
  init::orthogonal_(kernel, rng);
  const Tensor rows = reshape(kernel.value(), {4, 18});
  EXPECT_LT(max(abs(matmul_nt(rows, rows) - one_hot(arange(4), 4))).item(), 1e-6);
}

TEST(Init, PutsOnesAndZerosWhereTorchDoes) {  // torch_init.py
  const nlohmann::json cases = nlohmann::json::parse(std::ifstream(ELK_TESTS_DIR "/nn/torch_init.json"));
  EXPECT_EQ(cases.size(), 19u);
  for (const nlohmann::json& fixture : cases)
    for (const DType dtype : {f32, f64}) {
      SCOPED_TRACE(fixture.dump());
      Shape shape;
      for (const Index size : fixture["shape"]) shape.push_back(size);
      Parameter p(full(shape, 7, dtype));
      const std::uint64_t id = p.value().id();
      const std::string name = fixture["name"];
      if (name == "sparse_") {
        Rng rng(1);
        init::sparse_(p, rng, fixture["sparsity"]);
        EXPECT_EQ(values(sum(equal(p, 0), 0)), fixture["zeros"].get<std::vector<double>>());
      } else {
        if (name == "eye_") {
          init::eye_(p);
        } else {
          init::dirac_(p, fixture["groups"]);
        }
        EXPECT_EQ(values(p), fixture["values"].get<std::vector<double>>());
      }
      EXPECT_EQ(p.value().id(), id);
      EXPECT_EQ(p.dtype(), dtype);
    }
}

TEST(Init, DiracPassesTheInputThrough) {
  Rng rng(1);
  const Tensor x = randn({2, 4, 5, 6}, rng);
  for (const Index groups : {1, 2, 4}) {
    Parameter kernel(zeros({4, 4 / groups, 3, 3}));
    init::dirac_(kernel, groups);
    EXPECT_EQ(values(conv2d(x, kernel, Tensor(), {.padding = 1, .groups = groups})), values(x));
  }
}

TEST(Init, SparseZerosAreOthersInEachColumn) {
  Rng rng(1);
  Parameter p(zeros({200, 50}, f64));
  init::sparse_(p, rng, 0.3, 2);
  const Tensor zero = equal(p, 0);
  EXPECT_EQ(sum(zero).item(), 60 * 50);
  EXPECT_EQ(min(sum(zero, 0)).item(), 60);
  EXPECT_EQ(max(sum(zero, 0)).item(), 60);
  EXPECT_NE(values(zero(all(), 0)), values(zero(all(), 1)));
  EXPECT_LT(max(sum(zero, 1)).item(), 35);  // 15 of 50 on average
  EXPECT_GT(min(sum(zero, 1)).item(), 2);
  EXPECT_NEAR(std_of(p) / (2 * std::sqrt(0.7)), 1, 0.02);
  EXPECT_NEAR(mean(p.value()).item(), 0, 0.05);
}

TEST(Init, SaysWhatHasNoFan) {
  Rng rng(1);
  Parameter bias(zeros({3})), weight(zeros({3, 3}));
  EXPECT_EQ(error_of<ShapeError>([&] { init::xavier_uniform_(bias, rng); }),
            "[xavier_uniform_] expected a weight (out, in, ...), got (3): it has no fan");
  EXPECT_EQ(error_of<ShapeError>([&] { init::kaiming_normal_(bias, rng); }),
            "[kaiming_normal_] expected a weight (out, in, ...), got (3): it has no fan");
  EXPECT_EQ(error_of<ShapeError>([&] { init::orthogonal_(bias, rng); }),
            "[orthogonal_] expected a weight (out, in, ...), got (3)");
  EXPECT_EQ(error_of<ValueError>([&] { init::normal_(weight, rng, 0, -1); }),
            "[normal_] std must be finite and not negative, got -1");
}

TEST(Init, RefusesShapesAndSharesThatDoNotFit) {
  Rng rng(1);
  Parameter vector(ones({3})), matrix(ones({3, 3})), kernel(ones({4, 2, 3}));
  EXPECT_EQ(error_of<ShapeError>([&] { init::eye_(kernel); }),
            "[eye_] expected a matrix (out, in), got (4, 2, 3)");
  EXPECT_EQ(error_of<ShapeError>([&] { init::dirac_(matrix); }),
            "[dirac_] expected a weight (out, in, ...) with a kernel of one to three axes, got (3, 3)");
  EXPECT_EQ(error_of<ShapeError>([&] { init::dirac_(kernel, 3); }),
            "[dirac_] expected groups that divide the 4 output channels, got 3");
  EXPECT_EQ(error_of<ShapeError>([&] { init::dirac_(kernel, 0); }),
            "[dirac_] expected groups that divide the 4 output channels, got 0");
  EXPECT_EQ(error_of<ShapeError>([&] { init::sparse_(vector, rng, 0.5); }),
            "[sparse_] expected a matrix (out, in), got (3)");
  EXPECT_EQ(error_of<ValueError>([&] { init::sparse_(matrix, rng, 1.5); }),
            "[sparse_] sparsity must be from 0 to 1, got 1.5");
  EXPECT_EQ(error_of<ValueError>([&] { init::sparse_(matrix, rng, 0.5, -1); }),
            "[sparse_] std must be finite and not negative, got -1");
  for (const Parameter* p : {&matrix, &kernel}) EXPECT_EQ(sum(p->value()).item(), p->value().size());
  Parameter none(zeros({0, 3})), no_kernel(zeros({2, 2, 0}));  // nothing to fill
  init::eye_(none);
  init::sparse_(none, rng, 0.5);
  init::dirac_(no_kernel);
}

}  // namespace
}  // namespace elk::nn
