// The check must find what it is for: rules that are wrong.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include <elk/autograd/record.hpp>
#include <elk/debug/gradcheck.hpp>
#include <elk/nn/layers.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <support.hpp>

namespace elk {
namespace {

using test::error_of;
using test::values;
using In = std::vector<Tensor>;

const Tensor points = from({0.5, -1, 2, 0.25, 3, -0.75}, {2, 3}, f64);

// x^2 with a rule of one's choice.
template <class F>
Tensor my_square(const Tensor& x, F rule) {
  return record("my_square", square(detach(x)), wrt(x, rule));
}

// Its inner tapes must not take over the dropout of a training tape around them.
TEST(Gradcheck, InTheMidstOfTrainingIsWithoutDropout) {
  Rng rng(1);
  const Tape tape(rng);
  const nn::Dropout dropout(0.5);
  EXPECT_TRUE(gradcheck([&](const In& in) { return square(dropout(in[0])); }, {points}));
  EXPECT_EQ(tape.size(), 0u);
}

TEST(Gradcheck, PassesARightOperation) {
  const GradcheckReport report = gradcheck(
      [](const In& in) { return my_square(in[0], [x = in[0]](const Tensor& dy) { return 2 * x * dy; }); },
      {points});
  EXPECT_TRUE(report);
  EXPECT_EQ(report.checked, 12);
  EXPECT_LT(report.error, 1e-8);
  EXPECT_EQ(report.to_string().substr(0, 22), "ok: 12 entries; worst:");
}

TEST(Gradcheck, FindsAWrongFirstDerivative) {
  const GradcheckReport report = gradcheck(
      [](const In& in) { return my_square(in[0], [x = in[0]](const Tensor& dy) { return 3 * x * dy; }); },
      {points}, {.second_order = false});
  EXPECT_FALSE(report);
  EXPECT_EQ(report.order, 1);
  EXPECT_EQ(report.checked, 6);
  EXPECT_NEAR(report.tape / report.difference, 1.5, 1e-6);
}

// However small or large the numbers are, and beside inputs of another size.
TEST(Gradcheck, ComparesWithWhatItCompares) {
  for (const double size : {1e-12, 1e-7, 1.0, 1e7, 1e12}) {
    SCOPED_TRACE(size);
    for (const double sign : {1.0, -1.0}) {
      const auto scaled = [&](const Tensor& x) {
        return record("scaled", size * square(detach(x)),
                      wrt(x, [=](const Tensor& dy) { return sign * size * 2 * x * dy; }));
      };
      EXPECT_EQ(static_cast<bool>(gradcheck([&](const In& in) { return scaled(in[0]); }, {points})),
                sign == 1);
      // A gradient of `size` beside one of 1, in an output of their sum where that is as precise.
      EXPECT_EQ(static_cast<bool>(gradcheck(
                    [&](const In& in) {
                      return concat({scaled(in[0]), square(in[1])}, 0);
                    },
                    {points, points}, {.second_order = false})),
                sign == 1 || size < 1e-7);
    }
  }
  // What cancels is no fault: a softmax does not depend on a shift.
  EXPECT_TRUE(gradcheck([](const In& in) { return softmax(in[0] + in[1]); }, {points, from({0.5}, f64)}));
  EXPECT_TRUE(
      gradcheck([](const In& in) { return log_softmax(1e-9 * in[0] + in[1]); }, {points, from({0.5}, f64)}));
}

TEST(Gradcheck, NamesTheElementAndBothNumbers) {
  // Wrong in element 4 of the second input alone.
  const Tensor off = from({0, 0, 0, 0, 1, 0}, {2, 3}, f64);
  const GradcheckReport report = gradcheck(
      [&](const In& in) {
        return in[0] + my_square(in[1], [x = in[1], off](const Tensor& dy) { return 2 * x * dy + off; });
      },
      {points, points});
  EXPECT_FALSE(report);
  EXPECT_EQ(report.order, 1);
  EXPECT_EQ(report.input, "input 1");
  EXPECT_EQ(report.element, 4);
  EXPECT_NEAR(report.tape - report.difference, 1, 1e-6);
  const std::string text = report.to_string();
  EXPECT_EQ(text.find("wrong: 24 entries; worst: input 1 element 4, order 1: tape "), 0u) << text;
  EXPECT_NE(text.find(", finite difference "), std::string::npos) << text;
}

TEST(Gradcheck, FindsARuleThatIsWrongAtSecondOrderAlone) {
  const auto f = [](const In& in) {
    return my_square(in[0], [x = detach(in[0])](const Tensor& dy) { return 2 * x * dy; });
  };
  EXPECT_TRUE(gradcheck(f, {points}, {.second_order = false}));
  const GradcheckReport report = gradcheck(f, {points});
  EXPECT_FALSE(report);
  EXPECT_EQ(report.order, 2);
  EXPECT_EQ(report.tape, 0);
  EXPECT_GT(std::abs(report.difference), 0.01);
}

TEST(Gradcheck, NaNIsNotOk) {
  const GradcheckReport report = gradcheck(
      [](const In& in) {
        return my_square(in[0], [x = in[0]](const Tensor& dy) { return 2 * x * dy * NAN; });
      },
      {points}, {.second_order = false});
  EXPECT_FALSE(report);
  EXPECT_TRUE(std::isnan(report.tape));
  EXPECT_FALSE(gradcheck([](const In& in) { return sqrt(in[0]); }, {from({-1}, f64)}));
  EXPECT_FALSE(gradcheck([](const In& in) { return sqrt(in[0]); }, {from({0, 1}, f64)}));
}

TEST(Gradcheck, TakesFunctionsThatUseNotEveryInput) {
  EXPECT_TRUE(gradcheck([](const In& in) { return 2 * in[0]; }, {points, points}));
}

TEST(Gradcheck, TheSameTensorTwiceIsTwoInputs) {
  const GradcheckReport report = gradcheck([](const In& in) { return in[0] * in[1]; }, {points, points});
  EXPECT_TRUE(report) << report.to_string();
}

TEST(Gradcheck, SpreadsTheEntriesOfLargeInputs) {
  const Tensor x = full({1000}, 0.5, f64);
  const auto f = [](const In& in) { return tanh(in[0]); };
  EXPECT_EQ(gradcheck(f, {x}, {.second_order = false, .max_entries = 10}).checked, 10);
}

TEST(Gradcheck, WantsF64) {
  EXPECT_EQ(error_of<DTypeError>([] { (void)gradcheck([](const In& in) { return in[0]; }, {ones({2})}); }),
            "[gradcheck] expected inputs of f64, got f32: convert with cast");
}

TEST(Gradcheck, OfAnOperationThatForgotToRecord) {
  EXPECT_EQ(error_of<TapeError>(
                [] { (void)gradcheck([](const In& in) { return detach(square(in[0])); }, {points}); }),
            "[backward] this tensor is not on the tape: it was computed before the tape began or on another "
            "thread, or from nothing that is watched, and so is a constant");
}

// A layer whose rule for the bias is wrong when asked to be.
class Shifted : public nn::Module {
 public:
  explicit Shifted(bool wrong) : wrong_(wrong) {}
  Tensor forward(const Tensor& x) const override {
    const Tensor bias = bias_, scaled = scale_ * x;
    const double factor = wrong_ ? 1.01 : 1;
    return record("shift", detach(scaled + bias), wrt(scaled, [](const Tensor& dy) { return dy; }),
                  wrt(bias, [factor](const Tensor& dy) { return factor * sum(dy, 0); }));
  }
  void fields(Fields& f) override { f("scale", scale_)("bias", bias_); }
  nn::Parameter scale_{from({1, 2, 3}, f64)}, bias_{from({0.5, 0.25, 0}, f64)};

