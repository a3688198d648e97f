// Recording and going backwards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <elk/autograd/record.hpp>
#include <elk/autograd/scope.hpp>
#include <elk/autograd/tape.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/parameter.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/optimizer.hpp>
#include <elk/tensor/storage.hpp>
#include <support.hpp>

namespace elk {
namespace {

using nn::Parameter;
using test::error_of;
using test::values;
using testing::Each;
using testing::ElementsAre;

Tensor f64s(std::initializer_list<double> list) { return from(list, f64); }

// How many handles see the elements of x.
long uses(const Tensor& x) { return detail::TensorAccess::impl(x).storage.use_count(); }

// x as the result of an operation whose rule counts its calls.
Tensor counted(const Tensor& x, int& calls) {
  return record("counted", detach(x), wrt(x, [&calls](const Tensor& dy) {
                  ++calls;
                  return dy;
                }));
}

// Slices add to parts of one gradient, in place: also where its elements are another's gradient as well,
// where parts overlap, are gone through backwards or lie apart, and where the first of them makes it.
TEST(Tape, SlicesAddToTheGradientOfWhatTheyWereCutFromAlone) {
  const Tensor x = arange(0, 6, 1, f64), w = full({6}, 3, f64), v = full({6}, 4, f64);
  Tape tape;
  tape.watch(x);
  tape.watch(w);
  tape.watch(v);
  const Tensor u = 2 * x, first = slice(u, 0, 0, 4), every_second = slice(u, 0, 5, -7, -2),
               t = u + v;  // gives both the same gradient, before the slices add to one of them
  const Tensor y =
      sum(t) + sum(first) + 10 * sum(every_second) + sum(slice(w, 0, 2, 3)) + sum(slice(w, 0, 2, 4));
  const Gradients gradients = tape.backward(y);
  EXPECT_THAT(test::values(gradients[x]), ElementsAre(4, 24, 4, 24, 2, 22));
  EXPECT_THAT(test::values(gradients[v]), Each(1.0));
  EXPECT_THAT(test::values(gradients[w]), ElementsAre(0, 0, 2, 1, 0, 0));
}

TEST(Tape, DifferentiatesWhatIsWatched) {
  const Tensor x = f64s({1, 2, 3}), y = f64s({4, 5, 6});
  Tape tape;
  tape.watch(x);
  const Gradients gradients = tape.backward(sum(x * x * y));
  EXPECT_THAT(values(gradients[x]), ElementsAre(8, 20, 36));
  EXPECT_FALSE(gradients.has(y));
  EXPECT_EQ(gradients.size(), 1u);
}

TEST(Tape, WatchesParametersByItself) {
  const Parameter w(f64s({2, 3}));
  Tape tape;
  const Gradients gradients = tape.backward(sum(square(w)));
  EXPECT_THAT(values(gradients[w]), ElementsAre(4, 6));
}

TEST(Tape, AParameterItselfCanBeDifferentiated) {
  const Parameter w(scalar(2, f64));
  Tape tape;
  EXPECT_EQ(tape.backward(w)[w].item(), 1);
}

TEST(Tape, LeavesFrozenParametersAlone) {
  Parameter w(f64s({2, 3})), v(f64s({1, 1}));
  w.freeze();
  {
    Tape tape;
    const Gradients gradients = tape.backward(sum(w * v));
    EXPECT_FALSE(gradients.has(w));
    EXPECT_THAT(values(gradients[v]), ElementsAre(2, 3));
  }
  {
    Tape tape;
    (void)square(w);
    EXPECT_EQ(tape.size(), 0u);
  }
  w.freeze(false);
  Tape tape;
  EXPECT_TRUE(tape.backward(sum(w * v)).has(w));
}

// Of a GAN's step on one tape: the discriminator must not learn from the generator's loss.
TEST(Tape, AParameterCountsAsItIsWhenItIsUsed) {
  const Tensor x = f64s({1, 1});
  Parameter w(f64s({2, 3}));
  {
    Tape tape;
    const Tensor real = sum(w * x);
    w.freeze();
    const Tensor fake = sum(100 * (w * x));
    EXPECT_THAT(values(tape.backward(real + fake)[w]), ElementsAre(1, 1));
  }
  {
    Tape tape;
    const Tensor frozen = sum(100 * (w * x));
    w.freeze(false);
    const Tensor real = sum(w * x);
    w.freeze();
    const Tensor again = sum(10 * (w * x));
    w.freeze(false);
    EXPECT_THAT(values(tape.backward(real + frozen + again + sum(w))[w]), ElementsAre(2, 2));
  }
  {  // on both of two tapes, with second derivatives
    Tape outer;
    Tape inner;
    const Tensor y = sum(w * w * w);
    w.freeze();
    const Tensor z = sum(w * w);
    const Tensor slope = inner.backward(y + z)[w];
    EXPECT_THAT(values(slope), ElementsAre(12, 27));
    EXPECT_THAT(values(outer.backward(sum(slope))[w]), ElementsAre(12, 18));
    w.freeze(false);
  }
}

TEST(Tape, GradientsPassThroughAFrozenLayer) {
  Rng rng(1);
  nn::Linear generator(2, 3, rng, {.dtype = f64}), discriminator(3, 1, rng, {.dtype = f64});
  const Tensor x = ones({4, 2}, f64);
  const auto slopes = [&](bool real_too) {
    Tape tape;
    Tensor total = scalar(0, f64);
    if (real_too) total = total + sum(discriminator(ones({4, 3}, f64)));
    discriminator.freeze();
    total = total + sum(discriminator(generator(x)));
    discriminator.freeze(false);
    return tape.backward(total);
  };
  const Gradients both = slopes(true), fake = slopes(false);
  EXPECT_FALSE(fake.has(discriminator.weight()));
  EXPECT_THAT(values(both[discriminator.weight()]), ElementsAre(4, 4, 4));
  EXPECT_EQ(values(both[generator.weight()]), values(fake[generator.weight()]));
}

TEST(Tape, AWatchedParameterCountsAlsoWhereItIsFrozen) {
  Parameter w(f64s({2}));
  w.freeze();
  {
    Tape tape;
    tape.watch(w);
    EXPECT_EQ(tape.backward(square(w))[w].item(), 4);
  }
  w.freeze(false);
  Tape tape;
  const Tensor before = square(w);
  w.freeze();
  tape.watch(w);
  EXPECT_EQ(tape.backward(before + 10 * w)[w].item(), 14);
}

TEST(Tape, AParameterConvertedUnderATapeIsRefused) {
  Parameter w(f64s({2}));
  Tape tape;
  (void)square(w);
  w.set(from({3}, f32));
  EXPECT_EQ(error_of<DTypeError>([&] { (void)exp(w); }),
            "[exp] this parameter was f64 when the tape met it, and is f32 now");
}

TEST(Tape, RecordsNothingThatDoesNotMatter) {
  const Tensor x = f64s({1, 2});
  Tape tape;
  (void)exp(x);
  EXPECT_EQ(tape.size(), 0u);
  tape.watch(x);
  EXPECT_EQ(tape.size(), 1u);
  (void)exp(x);
  EXPECT_EQ(tape.size(), 2u);
  (void)argmax(x);
  (void)sign(x);
  EXPECT_EQ(tape.size(), 2u);
}

TEST(Tape, WatchesAResultOnItsWay) {
  const Tensor x = f64s({1, 2});
  Tape tape;
  tape.watch(x);
  const Tensor h = 3 * x;
  tape.watch(h);
  const Gradients gradients = tape.backward(sum(square(h)));
  EXPECT_THAT(values(gradients[h]), ElementsAre(6, 12));
  EXPECT_THAT(values(gradients[x]), ElementsAre(18, 36));
}

TEST(Tape, WhatCameBeforeWatchIsConstant) {
  const Tensor x = f64s({2});
  Tape tape;
  const Tensor before = square(x);
  tape.watch(x);
  tape.watch(x);  // twice is once
  EXPECT_THAT(values(tape.backward(sum(x * before))[x]), ElementsAre(4));
}

TEST(Tape, VisitsASharedSubexpressionOnce) {
  const Tensor x = f64s({3});
  int calls = 0;
  Tape tape;
  tape.watch(x);
  Tensor y = counted(x, calls);
  for (int i = 0; i < 40; ++i) y = y + y;  // 2^40 paths
  EXPECT_EQ(tape.backward(y)[x].item(), 1099511627776.0);
  EXPECT_EQ(calls, 1);
}

TEST(Tape, TheSameTensorAsTwoInputs) {
  const Tensor x = f64s({3}), a = from({1, 2, 3, 4}, {2, 2}, f64);
  Tape tape;
  tape.watch(x);
  tape.watch(a);
  const Gradients gradients = tape.backward(sum(x * x) + sum(x / x) + sum(matmul(a, a)));
  EXPECT_THAT(values(gradients[x]), ElementsAre(6));
  EXPECT_THAT(values(gradients[a]), ElementsAre(7, 11, 9, 13));
}

TEST(Tape, TakesASeedGradient) {
  const Tensor x = f64s({1, 2});
  Tape tape;
  tape.watch(x);
  EXPECT_THAT(values(tape.backward(square(x), f64s({10, 100}))[x]), ElementsAre(20, 400));
}

TEST(Tape, AnyTensorOfOneElementIsALoss) {
  const Tensor x = from({3}, {1, 1}, f64);
  Tape tape;
  tape.watch(x);
  EXPECT_EQ(tape.backward(square(x))[x].item(), 6);
}

TEST(Tape, WhatTheResultDoesNotDependOnHasNoGradient) {
  const Tensor x = f64s({1}), y = f64s({2});
  Tape tape;
  tape.watch(x);
  tape.watch(y);
  const Tensor other = square(y);
  const Gradients gradients = tape.backward(square(x));
  EXPECT_FALSE(gradients.has(y));
  EXPECT_EQ(
      error_of<TapeError>([&] { (void)gradients[y]; }),
      "[gradients] there is no gradient for this tensor (1): what was differentiated does not depend on "
      "it, or it was not watched");
}

TEST(Tape, RulesOfUntrackedInputsAreNotCalled) {
  const Tensor x = f64s({2}), constant = f64s({5});
  const auto never = [](const Tensor&) -> Tensor { throw std::logic_error("called"); };
  Tape tape;
  tape.watch(x);
  const Tensor y = record("product", detach(x * 5), wrt(constant, never),
                          wrt(x, [constant](const Tensor& dy) { return dy * constant; }));
  EXPECT_EQ(tape.backward(y)[x].item(), 5);
}

TEST(Tape, RulesOfWhatDoesNotReachTheResultAreNotCalled) {
  const Tensor x = f64s({2});
  int calls = 0;
  Tape tape;
  tape.watch(x);
  const Tensor y = square(x);
  (void)counted(y, calls);
  EXPECT_EQ(tape.backward(y)[x].item(), 4);
  EXPECT_EQ(calls, 0);
}

TEST(Tape, AnUndefinedRuleResultStandsForZero) {
  const Tensor x = f64s({2});
  Tape tape;
  tape.watch(x);
  const Tensor stopped = record("stop", detach(x), wrt(x, [](const Tensor&) { return Tensor(); }));
  const Gradients gradients = tape.backward(stopped + 3 * x);
  EXPECT_EQ(gradients[x].item(), 3);
  Tape alone;
  alone.watch(x);
  EXPECT_FALSE(
      alone.backward(record("stop", detach(x), wrt(x, [](const Tensor&) { return Tensor(); }))).has(x));
}

TEST(Tape, ARuleMayUseItsOutput) {
  const Tensor x = f64s({0.5});
  Tape outer;
  outer.watch(x);
  const auto my_exp = [](const Tensor& v) {
    const Tensor y = exp(detach(v));
    return record("my_exp", y, wrt(v, [y](const Tensor& dy) { return dy * y; }));
  };
  Tape inner;
  inner.watch(x);
  const Tensor first = inner.backward(my_exp(x))[x];
  EXPECT_NEAR(first.item(), std::exp(0.5), 1e-15);
  EXPECT_NEAR(outer.backward(first)[x].item(), std::exp(0.5), 1e-15);
}

TEST(Tape, RecordsAnyNumberOfInputs) {
  std::vector<Tensor> inputs;
  Tape tape;
  for (int i = 0; i < 40; ++i) {
    inputs.push_back(scalar(i, f64));
    if (i % 2 == 0) tape.watch(inputs.back());
  }
  std::vector<Wrt<Rule>> list;
  double total = 0;
  for (int i = 0; i < 40; ++i) {
    total += i * inputs[static_cast<std::size_t>(i)].item();
    list.push_back(wrt(inputs[static_cast<std::size_t>(i)], Rule([i](const Tensor& dy) { return i * dy; })));
  }
  const Gradients gradients = tape.backward(record("weighted", scalar(total, f64), list));
  EXPECT_EQ(gradients.size(), 20u);
  for (std::size_t i = 0; i < 40; i += 2) EXPECT_EQ(gradients[inputs[i]].item(), static_cast<double>(i));
}

TEST(Tape, NothingIsRecordedAfterItEnds) {
  const Parameter w(f64s({2}));
  Tensor inside;
  {
    Tape tape;
    inside = square(w);
  }
  const Tensor outside = square(w);
  Tape tape;
  EXPECT_EQ(tape.size(), 0u);
  for (const Tensor& y : {inside, outside})
    EXPECT_EQ(
        error_of<TapeError>([&] { (void)tape.backward(y); }),
        "[backward] this tensor is not on the tape: it was computed before the tape began or on another "
        "thread, or from nothing that is watched, and so is a constant");
}

TEST(Tape, MisuseIsExplained) {
  const Tensor x = f64s({1, 2});
  Tape tape;
  tape.watch(x);
  const Tensor y = square(x);
  EXPECT_EQ(error_of<TapeError>([&] { (void)tape.backward(y); }),
            "[backward] expected a tensor of one element, got shape (2): reduce it, or give its gradient");
  EXPECT_EQ(error_of<ShapeError>([&] {
              (void)tape.backward(y, f64s({1, 2, 3}));
            }),
            "[backward] expected a gradient f64 (2), got f64 (3)");
  EXPECT_EQ(error_of<ShapeError>([&] { (void)tape.backward(y, ones({2})); }),
            "[backward] expected a gradient f64 (2), got f32 (2)");
  EXPECT_EQ(error_of<DTypeError>([&] { tape.watch(arange(3)); }),
            "[watch] only f32 and f64 have gradients, got i64");
  EXPECT_EQ(error_of<ValueError>([&] { (void)tape.backward(Tensor()); }),
            "[tensor] this tensor is undefined: it was default-made and never assigned, or moved from");
  EXPECT_EQ(
      error_of<TapeError>([&] { (void)record("twice", y, wrt(x, [](const Tensor& dy) { return dy; })); }),
      "[twice] the result is on the tape already: record a new tensor, computed from detach(x), not an "
      "input");
  EXPECT_EQ(
      error_of<TapeError>([&] { (void)record("identity", x, wrt(x, [](const Tensor& dy) { return dy; })); }),
      "[identity] the result is on the tape already: record a new tensor, computed from detach(x), not an "
      "input");
  EXPECT_EQ(error_of<DTypeError>(
                [&] { (void)record("count", arange(2), wrt(x, [](const Tensor& dy) { return dy; })); }),
            "[count] only f32 and f64 have gradients, the result is i64");
  EXPECT_THAT(values(tape.backward(sum(y))[x]), ElementsAre(2, 4));  // none of it did harm
  EXPECT_EQ(error_of<TapeError>([&] { (void)tape.backward(y, y); }),
            "[backward] this tape is used up: each backward needs a new tape");
  EXPECT_EQ(error_of<TapeError>([&] { tape.watch(x); }),
            "[watch] this tape is used up: each backward needs a new tape");
}

TEST(Tape, AParameterIsNoResult) {
  const Parameter w(f64s({1}));
  Tape tape;
  EXPECT_EQ(
      error_of<TapeError>([&] { (void)record("identity", w, wrt(w, [](const Tensor& dy) { return dy; })); }),
      "[identity] the result is on the tape already: record a new tensor, computed from detach(x), not an "
      "input");
}

TEST(Tape, RulesMustReturnTheInputsShapeAndDtype) {
  const Tensor x = f64s({1, 2}), other = f64s({1});
  const auto backward = [&](const Tensor& dx) {
    Tape tape;
    tape.watch(x);
    const Tensor y = record("odd", f64s({1, 2, 3}), wrt(other, [](const Tensor& dy) { return dy; }),
                            wrt(x, [dx](const Tensor&) { return dx; }));
    return error_of<ShapeError>([&] { (void)tape.backward(sum(y)); });
  };
  EXPECT_EQ(backward(zeros({3}, f64)), "[odd] the rule of input 1 returned f64 (3), the input is f64 (2)");
  EXPECT_EQ(backward(zeros({2}, f32)), "[odd] the rule of input 1 returned f32 (2), the input is f64 (2)");
}

TEST(Tape, BelongsToItsThread) {
  const Parameter w(f64s({2}));
  Tape tape;
  const Tensor y = square(w);
  std::string watched, gone_back;
  std::size_t recorded = 0;
  Tensor elsewhere;
  std::thread([&] {
    watched = error_of<TapeError>([&] { tape.watch(w); });
    gone_back = error_of<TapeError>([&] { (void)tape.backward(y); });
    elsewhere = exp(w);
    recorded = tape.size();
  }).join();
  EXPECT_EQ(watched, "[watch] this tape belongs to another thread");
  EXPECT_EQ(gone_back, "[backward] this tape belongs to another thread");
  EXPECT_EQ(recorded, 2u);
  EXPECT_THROW((void)tape.backward(elsewhere), TapeError);
  EXPECT_EQ(tape.backward(y)[w].item(), 4);
}

// Lives on the stack.
template <class T>
concept MadeByNew = requires {
  new T;
};
template <class T>
concept ArrayMadeByNew = requires {
  new T[2];
};
static_assert(!MadeByNew<Tape> && !ArrayMadeByNew<Tape>);
static_assert(!std::is_copy_constructible_v<Tape> && !std::is_move_constructible_v<Tape>);

TEST(Tape, NestsForHigherDerivatives) {
  const Tensor x = f64s({2});
  Tape third;
  third.watch(x);
  Tensor d2;
  {
    Tape second;
    second.watch(x);
    Tensor d1;
    {
      Tape first;
      first.watch(x);
      d1 = first.backward(square(square(x)) * x)[x];  // x^5
    }
    EXPECT_EQ(d1.item(), 80);
    d2 = second.backward(d1)[x];
  }
  EXPECT_EQ(d2.item(), 160);
  EXPECT_EQ(third.backward(d2)[x].item(), 240);
}

TEST(Tape, HessianVectorProduct) {
  // f = x0^2 x1 + x1^3; its Hessian at (1, 2) is ((4, 2), (2, 12)).
  const Tensor x = f64s({1, 2}), v = f64s({1, -1});
  const auto f = [](const Tensor& t) {
    const Tensor a = take_rows(t, from({0}, i64)), b = take_rows(t, from({1}, i64));
    return sum(square(a) * b + b * b * b);
  };
  Tape outer;
  outer.watch(x);
  Tape inner;
  inner.watch(x);
  const Tensor gradient = inner.backward(f(x))[x];
  EXPECT_THAT(values(gradient), ElementsAre(4, 13));
  EXPECT_THAT(values(outer.backward(gradient, v)[x]), ElementsAre(2, -10));
}

TEST(Tape, AddingAndScalingGradientsIsPartOfTheDerivative) {
  const Tensor x = f64s({2}), y = f64s({3});
  Tape outer;
  outer.watch(x);
  outer.watch(y);
  Gradients total;
  {
    Tape inner;
    inner.watch(x);
    total = inner.backward(x * x * x);  // 3 x^2
  }
  {
    Tape inner;
    inner.watch(x);
    total += inner.backward(x * x * y);  // 2 x y
  }
  total *= 10;
  EXPECT_EQ(total[x].item(), 240);
  const Gradients second = outer.backward(total[x]);
  EXPECT_EQ(second[x].item(), 180);  // 10 (6 x + 2 y)
  EXPECT_EQ(second[y].item(), 40);   // 10 * 2 x
}

TEST(Tape, AnOuterTapeGoesOnWhenTheInnerIsUsedUp) {
  const Tensor x = f64s({3});
  Tape outer;
  outer.watch(x);
  Tape inner;
  inner.watch(x);
  EXPECT_EQ(inner.backward(square(x))[x].item(), 6);
  EXPECT_EQ(outer.backward(square(x))[x].item(), 6);
}

TEST(Tape, TheOuterTapeMayGoBackFirst) {
  const Tensor x = f64s({3});
  Tape outer;
  outer.watch(x);
  Tape inner;
  inner.watch(x);
  const Tensor y = x * x * x;
  const Tensor gradient = outer.backward(y)[x];
  EXPECT_EQ(gradient.item(), 27);
  EXPECT_EQ(inner.backward(gradient)[x].item(), 18);
}

TEST(Tape, EndsInAnyOrder) {
  const Parameter w(f64s({3}));
  std::optional<Tape> outer(std::in_place), middle(std::in_place);
  Tape inner;
  outer.reset();
  const Tensor y = square(w);
  EXPECT_EQ(middle->size(), 2u);
  EXPECT_EQ(inner.size(), 2u);
  middle.reset();
  const Tensor z = square(y);
  EXPECT_EQ(inner.backward(z)[w].item(), 108);
}

TEST(Tape, EndsInAnyOrderInnermostLast) {
  const Parameter w(f64s({3}));
  std::optional<Tape> outer(std::in_place), inner(std::in_place);
  inner.reset();
  (void)square(w);
  EXPECT_EQ(outer->size(), 2u);
  outer.reset();
  Tape fresh;
  EXPECT_EQ(fresh.backward(square(w))[w].item(), 6);
}

TEST(Tape, AnErrorInARuleLeavesTheThreadUsable) {
  const Tensor x = f64s({2});
  {
    Tape tape;
    tape.watch(x);
    const Tensor h = square(x);
    const Tensor y =
        record("broken", f64s({4}), wrt(h, [](const Tensor&) -> Tensor { throw std::runtime_error("!"); }));
    EXPECT_THROW((void)tape.backward(square(y)), std::runtime_error);
    EXPECT_THROW((void)tape.backward(y), TapeError);
    (void)square(x);
  }
  Tape tape;
  tape.watch(x);
  EXPECT_EQ(tape.backward(square(x))[x].item(), 4);
}

TEST(Tape, ReleasesWhatItKeptWhileGoingBack) {
  const Tensor x = f64s({2});
  long during = 0;
  Tape tape;
  tape.watch(x);
  const Tensor first = record("first", detach(x), wrt(x, [&](const Tensor& dy) { return dy; }));
  const Tensor saved = f64s({1});
  const Tensor probe = record("probe", f64s({2}), wrt(first, [&](const Tensor& dy) {
                                during = uses(saved);
                                return dy;
                              }));
  const Tensor y = record("keeper", f64s({2}), wrt(probe, [saved](const Tensor& dy) { return dy; }));
  EXPECT_EQ(uses(saved), 1);  // handles share the tensor, which holds the storage
  EXPECT_FALSE(detail::TensorAccess::sole_owner(saved));
  (void)tape.backward(y);
  EXPECT_EQ(during, 1);
  EXPECT_TRUE(detail::TensorAccess::sole_owner(saved));
  EXPECT_EQ(tape.size(), 0u);
}

TEST(Tape, ReleasesWhatItKeptWhenItEndsUnused) {
  const Tensor x = f64s({2});
  const Tensor saved = f64s({1});
  {
    Tape tape;
    tape.watch(x);
    (void)record("keeper", f64s({2}), wrt(x, [saved](const Tensor& dy) { return dy; }));
    EXPECT_FALSE(detail::TensorAccess::sole_owner(saved));
  }
  EXPECT_TRUE(detail::TensorAccess::sole_owner(saved));
  EXPECT_TRUE(detail::TensorAccess::sole_owner(x));
}

TEST(Tape, AMillionOperationsInAChain) {
#ifdef ELK_SANITIZE
  const int length = 100'000;  // ten times slower there
#else
  const int length = test::emulated() ? 100'000 : 1'000'000;
#endif
  const Tensor x = scalar(1);
  {
    Tape tape;
    tape.watch(x);
    Tensor y = x;
    for (int i = 0; i < length; ++i) y = -y;
    EXPECT_EQ(tape.size(), static_cast<std::size_t>(length) + 1);
    EXPECT_EQ(tape.backward(y)[x].item(), 1);
  }
  Tape never_used;
  never_used.watch(x);
  Tensor y = x;
  for (int i = 0; i < length; ++i) y = y * x;  // each rule holds the tensor before
}

TEST(Tape, ThreadsHaveATapeEachAndShareParameters) {
  Parameter w(from({1, 2, 3, 4}, {2, 2}, f64));
  const std::vector<Tensor> inputs = {from({1, 0, 2, 1}, {2, 2}, f64), from({3, 1, -1, 2}, {2, 2}, f64)};
  std::vector<Gradients> shares(2);
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 2; ++i)
      threads.emplace_back([&, i] {
        Tape tape;
        shares[i] = tape.backward(sum(square(matmul(inputs[i], w))));
      });
    for (std::thread& thread : threads) thread.join();
    shares[0] += shares[1];
    shares[0] *= 0.5;
    Tape tape;
    const Gradients expected =
        tape.backward((sum(square(matmul(inputs[0], w))) + sum(square(matmul(inputs[1], w)))) / 2);
    ASSERT_EQ(values(shares[0][w]), values(expected[w]));
    w.set(w.value() - 0.01 * expected[w]);
  }
}

