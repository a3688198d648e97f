// Ensembles: the mean of what several networks say, and their files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <elk/elk.hpp>
#include <elk/io/safetensors.hpp>
#include <models/ensemble.hpp>
#include <models/mlp.hpp>
#include <models/model_file.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk::models {
namespace {

using test::error_of;
using test::values;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pointwise;

std::vector<nn::Sequential> mlps(std::size_t count, DType dtype = f64) {
  std::vector<nn::Sequential> all;
  for (std::size_t i = 0; i < count; ++i) {
    Rng rng(static_cast<std::uint64_t>(i));
    all.push_back(MLP({.sizes = {6, 5, 3}, .activation = activation("relu"), .dtype = dtype}, rng));
  }
  return all;
}

TEST(Ensembles, GiveTheMeanOfTheProbabilities) {
  const std::vector<nn::Sequential> networks = mlps(3);
  const nn::Sequential net = as_one(networks);
  Rng rng(9);
  const Tensor x = 3 * randn({7, 6}, rng, f64);
  const Tensor mean = (softmax(networks[0](x)) + softmax(networks[1](x)) + softmax(networks[2](x))) / 3;
  EXPECT_THAT(values(softmax(net(x))), Pointwise(DoubleNear(1e-15), values(mean)));
  EXPECT_THAT(values(exp(net(x))), Pointwise(DoubleNear(1e-15), values(mean)));
  EXPECT_EQ(net.parameter_count(), 3 * networks[0].parameter_count());
  EXPECT_EQ(net.state().front().name, "ensemble.member1.fc1.weight");
  EXPECT_EQ(values(net.state().front().value), values(networks[0].state().front().value));
  EXPECT_THAT(to_string(net), HasSubstr("ensemble: Ensemble\n    member1: Sequential\n"));
}

// 3/4 and 1/4; 1/2 and 1/2.
TEST(Ensembles, ByHand) {
  Ensemble ensemble;
  ensemble.add([](const Tensor& x) { return x * from(std::vector<double>{std::log(3.0), 0.0}); });
  ensemble.add([](const Tensor& x) { return 0 * x; });
  EXPECT_THAT(values(softmax(ensemble(ones({1, 2}, f64)))),
              ElementsAre(DoubleNear(0.625, 1e-15), DoubleNear(0.375, 1e-15)));
}

TEST(Ensembles, KeepProbabilitiesThatAreTooSmallForTheirDtype) {
  Ensemble ensemble;
  for (const double far : {200.0, 300.0}) ensemble.add([far](const Tensor& x) { return far * x; });
  const std::vector<double> logits = values(ensemble(from(std::vector<float>{1, 0}, {1, 2})));
  EXPECT_NEAR(logits[0], 0, 1e-6);
  EXPECT_NEAR(logits[1], -200 - std::log(2), 1e-4);
}

TEST(Ensembles, OfOneAndOfNone) {
  const std::vector<nn::Sequential> one = mlps(1);
  EXPECT_EQ(as_one(one).state().front().name, "fc1.weight");
  EXPECT_EQ(error_of<ValueError>([] { as_one({}); }), "[ensemble] expected networks, got none");
  EXPECT_THAT(error_of<ValueError>([] { Ensemble()(ones({1, 2})); }), HasSubstr("it has no networks"));
}

TEST(Ensembles, OfOtherClassesAreRefused) {
  Rng rng(1);
  Ensemble ensemble;
  ensemble.add(nn::Linear(4, 3, rng)).add(nn::Linear(4, 2, rng));
  EXPECT_THAT(error_of<ShapeError>([&] {
                ensemble(ones({5, 4}));
              }),
              HasSubstr("[ensemble] network 2 gives logits (5, 2), network 1 (5, 3)"));
}

TEST(Ensembles, HaveGradients) {
  const nn::Sequential net = as_one(mlps(2));
  Rng rng(2);
  const Tensor x = randn({4, 6}, rng, f64), labels = from(std::vector<std::int64_t>{0, 1, 2, 0});
  const auto loss = [&](const std::vector<Tensor>& in) { return cross_entropy(net(in[0]), labels); };
  EXPECT_TRUE(gradcheck(loss, {x}));
}

class EnsembleFile : public testing::Test {
 protected:
  ModelInfo info() const {
    return {.sizes = {6, 5, 3},
            .dataset = "shapes",
            .classes = {"a", "b", "c"},
            .input_shape = {2, 3},
            .members = 2,
            .augment = "shift:1,flip:0.5"};
  }
  std::string refused(const std::string& key, const std::string& value) {
    save_model(path_, as_one(mlps(2, f32)), info());
    SafetensorsFile file = load_safetensors(path_);
    file.metadata.erase("digest");
    file.metadata[key] = value;
    save_safetensors(path_, file.tensors, file.metadata);
    return error_of<FileError>([&] { load_model(path_); });
  }
  std::string architecture(const std::string& members) {
    return R"({"activation":"relu","clip":0,"dtype":"f32","kind":"mlp","leaky_slope":0,"members":)" +
           members + R"(,"normalize":"none","sizes":[6,5,3]})";
  }
  TemporaryFolder folder_;
  std::string path_ = folder_ / "model.safetensors";
};

TEST_F(EnsembleFile, RoundTrip) {
  const nn::Sequential net = as_one(mlps(2, f32));
  save_model(path_, net, info());
  const Model model = load_model(path_);
  EXPECT_EQ(model.info.members, 2);
  EXPECT_EQ(model.info.augment, "shift:1,flip:0.5");
  Rng rng(1);
  const Tensor x = randn({20, 6}, rng);
  EXPECT_EQ(values(model.net(x)), values(net(x)));
}

TEST_F(EnsembleFile, ThatIsNoneIsRefused) {
  const std::string start = "[model] " + path_ + ": ";
  EXPECT_EQ(refused("architecture", architecture("3")),
            start + "the sizes stand for 159 weights, there are 106");
  EXPECT_EQ(refused("architecture", architecture("1")),
            start + "the sizes stand for 53 weights, there are 106");
  EXPECT_EQ(refused("architecture", architecture("0")), start + "expected 1 network or more, found 0");
  EXPECT_EQ(refused("architecture", architecture("-2")), start + "expected 1 network or more, found -2");
  EXPECT_EQ(refused("architecture", architecture("2.5")),
            start + "expected whole numbers as \"members\", found 2.5");
  EXPECT_EQ(refused("architecture", architecture("\"2\"")),
            start + "expected whole numbers as \"members\", found string");
  EXPECT_THAT(refused("architecture", architecture("9223372036854775807")),
              HasSubstr("weights, there are 106"));
  EXPECT_THAT(refused("augment", "blur:2"), HasSubstr(start + "[augment] no option \"blur\""));
  ModelInfo other = info();
  other.members = 3;
  EXPECT_THAT(error_of<ValueError>([&] { save_model(path_, as_one(mlps(2, f32)), other); }),
              HasSubstr("the sizes stand for 159 weights, there are 106"));
}

}  // namespace
}  // namespace elk::models
