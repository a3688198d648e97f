#include <gtest/gtest.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#ifdef ELK_HAS_OPENCV
#include <opencv2/dnn.hpp>
#endif

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/nn/attention.hpp>
#include <elk/nn/batch_norm.hpp>
#include <elk/nn/convolution.hpp>
#include <elk/nn/embedding.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/normalize.hpp>
#include <elk/nn/pooling.hpp>
#include <elk/nn/recurrent.hpp>
#include <elk/nn/residual.hpp>
#include <elk/onnx/onnx.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/shape.hpp>
#include <models/mlp.hpp>
#include <nlohmann/json.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk {
namespace {

using test::error_of;

// Weights and shifts unlike those that a layer begins with, which hide mistakes.
void shake(nn::Module& net, Rng& rng) {
  for (const nn::NamedSlot& parameter : net.parameters()) {
    nn::Parameter::Slot& slot = *parameter.slot;
    slot.set(slot.value() + randn(slot.value().shape(), rng, slot.value().dtype()) * 0.1);
  }
}

struct Case {
  const char* name;
  nn::Sequential net;
  Shape input_shape;
  Index ids = 0;  // of an embedding: how many there are
};

// What a network is given.
Tensor draw(const Case& test, Index batch, Rng& rng, DType dtype = f32) {
  Shape shape{batch};
  for (const Index size : test.input_shape) shape.push_back(size);
  if (test.ids == 0) return randn(shape, rng, dtype);
  std::vector<std::int64_t> ids;
  for (Index i = 0; i < shape.size(); ++i) ids.push_back(rng.integer(0, test.ids));
  return from(ids, shape);
}

std::vector<Case> cases() {
  Rng rng(1);
  std::vector<Case> list;
  const auto add = [&](const char* name, nn::Sequential net, const Shape& input_shape) {
    shake(net, rng);
    list.push_back({name, std::move(net), input_shape});
  };
  const auto train = [&](nn::Sequential& net, const Shape& shape) {  // moves running statistics
    const Tape tape(rng);
    (void)net(3 * randn(shape, rng) + 1);
  };
  using namespace nn;
  const auto linear = [&](Index in, Index out) { return Linear(in, out, rng); };
  add("Linear", Sequential(linear(4, 3)), {4});
  add("LinearWithoutBias", Sequential(Linear(4, 3, rng, {.bias = false})), {4});
  add("LinearOfThreeAxes", Sequential(linear(4, 3)), {5, 4});
  add("LinearOfThreeAxesWithoutBias", Sequential{Linear(4, 3, rng, {.bias = false}), ReLU()}, {5, 4});
  add("LinearOfFourAxes", Sequential(linear(4, 3)), {2, 5, 4});
  add("ReLU", Sequential(ReLU()), {4});
  add("LeakyReLU", Sequential(LeakyReLU(0.2)), {4});
  add("Sigmoid", Sequential(Sigmoid()), {4});
  add("Tanh", Sequential(Tanh()), {4});
  add("GELU", Sequential(GELU()), {4});
  add("GELUOfThreeAxes", Sequential(GELU()), {3, 4});
  add("ELU", Sequential(ELU(0.7)), {4});
  add("SELU", Sequential(SELU()), {4});
  add("SiLU", Sequential(SiLU()), {3, 4});
  add("Softsign", Sequential(nn::Softsign()), {4});
  add("Hardtanh", Sequential(Hardtanh(-0.3, 0.5)), {4});
  add("LogSigmoid", Sequential(LogSigmoid()), {4});
  add("Softmax", Sequential(Softmax()), {4});
  add("SoftmaxOfThreeAxes", Sequential(Softmax()), {3, 4});
  add("LayerNorm", Sequential(LayerNorm(4, 0.01)), {4});
  add("Normalize", Sequential{Normalize(randn({6}, rng), randn({6}, rng)), linear(6, 4)}, {6});
  add("Whiten", Sequential{Whiten(randn({6}, rng), randn({5, 6}, rng)), linear(5, 4)}, {6});
  add("LayerNormOfThreeAxes", Sequential(LayerNorm(4)), {3, 4});
  add("Flatten", Sequential{Flatten(), linear(12, 3)}, {3, 4});
  add("FlattenNothing", Sequential(Flatten()), {4});
  add("Dropout", Sequential{linear(4, 3), Dropout(0.5)}, {4});
  add("OnlyDropout", Sequential(Dropout(0.5)), {4});
  add("GaussianNoise", Sequential{linear(4, 3), GaussianNoise(0.5)}, {4});
  add("Nothing", Sequential(), {4});
  add("Nested", Sequential{Sequential{linear(4, 5), ReLU()}, Sequential{Sequential(linear(5, 3)), Tanh()}},
      {4});
  add("Residual", Residual{linear(4, 4), Tanh()}, {4});
  add("ResidualOfNothing", Sequential{linear(4, 4), Residual()}, {4});
  add("Residuals",
      Sequential{linear(6, 4), Residual{LayerNorm(4), linear(4, 4), GELU(), Residual(linear(4, 4))},
                 Residual(ReLU()), linear(4, 2), Softmax()},
      {6});
  add("ResidualsOfThreeAxes",
      Sequential{Residual{LayerNorm(4), linear(4, 8), GELU(), linear(8, 4)}, Flatten(), linear(12, 2)},
      {3, 4});
  add("SameAs", Sequential{linear(4, 4), Tanh(), SameAs(0), Tanh(), SameAs(0)}, {4});
  add("SameAsOfBlocks",
      Sequential{Residual{LayerNorm(4), linear(4, 4), GELU()}, SameAs(0),
                 TransformerEncoderLayer(4, 2, rng, {.dim_feedforward = 5}), SameAs(2), SameAs(0)},
      {3, 4});
  for (const std::string& activation : models::activation_names())
    add("MLP",
        models::MLP(
            {.sizes = {6, 5, 4, 3}, .activation = models::activation(activation, 0.05), .dropout = 0.1}, rng),
        {6});
  add("ClippedMLP",
      models::MLP({.sizes = {6, 5, 3}, .activation = models::activation("relu"), .clip = models::clip(0.7)},
                  rng),
      {6});
  add("Conv1d", Sequential{Conv1d(4, 6, 3, rng, {.stride = 2, .padding = 2, .dilation = 2, .groups = 2})},
      {4, 9});
  add("Conv2d", Sequential{Conv2d(3, 4, 3, rng)}, {3, 6, 5});
  add("Conv2dOfAll",
      Sequential{
          Conv2d(4, 6, {3, 2}, rng,
                 {.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 2, .bias = false})},
      {4, 7, 6});
  add("ConvTranspose2d",
      Sequential{ConvTranspose2d(
          4, 6, {3, 2}, rng, {.stride = {2, 3}, .padding = {1, 0}, .output_padding = {1, 2}, .groups = 2})},
      {4, 3, 4});
  add("MultiheadAttention", Sequential{MultiheadAttention(6, 3, rng)}, {5, 6});
  add("MultiheadAttentionThatLooksBack",
      Sequential{linear(4, 6),
                 MultiheadAttention(6, 2, rng, {.dropout = 0.2, .bias = false, .causal = true})},
      {5, 4});
  add("TransformerEncoderLayer", Sequential{TransformerEncoderLayer(6, 2, rng, {.dim_feedforward = 7})},
      {5, 6});
  add("TransformersThatNormalizeFirst",
      Sequential{TransformerEncoderLayer(6, 2, rng, {.dim_feedforward = 7, .gelu = true, .norm_first = true}),
                 TransformerEncoderLayer(6, 3, rng, {.dim_feedforward = 5, .causal = true}), Flatten(),
                 linear(30, 2)},
      {5, 6});
  add("LeNet",
      Sequential{Conv2d(1, 4, 5, rng, {.padding = 2}), ReLU(), MaxPool2d(2), Conv2d(4, 6, 3, rng), ReLU(),
                 AvgPool2d(2), Flatten(), linear(24, 5)},
      {1, 12, 12});
  add("MaxPool2d", Sequential{MaxPool2d({3, 2}, {.stride = {2, 1}, .padding = {1, 1}})}, {3, 7, 6});
  add("MaxPool1d", Sequential{MaxPool1d(3, {.stride = 2, .padding = 1})}, {3, 8});
  add("AvgPool2d", Sequential{AvgPool2d({3, 2}, {.stride = {2, 1}, .padding = 1})}, {3, 7, 6});
  add("AvgPool2dUnpadded",
      Sequential{AvgPool2d({3, 2}, {.stride = {2, 1}, .padding = 1, .count_include_pad = false})}, {3, 7, 6});
  add("AvgPool1d", Sequential{AvgPool1d(3, {.stride = 2, .padding = 1})}, {3, 8});
  add("AdaptiveAvgPool2d", Sequential{AdaptiveAvgPool2d({3, 1})}, {2, 6, 5});
  add("AdaptiveAvgPool1d", Sequential{AdaptiveAvgPool1d(2)}, {2, 6});
  add("Upsample", Sequential{Upsample({2, 3})}, {2, 3, 4});
  add("UpsampleBilinear", Sequential{Upsample({2, 3}, Interpolation::bilinear)}, {2, 3, 4});
  add("UpsampleCorners", Sequential{Upsample(2, Interpolation::align_corners)}, {2, 3, 4});
  Sequential residual{Conv2d(2, 4, 3, rng, {.padding = 1, .bias = false}),
                      BatchNorm2d(4),
                      ReLU(),
                      Residual{Conv2d(4, 4, 3, rng, {.padding = 1, .bias = false}), BatchNorm2d(4), ReLU()},
                      AdaptiveAvgPool2d(1),
                      Flatten(),
                      linear(4, 3)};
  train(residual, {4, 2, 6, 6});
  add("BatchNorm2d", std::move(residual), {2, 6, 6});
  Sequential rows{linear(3, 4), BatchNorm1d(4)};
  train(rows, {5, 3});
  add("BatchNorm1d", std::move(rows), {3});
  add("GroupNorm", Sequential{GroupNorm(2, 6)}, {6, 2, 3});
  add("GroupNormOfRows", Sequential{GroupNorm(2, 6)}, {6});
  add("RMSNorm", Sequential{RMSNorm(5)}, {3, 5});
  add("RNN", Sequential{RNN(3, 4, rng)}, {5, 3});
  add("GRU", Sequential{GRU(3, 4, rng, {.layers = 2, .bidirectional = true})}, {5, 3});
  add("LSTM", Sequential{LSTM(3, 4, rng, {.layers = 2}), linear(4, 2)}, {5, 3});
  add("LSTMOfBothDirections", Sequential{LSTM(3, 4, rng, {.bias = false, .bidirectional = true})}, {5, 3});
  add("Embedding", Sequential{Embedding(7, 3, rng), GRU(3, 4, rng), Flatten(), linear(20, 2)}, {5});
  list.back().ids = 7;
  return list;
}

onnx::ModelProto read(const std::string& path) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(read_file(path)));
  return model;
}