TEST(Tape, TellsAnObserverWhatIsRecordedAndWhere) {
  const Tensor x = f64s({4});
  std::vector<std::string> seen;
  std::vector<const void*> scopes;
  const int outer_module = 0, inner_module = 0;
  Tape tape;
  tape.watch(x);
  tape.observe([&](const Tape::Event& event) {
    seen.push_back(std::string(event.operation) + " " +
                   std::to_string(static_cast<int>(event.output.item())));
    scopes.push_back(event.scope);
  });
  (void)square(f64s({1}));  // a constant: not recorded
  {
    const Scope a(&outer_module);
    const Tensor y = square(x);
    {
      const Scope b(&inner_module);
      (void)sqrt(y);
    }
    (void)-y;
  }
  (void)exp(0 * x);
  EXPECT_THAT(seen, ElementsAre("square 16", "sqrt 4", "neg -16", "mul 0", "exp 1"));
  EXPECT_THAT(scopes, ElementsAre(&outer_module, &inner_module, &outer_module, nullptr, nullptr));
  EXPECT_EQ(Scope::current(), nullptr);
}

TEST(Tape, AnObserverMayCompute) {
  const Tensor x = f64s({4});
  double largest = 0;
  int calls = 0;
  Tape outer;
  outer.watch(x);
  Tape tape;
  tape.watch(x);
  tape.observe([&](const Tape::Event& event) {
    ++calls;
    largest = std::max(largest, max(abs(event.output)).item());
  });
  const Tensor y = square(-x);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(largest, 16);
  EXPECT_EQ(outer.size(), 3u);  // not the observer's own operations
  tape.observe([](const Tape::Event&) { throw std::runtime_error("found it"); });
  EXPECT_THROW((void)exp(x), std::runtime_error);
  tape.observe(nullptr);
  EXPECT_EQ(tape.backward(y)[x].item(), 8);
}

