// L-BFGS where something is wrong; its steps are compared with PyTorch's in torch_optim_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <utility>
#include <vector>

#include <elk/nn/layers.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/optim/lbfgs.hpp>
#include <support.hpp>

namespace elk::optim {
namespace {

using test::error_of;
using test::values;

// Its loss is of a layer that fields() forgets.
struct Forgets : nn::Module {
  explicit Forgets(Rng& rng) : listed(2, 2, rng, {.dtype = f64}), forgotten(2, 1, rng, {.dtype = f64}) {}
  Tensor forward(const Tensor& x) const override { return forgotten(elk::tanh(listed(x))); }
  void fields(Fields& f) override { f("listed", listed); }
  nn::Linear listed, forgotten;
};
struct Nothing : nn::Module {
  Tensor forward(const Tensor& x) const override { return x; }
};

TEST(LBFGSErrors, NamesWhatIsNotListed) {
  EXPECT_EQ(error_of<ValueError>([] { LBFGS{Nothing()}; }),
            "[lbfgs] Module lists no parameters: name them in its fields()");
  Rng rng(1);
  Forgets net(rng);
  LBFGS lbfgs(net);
  const Tensor x = randn({4, 2}, rng, f64);
  EXPECT_EQ(
      error_of<TapeError>([&] { lbfgs.step([&] { return sum(square(net(x))); }); }),
      "[lbfgs] the forward pass used 4 parameters, the network lists 2: not listed: Linear(2, 1): name it "
      "in fields(), or freeze it");
}

TEST(LBFGSErrors, AStepThatThrowsChangesNothing) {
  Rng rng(1);
  nn::Linear net(3, 2, rng, {.dtype = f64});
  const Tensor x = randn({6, 3}, rng, f64), y = randn({6, 2}, rng, f64);
  for (const int at : {0, 1, 3, 6}) {
    nn::Linear other = net;
    LBFGS lbfgs(other, {.max_iterations = 4}), same = lbfgs;
    int calls = 0;
    const auto loss = [&] {
      if (calls++ == at + 3) throw std::runtime_error("not now");
      return mse(elk::tanh(other(x)), y);
    };
    std::vector<double> weights;
    State state;
    EXPECT_THROW(
        {
          for (int step = 0; step < 5; ++step) {
            weights = values(other.weight().value());
            state = lbfgs.state();
            lbfgs.step(loss);
          }
        },
        std::runtime_error);
    EXPECT_EQ(values(other.weight().value()), weights);
    for (std::size_t i = 0; i < state.size(); ++i)
      EXPECT_EQ(values(lbfgs.state()[i].value), values(state[i].value)) << state[i].name;
  }
}

TEST(LBFGSErrors, OneThatWasMovedFromSaysSo) {
  Rng rng(1);
  nn::Linear net(3, 2, rng);
  LBFGS lbfgs(net);
  const LBFGS taken = std::move(lbfgs);
  // NOLINTNEXTLINE(bugprone-use-after-move)
  EXPECT_EQ(error_of<ValueError>([&] { lbfgs.step([] { return Tensor(); }); }),
            "[optimizer] this object was moved from: use the one that it was moved to");
}

TEST(LBFGSErrors, ALossThatIsNotFiniteChangesNothing) {
  Rng rng(1);
  nn::Linear net(3, 2, rng, {.dtype = f64});
  const Tensor x = randn({6, 3}, rng, f64), y = randn({6, 2}, rng, f64);
  for (const bool line_search : {false, true}) {
    LBFGS lbfgs(net, {.line_search = line_search});
    lbfgs.step([&] { return mse(net(x), y); });
    const std::vector<double> weights = values(net.weight());
    const State state = lbfgs.state();
    EXPECT_EQ(lbfgs.step([&] { return mse(net(x), y) + INFINITY; }), INFINITY);
    EXPECT_EQ(values(net.weight()), weights);
    for (std::size_t i = 0; i < state.size(); ++i)
      EXPECT_EQ(values(lbfgs.state()[i].value), values(state[i].value)) << state[i].name;
    // Where it becomes so on the way, it looks no further.
    int calls = 0;
    LBFGS other(net, {.lr = 0.1, .line_search = line_search});
    other.step([&] {
      const Tensor loss = sum(square(net(x)));
      return ++calls == 2 ? loss * NAN : loss;
    });
    for (const double w : values(net.weight())) EXPECT_TRUE(std::isfinite(w));
  }
}

// With an Rng a step is of training, and sees one function: the same draws each time it computes the loss.
TEST(LBFGSTraining, DrawsTheSameWithinAStep) {
  Rng rng(1);
  nn::Linear net(3, 2, rng, {.dtype = f64});
  const Tensor x = randn({6, 3}, rng, f64);
  LBFGS lbfgs(net, {.max_iterations = 6, .line_search = true});
  std::vector<std::vector<double>> masks;
  const auto loss = [&] {
    const Tensor mask = elk::dropout(ones({40}, f64), 0.5);
    masks.push_back(values(mask));
    return mse(net(x), ones({6, 2}, f64)) + 0.01 * mean(square(net.weight())) * mean(mask);
  };
  Rng drawn = rng;
  lbfgs.step(loss, rng);
  ASSERT_GT(masks.size(), 3u);
  for (const auto& mask : masks) EXPECT_EQ(mask, masks[0]);
  {
    const Tape tape(drawn);
    EXPECT_EQ(values(elk::dropout(ones({40}, f64), 0.5)), masks[0]);
  }
  EXPECT_EQ(rng.bits(), drawn.bits());  // where one computation leaves it
  const std::vector<double> first = masks[0];
  masks.clear();
  lbfgs.step(loss, rng);
  EXPECT_NE(masks[0], first);
  masks.clear();
  lbfgs.step(loss);  // of evaluation
  EXPECT_EQ(masks[0], std::vector<double>(40, 1));
}

}  // namespace
}  // namespace elk::optim
