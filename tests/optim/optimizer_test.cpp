// Optimizers against their formulas, and what they promise about state and errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/uses.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/adaptive.hpp>
#include <elk/optim/optimizer.hpp>
#include <elk/optim/schedule.hpp>
#include <elk/tensor/storage.hpp>
#include <support.hpp>

namespace elk::optim {
namespace {

using test::error_of;
using test::values;
using testing::ElementsAre;

// Two parameters, a and b.
class Pair : public nn::Module {
 public:
  explicit Pair(DType dtype = f64) : a_(from({1, -2}, dtype)), b_(from({0.5}, dtype)) {}
  void fields(Fields& f) override { f("a", a_)("b", b_); }
  nn::Parameter a_, b_;
};

// Gradients as given: the derivative of <parameter, gradient>.
Gradients gradients(const Pair& pair, const std::vector<double>& a, double b) {
  const DType dtype = pair.a_.value().dtype();
  Tape tape;
  return tape.backward(sum(pair.a_ * cast(from(a), dtype)) + sum(pair.b_ * scalar(b, dtype)));
}

// Gradients of the first steps: of both signs, with a zero.
const std::vector<std::vector<double>> first_gradients = {{0.5, -1}, {0.25, 0}, {-2, 3}, {1, 1}, {0, 0.125}};

class Steps : public testing::TestWithParam<DType> {
 protected:
  // Steps with `optimizer` and compares with `formula`, which maps one weight and its gradient to the next
  // weight and is called for every step of one element in turn.
  template <class Optimizer, class Options>
  void expect(const Options& options,
              const std::function<std::function<double(double w, double g)>()>& formula) {
    Pair pair(GetParam());
    Optimizer optimizer(pair, options);
    std::vector<std::function<double(double, double)>> each = {formula(), formula(), formula()};
    std::vector<double> expected = {1, -2, 0.5};
    for (const auto& g : first_gradients) {
      optimizer.step(gradients(pair, g, g[0] + g[1]));
      expected[0] = each[0](expected[0], g[0]);
      expected[1] = each[1](expected[1], g[1]);
      expected[2] = each[2](expected[2], g[0] + g[1]);
      const double tolerance = GetParam() == f64 ? 1e-14 : 1e-6;
      EXPECT_NEAR(pair.a_.value().at(0), expected[0], tolerance);
      EXPECT_NEAR(pair.a_.value().at(1), expected[1], tolerance);
      EXPECT_NEAR(pair.b_.value().at(0), expected[2], tolerance);
    }
  }
};
INSTANTIATE_TEST_SUITE_P(DTypes, Steps, testing::Values(f32, f64),
                         [](const auto& one) { return std::string(name(one.param)); });

TEST_P(Steps, PlainSGD) {
  expect<SGD>(SGD::Options{.lr = 0.1}, [] { return [](double w, double g) { return w - 0.1 * g; }; });
}

TEST_P(Steps, SGDWithWeightDecay) {
  expect<SGD>(SGD::Options{.lr = 0.1, .weight_decay = 0.5},
              [] { return [](double w, double g) { return w - 0.1 * (g + 0.5 * w); }; });
}

TEST_P(Steps, SGDWithMomentum) {
  expect<SGD>(SGD::Options{.lr = 0.1, .momentum = 0.9}, [] {
    return [v = 0.0](double w, double g) mutable {
      v = 0.9 * v + g;
      return w - 0.1 * v;
    };
  });
}

TEST_P(Steps, SGDWithNesterovMomentumAndWeightDecay) {
  expect<SGD>(SGD::Options{.lr = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01}, [] {
    return [v = 0.0](double w, double g) mutable {
      g += 0.01 * w;
      v = 0.9 * v + g;
      return w - 0.1 * (g + 0.9 * v);
    };
  });
}

// Algorithm 1 of the paper, as it stands there.
std::function<double(double, double)> adam_formula(double lr, double beta1, double beta2, double epsilon,
                                                   double decay) {
  return [=, m = 0.0, v = 0.0, t = 0](double w, double g) mutable {
    ++t;
    g += decay * w;
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    const double m_hat = m / (1 - std::pow(beta1, t)), v_hat = v / (1 - std::pow(beta2, t));
    return w - lr * m_hat / (std::sqrt(v_hat) + epsilon);
  };
}

TEST_P(Steps, Adam) {
  expect<Adam>(Adam::Options{.lr = 0.1}, [] { return adam_formula(0.1, 0.9, 0.999, 1e-8, 0); });
}

TEST_P(Steps, AdamWithEveryOption) {
  expect<Adam>(Adam::Options{.lr = 0.02, .beta1 = 0.8, .beta2 = 0.9, .epsilon = 0.01, .weight_decay = 0.1},
               [] { return adam_formula(0.02, 0.8, 0.9, 0.01, 0.1); });
}

TEST_P(Steps, AdamWDecaysTheWeightApart) {
  expect<AdamW>(AdamW::Options{.lr = 0.02, .weight_decay = 0.1}, [] {
    return [adam = adam_formula(0.02, 0.9, 0.999, 1e-8, 0)](double w, double g) mutable {
      return adam(w, g) - 0.02 * 0.1 * w;
    };
  });
}

TEST_P(Steps, Lion) {
  expect<Lion>(Lion::Options{.lr = 0.125, .beta1 = 0.75, .beta2 = 0.5, .weight_decay = 0.25}, [] {
    return [m = 0.0](double w, double g) mutable {
      const double c = 0.75 * m + 0.25 * g;
      m = 0.5 * m + 0.5 * g;
      return w - 0.125 * ((c > 0) - (c < 0) + 0.25 * w);
    };
  });
}

// Worked out by hand: the first step of Adam moves by the learning rate, whatever the gradient's size.
TEST(Adam, FirstStepIsTheLearningRate) {
  Pair pair;
  Adam adam(pair, {.lr = 0.25, .epsilon = 0});
  adam.step(gradients(pair, {1e-6, -1e6}, 3));
  EXPECT_NEAR(pair.a_.value().at(0), 0.75, 1e-15);
  EXPECT_NEAR(pair.a_.value().at(1), -1.75, 1e-15);
  EXPECT_NEAR(pair.b_.value().at(0), 0.25, 1e-15);
}

// So does the first step of a parameter that was frozen until then.
TEST(Adam, CountsTheStepsOfEachParameter) {
  Pair pair;
  pair.b_.freeze();
  Adam adam(pair, {.lr = 0.25, .epsilon = 0});
  for (int i = 0; i < 100; ++i) {
    Tape tape;
    adam.step(tape.backward(sum(pair.a_)));
  }
  EXPECT_EQ(pair.b_.value().at(0), 0.5);
  pair.b_.freeze(false);
  adam.step(gradients(pair, {1, 1}, 3));
  EXPECT_NEAR(pair.b_.value().at(0), 0.25, 1e-15);
}

TEST(Step, RefusesAMissingGradientAndChangesNothing) {
  Pair pair;
  Adam adam(pair, {});
  Gradients g = gradients(pair, {1, 1}, 1);
  g.drop(pair.b_);
  EXPECT_EQ(
      error_of<TapeError>([&] { adam.step(g); }),
      "[step] no gradient for parameter \"b\": the loss does not depend on it; freeze it if that is meant");
  EXPECT_THAT(values(pair.a_), ElementsAre(1, -2));
  EXPECT_TRUE(adam.state().empty());
  pair.b_.freeze();
  adam.step(g);
  EXPECT_NE(pair.a_.value().at(0), 1);
  EXPECT_EQ(pair.b_.value().at(0), 0.5);
}

// Every optimizer, by name.
std::vector<std::pair<std::string, std::unique_ptr<Optimizer>>> all_of(const Pair& pair) {
  std::vector<std::pair<std::string, std::unique_ptr<Optimizer>>> list;
  list.emplace_back("sgd", std::make_unique<SGD>(pair, SGD::Options{.lr = 0.1}));
  list.emplace_back("momentum", std::make_unique<SGD>(pair, SGD::Options{.lr = 0.1, .momentum = 0.9}));
  list.emplace_back("adam", std::make_unique<Adam>(pair, Adam::Options{.lr = 0.1}));
  list.emplace_back("adamw", std::make_unique<AdamW>(pair, AdamW::Options{.lr = 0.1}));
  list.emplace_back("amsgrad", std::make_unique<Adam>(pair, Adam::Options{.lr = 0.1, .amsgrad = true}));
  list.emplace_back("lion", std::make_unique<Lion>(pair, Lion::Options{.lr = 0.1}));
  list.emplace_back("rmsprop", std::make_unique<RMSprop>(pair, RMSprop::Options{.lr = 0.1}));
  list.emplace_back("centered",
                    std::make_unique<RMSprop>(pair, RMSprop::Options{.lr = 0.1, .centered = true}));
  list.emplace_back("adagrad", std::make_unique<Adagrad>(pair, Adagrad::Options{.lr = 0.1}));
  list.emplace_back("adamax", std::make_unique<Adamax>(pair, Adamax::Options{.lr = 0.1}));
  list.emplace_back("nadam", std::make_unique<NAdam>(pair, NAdam::Options{.lr = 0.1}));
  return list;
}

TEST(Step, RefusesGradientsOfBeforeAConversionAndChangesNothing) {
  for (std::size_t i = 0; i < 5; ++i) {
    Pair pair(f32), untouched(f64);
    auto chosen = std::move(all_of(pair)[i]);
    const auto& name = chosen.first;  // plain names, which Clang 14 captures
    const auto& optimizer = chosen.second;
    SCOPED_TRACE(name);
    const Gradients old = gradients(pair, {1, 1}, 1);
    pair.to(f64);
    for (int repeat = 0; repeat < 3; ++repeat) {
      EXPECT_EQ(error_of<DTypeError>([&] { optimizer->step(old); }),
                "[step] parameter \"a\" is f64, its gradient f32: take it after the conversion");
      EXPECT_TRUE(optimizer->state().empty());
    }
    EXPECT_THAT(values(pair.a_), ElementsAre(1, -2));
    // The next step is the first.
    optimizer->step(gradients(pair, {1, 1}, 1));
    all_of(untouched)[i].second->step(gradients(untouched, {1, 1}, 1));
    EXPECT_EQ(values(pair.a_), values(untouched.a_));
    EXPECT_EQ(values(pair.b_), values(untouched.b_));
  }
}

TEST(Step, RefusesTheSecondParameterBeforeTheFirstIsUpdated) {
  for (std::size_t i = 0; i < 5; ++i) {
    Pair pair;
    auto chosen = std::move(all_of(pair)[i]);
    const auto& name = chosen.first;  // plain names, which Clang 14 captures
    const auto& optimizer = chosen.second;
    SCOPED_TRACE(name);
    optimizer->step(gradients(pair, {1, 1}, 1));
    const State before = optimizer->state(), weights = pair.state();
    const Gradients old = gradients(pair, {1, 1}, 1);
    const Tensor kept = pair.b_;
    const auto unchanged = [&] {
      EXPECT_EQ(values(pair.a_), values(weights[0].value));
      const State now = optimizer->state();
      ASSERT_EQ(now.size(), before.size());
      for (std::size_t j = 0; j < now.size(); ++j)
        EXPECT_EQ(values(now[j].value), values(before[j].value)) << now[j].name;
    };
    pair.b_.set(cast(detach(kept), f32));
    EXPECT_EQ(error_of<DTypeError>([&] { optimizer->step(old); }),
              "[step] parameter \"b\" is f32, its gradient f64: take it after the conversion");
    unchanged();
    detail::SlotAccess::value(*pair.b_.slot()) =
        detail::with_id(zeros({3}, f64), kept.id(), true);  // behind the optimizer's back
    EXPECT_EQ(error_of<ShapeError>([&] { optimizer->step(old); }),
              "[step] parameter \"b\" is (3), its gradient (1)");
    unchanged();
    detail::SlotAccess::value(*pair.b_.slot()) = kept;
    optimizer->step(old);
  }
}

TEST(Step, RefusesMomentsOfBeforeAConversionAndChangesNothing) {
  Pair pair(f32);
  Adam adam(pair, {});
  adam.step(gradients(pair, {1, 1}, 1));
  pair.to(f64);
  const auto before = values(pair.a_);
  EXPECT_EQ(
      error_of<DTypeError>([&] {
        adam.step(gradients(pair, {1, 1}, 1));
      }),
      "[step] parameter \"a\" is f64 now, what the optimizer keeps of it f32: make a new optimizer after "
      "a conversion");
  EXPECT_EQ(values(pair.a_), before);
  EXPECT_EQ(adam.state()[0].value.item(), 1);
  pair.to(f32);
  adam.step(gradients(pair, {1, 1}, 1));
  EXPECT_EQ(adam.state()[0].value.item(), 2);
}

// Weights' gradients that are products still, of a network converted meanwhile.
TEST(Step, RefusesProductsOfBeforeAConversion) {
  Rng rng(1);
  nn::Linear net(3, 2, rng);
  SGD sgd(net, {.lr = 0.1});
  Tape tape;
  const Gradients old = tape.backward(sum(net(ones({4, 3}))));
  net.to(f64);
  const auto before = values(net.weight());
  EXPECT_EQ(error_of<DTypeError>([&] { sgd.step(old); }),
            "[step] parameter \"weight\" is f64, its gradient f32: take it after the conversion");
  EXPECT_EQ(values(net.weight()), before);
}

TEST(Step, LeavesFrozenParametersAloneEvenWithAGradient) {
  Pair pair;
  const Gradients g = gradients(pair, {1, 1}, 1);
  pair.a_.freeze();
  SGD sgd(pair, {.lr = 0.1});
  sgd.step(g);
  EXPECT_THAT(values(pair.a_), ElementsAre(1, -2));
  EXPECT_EQ(pair.b_.value().at(0), 0.4);
}

TEST(Step, WritesInPlaceUnlessSomebodyLooks) {
  Pair pair;
  SGD sgd(pair, {.lr = 0.5, .momentum = 0.5});
  const auto data = [&] { return pair.a_.value().data<double>().data(); };
  const auto id = pair.a_.value().id();
  const double* at = data();
  sgd.step(gradients(pair, {1, 1}, 1));
  EXPECT_EQ(data(), at);
  {
    Tape tape;
    sgd.step(tape.backward(sum(square(pair.a_)) + sum(pair.b_)));
    EXPECT_EQ(data(), at);  // a used-up tape looks no more
  }
  const Tensor kept = pair.a_, reshaped = reshape(pair.b_, {1, 1});
  const State module = pair.state(), optimizer = sgd.state();
  const auto before = values(kept), before_b = values(reshaped), velocity = values(optimizer[1].value);
  sgd.step(gradients(pair, {1, 1}, 1));
  EXPECT_NE(data(), at);
  EXPECT_NE(values(pair.a_), before);
  EXPECT_EQ(values(kept), before);
  EXPECT_EQ(values(reshaped), before_b);
  EXPECT_EQ(values(module[0].value), before);
  EXPECT_EQ(values(optimizer[1].value), velocity);
  EXPECT_EQ(pair.a_.value().id(), id);
}

TEST(Step, InsideALivingTapeKeepsWhatTheRulesSaved) {
  Pair pair;
  SGD sgd(pair, {.lr = 1});
  Tape tape;
  const Tensor loss = sum(square(pair.a_));
  sgd.step(gradients(pair, {1, 1}, 1));
  EXPECT_THAT(values(tape.backward(loss)[pair.a_]), ElementsAre(2, -4));  // at the old value
}

TEST(Moments, DecayToZeroAndNotToSlowSubnormals) {
  Pair pair(f32);
  SGD sgd(pair, {.lr = 0, .momentum = 0.5});
  Adam adam(pair, {.lr = 0, .beta1 = 0.5, .beta2 = 0.5});
  for (Optimizer* optimizer : {static_cast<Optimizer*>(&sgd), static_cast<Optimizer*>(&adam)}) {
    optimizer->step(gradients(pair, {1, -1}, 1));
    for (int i = 0; i < 200; ++i) optimizer->step(gradients(pair, {0, 0}, 0));
    for (const NamedTensor& item : optimizer->state())
      if (item.value.dtype() == f32) {
        for (const double v : values(item.value)) EXPECT_EQ(v, 0) << item.name;
      }
  }
}

TEST(State, ResumesWithTheSameBits) {
  const auto run = [](auto make, bool interrupted) {
    Pair pair(f32);
    auto optimizer = make(pair);
    for (std::size_t i = 0; i < 4; ++i) {
      if (interrupted && i == 2) {
        Pair fresh(f32);
        fresh.load_state(pair.state());
        auto other = make(fresh);
        other.load_state(optimizer.state());
        for (; i < 4; ++i) other.step(gradients(fresh, first_gradients[i], 0.1));
        return fresh.state();
      }
      optimizer.step(gradients(pair, first_gradients[i], 0.1));
    }
    return pair.state();
  };
  const auto check = [&](auto make) {
    const State once = run(make, false), resumed = run(make, true);
    for (std::size_t i = 0; i < once.size(); ++i) EXPECT_EQ(values(once[i].value), values(resumed[i].value));
  };
  check([](const Pair& pair) { return SGD(pair, {.lr = 0.1}); });
  check([](const Pair& pair) { return SGD(pair, {.lr = 0.1, .momentum = 0.9, .nesterov = true}); });
  check([](const Pair& pair) { return Adam(pair, {.lr = 0.1}); });
}

TEST(State, NamesWhatItHolds) {
  Pair pair;
  Adam adam(pair, {});
  EXPECT_TRUE(adam.state().empty());
  adam.step(gradients(pair, {1, 1}, 1));
  adam.step(gradients(pair, {1, 1}, 1));
  std::vector<std::string> names;
  for (const auto& item : adam.state()) names.push_back(item.name);
  EXPECT_THAT(names, ElementsAre("a.steps", "a.mean", "a.square", "b.steps", "b.mean", "b.square"));
  EXPECT_EQ(adam.state()[0].value.item(), 2);
  adam.load_state({});  // as before the first step
  EXPECT_TRUE(adam.state().empty());
}

TEST(State, RefusesWhatDoesNotFitAndChangesNothing) {
  Pair pair;
  Adam adam(pair, {});
  adam.step(gradients(pair, {1, 1}, 1));
  const auto refused = [&](auto change, auto error) {
    State state = adam.state();
    change(state);
    const std::string text = error_of<decltype(error)>([&] { adam.load_state(state); });
    EXPECT_EQ(adam.state().size(), 6u);
    EXPECT_EQ(adam.state()[0].value.item(), 1);
    return text;
  };
  const ValueError value("");
  const ShapeError shape("");
  const DTypeError dtype("");
  const auto steps = [](std::int64_t n) { return from(std::vector<std::int64_t>{n}, {}); };
  EXPECT_EQ(refused([](State& s) { s.pop_back(); }, value), "[optimizer] the state lacks \"b.square\"");
  EXPECT_EQ(refused([](State& s) { s.erase(s.begin()); }, value),
            "[optimizer] the state is of another optimizer or network");
  EXPECT_EQ(refused(
                [](State& s) {
                  s.push_back({"c.mean", scalar(1)});
                },
                value),
            "[optimizer] the state is of another optimizer or network");
  EXPECT_EQ(refused([](State& s) { s[1].value = zeros({3}, f64); }, shape),
            "[optimizer] \"a.mean\" must be f64 (2), got f64 (3)");
  EXPECT_EQ(refused([](State& s) { s[1].value = zeros({2}); }, dtype),
            "[optimizer] \"a.mean\" must be f64, got f32: convert the state with cast");
  EXPECT_EQ(refused([](State& s) { s[0].value = scalar(1); }, dtype),
            "[optimizer] \"a.steps\" must be i64, got f32: convert the state with cast");
  EXPECT_EQ(refused([&](State& s) { s[0].value = steps(0); }, value),
            "[optimizer] \"a.steps\" must be from 1 to 2^62, got 0");
  SGD sgd(pair, {.momentum = 0.5});
  EXPECT_EQ(error_of<ValueError>([&] { sgd.load_state(adam.state()); }),
            "[optimizer] the state lacks \"a.velocity\"");
}

TEST(State, OfAnyOtherOptimizerIsRefused) {
  Pair pair;
  const auto kind = [](const std::string& name) {
    return name == "adamw" ? "adam" : name;
  };  // the same moments
  for (const auto& [from, stepped] : all_of(pair)) {
    stepped->step(gradients(pair, {1, 1}, 1));
    for (const auto& [to, fresh] : all_of(pair)) {
      SCOPED_TRACE(from + " to " + to);
      if (kind(from) == kind(to)) {
        fresh->load_state(stepped->state());
      } else {
        EXPECT_THROW(fresh->load_state(stepped->state()), ValueError);
      }
    }
  }
}

TEST(Options, RefuseBadValues) {
  const Pair pair;
  const auto sgd = [&](const SGD::Options& options) {
    return error_of<ValueError>([&] { SGD(pair, options); });
  };
  const auto adam = [&](const Adam::Options& options) {
    return error_of<ValueError>([&] { Adam(pair, options); });
  };
  EXPECT_EQ(sgd({.lr = -1}), "[optimizer] the learning rate must be finite and not negative, got -1");
  EXPECT_EQ(sgd({.lr = NAN}), "[optimizer] the learning rate must be finite and not negative, got nan");
  EXPECT_EQ(sgd({.lr = INFINITY}), "[optimizer] the learning rate must be finite and not negative, got inf");
  EXPECT_EQ(sgd({.momentum = 1}), "[sgd] momentum must be from 0 to below 1, got 1");
  EXPECT_EQ(sgd({.momentum = -0.5}), "[sgd] momentum must be from 0 to below 1, got -0.5");
  EXPECT_EQ(sgd({.momentum = NAN}), "[sgd] momentum must be from 0 to below 1, got nan");
  EXPECT_EQ(sgd({.nesterov = true}), "[sgd] nesterov needs a momentum above 0");
  EXPECT_EQ(sgd({.weight_decay = -1}), "[sgd] weight_decay must be from 0 to below inf, got -1");
  EXPECT_EQ(adam({.beta1 = 1}), "[adam] beta1 must be from 0 to below 1, got 1");
  EXPECT_EQ(adam({.beta2 = -1}), "[adam] beta2 must be from 0 to below 1, got -1");
  EXPECT_EQ(adam({.epsilon = -1}), "[adam] epsilon must be from 0 to below inf, got -1");
  EXPECT_EQ(adam({.weight_decay = INFINITY}), "[adam] weight_decay must be from 0 to below inf, got inf");
  EXPECT_EQ(error_of<ValueError>([&] { Lion(pair, {.beta2 = 1}); }),
            "[lion] beta2 must be from 0 to below 1, got 1");
  EXPECT_EQ(sgd({}), "no error");
  EXPECT_EQ(adam({}), "no error");
}

TEST(LearningRate, CanChange) {
  Pair pair;
  SGD sgd(pair, {.lr = 1});
  sgd.set_lr(0.5);
  EXPECT_EQ(sgd.lr(), 0.5);
  sgd.step(gradients(pair, {1, 1}, 1));
  EXPECT_THAT(values(pair.a_), ElementsAre(0.5, -2.5));
  EXPECT_THROW(sgd.set_lr(-1), ValueError);
  EXPECT_EQ(sgd.lr(), 0.5);
  sgd.set_lr(0);
  sgd.step(gradients(pair, {1, 1}, 1));
  EXPECT_THAT(values(pair.a_), ElementsAre(0.5, -2.5));
}

constexpr auto is_b = [](const nn::NamedSlot& p) { return p.name == "b"; };

TEST(Group, HasItsOwnRateAndDecay) {
  Pair pair;
  SGD sgd(pair, {.lr = 0.5, .weight_decay = 1});
  sgd.group(is_b, {.lr_factor = 0.25, .weight_decay = 0});
  sgd.step(gradients(pair, {0, 0}, 2));
  EXPECT_THAT(values(pair.a_), ElementsAre(0.5, -1)) << "decays";
  EXPECT_THAT(values(pair.b_), ElementsAre(0.5 - 0.5 * 0.25 * 2));
  sgd.set_lr(1);  // the factor stays one of whatever the rate is
  sgd.step(gradients(pair, {0, 0}, 1));
  EXPECT_THAT(values(pair.b_), ElementsAre(0));
}

TEST(Group, WithoutADecayOfItsOwnKeepsTheOptimizers) {
  Pair pair;
  AdamW adamw(pair, {.lr = 0.5, .weight_decay = 1});
  adamw.group(is_b, {.lr_factor = 0});
  adamw.step(gradients(pair, {0, 0}, 1));
  EXPECT_THAT(values(pair.a_), ElementsAre(0.5, -1));
  EXPECT_THAT(values(pair.b_), ElementsAre(0.5)) << "a factor of 0 stops the decay as well";
  Lion lion(pair, {.lr = 1, .weight_decay = 0.5});
  lion.group(is_b, {.lr_factor = 0.5});
  lion.step(gradients(pair, {0, 0}, 1));
  EXPECT_THAT(values(pair.a_), ElementsAre(0.25, -0.5));
  EXPECT_THAT(values(pair.b_), ElementsAre(0.5 * 0.75 - 0.5));
}

TEST(Group, TheLastOneAParameterWasPutInHolds) {
  Pair pair;
  SGD sgd(pair, {.lr = 1});
  sgd.group([](const nn::NamedSlot&) { return true; }, {.lr_factor = 0});
  sgd.group(is_b, {.lr_factor = 1});
  sgd.step(gradients(pair, {1, 1}, 0.25));
  EXPECT_THAT(values(pair.a_), ElementsAre(1, -2));
  EXPECT_THAT(values(pair.b_), ElementsAre(0.25));
}

TEST(Group, OutlivesALoadedState) {
  Pair pair;
  Adam adam(pair, {});
  adam.group(is_b, {.lr_factor = 0});
  adam.load_state(adam.state());
  adam.step(gradients(pair, {1, 1}, 1));
  EXPECT_THAT(values(pair.b_), ElementsAre(0.5));
}

TEST(Group, IsNotHalfMadeWhenTheChoiceThrows) {
  Pair pair;
  SGD sgd(pair, {.lr = 0.5});
  EXPECT_THROW(sgd.group(
                   [](const nn::NamedSlot& p) {
                     if (p.name == "b") throw std::runtime_error("!");
                     return true;
                   },
                   {.lr_factor = 0}),
               std::runtime_error);
  sgd.step(gradients(pair, {1, 1}, 1));
  EXPECT_THAT(values(pair.a_), ElementsAre(0.5, -2.5));
}

// Moving an optimizer copies it: both go on with the same parameters.
TEST(Moving, AnOptimizerLeavesOneThatWorks) {
  Pair pair;
  SGD sgd(pair, {.lr = 0.5}), taken = std::move(sgd);
  sgd.step(gradients(pair, {1, 1}, 1));
  taken.step(gradients(pair, {1, 1}, 1));
  EXPECT_THAT(values(pair.a_), ElementsAre(0, -3));
}

TEST(Group, RefusesBadOnes) {
  Pair pair;
  SGD sgd(pair, {});
  const auto refused = [&](auto belongs, const Optimizer::Group& group) {
    return error_of<ValueError>([&] { sgd.group(belongs, group); });
  };
  EXPECT_EQ(refused([](const nn::NamedSlot& p) { return p.name == "c"; }, {}),
            "[group] none of the 2 parameters belongs to it");
  EXPECT_EQ(refused(std::function<bool(const nn::NamedSlot&)>(), {}),
            "[group] there is no function that says who belongs to it");
  EXPECT_EQ(refused(is_b, {.lr_factor = -1}), "[group] lr_factor must be from 0 to below inf, got -1");
  EXPECT_EQ(refused(is_b, {.weight_decay = NAN}),
            "[group] weight_decay must be from 0 to below inf, got nan");
}

TEST(Schedule, Constant) {
  EXPECT_EQ(constant()(0.3, 0), 0.3);
  EXPECT_EQ(constant()(0.3, 99), 0.3);
}

TEST(Schedule, ExponentialHasTheBitsOfRepeatedProducts) {
  double lr = 0.01;
  for (int epoch = 0; epoch < 60; ++epoch) {
    EXPECT_EQ(exponential(0.9)(0.01, epoch), lr);
    lr *= 0.9;
  }
  EXPECT_EQ(error_of<ValueError>([] { (void)exponential(0); }),
            "[exponential] the factor must be above 0 and finite, got 0");
  EXPECT_EQ(error_of<ValueError>([] { (void)exponential(NAN); }),
            "[exponential] the factor must be above 0 and finite, got nan");
}

TEST(Schedule, WithinAnEpochTheExponentialStays) { EXPECT_EQ(exponential(0.5)(1, 2.9), 0.25); }

TEST(Schedule, StepFallsEveryFewEpochs) {
  const Schedule schedule = step(3, 0.5);
  for (const auto& [epoch, lr] : {std::pair(0.0, 8.0), {2.9, 8.0}, {3.0, 4.0}, {5.5, 4.0}, {6.0, 2.0}})
    EXPECT_EQ(schedule(8, epoch), lr) << epoch;
  EXPECT_EQ(error_of<ValueError>([] { (void)step(0, 0.5); }),
            "[step] expected a step of at least 1 epoch, got 0");
  EXPECT_EQ(error_of<ValueError>([] { (void)step(1, -1); }),
            "[step] the factor must be above 0 and finite, got -1");
}

TEST(Schedule, CosineFallsToZero) {
  const Schedule schedule = cosine(4);
  EXPECT_EQ(schedule(2, 0), 2);
  EXPECT_NEAR(schedule(2, 1), 1 + std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(schedule(2, 2), 1, 1e-15);
  EXPECT_EQ(schedule(2, 4), 0);
  EXPECT_EQ(schedule(2, 5), 0);
  EXPECT_EQ(error_of<ValueError>([] { (void)cosine(0); }),
            "[cosine] the number of epochs must be above 0 and finite, got 0");
}

TEST(Schedule, OneCycleRisesAndFalls) {
  const Schedule schedule = one_cycle(10);
  EXPECT_NEAR(schedule(1, 0), 0.04, 1e-15);
  EXPECT_NEAR(schedule(1, 1.5), 0.52, 1e-12);
  EXPECT_NEAR(schedule(1, 3), 1, 1e-12);
  EXPECT_NEAR(schedule(1, 6.5), 0.5, 1e-5);
  EXPECT_NEAR(schedule(1, 10), 4e-6, 1e-12);
  EXPECT_EQ(error_of<ValueError>([] { (void)one_cycle(2, -1); }),
            "[one_cycle] the steps of an epoch must not be negative, got -1");
}

// torch.optim.lr_scheduler.OneCycleLR(optimizer, 1, total_steps).get_last_lr(), step by step.
TEST(Schedule, OneCycleIsPyTorchs) {
  const auto expect = [](const Schedule& schedule, int per_epoch, std::initializer_list<double> rates) {
    int step = 0;
    for (const double rate : rates)
      EXPECT_NEAR(schedule(1, step++ / static_cast<double>(per_epoch)), rate, 1e-14);
  };
  expect(one_cycle(2, 5), 5,
         {0.040000000000000036, 0.52, 1.0, 0.9504846320134737, 0.8117456539497631, 0.6112620219362893,
          0.38874197806371075, 0.18825834605023697, 0.049519367986526286, 4e-06});
  expect(one_cycle(3, 1), 1, {0.9944154354509117, 0.46263710266697505, 4e-06});
  expect(one_cycle(1, 7), 7,
         {0.040000000000000036, 0.9805566273349586, 0.9190443762697106, 0.6726838364805451,
          0.35773877573965707, 0.0992967918932656, 4e-06});
  expect(one_cycle(1, 1), 1, {4e-06});
}

TEST(Schedule, WarmUpRisesInFrontOfAnother) {
  const Schedule schedule = warm_up(2, exponential(0.5));
  EXPECT_EQ(schedule(1, 0), 0);
  EXPECT_EQ(schedule(1, 0.5), 0.25);
  EXPECT_EQ(schedule(1, 1), 0.25);
  EXPECT_EQ(schedule(1, 2), 0.25);
}

}  // namespace
}  // namespace elk::optim