TEST(Tape, TellsObserversOfInputsAndOfGradientsOnTheirWay) {
  const Parameter w(f64s({2, 3}));
  const Tensor x = f64s({4, 5}), c = f64s({1, 1});
  std::vector<std::string> seen;
  Tape tape;
  tape.watch(x);
  tape.observe(
      [&](const Tape::Event& event) {
        std::string inputs;
        for (const Tape::Operand& input : event.inputs)
          inputs += std::string(" ") + (input.from != nullptr ? input.from : "constant");
        seen.push_back(event.operation + inputs);
      },
      [&](const Tape::Flow& flow) {
        seen.push_back(flow.dx == nullptr
                           ? "dy " + std::to_string(flow.dy.at(0))
                           : std::to_string(flow.input) + ": " + std::to_string(flow.dx->at(0)));
      });
  std::vector<std::uint64_t> ids;
  tape.observe(nullptr, [&](const Tape::Flow& flow) {  // next to the other
    if (flow.dx == nullptr) ids.push_back(flow.tensor);
  });
  const Tensor product = w * x, shifted = product + c, total = sum(shifted);
  const Gradients gradients = tape.backward(total);
  EXPECT_THAT(seen, ElementsAre("mul parameter watch", "add mul constant", "sum add", "dy 1.000000",
                                "0: 1.000000", "dy 1.000000", "0: 1.000000", "dy 1.000000", "1: 2.000000",
                                "0: 4.000000", "dy 4.000000", "dy 2.000000"));
  EXPECT_THAT(ids, ElementsAre(total.id(), shifted.id(), product.id(), w.value().id(), x.id()));
  EXPECT_THAT(values(gradients[w]), ElementsAre(4, 5));
}