class Onnx : public ::testing::Test {
 protected:
  TemporaryFolder folder;
  std::string path = folder / "net.onnx";
};

TEST_F(Onnx, TheCheckerTakesWhatWeWrite) {
  for (Case& test : cases())
    for (const DType dtype : {f32, f64}) {
      SCOPED_TRACE(test.name);
      test.net.to(dtype);
      save_onnx(path, test.net, test.input_shape);
      EXPECT_NO_THROW(onnx::checker::check_model(path));
      EXPECT_EQ(folder.names().size(), 1u);
    }
}

TEST_F(Onnx, NamesShapesAndWeights) {
  Rng rng(1);
  nn::Sequential net;
  net.add("fc1", nn::Linear(4, 3, rng)).add("block", nn::Residual{nn::Linear(3, 3, rng), nn::ReLU()});
  save_onnx(path, net, {4});
  const onnx::ModelProto model = read(path);
  EXPECT_EQ(model.producer_name(), "elkgrad");
  EXPECT_EQ(model.opset_import(0).version(), 13);
  const onnx::GraphProto& graph = model.graph();
  const auto text = [](const onnx::ValueInfoProto& info) {
    std::string line = info.name();
    for (const auto& size : info.type().tensor_type().shape().dim())
      line += " " + (size.has_dim_param() ? size.dim_param() : std::to_string(size.dim_value()));
    return line;
  };
  ASSERT_EQ(graph.input_size(), 1);
  ASSERT_EQ(graph.output_size(), 1);
  EXPECT_EQ(text(graph.input(0)), "input batch 4");
  EXPECT_EQ(text(graph.output(0)), "output batch 3");
  const State state = net.state();
  ASSERT_EQ(graph.initializer_size(), static_cast<int>(state.size()));
  for (int i = 0; i < graph.initializer_size(); ++i) {
    const onnx::TensorProto& tensor = graph.initializer(i);
    const auto& [name, value] = state[static_cast<std::size_t>(i)];
    EXPECT_EQ(tensor.name(), name);
    EXPECT_EQ(Shape(std::vector<Index>(tensor.dims().begin(), tensor.dims().end())), value.shape());
    EXPECT_EQ(tensor.raw_data(), std::string(reinterpret_cast<const char*>(value.data<float>().data()),
                                             value.data<float>().size_bytes()));
  }
  std::string nodes;
  for (const onnx::NodeProto& node : graph.node()) {
    nodes += node.op_type() + "(";
    for (const std::string& input : node.input()) nodes += input + " ";
    nodes += ") " + node.output(0) + "\n";
  }
  EXPECT_EQ(nodes,
            "Gemm(input fc1.weight fc1.bias ) fc1.output\n"
            "Gemm(fc1.output block.0.weight block.0.bias ) block.0.output\n"
            "Relu(block.0.output ) block.1.output\n"
            "Add(fc1.output block.1.output ) output\n");
}

