// A step of training has the same bits whoever looks at its gradients, for any number of threads, and at
// every size: batches from one row to those beyond the fast paths, weights of one block of work and of
// several.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <elk/base/parallel.hpp>
#include <elk/base/precision.hpp>
#include <elk/debug/profile.hpp>
#include <elk/debug/trace.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/nn/attention.hpp>
#include <elk/nn/batch_norm.hpp>
#include <elk/nn/convolution.hpp>
#include <elk/nn/embedding.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/normalize.hpp>
#include <elk/nn/pooling.hpp>
#include <elk/nn/recurrent.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/optim/adaptive.hpp>
#include <elk/optim/clip.hpp>
#include <elk/optim/optimizer.hpp>
#include <support.hpp>

namespace elk::optim {
namespace {

// How a step is looked at, or computed, without a difference that anybody asked for.
struct Look {
  const char* name;
  std::function<void(Tape&)> before = [](Tape&) {};             // forward
  std::function<Gradients(Gradients)> after = std::identity();  // backward
};

const std::vector<Look>& looks() {
  static const std::vector<Look> list{
      {"the norm", {[](Tape&) {}}, [](Gradients g) { return (void)norm(g), g; }},
      {"clipping above all", {[](Tape&) {}}, [](Gradients g) { return clip_norm(std::move(g), 1e30); }},
      {"a hook that only reads",
       {[](Tape&) {}},
       [](Gradients g) {
         for (const Tensor& value : g.values()) EXPECT_GE(max(value).item(), min(value).item());
         return g;
       }},
      {"a copy that is read",
       {[](Tape&) {}},
       [](Gradients g) {
         const Gradients copy = g;
         (void)copy.values();
         return g;
       }},
      {"an observer", [](Tape& tape) { tape.observe([](const Tape::Event&) {}, [](const Tape::Flow&) {}); }},
      {"one of operations alone", [](Tape& tape) { tape.observe([](const Tape::Event&) {}); }},
  };
  return list;
}

struct Case {
  Index rows;
  DType dtype;
  Precision precision;
};

std::vector<Case> cases() {
  std::vector<Case> list;
  const std::vector<Index> sizes =
      test::slow() ? std::vector<Index>{1, 128, 129} : std::vector<Index>{1, 127, 128, 129, 256, 300, 1000};
  for (const Index rows : sizes)
    for (const auto& [dtype, precision] :
         {std::pair{f32, Precision::full}, std::pair{f64, Precision::full}, std::pair{f32, Precision::bf16}})
      list.push_back({rows, dtype, precision});
  if (!test::slow()) list.push_back({4100, f32, Precision::full});  // beyond the batches of our own products
  list.push_back({1100, f32, Precision::bf16});  // beyond what the matrix unit sums at once
  return list;
}

std::string name_of(const testing::TestParamInfo<Case>& one) {
  return std::to_string(one.param.rows) + "_" +
         (one.param.precision == Precision::bf16 ? "bf16" : name(one.param.dtype));
}

class SameBits : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (GetParam().precision == Precision::bf16 && !bf16_available())
      GTEST_SKIP() << "this machine has no AMX";
  }
  void TearDown() override { set_threads(1); }

  using Make = std::function<std::unique_ptr<Optimizer>(const nn::Module&)>;

  // The weights, to the bit, after two steps: of a layer of one block of work and of one of many.
  std::string weights(const Make& make, const Look& look = {"nothing"}) const {
    const auto [rows, dtype, precision] = GetParam();
    Rng rng(1);
    nn::Sequential net{nn::Linear(130, 430, rng, {.dtype = dtype}), nn::Tanh(),
                       nn::Linear(430, 10, rng, {.dtype = dtype})};
    const Tensor x = randn({rows, 130}, rng, dtype);
    std::vector<std::int64_t> classes;
    for (Index i = 0; i < rows; ++i) classes.push_back(i % 10);
    const auto optimizer = make(net);
    const PrecisionScope scope(precision);
    for (int step = 0; step < 2; ++step) {
      Tape tape;
      look.before(tape);
      optimizer->step(look.after(tape.backward(cross_entropy(net(x), from(classes)))));
    }
    return format_safetensors(net.state());
  }

  template <class O>
  static Make with(const typename O::Options& options) {
    return [options](const nn::Module& net) { return std::make_unique<O>(net, options); };
  }
};
INSTANTIATE_TEST_SUITE_P(Sizes, SameBits, testing::ValuesIn(cases()), name_of);

TEST_P(SameBits, OfPlainSGDWhoeverLooks) {
  for (const double decay : {0.0, 0.01}) {
    const Make sgd = with<SGD>({.lr = 0.1, .weight_decay = decay});
    const std::string expected = weights(sgd);
    for (const Look& look : looks())
      EXPECT_TRUE(weights(sgd, look) == expected) << look.name << ", decay " << decay;
    std::optional<Trace> trace(std::in_place);
    EXPECT_TRUE(weights(sgd, {"a trace", [&](Tape& tape) { trace->follow(tape); }}) == expected) << decay;
    trace.reset();
    const Profile profile;
    EXPECT_TRUE(weights(sgd) == expected) << "a profile, decay " << decay;
  }
}

TEST_P(SameBits, OfEveryOptimizerWhoeverLooks) {
  for (const auto& [label, make] : std::vector<std::pair<const char*, Make>>{
           {"momentum", with<SGD>({.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01})},
           {"Adam", with<Adam>({.weight_decay = 0.01})},
           {"AdamW", with<AdamW>({})},
           {"AMSGrad", with<Adam>({.amsgrad = true})},
           {"RMSprop", with<RMSprop>({.momentum = 0.9, .centered = true})},
           {"Lion", with<Lion>({})}}) {
    const std::string expected = weights(make);
    for (const Look& look : looks())
      EXPECT_TRUE(weights(make, look) == expected) << label << ", " << look.name;
  }
}

