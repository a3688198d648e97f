// The moving average of weights, against its recurrence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include <elk/autograd/tape.hpp>
#include <elk/nn/layers.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/moving_average.hpp>
#include <support.hpp>

namespace elk::optim {
namespace {

using test::error_of;
using test::values;
using testing::ElementsAre;

class One : public nn::Module {
 public:
  explicit One(DType dtype = f64) : weight_(from({1, -2}, dtype)) {}
  void fields(Fields& f) override { f("weight", weight_); }
  void set(double a, double b) { weight_.set(from({a, b}, weight_.value().dtype())); }
  const Tensor& value() const { return weight_; }

 private:
  nn::Parameter weight_;
};

class Average : public testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(DTypes, Average, testing::Values(f32, f64),
                         [](const auto& one) { return std::string(name(one.param)); });

TEST_P(Average, FollowsItsRecurrence) {
  One net(GetParam());
  MovingAverage average(net, 0.75);
  EXPECT_THAT(values(average.state()[0].value), ElementsAre(1, -2));
  net.set(5, 2);
  average.update();
  EXPECT_THAT(values(average.state()[0].value), ElementsAre(2, -1));
  average.update();
  EXPECT_THAT(values(average.state()[0].value), ElementsAre(2.75, -0.25));
  EXPECT_THAT(values(net.value()), ElementsAre(5, 2)) << "the weights are not touched";
}

TEST_P(Average, SwapsAndSwapsBack) {
  One net(GetParam());
  MovingAverage average(net, 0);
  net.set(3, 4);
  const std::uint64_t id = net.value().id();
  average.swap();
  EXPECT_THAT(values(net.value()), ElementsAre(1, -2));
  EXPECT_EQ(net.value().id(), id);
  Tape tape;
  const Gradients gradients = tape.backward(sum(net.value()));
  EXPECT_TRUE(gradients.has(net.value())) << "still a watched parameter";
  average.swap();
  EXPECT_THAT(values(net.value()), ElementsAre(3, 4));
  EXPECT_EQ(average.state()[0].name, "weight");
}

TEST_P(Average, AStateKeptStaysAsItWas) {
  One net(GetParam());
  MovingAverage average(net, 0.5);
  const State kept = average.state();
  net.set(0, 0);
  average.update();
  EXPECT_THAT(values(kept[0].value), ElementsAre(1, -2));
  MovingAverage other(net, 0.5);
  other.load_state(kept);
  other.update();
  EXPECT_EQ(values(other.state()[0].value), values(average.state()[0].value));
}

// With the corrected decay, the mean of the weights since the first update, each later one 1 / decay as
// heavy.
TEST_P(Average, CorrectedForItsBias) {
  for (const double decay : {0.0, 0.5, 0.9, 0.9999, 1 - 1e-12}) {
    One net(GetParam());
    MovingAverage average(net, decay);
    std::vector<double> first, second;
    for (int t = 1; t <= 40; ++t) {
      first.push_back(std::sin(t));
      second.push_back(t % 7 - 100.0);
      net.set(first.back(), second.back());
      average.update(average.corrected_decay(t));
      double weights = 0, a = 0, b = 0;
      for (std::size_t s = 0; s < first.size(); ++s) {
        const double weight = std::pow(decay, static_cast<double>(first.size() - 1 - s));
        weights += weight;
        a += weight * first[s];
        b += weight * second[s];
      }
      const std::vector<double> found = values(average.state()[0].value);
      const double tolerance = GetParam() == f64 ? 1e-12 : 1e-5;
      EXPECT_NEAR(found[0], a / weights, tolerance) << decay << ", update " << t;
      EXPECT_NEAR(found[1], b / weights, 100 * tolerance) << decay << ", update " << t;
    }
  }
}

// Two parameters, of which the second is converted.
TEST(AverageErrors, ChangeNothing) {
  class Two : public nn::Module {
   public:
    void fields(Fields& f) override { f("a", a)("b", b); }
    nn::Parameter a{from({1}, f64)}, b{from({2}, f64)};
  } net;
  MovingAverage average(net, 0.5);
  net.a.set(from({3}, f64));
  net.b.set(from({4}, f32));
  EXPECT_EQ(error_of<DTypeError>([&] { average.update(); }),
            "[moving_average] \"b\" is f32 now, its average f64: make a new average after a conversion");
  EXPECT_THAT(values(average.state()[0].value), ElementsAre(1));
  EXPECT_THROW(average.swap(), DTypeError);
  EXPECT_THAT(values(net.a), ElementsAre(3));
}

TEST(AverageErrors, OfANetworkThatListsNothing) {
  struct Nothing : nn::Module {};
  EXPECT_EQ(error_of<ValueError>([] { MovingAverage(Nothing(), 0.5); }),
            "[moving_average] Module lists no parameters: name them in its fields()");
}

TEST(AverageErrors, OneThatWasMovedFromSaysSo) {
  One net;
  MovingAverage average(net, 0.5), taken = std::move(average);
  const std::string message = "[moving_average] this object was moved from: use the one that it was moved to";
  EXPECT_EQ(error_of<ValueError>([&] { average.update(); }), message);
  EXPECT_EQ(error_of<ValueError>([&] { average.swap(); }), message);
  EXPECT_EQ(error_of<ValueError>([&] { (void)average.state(); }), message);
  EXPECT_EQ(error_of<ValueError>([&] { average.load_state({}); }), message);
  taken.update();
}

TEST(AverageErrors, AreClear) {
  One converted;
  MovingAverage of_f64(converted, 0.5);
  converted.to(f32);
  EXPECT_EQ(error_of<DTypeError>([&] { of_f64.swap(); }),
            "[moving_average] \"weight\" is f32 now, its average f64: make a new average after a conversion");
  One net;
  EXPECT_EQ(error_of<ValueError>([&] { MovingAverage(net, 1); }),
            "[moving_average] decay must be from 0 to below 1, got 1");
  MovingAverage of_one(net, 0.5);
  EXPECT_EQ(error_of<ValueError>([&] { of_one.update(-0.5); }),
            "[moving_average] decay must be from 0 to below 1, got -0.5");
  EXPECT_EQ(error_of<ValueError>([&] { (void)of_one.corrected_decay(0); }),
            "[moving_average] updates are counted from 1, got 0");
  EXPECT_EQ(error_of<ValueError>([&] { MovingAverage(net, NAN); }),
            "[moving_average] decay must be from 0 to below 1, got nan");
  MovingAverage average(net, 0.5);
  EXPECT_EQ(error_of<ValueError>([&] { average.load_state({}); }),
            "[moving_average] expected 1 tensors, got 0");
  EXPECT_EQ(error_of<ValueError>([&] {
              average.load_state({{"bias", zeros({2}, f64)}});
            }),
            "[moving_average] \"weight\" is missing");
  EXPECT_EQ(error_of<ShapeError>([&] {
              average.load_state({{"weight", zeros({3}, f64)}});
            }),
            "[moving_average] \"weight\" must be f64 (2), got f64 (3)");
}

}  // namespace
}  // namespace elk::optim