TEST_F(Onnx, ClipTakesItsLimitsFromTheFunction) {
  save_onnx(path, nn::Sequential(models::clip(0.7)), {4});
  const onnx::GraphProto graph = read(path).graph();
  ASSERT_EQ(graph.node_size(), 1);
  EXPECT_EQ(graph.node(0).op_type(), "Clip");
  const auto& inputs = graph.node(0).input();
  EXPECT_EQ(std::vector<std::string>(inputs.begin(), inputs.end()),
            (std::vector<std::string>{"input", "0.low", "0.high"}));
  const float low = -0.7f, high = 0.7f;
  EXPECT_EQ(graph.initializer(0).raw_data(), std::string(reinterpret_cast<const char*>(&low), sizeof low));
  EXPECT_EQ(graph.initializer(1).raw_data(), std::string(reinterpret_cast<const char*>(&high), sizeof high));
}

TEST_F(Onnx, TheSameNetworkGivesTheSameBytes) {
  for (const Case& test : cases()) {
    save_onnx(path, test.net, test.input_shape);
    const std::string once = read_file(path);
    Rng rng(3);
    const Tape tape(rng);  // dropout and noise in training must not be what is written
    save_onnx(path, test.net, test.input_shape);
    EXPECT_EQ(read_file(path), once) << test.name;
  }
}

