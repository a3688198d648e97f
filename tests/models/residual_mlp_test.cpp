// The residual MLP against its formula, written out with single operations.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <elk/elk.hpp>
#include <models/residual_mlp.hpp>

#include "support.hpp"

namespace elk::models {
namespace {

using test::error_of;
using test::values;
using testing::ElementsAre;

TEST(ResidualMlp, NamesAndShapes) {
  Rng rng(1);
  const ResidualMLP net({.inputs = 6, .width = 4, .classes = 3, .blocks = 1}, rng);
  std::vector<std::string> names;
  for (const NamedTensor& item : net.state())
    names.push_back(item.name + " " + to_string(item.value.shape()));
  EXPECT_THAT(names, ElementsAre("embed.weight (4, 6)", "embed.bias (4)", "block1.norm.weight (4)",
                                 "block1.norm.bias (4)", "block1.expand.weight (16, 4)",
                                 "block1.expand.bias (16)", "block1.contract.weight (4, 16)",
                                 "block1.contract.bias (4)", "head.weight (3, 4)", "head.bias (3)"));
}

TEST(ResidualMlp, IsItsFormula) {
  Rng rng(1);
  const ResidualMLP net({.inputs = 6, .width = 4, .classes = 3, .blocks = 2, .expansion = 3, .dtype = f64},
                        rng);
  const State state = net.state();
  const auto get = [&](const std::string& name) {
    for (const NamedTensor& item : state)
      if (item.name == name) return item.value;
    throw ValueError(name);
  };
  const auto dense = [&](const Tensor& x, const std::string& name) {
    return matmul(x, transpose(get(name + ".weight"))) + get(name + ".bias");
  };
  const Tensor x = randn({5, 6}, rng, f64);
  Tensor h = dense(x, "embed");
  for (const std::string block : {"block1", "block2"}) {
    const Tensor centred = h - mean(h, -1, true);
    const Tensor normed = centred / sqrt(mean(square(centred), -1, true) + 1e-5);
    const Tensor e = dense(normed, block + ".expand");
    h = h + dense(0.5 * e * (1 + erf(e / std::sqrt(2.0))), block + ".contract");
  }
  const std::vector<double> expected = values(dense(h, "head"));
  EXPECT_THAT(values(net(x)), testing::Pointwise(testing::DoubleNear(1e-12), expected));
}

TEST(ResidualMlp, ItsGradientsAreRight) {
  Rng rng(1);
  ResidualMLP net({.inputs = 3, .width = 4, .classes = 2, .blocks = 2, .dtype = f64}, rng);
  const GradcheckReport report = gradcheck(net, randn({3, 3}, rng, f64));
  EXPECT_TRUE(report) << report.to_string();
}

TEST(ResidualMlp, RefusesSizesThatCannotBe) {
  Rng rng(1);
  EXPECT_EQ(
      error_of<ValueError>([&] { ResidualMLP({.inputs = 6, .width = 4, .classes = 3, .blocks = -1}, rng); }),
      "[residual_mlp] expected 0 blocks or more, got -1");
  EXPECT_EQ(error_of<ShapeError>([&] { ResidualMLP({.inputs = 6, .width = 0, .classes = 3}, rng); }),
            "[init] expected sizes of at least 1, got 6 inputs and 0 outputs");
}

}  // namespace
}  // namespace elk::models
