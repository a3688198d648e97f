// The first value that is not finite is named, with its operation and layer.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <elk/elk.hpp>

namespace elk {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

// Two levels of modules: body.fc1, body.act, head.
class Net : public nn::Module {
 public:
  explicit Net(Rng& rng, double p = 0) : head_(3, 2, rng) {
    body_.add("fc1", nn::Linear(2, 3, rng)).add("act", nn::Function("root", [](const Tensor& x) {
                                                  return sqrt(x);
                                                }));
    if (p > 0) body_.add("drop", nn::Dropout(p));
  }
  Tensor forward(const Tensor& x) const override { return head_(body_(x)); }
  void fields(Fields& f) override { f("body", body_)("head", head_); }

  void set(const std::string& name, const Tensor& value) {
    State all = state();
    for (NamedTensor& item : all)
      if (item.name == name) item.value = value;
    load_state(all);
  }

 private:
  nn::Sequential body_;
  nn::Linear head_;
};

class NonFinite : public testing::Test {
 protected:
  NonFinite() {
    net_.set("body.fc1.weight", ones({3, 2}));
    net_.set("head.weight", ones({2, 3}));
  }
  std::string first(const Tensor& x) {
    return first_non_finite(net_, x, Rng(1), [this](const Tensor& input) { return mean(log(net_(input))); });
  }
  Rng rng_{1};
  Net net_{rng_};
};

TEST_F(NonFinite, NothingWhenAllIsFinite) {
  EXPECT_EQ(first(ones({4, 2})), "");
  EXPECT_EQ(first(from({1e30, 2}, {1, 2})), "");
}

TEST_F(NonFinite, TheInputComesFirst) {
  net_.set("head.bias", full({2}, inf));
  EXPECT_EQ(first(from({1, NAN}, {1, 2})), "the input");
  EXPECT_EQ(first(from({1, -inf}, {1, 2})), "the input");
}

TEST_F(NonFinite, ThenParametersInTheirOrder) {
  net_.set("head.bias", full({2}, -inf));
  EXPECT_EQ(first(ones({1, 2})), "parameter head.bias");
  net_.set("body.fc1.weight", full({3, 2}, NAN));
  EXPECT_EQ(first(ones({1, 2})), "parameter body.fc1.weight");
}

TEST_F(NonFinite, ThenTheFirstOperationWithItsLayer) {
  EXPECT_EQ(first(full({1, 2}, 3e38)), "linear in body.fc1");
  EXPECT_EQ(first(from({1, -2}, {1, 2})), "sqrt in body.act");
  net_.set("head.weight", full({2, 3}, 3e38));
  EXPECT_EQ(first(from({3, 4}, {1, 2})), "linear in head");
}

TEST_F(NonFinite, AnOperationOutsideEveryLayerHasNone) {
  net_.set("head.weight", zeros({2, 3}));
  EXPECT_EQ(first(ones({1, 2})), "log");
}

TEST_F(NonFinite, OperationsOnTheInputBeforeAnyParameterCount) {
  const std::string found =
      first_non_finite(net_, zeros({1, 2}), Rng(1), [this](const Tensor& x) { return mean(net_(1 / x)); });
  EXPECT_EQ(found, "div");
}

TEST_F(NonFinite, DropoutIsThatOfTheGivenStream) {
  Net net(rng_, 0.5);
  net.set("body.fc1.weight", full({3, 2}, 1));
  net.set("head.weight", from({3e38, 0, 0, 3e38, 0, 0}, {2, 3}));
  const auto loss = [&](const Tensor& x) { return mean(net(x)); };
  int seen = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed);
    bool diverges;
    {
      Rng copy = rng;
      Tape tape(copy);
      diverges = !std::isfinite(loss(ones({1, 2})).item());
    }
    EXPECT_EQ(first_non_finite(net, ones({1, 2}), rng, loss), diverges ? "linear in head" : "") << seed;
    seen += diverges;
  }
  EXPECT_GT(seen, 0);
  EXPECT_LT(seen, 20);
}

TEST_F(NonFinite, LeavesNoTapeBehind) {
  (void)first(full({1, 2}, 3e38));
  Tape tape;
  const Tensor x = ones({1, 2});
  tape.watch(x);
  EXPECT_EQ(tape.backward(sum(x))[x].size(), 2);
}

}  // namespace
}  // namespace elk
