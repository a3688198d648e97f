// A step of training has the same bits whoever looks at its gradients, for any number of threads, and at
// every size: batches from one row to those beyond the fast paths, weights of one block of work and of
// several.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
#include <elk/nn/layers.hpp>
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
  const std::vector<Index> sizes = test::emulated() ? std::vector<Index>{1, 128, 129}
                                                    : std::vector<Index>{1, 127, 128, 129, 256, 300, 1000};
  for (const Index rows : sizes)
    for (const auto& [dtype, precision] :
         {std::pair{f32, Precision::full}, std::pair{f64, Precision::full}, std::pair{f32, Precision::bf16}})
      list.push_back({rows, dtype, precision});
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
    nn::Sequential net{nn::Linear(70, 430, rng, {.dtype = dtype}), nn::Tanh(),
                       nn::Linear(430, 10, rng, {.dtype = dtype})};
    const Tensor x = randn({rows, 70}, rng, dtype);
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

}  // namespace
}  // namespace elk::optim