TEST_P(SameBits, ForAnyNumberOfThreads) {
  for (const auto& make :
       {with<SGD>({.lr = 0.1}), with<SGD>({.lr = 0.1, .weight_decay = 0.01}), with<Adam>({})}) {
    set_threads(1);
    const std::string expected = weights(make);
    for (const int threads : {2, 3, 7}) {
      set_threads(threads);
      EXPECT_TRUE(weights(make) == expected) << threads << " threads";
      EXPECT_TRUE(weights(make, looks()[0]) == expected) << threads << " threads, looked at";
    }
  }
}

// Layers beyond Linear: the file of all weights and statistics after two steps, for any number of threads and
// whoever looks. Sizes are no multiples of a vector, a tile or a block of work.
TEST(SameBitsOfLayers, ForAnyNumberOfThreadsWhoeverLooks) {
  using namespace nn;
  struct Kind {
    const char* name;
    std::function<Sequential(Rng&)> make;
    Shape shape;  // of the input; ids where the first layer is an Embedding
    Index ids = 0;
  };
  const std::vector<Kind> kinds{
      {"convolutions",
       [](Rng& rng) {
         return Sequential{Conv2d(3, 20, 3, rng, {.padding = 1}),
                           BatchNorm2d(20),
                           ReLU(),
                           MaxPool2d(2),
                           Conv2d(20, 14, 3, rng, {.stride = 2, .groups = 2}),
                           GroupNorm(7, 14),
                           AvgPool2d(2),
                           Flatten(),
                           Linear(42, 10, rng)};
       },
       {37, 3, 17, 29}},
      {"convolutions of sequences",
       [](Rng& rng) {
         return Sequential{Conv1d(5, 12, 4, rng, {.dilation = 2}), BatchNorm1d(12), GELU(), Flatten(),
                           Linear(12 * 25, 10, rng)};
       },
       {131, 5, 31}},
      {"transposed convolutions",
       [](Rng& rng) {
         return Sequential{ConvTranspose2d(6, 9, 3, rng, {.stride = 2}),
                           SiLU(),
                           Upsample(2),
                           AdaptiveAvgPool2d(1),
                           Flatten(),
                           Linear(9, 10, rng)};
       },
       {23, 6, 7, 9}},
      {"normalizations",
       [](Rng& rng) {
         return Sequential{Linear(70, 203, rng), LayerNorm(203), RMSNorm(203),
                           BatchNorm1d(203),     Dropout(0.3),   Linear(203, 10, rng)};
       },
       {301, 70}},
      {"GRUs",
       [](Rng& rng) {
         return Sequential{GRU(13, 37, rng, {.layers = 2, .dropout = 0.2, .bidirectional = true}), Flatten(),
                           Linear(9 * 74, 10, rng)};
       },
       {67, 9, 13}},
      {"LSTMs",
       [](Rng& rng) {
         return Sequential{Embedding(50, 19, rng), LSTM(19, 41, rng), Flatten(), Linear(11 * 41, 10, rng)};
       },
       {71, 11},
       50},
      {"transformers",
       [](Rng& rng) {
         return Sequential{
             TransformerEncoderLayer(36, 4, rng, {.dim_feedforward = 75}),
             TransformerEncoderLayer(36, 3, rng, {.gelu = true, .norm_first = true, .causal = true}),
             Flatten(), Linear(36 * 21, 10, rng)};
       },
       {29, 21, 36}},
  };
  for (const Kind& kind : kinds) {
    SCOPED_TRACE(kind.name);
    const auto trained = [&](const Look& look) {
      Rng rng(1);
      Sequential net = kind.make(rng);
      std::vector<std::int64_t> ids, classes;
      for (Index i = 0; i < kind.shape.size(); ++i) ids.push_back(i * 7 % std::max<Index>(kind.ids, 1));
      for (Index i = 0; i < kind.shape[0]; ++i) classes.push_back(i % 10);
      const Tensor x = kind.ids > 0 ? from(ids, kind.shape) : randn(kind.shape, rng);
      SGD sgd(net, {.lr = 0.05});
      for (int step = 0; step < 2; ++step) {
        Tape tape(rng);
        look.before(tape);
        sgd.step(look.after(tape.backward(cross_entropy(net(x), from(classes)))));
      }
      return format_safetensors(net.state());
    };
    set_threads(1);
    const std::string expected = trained({"nothing"});
    if (test::slow()) {
      set_threads(3);
      EXPECT_TRUE(trained(looks()[0]) == expected) << "3 threads, looked at";
      continue;
    }
    for (const Look& look : looks()) EXPECT_TRUE(trained(look) == expected) << look.name;
    {
      Trace trace;
      EXPECT_TRUE(trained({"a trace", [&](Tape& tape) { trace.follow(tape); }}) == expected);
    }
    {
      const Profile profile;
      EXPECT_TRUE(trained({"a profile"}) == expected);
    }
    for (const int threads : {2, 3, 7}) {
      set_threads(threads);
      EXPECT_TRUE(trained({"nothing"}) == expected) << threads << " threads";
      EXPECT_TRUE(trained(looks()[0]) == expected) << threads << " threads, looked at";
    }
    set_threads(1);
  }
}

}  // namespace
}  // namespace elk::optim