TEST(Tape, AWeightsGradientIsComputedForWhoObservesGradients) {
  Rng rng(1);
  const nn::Linear layer(3, 2, rng);
  const Tensor x = randn({4, 3}, rng);
  const auto gradients = [&](const auto& observe) {
    Tape tape;
    observe(tape);
    return tape.backward(sum(layer(x)));
  };
  const Gradients unread = gradients([](Tape& tape) { tape.observe([](const Tape::Event&) {}); });
  EXPECT_NE(unread.product(layer.weight()), nullptr);
  const Gradients read = gradients([](Tape& tape) { tape.observe(nullptr, [](const Tape::Flow&) {}); });
  EXPECT_EQ(read.product(layer.weight()), nullptr);
  EXPECT_EQ(values(read[layer.weight()]), values(unread[layer.weight()]));
}

TEST(Scope, EndsWithAnError) {
  const int module = 0;
  EXPECT_THROW(
      {
        const Scope scope(&module);
        (void)square(zeros({1}, i64));
      },
      DTypeError);
  EXPECT_EQ(Scope::current(), nullptr);
}

TEST(Tape, InsideAnotherItIsTrainingOrEvaluationAsThat) {
  Rng rng(1);
  const Tensor x = f64s({1});
  std::optional<Tape> outer(std::in_place, rng);
  {
    Tape inner;
    EXPECT_EQ(Tape::training_rng(), &rng);
    inner.watch(x);
    outer->watch(x);
    (void)outer->backward(square(x));
    EXPECT_EQ(Tape::training_rng(), &rng) << "of the tape that it began in";
    Tape innermost;
    EXPECT_EQ(Tape::training_rng(), &rng);
  }
  EXPECT_EQ(Tape::training_rng(), nullptr);
  Tape after_its_end;
  EXPECT_EQ(Tape::training_rng(), nullptr);
}