// A module that we cannot know, one that is almost one that we know, and one that only looks like a
// Sequential.
class Softsign : public nn::Module {
 public:
  Tensor forward(const Tensor& x) const override { return x; }
  std::string describe() const override { return "Softsign"; }
};
class OtherReLU : public nn::ReLU {
 public:
  Tensor forward(const Tensor& x) const override { return x; }
};
class Backwards : public nn::Sequential {
 public:
  using nn::Sequential::Sequential;
  Tensor forward(const Tensor& x) const override { return 2 * nn::Sequential::forward(x); }
};

TEST_F(Onnx, RefusesWhatHasNoForm) {
  const auto error = [&](const nn::Sequential& net) {
    return error_of<ValueError>([&] { save_onnx(path, net, {4}); });
  };
  const auto function = [](const std::string& name, std::function<Tensor(const Tensor&)> f) {
    return nn::Sequential(nn::Function(name, std::move(f)));
  };
  const std::string expected =
      " has no ONNX form: expected Linear, LayerNorm, Normalize, Whiten (of a matrix), ReLU, LeakyReLU, ELU, "
      "SELU, SiLU, GELU, Sigmoid, LogSigmoid, Tanh, Hardtanh, Softsign, Softmax, Flatten, Dropout, "
      "GaussianNoise, Conv1d, Conv2d, ConvTranspose2d, MaxPool1d, MaxPool2d, AvgPool1d, AvgPool2d, "
      "AdaptiveAvgPool1d and AdaptiveAvgPool2d (of windows of one size), Upsample, BatchNorm1d, BatchNorm2d, "
      "GroupNorm, RMSNorm, Embedding (of the input), RNN, GRU, LSTM, MultiheadAttention, "
      "TransformerEncoderLayer, Residual, Sequential, or a Function named relu, leaky_relu, sigmoid, tanh, "
      "gelu or clip(...)";
  Rng rng(1);
  nn::Sequential net;
  net.add("fc1", nn::Linear(4, 4, rng)).add("block", nn::Residual{nn::ReLU(), Softsign()});
  EXPECT_EQ(error(net), "[onnx] \"block.1\" (Softsign)" + expected);
  EXPECT_EQ(error(nn::Sequential(OtherReLU())), "[onnx] \"0\" (ReLU)" + expected);
  EXPECT_EQ(error(function("softsign", relu)), "[onnx] \"0\" (softsign)" + expected);
  const std::string other =
      " has no ONNX form: expected a class that calls its parts one after another, found that it computes "
      "something else";
  EXPECT_EQ(error(nn::Sequential(Backwards(nn::ReLU()))), "[onnx] \"0\" (Sequential(ReLU))" + other);
  EXPECT_EQ(error(Backwards(nn::ReLU())), "[onnx] Sequential(ReLU)" + other);
  // Names that promise something else.
  const auto half = [](const Tensor& x) { return 0.5 * x; };
  for (const char* name : {"relu", "leaky_relu", "sigmoid", "tanh", "gelu", "clip(0.5)"})
    EXPECT_EQ(error(function(name, half)), "[onnx] \"0\" (" + std::string(name) + ")" + expected);
  EXPECT_EQ(error(function("clip(nan)", [](const Tensor& x) { return x * NAN; })),
            "[onnx] \"0\" (clip(nan))" + expected);
  EXPECT_TRUE(folder.names().empty());
}

