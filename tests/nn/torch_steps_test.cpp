// Random networks, losses and optimizers in f64: some steps of training, beside PyTorch's.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
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
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/adaptive.hpp>
#include <elk/optim/clip.hpp>
#include <elk/optim/optimizer.hpp>
#include <nlohmann/json.hpp>

#include "io/python.hpp"
#include "io/temporary_folder.hpp"

namespace elk {
namespace {

using Json = nlohmann::json;

Json json(const Tensor& x) {
  Json shape = Json::array(), values = Json::array();
  for (const Index size : x.shape()) shape.push_back(size);
  for (Index i = 0; i < x.size(); ++i)
    if (x.dtype() == i64)
      values.push_back(x.data<std::int64_t>()[static_cast<std::size_t>(i)]);
    else
      values.push_back(x.at(i));
  return {{"dtype", name(x.dtype())}, {"shape", shape}, {"values", values}};
}

// What is drawn, as torch_steps.py reads it, and what elk makes of it.
class Case {
 public:
  explicit Case(std::uint32_t seed) : rng_(Rng::keyed({2026, seed})) {
    Index width = 0;
    switch (rng_.integer(0, 4)) {
      case 0: width = images(); break;
      case 1: width = sequences(); break;
      default: x_ = randn({rows_, width = rng_.integer(1, 12)}, rng_, f64);
    }
    for (std::int64_t depth = rng_.integer(0, 4); depth > 0; --depth) width = hidden(width);
    linear(net_, spec_["network"], width, out_);
    net_.to(f64);
    spec_["x"] = json(x_);
    draw_loss();
    spec_["target"] = json(target_);
    for (const NamedTensor& item : net_.state()) spec_["state"][item.name] = json(item.value);
    draw_optimizer();
  }

  const Json& spec() const { return spec_; }

  Json trained() {
    Json losses = Json::array(), state;
    for (int i = 0; i < spec_["steps"]; ++i) {
      Tape tape(rng_);  // of training: BatchNorm takes the batch's statistics
      const Tensor loss = loss_(net_(x_), target_);
      Gradients gradients = tape.backward(loss);
      if (clip_ > 0) gradients = optim::clip_value(std::move(gradients), clip_);
      optimizer_->step(gradients);
      losses.push_back(loss.item());
    }
    for (const NamedTensor& item : net_.state()) state[item.name] = json(item.value)["values"];
    return {{"losses", losses}, {"state", state}};
  }

 private:
  template <class T>
  T pick(std::initializer_list<T> list) {
    return list.begin()[rng_.integer(0, static_cast<std::int64_t>(list.size()))];
  }

  void linear(nn::Sequential& to, Json& spec, Index in, Index out) {
    const bool bias = rng_.integer(0, 4) > 0;
    to.add(nn::Linear(in, out, rng_, {.init = nn::Init::xavier, .bias = bias, .dtype = f64}));
    spec.push_back({"Linear", in, out, bias});
  }

  void activation(nn::Sequential& to, Json& spec) {
    switch (rng_.integer(0, 6)) {
      case 0: to.add(nn::ReLU()), spec.push_back(Json::array({"ReLU"})); break;
      case 1: to.add(nn::LeakyReLU(0.2)), spec.push_back({"LeakyReLU", 0.2}); break;
      case 2: to.add(nn::Sigmoid()), spec.push_back(Json::array({"Sigmoid"})); break;
      case 3: to.add(nn::Tanh()), spec.push_back(Json::array({"Tanh"})); break;
      case 4: to.add(nn::GELU()), spec.push_back(Json::array({"GELU"})); break;
      default: to.add(nn::Function("softplus", softplus)), spec.push_back(Json::array({"Softplus", 1, 1e9}));
    }
  }

  template <class M>
  void add(M module, Json spec) {
    net_.add(std::move(module));
    spec_["network"].push_back(std::move(spec));
  }

  // Draws images and what comes before the first Linear; returns the width there.
  Index images() {
    rows_ = rng_.integer(2, 12);
    Index channels = rng_.integer(1, 5), height = rng_.integer(3, 9), width = rng_.integer(3, 9);
    x_ = randn({rows_, channels, height, width}, rng_, f64);
    for (std::int64_t depth = rng_.integer(1, 4); depth > 0; --depth) {
      switch (rng_.integer(0, 3)) {
        case 0: transposed(channels, height, width); break;
        default: convolution(channels, height, width);
      }
      if (rng_.integer(0, 2) == 0)
        add(nn::BatchNorm2d(channels), {"BatchNorm2d", channels});
      else if (channels * height * width > 1)
        add(nn::GroupNorm(1, channels), {"GroupNorm", 1, channels});
      activation(net_, spec_["network"]);
      pooling(height, width);
    }
    add(nn::Flatten(), Json::array({"Flatten"}));
    return channels * height * width;
  }