TEST(Tape, OfAnotherThreadInheritsNothing) {
  Rng rng(1);
  const Tape outer(rng);
  const Rng* seen = &rng;
  std::thread([&] {
    const Tape tape;
    seen = Tape::training_rng();
  }).join();
  EXPECT_EQ(seen, nullptr);
}

// A gradient penalty on a network with dropout: the penalty is of the network that is trained, mask and all.
TEST(Tape, SecondDerivativesSeeTheDropoutOfTraining) {
  Rng rng(4), same(4);
  const Tensor x = randn({1, 50}, rng, f64);
  (void)randn({1, 50}, same, f64);
  const Parameter w(randn({50, 1}, rng, f64));
  (void)randn({50, 1}, same, f64);
  const nn::Dropout dropout(0.5);
  Tape outer(rng);
  Tape inner;
  inner.watch(x);
  const Tensor slope = inner.backward(sum(matmul(dropout(x), w)))[x];
  const Gradients penalty = outer.backward(sum(square(slope)));
  std::vector<double> mask;
  {
    Tape tape(same);
    mask = values(dropout(ones({1, 50}, f64)));
  }
  ASSERT_THAT(mask, testing::Contains(0));
  for (Index i = 0; i < 50; ++i) {
    const double kept = mask[static_cast<std::size_t>(i)];
    EXPECT_EQ(slope.at(i), kept * w.value().at(i));
    EXPECT_EQ(penalty[w].at(i), 2 * kept * kept * w.value().at(i));
  }
}

