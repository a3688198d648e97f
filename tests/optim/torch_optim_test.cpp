// Optimizers and schedules beside PyTorch's, by the numbers that torch_optim.py writes; and those of a user.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/adaptive.hpp>
#include <elk/optim/lbfgs.hpp>
#include <elk/optim/plateau.hpp>
#include <elk/optim/schedule.hpp>
#include <nlohmann/json.hpp>
#include <support.hpp>

namespace elk::optim {
namespace {

using Json = nlohmann::json;
using Numbers = std::vector<double>;
using test::error_of;
using test::values;

const Json& table() {
  static const Json json = Json::parse(std::ifstream(ELK_TESTS_DIR "/optim/torch_optim.json"));
  return json;
}

Tensor numbers(const Json& json, const Shape& shape, DType dtype) {
  return cast(from(json.get<Numbers>(), shape), dtype);
}

class Net : public nn::Module {
 public:
  explicit Net(DType dtype = f64)
      : a_(numbers(table()["start"]["a"], {2, 3}, dtype)), b_(numbers(table()["start"]["b"], {3}, dtype)) {}
  void fields(Fields& f) override { f("a", a_)("b", b_); }
  Numbers all() const {
    Numbers list = values(a_);
    for (const double v : values(b_)) list.push_back(v);
    return list;
  }
  // As given.
  Gradients gradients(const Json& of) const {
    const DType dtype = a_.value().dtype();
    Tape tape;
    return tape.backward(sum(a_ * numbers(of["a"], {2, 3}, dtype)) + sum(b_ * numbers(of["b"], {3}, dtype)));
  }
  nn::Parameter a_, b_;
};

void expect_near(const Numbers& got, const Numbers& expected, double relative, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[i], relative * std::max(1.0, std::abs(expected[i]))) << what << " " << i;
}

using Made = std::unique_ptr<Optimizer>;
struct Row {
  const char* name;
  Made (*make)(const Net& net);
};
const std::vector<Row>& rows() {
  static const std::vector<Row> list{
      {"RMSprop", [](const Net& net) -> Made { return std::make_unique<RMSprop>(net, RMSprop::Options{}); }},
      {"RMSprop_all",
       [](const Net& net) -> Made {
         return std::make_unique<RMSprop>(net, RMSprop::Options{.lr = 0.03,
                                                                .alpha = 0.9,
                                                                .epsilon = 1e-6,
                                                                .weight_decay = 0.1,
                                                                .momentum = 0.8,
                                                                .centered = true});
       }},
      {"RMSprop_momentum",
       [](const Net& net) -> Made {
         return std::make_unique<RMSprop>(net, RMSprop::Options{.momentum = 0.9});
       }},
      {"Adagrad", [](const Net& net) -> Made { return std::make_unique<Adagrad>(net, Adagrad::Options{}); }},
      {"Adagrad_all",
       [](const Net& net) -> Made {
         return std::make_unique<Adagrad>(
             net, Adagrad::Options{
                      .lr = 0.3, .lr_decay = 0.1, .weight_decay = 0.1, .initial_sum = 0.5, .epsilon = 1e-6});
       }},
      {"Adamax", [](const Net& net) -> Made { return std::make_unique<Adamax>(net, Adamax::Options{}); }},
      {"Adamax_all",
       [](const Net& net) -> Made {
         return std::make_unique<Adamax>(
             net,
             Adamax::Options{.lr = 0.1, .beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3, .weight_decay = 0.1});
       }},
      {"NAdam", [](const Net& net) -> Made { return std::make_unique<NAdam>(net, NAdam::Options{}); }},
      {"NAdam_all",
       [](const Net& net) -> Made {
         return std::make_unique<NAdam>(net, NAdam::Options{.lr = 0.1,
                                                            .beta1 = 0.8,
                                                            .beta2 = 0.9,
                                                            .epsilon = 1e-3,
                                                            .weight_decay = 0.1,
                                                            .momentum_decay = 0.5});
       }},
      {"AMSGrad",
       [](const Net& net) -> Made {
         return std::make_unique<Adam>(
             net, Adam::Options{.lr = 0.1, .beta1 = 0.8, .beta2 = 0.7, .weight_decay = 0.1, .amsgrad = true});
       }},
      {"AMSGradW",
       [](const Net& net) -> Made {
         return std::make_unique<AdamW>(
             net,
             AdamW::Options{.lr = 0.1, .beta1 = 0.8, .beta2 = 0.7, .weight_decay = 0.1, .amsgrad = true});
       }},
  };
  return list;
}

TEST(TorchOptimizers, StepAlike) {
  for (const Row& row : rows())
    for (const DType dtype : {f64, f32}) {
      const Net net(dtype);
      const Made optimizer = row.make(net);
      const std::uint64_t id = net.a_.value().id();
      for (std::size_t i = 0; i < table()["gradients"].size(); ++i) {
        optimizer->step(net.gradients(table()["gradients"][i]));
        expect_near(net.all(), table()["optimizers"][row.name][i].get<Numbers>(), dtype == f64 ? 1e-12 : 1e-5,
                    std::string(row.name) + " step " + std::to_string(i));
      }
      EXPECT_EQ(net.a_.value().id(), id) << row.name;
    }
}

TEST(TorchOptimizers, GoOnFromTheirState) {
  for (const Row& row : rows()) {
    const Net net;
    const Made optimizer = row.make(net);
    for (std::size_t i = 0; i < 3; ++i) optimizer->step(net.gradients(table()["gradients"][i]));
    Net other;
    other.load_state(net.state());
    const Made resumed = row.make(other);
    resumed->load_state(optimizer->state());
    for (std::size_t i = 3; i < 5; ++i) {
      optimizer->step(net.gradients(table()["gradients"][i]));
      resumed->step(other.gradients(table()["gradients"][i]));
    }
    EXPECT_EQ(other.all(), net.all()) << row.name;
  }
}

TEST(TorchOptimizers, RefuseNumbersWithoutSense) {
  const Net net;
  EXPECT_EQ(error_of<ValueError>([&] { RMSprop(net, {.alpha = 1}); }),
            "[rmsprop] alpha must be from 0 to below 1, got 1");
  EXPECT_EQ(error_of<ValueError>([&] { RMSprop(net, {.lr = -1}); }),
            "[optimizer] the learning rate must be finite and not negative, got -1");
  EXPECT_EQ(error_of<ValueError>([&] { Adagrad(net, {.lr_decay = -0.5}); }),
            "[adagrad] lr_decay must be from 0 to below inf, got -0.5");
  EXPECT_EQ(error_of<ValueError>([&] { Adamax(net, {.beta2 = 1}); }),
            "[adamax] beta2 must be from 0 to below 1, got 1");
  EXPECT_EQ(error_of<ValueError>([&] { NAdam(net, {.momentum_decay = NAN}); }),
            "[nadam] momentum_decay must be from 0 to below inf, got nan");
  EXPECT_EQ(error_of<ValueError>([&] { LBFGS(net, {.history = 0}); }),
            "[lbfgs] history must be from 1 to below inf, got 0");
}

// As the guide shows it.
class SignSGD : public Optimizer {
 public:
  SignSGD(const nn::Module& net, double lr) : Optimizer(net, lr) {}
  Tensor update(const Tensor& weight, std::vector<Tensor>&, const Tensor& gradient,
                const Step& step) override {
    return weight - step.lr * sign(gradient);
  }
};

TEST(OwnOptimizer, MovesWeightsThatKeepTheirIdentity) {
  const Net net;
  SignSGD sgd(net, 0.5);
  const Numbers before = net.all(), g = values(numbers(table()["gradients"][0]["a"], {6}, f64));
  const Tensor held = net.a_.value();
  Tape outer;  // is not told of the update
  const Gradients gradients = net.gradients(table()["gradients"][0]);
  const std::size_t recorded = outer.size();
  sgd.step(gradients);
  EXPECT_EQ(outer.size(), recorded);
  for (std::size_t i = 0; i < g.size(); ++i) EXPECT_EQ(net.all()[i], before[i] - (g[i] > 0 ? 0.5 : -0.5));
  EXPECT_EQ(values(held)[0], before[0]);  // what somebody kept stays
  sgd.step(net.gradients(table()["gradients"][1]));
  EXPECT_EQ(sgd.state()[0].value.item(), 2);
}

// What it gives is as wrong as it is told.
class Wrong : public Optimizer {
 public:
  explicit Wrong(const nn::Module& net) : Optimizer(net, 1, 0, {"mean"}) {}
  Tensor update(const Tensor& weight, std::vector<Tensor>& moments, const Tensor&, const Step&) override {
    if (weight.rank() == 2) return weight + 1;
    if (how == "throws") throw std::runtime_error("no");
    if (how == "moment") moments[0] = cast(moments[0], f32);
    if (how == "moments") moments.clear();
    return how == "shape" ? sum(weight) : weight;
  }
  std::string how;
};

TEST(OwnOptimizer, ThatIsWrongIsToldSoAndNothingHasChanged) {
  const Net net;
  const Numbers before = net.all();
  const auto step = [&](const char* how) {
    Wrong wrong(net);
    wrong.how = how;
    wrong.step(net.gradients(table()["gradients"][0]));
  };
  EXPECT_EQ(error_of<ShapeError>([&] { step("shape"); }),
            "[step] the update of parameter \"b\" gave a weight f64 (), expected f64 (3)");
  EXPECT_EQ(error_of<ShapeError>([&] { step("moment"); }),
            "[step] the update of parameter \"b\" gave a moment f32 (3), expected f64 (3)");
  EXPECT_EQ(error_of<ValueError>([&] { step("moments"); }),
            "[step] the update of parameter \"b\" left 0 moments of 1");
  EXPECT_THROW(step("throws"), std::runtime_error);
  EXPECT_EQ(net.all(), before);
  step("fine");
  EXPECT_NE(net.all(), before);
}

TEST(OwnOptimizer, MomentsThatDecayEndAtZero) {
  class Decaying : public Optimizer {
   public:
    explicit Decaying(const nn::Module& net) : Optimizer(net, 1, 0, {"mean"}) {}
    Tensor update(const Tensor& weight, std::vector<Tensor>& moments, const Tensor& gradient,
                  const Step& step) override {
      moments[0] = step.number == 1 ? gradient : 1e-20 * moments[0];
      return weight;
    }
  };
  const Net net(f32);
  Decaying decaying(net);
  for (int i = 0; i < 3; ++i) decaying.step(net.gradients(table()["gradients"][0]));
  EXPECT_EQ(values(decaying.state()[1].value), Numbers(6, 0));
}

// The fixtures' function, of a parameter of four numbers.
class Valley : public nn::Module {
 public:
  explicit Valley(DType dtype = f64) : x_(from({-1.2, 1.0, -0.5, 0.8}, dtype)) {}
  void fields(Fields& f) override { f("x", x_); }
  Tensor loss() const {
    const Tensor low = slice(x_, 0, 0, 3), high = slice(x_, 0, 1, 4);
    return sum(100 * square(high - square(low)) + square(1 - low));
  }
  nn::Parameter x_;
};

TEST(Lbfgs, StepsAsPyTorchs) {
  const std::vector<std::pair<std::string, LBFGS::Options>> all{
      {"plain", {.lr = 0.5, .max_iterations = 3}},
      {"defaults_small", {.lr = 1e-3}},
      {"line_search", {.max_iterations = 5, .line_search = true}},
      {"short_history", {.max_iterations = 8, .history = 2, .line_search = true}},
      {"to_the_end", {.max_iterations = 40, .line_search = true}}};
  for (const auto& [name, options] : all) {
    const Json& expected = table()["lbfgs"][name];
    const Valley valley;
    LBFGS lbfgs(valley, options);
    Numbers losses;
    for (std::size_t i = 0; i < expected["losses"].size(); ++i)
      losses.push_back(lbfgs.step([&] { return valley.loss(); }));
    expect_near(losses, expected["losses"].get<Numbers>(), 1e-6, name);
    expect_near(values(valley.x_), expected["x"].get<Numbers>(), 1e-6, name);
  }
}

TEST(Lbfgs, GoesOnFromItsState) {
  const Valley valley;
  LBFGS lbfgs(valley, {.max_iterations = 5, .line_search = true});
  const auto loss = [&] { return valley.loss(); };
  for (int i = 0; i < 2; ++i) lbfgs.step(loss);
  Valley other;
  other.load_state(valley.state());
  LBFGS resumed(other, {.max_iterations = 5, .line_search = true});
  resumed.load_state(lbfgs.state());
  lbfgs.step(loss);
  resumed.step([&] { return other.loss(); });
  EXPECT_EQ(values(other.x_), values(valley.x_));
  State state = lbfgs.state();
  state.pop_back();
  EXPECT_EQ(error_of<ValueError>([&] { resumed.load_state(state); }),
            "[lbfgs] the state lacks \"steps\" of f64");
  const Net net;
  LBFGS of_another(net);
  EXPECT_EQ(error_of<ShapeError>([&] { of_another.load_state(lbfgs.state()); }),
            "[lbfgs] the state of 4 numbers does not fit 9 that are trained");
}

TEST(Lbfgs, MinimizesInF32AndLeavesWhatIsFrozen) {
  Net net(f32);
  net.b_.freeze();
  const Numbers b = values(net.b_);
  LBFGS lbfgs(net, {.line_search = true});
  for (int i = 0; i < 5; ++i) lbfgs.step([&] { return mean(square(net.a_ - 3)) + mean(square(net.b_)); });
  for (const double v : values(net.a_)) EXPECT_NEAR(v, 3, 1e-5);
  EXPECT_EQ(values(net.b_), b);
  net.b_.freeze(false);
  EXPECT_EQ(
      error_of<TapeError>([&] { lbfgs.step([&] { return mean(square(net.a_)); }); }),
      "[lbfgs] no gradient for parameter \"b\": the loss does not depend on it; freeze it if that is meant");
  EXPECT_EQ(
      error_of<ValueError>([&] { lbfgs.step([&] { return mean(square(net.a_)) + mean(square(net.b_)); }); }),
      "[lbfgs] 9 numbers are trained, 6 were: make a new optimizer after freezing");
}

TEST(TorchSchedules, AreTheSame) {
  const std::vector<std::pair<std::string, Schedule>> all{
      {"linear", linear(4)},
      {"linear_down", linear(6, 1, 0.1)},
      {"polynomial", polynomial(6, 2)},
      {"cosine_restarts", cosine_restarts(2)},
      {"cosine_restarts_2", cosine_restarts(1, 2, 0.01)},
      {"one_cycle", one_cycle(8, 5)},
      {"one_cycle_linear",
       one_cycle(8, 5, {.rise = 0.4, .div_factor = 10, .final_div_factor = 100, .straight = true})},
      {"one_cycle_three", one_cycle(8, 5, {.three_phases = true})}};
  EXPECT_EQ(all.size(), table()["schedules"].size());
  for (const auto& [name, schedule] : all) {
    Numbers rates;
    for (int i = 0; i < 40; ++i) rates.push_back(schedule(0.4, i / 5.0));
    expect_near(rates, table()["schedules"][name].get<Numbers>(), 1e-12, name);
  }
}

TEST(TorchSchedules, RefuseNumbersWithoutSense) {
  EXPECT_EQ(error_of<ValueError>([] { (void)linear(0); }),
            "[linear] the number of epochs must be above 0 and finite, got 0");
  EXPECT_EQ(error_of<ValueError>([] { (void)linear(1, 0); }),
            "[linear] the factor must be above 0 and finite, got 0");
  EXPECT_EQ(error_of<ValueError>([] { (void)linear(1, 1, -1); }),
            "[linear] the last factor must be finite and not negative, got -1");
  EXPECT_EQ(error_of<ValueError>([] { (void)polynomial(1, 0); }),
            "[polynomial] the power must be above 0 and finite, got 0");
  EXPECT_EQ(error_of<ValueError>([] { (void)cosine_restarts(1, 0.5); }),
            "[cosine_restarts] the factor must be at least 1 and finite, got 0.5");
  EXPECT_EQ(error_of<ValueError>([] { (void)one_cycle(1, 0, {.rise = 1}); }),
            "[one_cycle] the rise must take a share between 0 and 1, got 1");
  EXPECT_EQ(error_of<ValueError>([] { (void)one_cycle(1, 0, {.rise = 0.6, .three_phases = true}); }),
            "[one_cycle] with three phases the rise takes at most half, got 0.6");
  EXPECT_EQ(error_of<ValueError>([] { (void)one_cycle(1, 0, {.div_factor = 0}); }),
            "[one_cycle] the factor must be above 0 and finite, got 0");
}

TEST(ReduceLROnPlateau, LowersTheRateAsPyTorchs) {
  const std::vector<std::pair<std::string, ReduceLROnPlateau::Options>> all{
      {"min", {.factor = 0.5, .patience = 2}},
      {"max", {.larger_is_better = true, .factor = 0.5, .patience = 2, .least_lr = 0.1}},
      {"absolute", {.factor = 0.5, .patience = 1, .threshold = 0.3, .absolute = true, .cooldown = 2}},
      {"small_change", {.factor = 0.9, .patience = 0, .epsilon = 0.03}}};
  EXPECT_EQ(all.size(), table()["plateaus"].size());
  for (const auto& [name, options] : all) {
    const Net net;
    SGD sgd(net, {.lr = 0.4});
    ReduceLROnPlateau plateau(sgd, options);
    Numbers rates;
    for (const double measure : table()["measures"]) {
      const double before = sgd.lr();
      const bool lowered = plateau.step(measure);
      EXPECT_EQ(lowered, sgd.lr() != before);
      rates.push_back(sgd.lr());
    }
    EXPECT_EQ(rates, table()["plateaus"][name].get<Numbers>()) << name;
  }
}

TEST(ReduceLROnPlateau, TakesNaNForNoImprovement) {
  const Net net;
  SGD sgd(net, {.lr = 1});
  ReduceLROnPlateau plateau(sgd, {.patience = 1});
  EXPECT_FALSE(plateau.step(NAN));
  EXPECT_TRUE(plateau.step(NAN));
  EXPECT_EQ(plateau.best(), INFINITY);
  EXPECT_EQ(error_of<ValueError>([&] { ReduceLROnPlateau(sgd, {.factor = 1}); }),
            "[reduce_lr_on_plateau] factor must be from 0 to below 1, got 1");
}

}  // namespace
}  // namespace elk::optim