  void convolution(Index& channels, Index& height, Index& width) {
    const Index groups = channels % 2 == 0 ? pick({1, 2, static_cast<int>(channels)}) : 1;
    const Index out = groups * rng_.integer(1, 4), stride = rng_.integer(1, 3), padding = rng_.integer(0, 3);
    const Index dilation = rng_.integer(1, 3);
    const Index least = std::min(height, width) + 2 * padding;
    const Index kernel = rng_.integer(1, std::min<Index>(4, (least - 1) / dilation + 1) + 1);
    const bool bias = rng_.integer(0, 2) == 1;
    add(nn::Conv2d(
            channels, out, kernel, rng_,
            {.stride = stride, .padding = padding, .dilation = dilation, .groups = groups, .bias = bias}),
        {"Conv2d", channels, out, kernel, stride, padding, dilation, groups, bias});
    for (Index* size : {&height, &width})
      *size = (*size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
    channels = out;
  }

  void transposed(Index& channels, Index& height, Index& width) {
    const Index out = rng_.integer(1, 4), kernel = rng_.integer(1, 4), stride = rng_.integer(1, 3);
    const Index extra = rng_.integer(0, stride);
    add(nn::ConvTranspose2d(channels, out, kernel, rng_, {.stride = stride, .output_padding = extra}),
        {"ConvTranspose2d", channels, out, kernel, stride, 0, extra});
    for (Index* size : {&height, &width}) *size = (*size - 1) * stride + kernel + extra;
    channels = out;
  }

  void pooling(Index& height, Index& width) {
    if (std::min(height, width) < 2) return;
    switch (rng_.integer(0, 5)) {
      case 0: add(nn::MaxPool2d(2), {"MaxPool2d", 2}), height /= 2, width /= 2; break;
      case 1: add(nn::AvgPool2d(2), {"AvgPool2d", 2}), height /= 2, width /= 2; break;
      case 2: add(nn::AdaptiveAvgPool2d(2), {"AdaptiveAvgPool2d", 2}), height = width = 2; break;
      case 3: add(nn::Upsample(2), {"Upsample", nullptr, 2}), height *= 2, width *= 2; break;
      default: break;
    }
  }

  // Draws sequences, of numbers or ids, and what makes one vector of each; returns its width.
  Index sequences() {
    rows_ = rng_.integer(1, 12);
    const Index length = rng_.integer(1, 8);
    Index width = 2 * rng_.integer(1, 4);
    if (rng_.integer(0, 2) == 0) {
      const Index vocabulary = rng_.integer(1, 9);
      std::vector<std::int64_t> ids;
      for (Index i = 0; i < rows_ * length; ++i) ids.push_back(rng_.integer(0, vocabulary));
      x_ = reshape(from(ids), {rows_, length});
      add(nn::Embedding(vocabulary, width, rng_), {"Embedding", vocabulary, width});
    } else {
      x_ = randn({rows_, length, width}, rng_, f64);
    }
    for (std::int64_t depth = rng_.integer(1, 3); depth > 0; --depth) {
      const Index layers = rng_.integer(1, 3), size = 2 * rng_.integer(1, 4);
      const bool flag = rng_.integer(0, 2) == 1, other = rng_.integer(0, 2) == 1;
      const nn::Recurrent::Options options{.layers = layers, .bias = flag, .bidirectional = other};
      const Index in = width;
      const auto recurrent = [&](const char* kind) -> Json {
        width = size * (other ? 2 : 1);
        return {kind, in, size, layers, flag, other};
      };
      switch (rng_.integer(0, 5)) {
        case 0: add(nn::RNN(in, size, rng_, options), recurrent("RNN")); break;
        case 1: add(nn::GRU(in, size, rng_, options), recurrent("GRU")); break;
        case 2: add(nn::LSTM(in, size, rng_, options), recurrent("LSTM")); break;
        case 3:
          add(nn::MultiheadAttention(width, 2, rng_, {.bias = flag, .causal = other}),
              {"MultiheadAttention", width, 2, flag, other});
          break;
        default:
          add(nn::TransformerEncoderLayer(
                  width, 2, rng_, {.dim_feedforward = size, .dropout = 0, .gelu = flag, .norm_first = other}),
              {"TransformerEncoderLayer", width, 2, size, flag, other});
      }
    }
    if (rng_.integer(0, 2) == 0)
      add(nn::Function("last", [](const Tensor& x) { return x(all(), -1); }), Json::array({"Last"}));
    else
      add(nn::Function("mean", [](const Tensor& x) { return mean(x, 1); }), Json::array({"Mean"}));
    return width;
  }

  // A layer and what follows it, or a residual block; returns the new width.
  Index hidden(Index in) {
    Json& spec = spec_["network"];
    if (rng_.integer(0, 4) == 0) {
      nn::Residual block;
      Json inner = {"Residual"};
      linear(block, inner, in, in);
      activation(block, inner);
      net_.add(std::move(block));
      spec.push_back(inner);
      return in;
    }
    const Index out = rng_.integer(1, 9);
    linear(net_, spec, in, out);
    if (out > 1 && rng_.integer(0, 3) == 0) {  // of one number all is 0, where ReLU has its kink
      if (rows_ > 1 && rng_.integer(0, 2) == 0)
        add(nn::BatchNorm1d(out), {"BatchNorm1d", out});
      else
        add(nn::LayerNorm(out), {"LayerNorm", out});
    }
    activation(net_, spec);
    return out;
  }

  void draw_loss() {
    std::vector<std::int64_t> labels;
    for (Index i = 0; i < rows_; ++i) labels.push_back(rng_.integer(0, out_));
    const std::string loss = pick({"cross_entropy", "smooth_cross_entropy", "soft_cross_entropy", "nll",
                                   "mse", "huber", "binary_cross_entropy", "l1", "smooth_l1", "kl_div",
                                   "gaussian_nll", "cosine", "triplet_margin"});
    if (loss == "soft_cross_entropy" || loss == "kl_div")
      target_ = softmax(randn({rows_, out_}, rng_, f64));
    else if (loss == "binary_cross_entropy")
      target_ = uniform({rows_, out_}, rng_, 0, 1, f64);
    else if (loss.ends_with("cross_entropy") || loss == "nll")
      target_ = from(labels);
    else
      target_ = randn({rows_, out_}, rng_, f64);
    if (loss == "smooth_cross_entropy")
      loss_ = [](const Tensor& y, const Tensor& t) { return smooth_cross_entropy(y, t, 0.1); };
    else if (loss == "nll")
      loss_ = [](const Tensor& y, const Tensor& t) { return nll(log_softmax(y), t); };
    else if (loss == "mse")
      loss_ = mse;
    else if (loss == "huber")
      loss_ = [](const Tensor& y, const Tensor& t) { return huber(y, t, 0.7); };
    else if (loss == "binary_cross_entropy")
      loss_ = binary_cross_entropy_with_logits;
    else if (loss == "l1")
      loss_ = l1;
    else if (loss == "smooth_l1")
      loss_ = [](const Tensor& y, const Tensor& t) { return smooth_l1(y, t, 0.6); };
    else if (loss == "kl_div")
      loss_ = [](const Tensor& y, const Tensor& t) { return kl_div(log_softmax(y), t); };
    else if (loss == "gaussian_nll")
      loss_ = [](const Tensor& y, const Tensor& t) { return gaussian_nll(y, t, 0.1 + y * y); };
    else if (loss == "cosine")
      loss_ = [](const Tensor& y, const Tensor& t) { return 1 - mean(cosine_similarity(y, t)); };
    else if (loss == "triplet_margin")
      loss_ = [](const Tensor& y, const Tensor& t) { return triplet_margin(y, t, -t); };
    else
      loss_ = cross_entropy;
    spec_["loss"] = loss;
  }

  void draw_optimizer() {
    const double decay = pick({0.0, 0.01, 0.3}), lr = pick({0.3, 0.01});
    Json options{{"lr", lr}, {"weight_decay", decay}};
    // Without NAdam: PyTorch before 2.0 has a factor of its second step wrong.
    const std::string optimizer = pick({"SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adamax"});
    if (optimizer == "RMSprop") {
      const double momentum = pick({0.0, 0.9}), epsilon = 0.1;  // else its first steps are of ten rates each
      const bool centered = rng_.integer(0, 2) == 1;
      options.update(Json{{"momentum", momentum}, {"centered", centered}, {"eps", epsilon}});
      optimizer_ = std::make_unique<optim::RMSprop>(net_, optim::RMSprop::Options{.lr = lr,
                                                                                  .epsilon = epsilon,
                                                                                  .weight_decay = decay,
                                                                                  .momentum = momentum,
                                                                                  .centered = centered});
    } else if (optimizer == "Adagrad") {
      const double epsilon = 0.1, lr_decay = pick({0.0, 0.1}), sum = pick({0.0, 0.2});
      options.update(Json{{"lr_decay", lr_decay}, {"initial_accumulator_value", sum}, {"eps", epsilon}});
      optimizer_ = std::make_unique<optim::Adagrad>(
          net_,
          optim::Adagrad::Options{
              .lr = lr, .lr_decay = lr_decay, .weight_decay = decay, .initial_sum = sum, .epsilon = epsilon});
    } else if (optimizer == "SGD") {
      const double momentum = pick({0.0, 0.9});
      const bool nesterov = momentum > 0 && rng_.integer(0, 2) == 1;
      optimizer_ = std::make_unique<optim::SGD>(
          net_,
          optim::SGD::Options{.lr = lr, .momentum = momentum, .nesterov = nesterov, .weight_decay = decay});
      options["momentum"] = momentum;
      options["nesterov"] = nesterov;
    } else {
      // An epsilon that lets differences of the last place in gradients near 0 stay small.
      const double beta1 = pick({0.9, 0.5}), beta2 = pick({0.999, 0.9}), epsilon = 1e-3;
      options["betas"] = {beta1, beta2};
      options["eps"] = epsilon;
      if (optimizer == "Adamax")
        optimizer_ = std::make_unique<optim::Adamax>(
            net_, optim::Adamax::Options{
                      .lr = lr, .beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .weight_decay = decay});
      else if (optimizer == "Adam")
        optimizer_ = std::make_unique<optim::Adam>(
            net_, optim::Adam::Options{
                      .lr = lr, .beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .weight_decay = decay});
      else
        optimizer_ = std::make_unique<optim::AdamW>(
            net_, optim::AdamW::Options{
                      .lr = lr, .beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .weight_decay = decay});
    }
    spec_["optimizer"] = optimizer;
    spec_["options"] = options;
    spec_["clip"] = clip_ = pick({0.0, 0.0, 0.05});
    spec_["steps"] = rng_.integer(1, 4);
  }

  Rng rng_;
  Index rows_ = rng_.integer(1, 200);
  const Index out_ = rng_.integer(2, 7);
  nn::Sequential net_;
  Tensor x_, target_;
  Loss loss_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  double clip_ = 0;
  Json spec_{{"network", Json::array()}};
};

// The largest difference between two lists, relative to numbers above 1.
double difference(const Json& got, const Json& expected) {
  if (got.size() != expected.size()) return INFINITY;
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double a = got[i], b = expected[i];
    const double one = std::abs(a - b) / std::max(1.0, std::abs(b));
    worst = std::isnan(one) ? INFINITY : std::max(worst, one);
  }
  return worst;
}

TEST(TorchSteps, RandomNetworksLossesAndOptimizersTrainAsThere) {
  const std::string python = python_with("torch");
  if (python.empty()) GTEST_SKIP() << "there is no Python with PyTorch";
  constexpr std::uint32_t count = 300;
  Json cases = Json::array(), ours = Json::array();
  for (std::uint32_t seed = 0; seed < count; ++seed) {
    Case one(seed);
    cases.push_back(one.spec());
    ours.push_back(one.trained());
  }
  const TemporaryFolder folder;
  std::ofstream(folder / "cases.json") << cases;
  ASSERT_EQ(std::system((python + " " + ELK_TESTS_DIR + "/nn/torch_steps.py " + (folder / "cases.json") +
                         " " + (folder / "results.json"))
                            .c_str()),
            0);
  const Json theirs = Json::parse(std::ifstream(folder / "results.json"));
  ASSERT_EQ(theirs.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    Json shown = cases[i];
    for (const char* key : {"x", "target", "state"}) shown.erase(key);
    SCOPED_TRACE("seed " + std::to_string(i) + ": " + shown.dump());
    EXPECT_LT(difference(ours[i]["losses"], theirs[i]["losses"]), 1e-12);
    ASSERT_EQ(ours[i]["state"].size(), theirs[i]["state"].size());
    for (const auto& [name, values] : theirs[i]["state"].items())
      EXPECT_LT(difference(ours[i]["state"][name], values), 1e-11) << name;
  }
}

}  // namespace
}  // namespace elk