 private:
  bool wrong_;
};

TEST(GradcheckOfAModule, ChecksTheInputAndEveryParameter) {
  Shifted right(false), wrong(true);
  const GradcheckReport good = gradcheck(right, points);
  EXPECT_TRUE(good) << good.to_string();
  EXPECT_EQ(good.checked, 2 * (6 + 3 + 3));
  const GradcheckReport report = gradcheck(wrong, points);
  EXPECT_FALSE(report);
  EXPECT_EQ(report.input, "bias");
  EXPECT_EQ(report.order, 1);
}

TEST(GradcheckOfAModule, LeavesItAsItWas) {
  Shifted module(false);
  const auto id = module.bias_.value().id();
  (void)gradcheck(module, points);
  EXPECT_EQ(module.bias_.value().id(), id);
  EXPECT_EQ(values(module.bias_), (std::vector<double>{0.5, 0.25, 0}));
  Tape tape;
  (void)square(module.bias_);
  EXPECT_EQ(tape.size(), 2u);  // still watched
  EXPECT_THROW((void)gradcheck(module, zeros({2, 5}, f64)), ShapeError);
  EXPECT_EQ(module.bias_.value().id(), id);
}

TEST(GradcheckOfAModule, SkipsFrozenParameters) {
  Shifted module(true);
  module.bias_.freeze();
  EXPECT_TRUE(gradcheck(module, points));
}

TEST(GradcheckOfAModule, WantsF64) {
  Rng rng(1);
  nn::Linear layer(3, 2, rng);
  EXPECT_EQ(error_of<DTypeError>([&] { (void)gradcheck(layer, points); }),
            "[gradcheck] expected inputs of f64, got f32: convert with cast");
}

}  // namespace
}  // namespace elk