TEST(Pause, TapesThatWereThereBeforeRecordNothing) {
  Rng rng(1);
  const Parameter w(f64s({3}));
  Tape tape(rng);
  const Tensor before = square(w);
  const std::size_t size = tape.size();
  {
    const Pause pause;
    EXPECT_FALSE(Tape::recording());
    EXPECT_EQ(Tape::training_rng(), nullptr);
    (void)exp(w);
    EXPECT_EQ(tape.size(), size);
    Tape evaluation;
    EXPECT_EQ(Tape::training_rng(), nullptr);
    EXPECT_EQ(evaluation.backward(square(w))[w].item(), 6);
    {
      Tape inner(rng);
      EXPECT_EQ(Tape::training_rng(), &rng);
      const Pause again;
      EXPECT_FALSE(Tape::recording());
    }
  }
  EXPECT_EQ(tape.size(), size);
  EXPECT_EQ(Tape::training_rng(), &rng);
  EXPECT_EQ(tape.backward(before + 10 * w)[w].item(), 16);
}

TEST(Pause, OutlivesTapesAndIsOutlivedByThem) {
  const Parameter w(f64s({3}));
  std::optional<Tape> outer(std::in_place), inner;
  std::optional<Pause> pause(std::in_place);
  inner.emplace();
  outer.reset();
  pause.reset();
  EXPECT_EQ(inner->backward(square(w))[w].item(), 6);
  inner.reset();
  EXPECT_FALSE(Tape::recording());
}