TEST_F(Onnx, RefusesLayersInPlacesOrSizesThatHaveNoForm) {
  Rng rng(1);
  const auto starts = [&](const nn::Sequential& net, const Shape& shape) {
    const std::string text = error_of<ValueError>([&] { save_onnx(path, net, shape); });
    return text.substr(0, text.find(':'));
  };
  EXPECT_EQ(starts(nn::Sequential{nn::AdaptiveAvgPool2d({3, 2})}, {2, 6, 5}),
            "[onnx] \"0\" (AdaptiveAvgPool2d((3, 2))) has no ONNX form");
  EXPECT_TRUE(folder.names().empty());
}

// ONNX Runtime, where npm has installed it.
TEST_F(Onnx, OnnxRuntimeComputesTheSame) {
  if (!std::filesystem::exists(ELK_TESTS_DIR "/onnx/node_modules/onnxruntime-node"))
    GTEST_SKIP() << "there is no ONNX Runtime: npm ci --ignore-scripts --prefix tests/onnx";
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  std::vector<std::pair<std::string, Tensor>> expected;
  Rng rng(2);
  for (const Case& test : cases()) {
    const std::string model = folder / (std::to_string(expected.size()) + ".onnx");
    save_onnx(model, test.net, test.input_shape);
    for (const Index batch : {1, 3}) {
      const Tensor x = draw(test, batch, rng);
      expected.emplace_back(test.name, test.net(x));
      list.push_back({{"model", model},
                      {"dtype", test.ids > 0 ? "int64" : "float32"},
                      {"shape", std::vector<Index>(x.shape().begin(), x.shape().end())},
                      {"values", test::values(x)}});
    }
  }
  std::ofstream(folder / "cases.json") << list;
  ASSERT_EQ(std::system(("node " ELK_TESTS_DIR "/onnx/run.mjs " + (folder / "cases.json") + " " +
                         (folder / "results.json"))
                            .c_str()),
            0);
  const Json results = Json::parse(std::ifstream(folder / "results.json"));
  ASSERT_EQ(results.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& [name, y] = expected[i];
    SCOPED_TRACE(name);
    if (results[i].contains("error")) {
      ADD_FAILURE() << results[i]["error"];
      continue;
    }
    ASSERT_EQ(results[i]["shape"].get<std::vector<Index>>(),
              std::vector<Index>(y.shape().begin(), y.shape().end()));
    const auto values = results[i]["values"].get<std::vector<double>>();
    for (Index j = 0; j < y.size(); ++j)
      EXPECT_NEAR(values[static_cast<std::size_t>(j)], y.at(j), 1e-5 * std::max(1.0, std::abs(y.at(j))));
  }
}

