// Layers beside PyTorch's: outputs, gradients and three steps of training, in f64 and f32 (torch_layers.py).
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/nn/attention.hpp>
#include <elk/nn/batch_norm.hpp>
#include <elk/nn/convolution.hpp>
#include <elk/nn/embedding.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/pooling.hpp>
#include <elk/nn/recurrent.hpp>
#include <elk/nn/residual.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/optimizer.hpp>
#include <nlohmann/json.hpp>

namespace elk {
namespace {

using Json = nlohmann::ordered_json;
using In = std::vector<Tensor>;

// A layer, and how it is called.
struct Layer {
  std::unique_ptr<nn::Module> module;
  std::function<Tensor(const In&)> call;
};
using Make = std::function<Layer(Rng& rng)>;

template <class M>
Layer layer(M module) {
  auto owned = std::make_unique<M>(std::move(module));
  const M& m = *owned;
  return {std::move(owned), [&m](const In& x) { return m(x[0]); }};
}

template <class M>
Layer recurrent(M module) {
  auto owned = std::make_unique<M>(std::move(module));
  const M& m = *owned;
  return {
      std::move(owned), [&m](const In& x) {
        const auto [y, state] = m.run(x[0], {x.size() > 1 ? x[1] : Tensor(), x.size() > 2 ? x[2] : Tensor()});
        In parts{reshape(y, {-1}), reshape(state.h, {-1})};
        if (state.c.defined()) parts.push_back(reshape(state.c, {-1}));
        return concat(parts);
      }};
}

Layer attention(nn::MultiheadAttention module) {
  auto owned = std::make_unique<nn::MultiheadAttention>(std::move(module));
  const nn::MultiheadAttention& m = *owned;
  return {std::move(owned), [&m](const In& x) {
            if (x.size() == 1) return m(x[0]);
            return m.attend(x[0], x[1], x[2],
                            {.attn_mask = x[3], .key_padding_mask = x.size() > 4 ? x[4] : Tensor()});
          }};
}

// An activation alone, and one between two layers.
template <class Activation>
void add(std::map<std::string, Make>& layers, const std::string& name, const Activation& activation) {
  layers[name] = [activation](Rng&) { return layer(activation); };
  layers[name + "_between"] = [activation](Rng& rng) {
    return layer(nn::Sequential{nn::Linear(5, 6, rng), activation, nn::Linear(6, 3, rng)});
  };
}

std::map<std::string, Make> all_layers() {
  using namespace nn;
  std::map<std::string, Make> layers{
      {"linear", [](Rng& rng) { return layer(Linear(5, 3, rng)); }},
      {"linear_without_bias", [](Rng& rng) { return layer(Linear(5, 3, rng, {.bias = false})); }},
      {"layer_norm", [](Rng&) { return layer(LayerNorm(5)); }},
      {"flatten",
       [](Rng& rng) {
         return layer(Sequential{Flatten(), Linear(12, 3, rng)});
       }},
      {"dropout",
       [](Rng& rng) {
         return layer(Sequential{Linear(5, 4, rng), Dropout(0), Linear(4, 3, rng)});
       }},
      {"residual",
       [](Rng& rng) {
         return layer(Residual{LayerNorm(5), Linear(5, 5, rng), Tanh()});
       }},
      {"conv1d", [](Rng& rng) { return layer(Conv1d(3, 4, 3, rng)); }},
      {"conv1d_all",
       [](Rng& rng) {
         return layer(
             Conv1d(4, 6, 3, rng, {.stride = 2, .padding = 3, .dilation = 2, .groups = 2, .bias = false}));
       }},
      {"conv2d", [](Rng& rng) { return layer(Conv2d(3, 4, 3, rng)); }},
      {"conv2d_all",
       [](Rng& rng) {
         return layer(Conv2d(4, 6, {3, 2}, rng,
                             {.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 3}, .groups = 2}));
       }},
      {"conv2d_depthwise",
       [](Rng& rng) { return layer(Conv2d(4, 4, 3, rng, {.padding = 1, .groups = 4, .bias = false})); }},
      {"conv2d_pointwise", [](Rng& rng) { return layer(Conv2d(4, 3, 1, rng)); }},
      {"conv2d_pointwise_small", [](Rng& rng) { return layer(Conv2d(4, 3, 1, rng)); }},
      {"conv2d_large_stride", [](Rng& rng) { return layer(Conv2d(2, 3, 2, rng, {.stride = 3})); }},
      {"conv2d_wide", [](Rng& rng) { return layer(Conv2d(1, 1, 5, rng, {.padding = 2})); }},
      {"conv_transpose2d", [](Rng& rng) { return layer(ConvTranspose2d(3, 4, 3, rng)); }},
      {"conv_transpose2d_all",
       [](Rng& rng) {
         return layer(ConvTranspose2d(4, 6, {3, 2}, rng,
                                      {.stride = {2, 3},
                                       .padding = {1, 0},
                                       .output_padding = {1, 2},
                                       .dilation = {2, 1},
                                       .groups = 2}));
       }},
      {"lenet",
       [](Rng& rng) {
         return layer(Sequential{Conv2d(1, 4, 5, rng, {.padding = 2}), Tanh(), AvgPool2d(2),
                                 Conv2d(4, 6, 3, rng), Tanh(), MaxPool2d(2), Flatten(), Linear(24, 5, rng)});
       }},
      {"max_pool2d", [](Rng&) { return layer(MaxPool2d(2)); }},
      {"max_pool2d_all",
       [](Rng&) {
         return layer(MaxPool2d({3, 2}, {.stride = {2, 1}, .padding = {1, 1}, .dilation = {1, 2}}));
       }},
      {"max_pool1d", [](Rng&) { return layer(MaxPool1d(3, {.stride = 2, .padding = 1})); }},
      {"avg_pool2d", [](Rng&) { return layer(AvgPool2d(2)); }},
      {"avg_pool2d_all",
       [](Rng&) {
         return layer(AvgPool2d({3, 2}, {.stride = {2, 1}, .padding = {1, 1}}));
       }},
      {"avg_pool2d_unpadded",
       [](Rng&) {
         return layer(AvgPool2d({3, 2}, {.stride = {2, 3}, .padding = {1, 1}, .count_include_pad = false}));
       }},
      {"avg_pool1d", [](Rng&) { return layer(AvgPool1d(3, {.stride = 2, .padding = 1})); }},
      {"adaptive_avg_pool2d",
       [](Rng&) {
         return layer(AdaptiveAvgPool2d({3, 2}));
       }},
      {"adaptive_avg_pool1d", [](Rng&) { return layer(AdaptiveAvgPool1d(3)); }},
      {"upsample_nearest",
       [](Rng&) {
         return layer(Upsample({2, 3}));
       }},
      {"upsample_bilinear",
       [](Rng&) {
         return layer(Upsample({2, 3}, Interpolation::bilinear));
       }},
      {"upsample_corners", [](Rng&) { return layer(Upsample(2, Interpolation::align_corners)); }},
      {"batch_norm1d", [](Rng&) { return layer(BatchNorm1d(4)); }},
      {"batch_norm1d_sequence",
       [](Rng&) { return layer(BatchNorm1d(4, {.epsilon = 1e-3, .momentum = 0.3})); }},
      {"batch_norm2d", [](Rng&) { return layer(BatchNorm2d(3)); }},
      {"conv_batch_norm",
       [](Rng& rng) {
         return layer(Sequential{Conv2d(2, 4, 3, rng, {.bias = false}), BatchNorm2d(4), ReLU()});
       }},
      {"group_norm", [](Rng&) { return layer(GroupNorm(2, 6)); }},
      {"group_norm_rows", [](Rng&) { return layer(GroupNorm(3, 6)); }},
      {"rms_norm", [](Rng&) { return layer(RMSNorm(5)); }},
      {"embedding", [](Rng& rng) { return layer(Embedding(7, 3, rng)); }},
      {"embedding_padding", [](Rng& rng) { return layer(Embedding(7, 3, rng, {.padding_idx = 2})); }},
      {"rnn", [](Rng& rng) { return recurrent(RNN(3, 4, rng)); }},
      {"gru", [](Rng& rng) { return recurrent(GRU(3, 4, rng, {.layers = 2})); }},
      {"gru_without_bias", [](Rng& rng) { return recurrent(GRU(3, 4, rng, {.bias = false})); }},
      {"lstm", [](Rng& rng) { return recurrent(LSTM(3, 4, rng)); }},
      {"lstm_all", [](Rng& rng) { return recurrent(LSTM(3, 4, rng, {.layers = 2, .bidirectional = true})); }},
      {"attention", [](Rng& rng) { return attention(MultiheadAttention(6, 2, rng)); }},
      {"attention_causal",
       [](Rng& rng) { return attention(MultiheadAttention(6, 3, rng, {.bias = false, .causal = true})); }},
      {"attention_cross", [](Rng& rng) { return attention(MultiheadAttention(6, 2, rng)); }},
      {"attention_masks_of_heads", [](Rng& rng) { return attention(MultiheadAttention(4, 2, rng)); }},
      {"encoder",
       [](Rng& rng) {
         return layer(TransformerEncoderLayer(6, 2, rng, {.dim_feedforward = 8, .dropout = 0}));
       }},
      {"encoder_norm_first",
       [](Rng& rng) {
         return layer(TransformerEncoderLayer(
             6, 3, rng,
             {.dim_feedforward = 8, .dropout = 0, .gelu = true, .norm_first = true, .causal = true}));
       }},
  };
  add(layers, "relu", ReLU());
  add(layers, "leaky_relu", LeakyReLU());
  add(layers, "leaky_relu_slope", LeakyReLU(0.2));
  add(layers, "sigmoid", Sigmoid());
  add(layers, "tanh", Tanh());
  add(layers, "gelu", GELU());
  add(layers, "silu", SiLU());
  add(layers, "elu", ELU());
  add(layers, "elu_alpha", ELU(1.7));
  add(layers, "selu", SELU());
  add(layers, "softsign", Softsign());
  add(layers, "hardtanh", Hardtanh());
  add(layers, "hardtanh_limits", Hardtanh(-0.5, 1.5));
  add(layers, "log_sigmoid", LogSigmoid());
  add(layers, "softmax", Softmax());
  return layers;
}

const std::map<std::string, Make>& table() {
  static const std::map<std::string, Make> layers = all_layers();
  return layers;
}

Tensor tensor(const Json& json, DType floats) {
  Shape shape;
  for (const Index size : json["shape"]) shape.push_back(size);
  const std::string dtype = json["dtype"];
  return cast(from(json["values"].get<std::vector<double>>(), shape), dtype == "f64"   ? floats
                                                                      : dtype == "i64" ? i64
                                                                                       : u8);
}

const Json& fixtures() {
  static const Json json = Json::parse(std::ifstream(ELK_TESTS_DIR "/nn/torch_layers.json"));
  return json;
}

class TorchLayers : public testing::TestWithParam<std::string> {};

void expect_near(const Tensor& got, const Json& fixture, const std::string& what) {
  const Tensor expected = tensor(fixture, got.dtype());
  ASSERT_EQ(to_string(got.shape()), to_string(expected.shape())) << what;
  const double tolerance = got.dtype() == f64 ? 1e-12 : 2e-5;
  for (Index i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got.at(i), expected.at(i), tolerance * std::max(1.0, std::abs(expected.at(i))))
        << what << ", element " << i;
}

void expect_state(const nn::Module& module, const Json& fixture, const std::string& what) {
  const State state = module.state();
  ASSERT_EQ(state.size(), fixture.size()) << what;
  for (const NamedTensor& item : state) expect_near(item.value, fixture[item.name], what + " " + item.name);
}

TEST_P(TorchLayers, ComputeAndTrainAsThere) {
  const Json& fixture = fixtures()[GetParam()];
  for (const DType dtype : {f64, f32}) {
    SCOPED_TRACE(name(dtype));
    Rng rng(1);
    const Layer layer = table().at(GetParam())(rng);
    nn::Module& net = *layer.module;
    net.to(dtype);
    State state;
    for (const auto& [key, value] : fixture["state"].items()) state.push_back({key, tensor(value, dtype)});
    net.load_state(state);
    In inputs;
    for (const Json& json : fixture["inputs"]) inputs.push_back(tensor(json, dtype));
    const Tensor target = tensor(fixture["target"], dtype);

    const bool trains = net.parameter_count() > 0;
    std::unique_ptr<optim::SGD> sgd;
    if (trains) sgd = std::make_unique<optim::SGD>(net, optim::SGD::Options{.lr = 0.1, .momentum = 0.9});
    for (int step = 0; step < 3; ++step) {
      Tape tape(rng);
      for (const Tensor& x : inputs)
        if (is_float(x.dtype())) tape.watch(x);
      const Tensor y = layer.call(inputs);
      const Gradients gradients = tape.backward(mse(y, target));
      if (step == 0) {
        expect_near(y, fixture["y"], "y");
        std::size_t i = 0;
        for (const Tensor& x : inputs)
          if (is_float(x.dtype()))
            expect_near(gradients[x], fixture["input_gradients"][i++], "the gradient of an input");
        for (const nn::NamedSlot& parameter : net.parameters())
          expect_near(gradients[parameter.slot->value()], fixture["gradients"][parameter.name],
                      "the gradient of " + parameter.name);
      }
      if (trains) sgd->step(gradients);
    }
    expect_state(net, fixture["state_after"], "after three steps");
    expect_near(layer.call(inputs), fixture["y_after"], "y after three steps");
  }
}

std::vector<std::string> names() {
  std::vector<std::string> list;
  for (const auto& [name, fixture] : fixtures().items()) list.push_back(name);
  return list;
}

INSTANTIATE_TEST_SUITE_P(Of, TorchLayers, testing::ValuesIn(names()),
                         [](const auto& one) { return one.param; });

TEST(TorchLayers, EveryRowHasItsFixture) {
  for (const auto& [name, make] : table()) EXPECT_TRUE(fixtures().contains(name)) << name;
  EXPECT_EQ(fixtures().size(), table().size());
}

// The kinds of modules in `module`: "Conv2d" of "Conv2d(3, 4, 3)".
void add_kinds(const nn::Module& module, std::set<std::string>& kinds) {
  const std::string text = module.describe();
  kinds.insert(text.substr(0, text.find('(')));
  nn::Fields fields;
  const_cast<nn::Module&>(module).fields(fields);
  for (const nn::Fields::Field& field : fields.list())
    if (field.module != nullptr) add_kinds(*field.module, kinds);
}

// By the headers, so that a new layer is missed here.
TEST(TorchLayers, EveryLayerHasARow) {
  Rng rng(1);
  std::set<std::string> compared;
  for (const auto& [name, make] : table()) add_kinds(*make(rng).module, compared);
  // What several layers have in common, and what PyTorch does not have.
  const std::set<std::string> others{"BatchNorm", "Convolution",   "Recurrent", "Function",
                                     "Normalize", "GaussianNoise", "Whiten"};
  const std::regex layer(R"(class (\w+) : public (Module|BatchNorm|Convolution|Recurrent|Sequential) )");
  int found = 0;
  for (const auto& file : std::filesystem::directory_iterator(ELK_TESTS_DIR "/../framework/elk/nn")) {
    if (file.path().extension() != ".hpp") continue;
    std::stringstream text;
    text << std::ifstream(file.path()).rdbuf();
    const std::string header = text.str();
    for (std::sregex_iterator at(header.begin(), header.end(), layer), end; at != end; ++at, ++found) {
      const std::string name = (*at)[1];
      EXPECT_TRUE(compared.contains(name) || others.contains(name)) << name << " of " << file.path();
    }
  }
  EXPECT_GT(found, 40);
}

}  // namespace
}  // namespace elk