TEST(Tape, TrainingDrawsFromTheInnermostRecordingTape) {
  Rng rng(1), other(2);
  const Tensor x = f64s({1});
  EXPECT_EQ(Tape::training_rng(), nullptr);
  Tape outer(rng);
  EXPECT_EQ(Tape::training_rng(), &rng);
  {
    Tape inner(other);
    inner.watch(x);
    EXPECT_EQ(Tape::training_rng(), &other);
    (void)inner.backward(square(x));
    EXPECT_EQ(Tape::training_rng(), &rng);
  }
}

TEST(Gradients, AddScaleAndDrop) {
  const Tensor x = f64s({1, 2}), y = f64s({3, 4});
  const auto backward = [&](bool both) {
    Tape tape;
    tape.watch(x);
    tape.watch(y);
    return tape.backward(both ? sum(x * y) : sum(2 * y));
  };
  Gradients gradients = backward(false);
  EXPECT_FALSE(gradients.has(x));
  gradients += backward(true);
  EXPECT_THAT(values(gradients[x]), ElementsAre(3, 4));
  EXPECT_THAT(values(gradients[y]), ElementsAre(3, 4));
  const Tensor kept = gradients[x];
  gradients *= 0.5;
  EXPECT_THAT(values(gradients[x]), ElementsAre(1.5, 2));
  EXPECT_THAT(values(kept), ElementsAre(3, 4));
  gradients += gradients;
  EXPECT_THAT(values(gradients[x]), ElementsAre(3, 4));
  gradients.drop(x);
  gradients.drop(x);
  EXPECT_FALSE(gradients.has(x));
  EXPECT_EQ(gradients.size(), 1u);
  Gradients none;
  none += gradients;
  EXPECT_TRUE(none.has(y));
}

TEST(Gradients, AreAsTheyWereWhenACallThrows) {
  const Tensor x = f64s({1, 2}), y = f64s({3});
  const auto backward = [&] {
    Tape tape;
    tape.watch(x);
    tape.watch(y);
    return tape.backward(sum(x) + sum(y));
  };
  Gradients gradients = backward();
  int calls = 0;
  EXPECT_THROW(gradients.apply([&](const Tensor& dy) -> Tensor {
    if (++calls == 2) throw std::runtime_error("!");
    return 2 * dy;
  }),
               std::runtime_error);
  EXPECT_THAT(values(gradients[x]), ElementsAre(1, 1));
  // Of another dtype for the second tensor.
  Gradients other = backward();
  const Tensor y32 = detail::with_id(from({3}, f32), y.id(), false);
  {
    Tape tape;
    tape.watch(x);
    tape.watch(y32);
    other = tape.backward(sum(x) + cast(sum(y32), f64));
  }
  EXPECT_THROW(gradients += other, DTypeError);
  EXPECT_THAT(values(gradients[x]), ElementsAre(1, 1));
  EXPECT_THAT(values(gradients[y]), ElementsAre(1));
}