TEST_F(Onnx, RefusesInputsThatTheNetworkDoesNotTake) {
  Rng rng(1);
  const nn::Sequential net(nn::Linear(4, 4, rng));
  EXPECT_EQ(error_of<ShapeError>([&] { save_onnx(path, net, {5}); }),
            "[Linear(4, 4)] expected x (..., 4), got (2, 5)");
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{-1}, Shape{3, -4}, Shape{1, 1, 1, 1, 1, 1, 1, 4}})
    EXPECT_EQ(
        error_of<ValueError>([&] { save_onnx(path, net, shape); }),
        "[onnx] expected an input shape of 1 to 7 sizes above 0, without the batch, got " + to_string(shape));
  EXPECT_EQ(error_of<ShapeError>([&] { save_onnx(path, nn::Residual(nn::Linear(4, 3, rng)), {4}); }),
            "[Residual] the inner modules turn (2, 4) into (2, 3)");
  EXPECT_TRUE(folder.names().empty());
  EXPECT_NE(error_of<FileError>([&] { save_onnx(folder / "none/net.onnx", net, {4}); }), "no error");
}

#ifdef ELK_HAS_OPENCV

Tensor run(const std::string& path, const Tensor& x) {
  cv::dnn::Net net = cv::dnn::readNetFromONNX(path);
  std::vector<int> sizes(x.shape().begin(), x.shape().end());
  cv::Mat input(sizes, CV_32F, const_cast<float*>(x.data<float>().data()));
  net.setInput(input);
  const cv::Mat y = net.forward();
  return from(std::vector<float>(y.ptr<float>(), y.ptr<float>() + y.total()),
              Shape(std::vector<Index>(y.size.p, y.size.p + y.dims)));
}

TEST_F(Onnx, OpenCVComputesTheSame) {
  Rng rng(2);
  for (const Case& test : cases()) {
    SCOPED_TRACE(test.name);
    if (test.name == std::string("ClippedMLP")) continue;  // OpenCV 4.6 knows Clip of operator set 6 only
    save_onnx(path, test.net, test.input_shape);
    for (const Index batch : {1, 3}) {
      const Tensor x = draw(test, batch, rng), expected = test.net(x);
      Tensor found;
      try {
        found = run(path, x);
      } catch (const cv::Exception& error) {
        ADD_FAILURE() << "batch " << batch << ": " << error.what();
        continue;
      }
      ASSERT_EQ(found.shape(), expected.shape());
      for (Index i = 0; i < found.size(); ++i)
        EXPECT_NEAR(found.at(i), expected.at(i), 1e-5 * std::max(1.0, std::abs(expected.at(i))));
    }
  }
}

#else

TEST_F(Onnx, OpenCVComputesTheSame) {
  GTEST_SKIP() << "built without OpenCV's dnn: there is nothing to run the files with";
}

#endif

}  // namespace
}  // namespace elk
