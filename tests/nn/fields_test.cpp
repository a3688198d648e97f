// Vectors of layers in fields().
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include <elk/nn/layers.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>

#include "support.hpp"

namespace elk {
namespace {

using test::error_of;

// PyTorch's ModuleList and ParameterList.
class Deep : public nn::Module {
 public:
  Deep(Index depth, Rng& rng) {
    for (Index i = 0; i < depth; ++i) layers_.emplace_back(2, 2, rng);
    others_.push_back(std::make_unique<nn::Linear>(2, 1, rng));
    scales_.emplace_back(ones({2}));
    buffers_.push_back(zeros({1}));
  }
  Tensor forward(const Tensor& x) const override {
    Tensor y = x * scales_[0];
    for (const nn::Linear& layer : layers_) y = layer(y);
    return (*others_[0])(y);
  }
  void fields(Fields& f) override {
    f("layers", layers_)("others", others_)("scales", scales_)("buffers", buffers_);
  }

  std::vector<nn::Linear> layers_;
  std::vector<std::unique_ptr<nn::Module>> others_;
  std::vector<nn::Parameter> scales_;
  std::vector<Tensor> buffers_;
};

TEST(Fields, TakeVectors) {
  Rng rng(1);
  Deep net(2, rng);
  std::string names;
  for (const NamedTensor& item : net.state()) names += item.name + " ";
  EXPECT_EQ(names,
            "layers.0.weight layers.0.bias layers.1.weight layers.1.bias others.0.weight others.0.bias "
            "scales.0 buffers.0 ");
  EXPECT_EQ(net.name_of(&net.layers_[1]), "layers.1");
  net.to(f64);
  EXPECT_EQ(net(zeros({3, 2}, f64)).shape(), (Shape{3, 1}));
  EXPECT_EQ(Deep(0, rng).parameters().size(), 3u);
}

TEST(Fields, RefuseNamesAndNullPointersInVectors) {
  Rng rng(1);
  Deep net(2, rng);
  net.others_.push_back(nullptr);
  EXPECT_EQ(error_of<ValueError>([&] { (void)net.state(); }), "[fields] \"others.1\" is a null pointer");
  nn::Fields fields;
  std::vector<nn::Linear> list;
  fields("layers", list);
  EXPECT_EQ(error_of<ValueError>([&] { fields("layers", list); }),
            "[fields] the name \"layers\" is used twice");
  EXPECT_EQ(error_of<ValueError>([&] { fields("a.b", list); }),
            "[fields] a name must not be empty or hold a dot, got \"a.b\"");
}

TEST(Sequential, TakesFunctions) {
  Rng rng(1);
  const double slope = 0.5;
  const nn::Sequential net{nn::Linear(2, 3, rng), relu, [slope](const Tensor& x) { return slope * x; }};
  const Tensor x = randn({4, 2}, rng);
  EXPECT_EQ(test::values(net(x)), test::values(0.5 * relu(dynamic_cast<const nn::Linear&>(net[0])(x))));
  EXPECT_EQ(net.describe(), "Sequential(Linear(2, 3), function, function)");
  const nn::Sequential copy = net;
  EXPECT_EQ(test::values(copy(x)), test::values(net(x)));
  nn::Sequential one(relu);
  one.add("twice", [](const Tensor& y) { return 2 * y; }).add(relu);
  EXPECT_EQ(test::values(one(from({-1, 2}))), (std::vector<double>{0, 4}));
}

}  // namespace
}  // namespace elk