TEST(Gradients, ThatWereMovedFromSaySo) {
  const std::string message = "[gradients] this object was moved from: use the one that it was moved to";
  const Tensor x = f64s({1});
  Tape tape;
  tape.watch(x);
  Gradients gradients = tape.backward(x);
  Gradients taken = std::move(gradients);
  EXPECT_EQ(error_of<ValueError>([&] { (void)gradients[x]; }), message);
  EXPECT_EQ(error_of<ValueError>([&] { (void)gradients.has(x); }), message);
  EXPECT_EQ(error_of<ValueError>([&] { (void)gradients.size(); }), message);
  EXPECT_EQ(error_of<ValueError>([&] { (void)gradients.values(); }), message);
  EXPECT_EQ(error_of<ValueError>([&] { gradients *= 2; }), message);
  EXPECT_EQ(error_of<ValueError>([&] { gradients += taken; }), message);
  EXPECT_EQ(error_of<ValueError>([&] { taken += gradients; }), message);
  EXPECT_EQ(error_of<ValueError>([&] { gradients.drop(x); }), message);
  EXPECT_EQ(error_of<ValueError>([&] { (void)gradients.product(x); }), message);
  const Gradients copy = gradients;
  EXPECT_EQ(error_of<ValueError>([&] { (void)copy[x]; }), message);
  EXPECT_EQ(taken[x].item(), 1);
  gradients = std::move(taken);  // usable again
  EXPECT_EQ(gradients[x].item(), 1);
}

TEST(Gradients, OfSharedTensorsScaleApart) {
  const Tensor x = f64s({1}), y = f64s({2});
  Tape tape;
  tape.watch(x);
  tape.watch(y);
  Gradients gradients = tape.backward(x + y);  // both rules pass on one and the same dy
  gradients *= 3;
  EXPECT_EQ(gradients[x].item(), 3);
  EXPECT_EQ(gradients[y].item(), 3);
}

// The gradient of a linear layer's weight stays a product until somebody reads it.
class WeightGradient : public testing::Test {
 protected:
  Rng rng_{5};
  nn::Linear net_{6, 4, rng_};
  Tensor x_ = randn({3, 6}, rng_);

  Gradients gradients(double factor = 1) {
    Tape tape;
    return tape.backward(sum(square(factor * net_(x_))));
  }
  std::vector<double> stepped(const Gradients& g, double weight_decay = 0) {
    nn::Linear net = net_;  // a copy has slots of its own
    optim::SGD sgd(net_, {.lr = 0.1, .weight_decay = weight_decay});
    sgd.step(g);
    const std::vector<double> after = test::values(net_.weight());
    net_.load_state(net.state());
    return after;
  }
};

TEST_F(WeightGradient, IsTheSameToAStepWhetherItWasReadOrNot) {
  for (const double decay : {0.0, 0.1}) {
    const Gradients unread = gradients(), read = gradients();
    EXPECT_NE(unread.product(net_.weight()), nullptr);
    EXPECT_EQ(unread.product(net_.bias()), nullptr);
    (void)read[net_.weight()];
    EXPECT_EQ(read.product(net_.weight()), nullptr);
    EXPECT_EQ(stepped(unread, decay), stepped(read, decay));
  }
}

TEST_F(WeightGradient, IsReadByCopiesAndThreadsAlike) {
  const Gradients g = gradients(), copy = g;
  std::vector<double> one, two;
  std::thread first([&] { one = test::values(g[net_.weight()]); });
  std::thread second([&] { two = test::values(copy[net_.weight()]); });
  first.join();
  second.join();
  EXPECT_EQ(one, two);
  EXPECT_EQ(one, test::values(gradients()[net_.weight()]));
}

TEST_F(WeightGradient, IsAddedScaledAndCountedAsAnyOther) {
  Gradients g = gradients();
  g += gradients();
  g *= 0.5;
  EXPECT_THAT(test::values(g[net_.weight()]),
              testing::Pointwise(testing::DoubleNear(1e-5), test::values(gradients()[net_.weight()])));
  Gradients changed = gradients();
  changed.apply([](const Tensor& x) { return 2 * x; });
  EXPECT_THAT(test::values(changed[net_.weight()]),
              testing::Pointwise(testing::DoubleNear(1e-5), test::values((2 * gradients()[net_.weight()]))));
}

TEST_F(WeightGradient, OfALayerUsedTwiceIsASum) {
  nn::Linear square_layer(6, 6, rng_);
  Tape tape;
  const Gradients g = tape.backward(sum(square_layer(square_layer(x_))));
  EXPECT_EQ(g.product(square_layer.weight()), nullptr);
  // By hand: dW = 1^T h + (1 W)^T x with h = x W^T + b.
  const Tensor h = matmul_nt(x_, square_layer.weight()), ones_ = ones({3, 6});
  const Tensor expected = matmul_tn(ones_, h) + matmul_tn(matmul(ones_, square_layer.weight()), x_);
  EXPECT_THAT(test::values(g[square_layer.weight()]),
              testing::Pointwise(testing::DoubleNear(1e-4), test::values(expected)));
}

TEST_F(WeightGradient, IsComputedAtOnceWhereItIsDifferentiatedItself) {
  Tape outer;
  Tape inner;
  const Gradients g = inner.backward(sum(square(net_(x_))));
  EXPECT_EQ(g.product(net_.weight()), nullptr);
  EXPECT_TRUE(outer.backward(sum(g[net_.weight()])).has(net_.weight()));
}

TEST_F(WeightGradient, KeepsThePrecisionItWasMadeIn) {
  const auto made = [&](Precision precision) {
    const PrecisionScope scope(precision);
    return gradients();
  };
  const Gradients late = made(Precision::bf16), full = made(Precision::full);
  const PrecisionScope scope(Precision::bf16);
  EXPECT_EQ(test::values(late[net_.weight()]), test::values(made(Precision::bf16)[net_.weight()]));
  EXPECT_EQ(test::values(full[net_.weight()]), test::values(made(Precision::full)[net_.weight()]));
}

}  // namespace
}  // namespace elk
