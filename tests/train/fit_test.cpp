// fit and its callbacks: what they do, and that an interrupted run goes on to the same bits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <stdexcept>
#include <utility>

#include <elk/elk.hpp>
#include <elk/io/atomic_file.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"
#include "train/numbers.hpp"

namespace elk::train {
namespace {

using test::error_of;
using test::numbers;
using test::values;
using testing::ElementsAre;
using testing::HasSubstr;

// What an optimizer trains.
std::vector<double> weights(const nn::Module& net) {
  std::vector<double> all;
  for (const nn::NamedSlot& parameter : net.parameters())
    for (const double v : values(parameter.slot->value())) all.push_back(v);
  return all;
}

// 90 digits to learn from, in batches of 20: 5 steps an epoch. BatchNorm, dropout, Adam and early stopping
// have a state.
struct Given {
  explicit Given(std::uint64_t seed = 5)
      : rng(seed),
        net{nn::Linear(784, 8, rng), nn::BatchNorm1d(8), nn::ReLU(), nn::Dropout(0.25),
            nn::Linear(8, 10, rng)},
        adam(net, {.lr = 0.01}) {
    options.epochs = 3;
    options.batch_size = 20;
    options.validation = digits().take(90, 30);
  }
  Result run(std::vector<Callback*> callbacks = {}) {
    options.callbacks = std::move(callbacks);
    return fit(net, adam, data, rng, options);
  }

  // Made once: drawing them takes longer than a test.
  static const Dataset& digits() {
    static const Dataset set = digits_train_test(1).train.take(0, 120);
    return set;
  }

  Dataset data = digits().take(0, 90);
  Rng rng;
  nn::Sequential net;
  optim::Adam adam;
  FitOptions options;
};

// Calls a function at every event, with its name.
class Watch : public Callback {
 public:
  using Event = std::function<void(const std::string& event, Fit&)>;
  explicit Watch(Event event) : event_(std::move(event)) {}
  void begun(Fit& fit) override { event_("begun", fit); }
  void step_done(Fit& fit) override { event_("step", fit); }
  void measure(Fit& fit, HistoryRow&) override { event_("measure", fit); }
  void epoch_done(Fit& fit) override { event_("epoch", fit); }
  void ended(Fit& fit) override { event_("ended", fit); }

 private:
  Event event_;
};

TEST(Fit, LearnsAndKeepsAHistory) {
  Given given;
  given.options.epochs = 30;
  const Result result = given.run();
  EXPECT_EQ(result.status, Status::finished);
  EXPECT_EQ(result.problem, "");
  ASSERT_EQ(result.history.size(), 30u);
  EXPECT_LT(*result.history.back().train_loss, 0.5 * *result.history.front().train_loss);
  EXPECT_EQ(result.history.back().step, 150);
  EXPECT_EQ(result.history.back().lr, 0.01);
  EXPECT_GT(result.history.back().flops, result.history.front().flops);
  EXPECT_FALSE(result.history.back().test_loss.has_value());
}

TEST(Fit, IsTheLoopOneWouldWrite) {
  Given a, b;
  a.run();
  for (int epoch = 0; epoch < 3; ++epoch)
    for (const auto& [x, labels] : Batches(b.data, 20, b.rng)) {
      Tape tape(b.rng);
      b.adam.step(tape.backward(cross_entropy(b.net(x), labels)));
    }
  EXPECT_EQ(numbers(a.net.state()), numbers(b.net.state()));
}

TEST(Fit, TakesTheNetworksDType) {
  Given given;
  given.net.to(f64);
  EXPECT_EQ(given.run().status, Status::finished);
  EXPECT_EQ(given.net.state()[0].value.dtype(), f64);
  given.options.dtype = f32;
  EXPECT_THAT(error_of<DTypeError>([&] { given.run(); }),
              HasSubstr("its weight is f64, x is f32: write cast(x, f64)"));
}

TEST(Fit, CallsBackInOrder) {
  Given given;
  given.options.epochs = 2;
  std::string seen;
  Watch first([&](const std::string& event, Fit& fit) {
    seen += event + " " + std::to_string(fit.epoch()) + "." + std::to_string(fit.batch()) + " ";
  });
  Watch second([&](const std::string& event, Fit&) { seen += event[0]; });
  given.run({&first, &second});
  EXPECT_EQ(
      seen,
      "begun 0.0 bstep 0.1 sstep 0.2 sstep 0.3 sstep 0.4 sstep 0.5 smeasure 0.5 mepoch 1.0 estep 1.1 sstep "
      "1.2 sstep 1.3 sstep 1.4 sstep 1.5 smeasure 1.5 mepoch 2.0 eended 2.0 e");
}

TEST(Fit, AsksTheScheduleBeforeEveryStep) {
  Given given;
  given.options.epochs = 2;
  std::vector<double> asked;
  given.options.schedule = [&](double base, double epoch) {
    asked.push_back(epoch);
    return base / 2;
  };
  EXPECT_EQ(given.run().history.back().lr, 0.005);
  EXPECT_EQ(given.adam.lr(), 0.01) << "put back";
  EXPECT_THAT(asked, ElementsAre(0, 0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6, 1.8));
}

TEST(Fit, AugmentsByEpochAndRow) {
  Given a, b;
  const Augment augment(parse_augment("shift:2,mixup:0.3"), 4);
  a.options.augment = augment;
  a.options.loss = soft_cross_entropy;
  a.options.evaluation_loss = cross_entropy;
  a.run();
  for (Index epoch = 0; epoch < 3; ++epoch)
    for (const auto& [x, labels] : Batches(b.data, 20, b.rng).augmented(augment, epoch)) {
      Tape tape(b.rng);
      b.adam.step(tape.backward(soft_cross_entropy(b.net(x), labels)));
    }
  EXPECT_EQ(numbers(a.net.state()), numbers(b.net.state()));
}

TEST(Fit, TakesMixedImages) {
  Given given;
  given.options.augment.emplace(AugmentOptions{.mixup = 1}, 3);
  const Result result = given.run();
  EXPECT_EQ(result.status, Status::finished);
  EXPECT_LT(*result.history.back().val_loss, *result.history.front().val_loss);
}

TEST(Fit, PassesGradientsOn) {
  Given given;
  int calls = 0;
  given.options.gradients = [&](Gradients g) {
    ++calls;
    return optim::clip_norm(std::move(g), 1e-30);
  };
  const std::vector<double> before = weights(given.net);
  optim::SGD sgd(given.net, {.lr = 1});
  fit(given.net, sgd, given.data, given.rng, given.options);
  EXPECT_EQ(calls, 15);
  EXPECT_THAT(weights(given.net), testing::Pointwise(testing::DoubleNear(1e-12), before));
}

// Lowered by somebody else, it stays: no schedule sets it back.
TEST(Fit, WithoutAScheduleTheRateIsTheOptimizersOwn) {
  Given given;
  Watch watch([&](const std::string& event, Fit& fit) {
    if (event == "epoch" && fit.epoch() == 1) given.adam.set_lr(0.005);
  });
  const Result result = given.run({&watch});
  std::vector<double> rates;
  for (const HistoryRow& row : result.history) rates.push_back(row.lr);
  EXPECT_THAT(rates, ElementsAre(0.01, 0.005, 0.005));
  EXPECT_EQ(given.adam.lr(), 0.005);
}

TEST(Fit, ARateThatAScheduleSetsIsNotChangedByOthers) {
  Given given;
  given.options.schedule = optim::constant();
  Watch watch([&](const std::string& event, Fit& fit) {
    if (event == "epoch" && fit.epoch() == 1) given.adam.set_lr(0.005);
  });
  EXPECT_EQ(
      error_of<ValueError>([&] { given.run({&watch}); }),
      "[fit] the learning rate is 0.005, and the schedule had set it to 0.01: leave the schedule out where "
      "others change the rate");
  EXPECT_EQ(given.adam.lr(), 0.01);
}

TEST(Plateau, LowersTheRateAndResumesToTheSameBits) {
  const auto rates_of = [](const Result& result) {
    std::vector<double> rates;
    for (const HistoryRow& row : result.history) rates.push_back(row.lr);
    return rates;
  };
  // Nothing improves by half in every epoch.
  const optim::ReduceLROnPlateau::Options strict{.factor = 0.5, .patience = 0, .threshold = 0.5};
  Given whole;
  whole.options.epochs = 5;
  ReduceLROnPlateau plateau(whole.adam, strict);
  const Result expected = whole.run({&plateau});
  EXPECT_LT(rates_of(expected).back(), 0.01);

  TemporaryFolder folder;
  for (const Index epochs : {2, 3, 5}) {  // each time as in a new process
    Given given(epochs == 2 ? 5 : 99);
    given.options.epochs = epochs;
    ReduceLROnPlateau again(given.adam, strict);
    Checkpoint checkpoint(folder / "run");
    const Result result = given.run({&again, &checkpoint});
    if (epochs < 5) continue;
    EXPECT_EQ(rates_of(result), rates_of(expected));
    EXPECT_EQ(numbers(given.net.state()), numbers(whole.net.state()));
  }
}

TEST(Plateau, GoesByWhatTheFitMeasures) {
  Given given;
  ReduceLROnPlateau best(given.adam,
                         {.larger_is_better = true, .factor = 0.5, .patience = 0, .threshold = 10});
  EXPECT_EQ(given.run({&best}).history.back().lr, 0.005) << "an accuracy does not grow eleven times";
  given.options.validation = {};
  EXPECT_EQ(error_of<ValueError>([&] { given.run({&best}); }),
            "[reduce_lr_on_plateau] the fit has no validation data whose accuracy could grow");
  ReduceLROnPlateau lowest(given.adam, {.factor = 0.1, .patience = 0, .threshold = 0.99});
  EXPECT_LT(given.run({&lowest}).history.back().lr, 0.005) << "by the train_loss";
  given.options.schedule = optim::constant();
  EXPECT_EQ(error_of<ValueError>([&] { given.run({&lowest}); }),
            "[reduce_lr_on_plateau] the fit has a schedule, which sets the rate before every step");
}

TEST(Plateau, AStateOfAnotherKindIsRefused) {
  Given given;
  optim::ReduceLROnPlateau plateau(given.adam, {});
  EXPECT_EQ(error_of<ValueError>([&] { plateau.load_state({}); }),
            "[reduce_lr_on_plateau] expected its four numbers, \"plateau\"");
  EXPECT_EQ(error_of<ValueError>([&] {
              plateau.load_state({{"plateau", from({1, 0.5, 0, 0.1}, f64)}});
            }),
            "[reduce_lr_on_plateau] expected numbers of epochs, got 0.5");
  EXPECT_EQ(given.adam.lr(), 0.01);
}

// Wherever a part of somebody else's throws, once.
TEST(Fit, GoesOnAfterAnErrorToTheSameBits) {
  const auto set_up = [](Given& given) {
    given.options.schedule = optim::exponential(0.5);
    given.options.average_decay = 0.8;
  };
  Given whole;
  set_up(whole);
  EarlyStopping patient(50);
  const Result expected = whole.run({&patient});
  for (const std::string place : {"schedule", "loss", "gradients", "begun", "step", "measure", "epoch"})
    for (const int at : {0, 1, 7}) {
      SCOPED_TRACE(place + " " + std::to_string(at));
      Given given;
      set_up(given);
      int calls = 0;
      const auto pass = [&](const std::string& here) {
        if (here == place && calls++ == at) throw std::runtime_error("not now");
      };
      given.options.schedule = [&, of = given.options.schedule](double base, double epoch) {
        pass("schedule");
        return of(base, epoch);
      };
      given.options.loss = [&](const Tensor& y, const Tensor& labels) {
        if (Tape::recording()) pass("loss");
        return cross_entropy(y, labels);
      };
      given.options.gradients = [&](Gradients g) {
        pass("gradients");
        return g;
      };
      EarlyStopping early(50);
      std::vector<double> last;  // what was trained, beside its average
      Watch watch([&](const std::string& event, Fit& fit) {
        if (event == "step") last = weights(fit.net());
        pass(event);
      });
      given.options.callbacks = {&early, &watch};
      Fit fit(given.net, given.adam, given.data, given.rng, given.options);
      const int happens = place == "begun" ? 1 : place == "measure" || place == "epoch" ? 3 : 15;
      if (at < happens) {
        EXPECT_THROW(fit.run(), std::runtime_error);
        EXPECT_EQ(given.adam.lr(), 0.01) << "the rate that the run was given";
        if (place == "measure" || place == "epoch") {
          EXPECT_EQ(weights(given.net), last);
        }
      }
      const Result result = fit.run();
      EXPECT_EQ(result.status, Status::finished);
      EXPECT_EQ(numbers(given.net.state()), numbers(whole.net.state()));
      EXPECT_EQ(numbers(given.adam.state()), numbers(whole.adam.state()));
      ASSERT_EQ(result.history.size(), 3u);
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(result.history[i].train_loss, expected.history[i].train_loss);
        EXPECT_EQ(result.history[i].val_loss, expected.history[i].val_loss);
        EXPECT_EQ(result.history[i].step, expected.history[i].step);
        EXPECT_EQ(result.history[i].flops, expected.history[i].flops);
      }
    }
}

TEST(Fit, MeasuresInFullPrecisionWithoutDropoutAlsoFromAHook) {
  Given given;
  given.options.precision = Precision::bf16;
  given.options.epochs = 1;
  int measured = 0;
  given.options.evaluation_loss = [&](const Tensor& y, const Tensor& labels) {
    EXPECT_EQ(precision(), Precision::full);
    EXPECT_EQ(Tape::training_rng(), nullptr);
    ++measured;
    return cross_entropy(y, labels);
  };
  const Fit* running = nullptr;
  given.options.loss = [&](const Tensor& y, const Tensor& labels) {
    EXPECT_EQ(Tape::training_rng(), &given.rng);
    (void)running->measure(given.options.validation);
    return cross_entropy(y, labels);
  };
  Fit fit(given.net, given.adam, given.data, given.rng, given.options);
  running = &fit;
  fit.run();
  EXPECT_EQ(measured, 6);  // in each step, and at the end
}

TEST(Fit, MeasuresTheTrainingLossAsAsked) {
  Given given;
  given.options.epochs = 1;
  given.options.train_sample = given.data.take(0, 40);
  const Result result = given.run();
  EXPECT_EQ(result.history[0].train_loss,
            evaluate(given.net, given.options.train_sample, cross_entropy).loss);
  EXPECT_EQ(result.history[0].val_loss, evaluate(given.net, given.options.validation, cross_entropy).loss);
}

TEST(Fit, TakesMeasurementsOfCallbacks) {
  class Measure : public Callback {
    void measure(Fit&, HistoryRow& row) override { row.test_accuracy = 0.25; }
  } measure;
  EXPECT_EQ(Given().run({&measure}).history[2].test_accuracy, 0.25);
}

TEST(Fit, EvaluatesByAnotherLossWhereAsked) {
  Given given;
  given.options.loss = [](const Tensor& logits, const Tensor& labels) {
    return smooth_cross_entropy(logits, labels, 0.5);
  };
  given.options.evaluation_loss = cross_entropy;
  const Result result = given.run();
  EXPECT_EQ(result.history[2].val_loss, evaluate(given.net, given.options.validation, cross_entropy).loss);
}

TEST(Fit, FinishesAfterTheEpoch) {
  Given given;
  Watch watch([](const std::string& event, Fit& fit) {
    if (event == "step" && fit.step() == 2) fit.finish();
  });
  const Result result = given.run({&watch});
  EXPECT_EQ(result.status, Status::finished);
  EXPECT_EQ(result.history.back().step, 5);
}

TEST(Fit, OfNoEpochsDoesNothing) {
  Given given;
  given.options.epochs = 0;
  const std::vector<double> before = numbers(given.net.state());
  const Result result = given.run();
  EXPECT_EQ(result.status, Status::finished);
  EXPECT_TRUE(result.history.empty());
  EXPECT_EQ(numbers(given.net.state()), before);
}

// Training is what it is without an average; what is measured, kept and left at the end has the mean of the
// weights after each step, the later ones heavier.
TEST(Fit, MeasuresTheAverageOfTheWeights) {
  constexpr double decay = 0.8;
  std::vector<std::vector<double>> plain, with;  // after each step
  const auto average = [&] {
    std::vector<double> sum(with[0].size());
    double total = 0;
    for (const std::vector<double>& step : with) {
      total = decay * total + 1;
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = decay * sum[i] + step[i];
    }
    for (double& x : sum) x /= total;
    return sum;
  };
  const auto expect_average = [&](const nn::Module& net, const std::string& when) {
    const std::vector<double> found = weights(net), expected = average();
    for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-6) << when;
  };
  Watch steps([&](const std::string& event, Fit& fit) {
    if (event == "step") plain.push_back(weights(fit.net()));
  });
  Given without;
  without.run({&steps});

  Given given;
  given.options.average_decay = decay;
  std::vector<double> losses;
  Watch watch([&](const std::string& event, Fit& fit) {
    if (event == "step") {
      with.push_back(weights(fit.net()));
    } else if (event != "begun") {
      expect_average(fit.net(), event);
      if (event == "measure")
        losses.push_back(evaluate(fit.net(), given.options.validation, cross_entropy).loss);
    }
  });
  const Result result = given.run({&watch});
  EXPECT_EQ(with, plain);
  ASSERT_EQ(with.size(), 15u);
  expect_average(given.net, "after the run");
  ASSERT_EQ(losses.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(result.history[i].val_loss, losses[i]);
}

// As the weights: in training they are those of a run without an average.
TEST(Fit, AveragesRunningStatisticsWithTheWeights) {
  using Statistics = std::vector<double>;
  const auto statistics = [](const nn::Module& net) {
    Statistics all;
    for (const NamedTensor& item : net.state())
      if (item.name.find("running_") != std::string::npos)
        for (const double v : values(item.value)) all.push_back(v);
    return all;
  };
  constexpr double decay = 0.8;
  std::vector<Statistics> plain, with;
  Watch steps([&](const std::string& event, Fit& fit) {
    if (event == "step") plain.push_back(statistics(fit.net()));
  });
  Given without;
  without.run({&steps});

  const auto expect_average = [&](const nn::Module& net, const std::string& when) {
    const Statistics found = statistics(net);
    ASSERT_EQ(found.size(), 16u);
    for (std::size_t i = 0; i < found.size(); ++i) {
      double sum = 0, total = 0;
      for (std::size_t step = 0; step < with.size(); ++step) {
        const double share = std::pow(decay, static_cast<double>(with.size() - step));
        sum += share * with[step][i];
        total += share;
      }
      ASSERT_NEAR(found[i], sum / total, 1e-5) << when;
    }
  };
  Given given;
  given.net.add("scale", nn::Normalize(zeros({10}), full({10}, 0.7)));  // a buffer that stays as it is
  given.options.average_decay = decay;
  Watch watch([&](const std::string& event, Fit& fit) {
    if (event == "step")
      with.push_back(statistics(fit.net()));
    else if (event != "begun")
      expect_average(fit.net(), event);
  });
  given.run({&watch});
  ASSERT_EQ(with.size(), 15u);
  EXPECT_EQ(with.front(), plain.front());
  expect_average(given.net, "after the run");
  const NamedTensor last = given.net.state().back();
  EXPECT_EQ(last.name, "scale.scale");
  EXPECT_THAT(values(last.value), testing::Each(0.7f));
}

TEST(EarlyStopping, PutsTheBestAverageBack) {
  Given given;
  given.options.epochs = 100;
  given.options.average_decay = 0.8;
  std::vector<std::vector<double>> after;  // the averages after each epoch
  Watch watch([&](const std::string& event, Fit& fit) {
    if (event == "epoch") after.push_back(weights(fit.net()));
  });
  given.options.evaluation_loss = [&](const Tensor& logits, const Tensor&) {
    return scalar(std::abs(static_cast<double>(after.size()) - 2), logits.dtype());
  };
  EarlyStopping early(4);
  EXPECT_EQ(given.run({&watch, &early}).history.size(), 7u);
  EXPECT_EQ(weights(given.net), after[2]);
}

TEST(Fit, TellsWhereItDiverged) {
  Given given;
  given.options.loss = [n = 0](const Tensor& logits, const Tensor& labels) mutable {
    return ++n < 8 ? cross_entropy(logits, labels) : cross_entropy(logits * INFINITY, labels);
  };
  given.options.evaluation_loss = cross_entropy;
  const Result result = given.run();
  EXPECT_EQ(result.status, Status::diverged);
  EXPECT_THAT(result.problem,
              testing::StartsWith("epoch 2, step 8: the first value that is not finite came from mul"));
  ASSERT_EQ(result.history.size(), 2u);
  EXPECT_TRUE(result.history[1].diverged);
  EXPECT_TRUE(std::isnan(*result.history[1].train_loss));
}

TEST(Fit, TellsThatItDivergedAtTheEndOfAnEpoch) {
  Given given;  // whose BatchNorm needs two examples
  given.options.evaluation_loss = [](const Tensor& logits, const Tensor&) {
    return scalar(NAN, logits.dtype());
  };
  const Result result = given.run();
  EXPECT_EQ(result.status, Status::diverged);
  EXPECT_EQ(result.problem, "the end of epoch 1: the first value that is not finite came from the loss");
}

TEST(Fit, RefusesWhatCannotBegin) {
  Given given;
  const auto refused = [&]<class E>(E, auto change) {
    FitOptions options = given.options;
    Dataset data = given.data;
    change(options, data);
    return error_of<E>([&] { fit(given.net, given.adam, data, given.rng, options); });
  };
  const ValueError value("");
  EXPECT_EQ(refused(value, [](FitOptions& o, Dataset&) { o.batch_size = 0; }),
            "[fit] the batch size must be at least 1, got 0");
  EXPECT_EQ(refused(value, [](FitOptions& o, Dataset&) { o.epochs = -1; }),
            "[fit] epochs must be at least 0, got -1");
  EXPECT_EQ(refused(DTypeError(""), [](FitOptions& o, Dataset&) { o.dtype = i64; }),
            "[fit] expected f32 or f64, got i64");
  EXPECT_EQ(refused(ShapeError(""), [](FitOptions&, Dataset& d) { d = d.take(0, 0); }),
            "[fit] the data set \"digits\" is empty");
  EXPECT_EQ(refused(value, [](FitOptions& o, Dataset&) { o.loss = nullptr; }),
            "[fit] the options have no loss");
  EXPECT_EQ(refused(value, [](FitOptions& o, Dataset&) { o.callbacks = {nullptr}; }),
            "[fit] callback 0 is null");
  EXPECT_EQ(refused(ShapeError(""), [](FitOptions& o, Dataset& d) { o.validation = d.take(0, 0); }),
            "[fit] validation: the data set \"digits\" is empty");
  EXPECT_EQ(refused(ShapeError(""),
                    [](FitOptions& o, Dataset&) {
                      o.train_sample = Dataset{"small", zeros({2, 3, 3}, u8), zeros({2}, i64), {"a"}};
                    }),
            "[fit] train_sample: its examples are (3, 3), those to train on (28, 28)");
  for (const double decay : {-0.1, 1.0, std::nan("")})
    EXPECT_THAT(refused(value, [&](FitOptions& o, Dataset&) { o.average_decay = decay; }),
                HasSubstr("[fit] average_decay must be from 0 to below 1, got "));
  EXPECT_EQ(error_of<ValueError>([] { EarlyStopping(0); }),
            "[early_stopping] patience must be at least 1, got 0");
  EarlyStopping early(1);
  given.options.validation = {};
  EXPECT_EQ(error_of<ValueError>([&] { given.run({&early}); }),
            "[early_stopping] the fit has no validation data to judge by");
}

TEST(EarlyStopping, EndsTheRunAndPutsTheBestWeightsBack) {
  Given given;
  given.options.epochs = 100;
  std::vector<std::vector<double>> after;  // the weights after each epoch
  Watch watch([&](const std::string& event, Fit& fit) {
    if (event == "epoch") after.push_back(numbers(fit.net().state()));
  });
  // The validation loss falls for three epochs and then rises.
  given.options.evaluation_loss = [&](const Tensor& logits, const Tensor&) {
    return scalar(std::abs(static_cast<double>(after.size()) - 2), logits.dtype());
  };
  EarlyStopping early(4);
  const Result result = given.run({&watch, &early});
  EXPECT_EQ(result.history.size(), 7u);
  EXPECT_EQ(numbers(given.net.state()), after[2]);
}

TEST(EarlyStopping, OfOneRunKnowsNothingOfThoseBefore) {
  EarlyStopping early(3);
  Given first, second(6), alone(6);
  first.options.epochs = 30;  // it ends better than the others
  first.run({&early});
  second.run({&early});
  EarlyStopping fresh(3);
  alone.run({&fresh});
  EXPECT_EQ(numbers(second.net.state()), numbers(alone.net.state()));
}

class StoppedRun : public testing::TestWithParam<double> {};
INSTANTIATE_TEST_SUITE_P(AverageDecay, StoppedRun, testing::Values(0, 0.8));

TEST_P(StoppedRun, GoesOnToTheSameBits) {
  Given whole;
  whole.options.average_decay = GetParam();
  EarlyStopping patient(50);
  const Result expected = whole.run({&patient});
  const TemporaryFolder folder;
  for (int stop_at = 0; stop_at < 15; ++stop_at) {
    const std::string file = folder / std::to_string(stop_at);
    Given first;
    first.options.average_decay = GetParam();
    EarlyStopping early1(50), early2(50);
    Checkpoint checkpoint(file);
    Watch stop([&](const std::string& event, Fit& fit) {
      if ((event == "begun" || event == "step") && fit.step() == stop_at) fit.stop();
    });
    EXPECT_EQ(first.run({&early1, &checkpoint, &stop}).status, Status::stopped);
    Given second(99);  // everything comes from the file
    second.options.average_decay = GetParam();
    const Result resumed = second.run({&early2, &checkpoint});
    EXPECT_EQ(resumed.status, Status::finished);
    EXPECT_EQ(numbers(second.net.state()), numbers(whole.net.state())) << stop_at;
    ASSERT_EQ(resumed.history.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(resumed.history[i].train_loss, expected.history[i].train_loss);
      EXPECT_EQ(resumed.history[i].val_loss, expected.history[i].val_loss);
      EXPECT_EQ(resumed.history[i].flops, expected.history[i].flops);
    }
  }
}

// Batches beyond the small ones' fast path, by plain SGD; and the run that goes on looks at its gradients.
TEST(CheckpointFile, OfLargeBatchesGoesOnToTheSameBits) {
  static const Dataset data = digits_train_test(1).train.take(0, 300);
  const auto run = [&](Given& given, std::vector<Callback*> callbacks, bool looks) {
    optim::SGD sgd(given.net, {.lr = 0.1, .weight_decay = 0.01});
    FitOptions options{.epochs = 2, .batch_size = 140, .callbacks = std::move(callbacks)};
    if (looks) options.gradients = [](Gradients g) { return optim::clip_norm(std::move(g), 1e30); };
    return fit(given.net, sgd, data, given.rng, options);
  };
  Given whole;
  run(whole, {}, false);
  const TemporaryFolder folder;
  for (int stop_at = 0; stop_at < 6; ++stop_at) {
    Checkpoint checkpoint(folder / std::to_string(stop_at));
    Watch stop([&](const std::string& event, Fit& fit) {
      if ((event == "begun" || event == "step") && fit.step() == stop_at) fit.stop();
    });
    Given first, second(99);
    run(first, {&checkpoint, &stop}, false);
    EXPECT_EQ(run(second, {&checkpoint}, true).status, Status::finished);
    EXPECT_EQ(numbers(second.net.state()), numbers(whole.net.state())) << stop_at;
  }
}

TEST(CheckpointFile, RefusedByOneCallbackChangesNoOther) {
  class Counter : public Callback {
   public:
    State state() const override { return {{"count", scalar(count)}}; }
    void load_state(const State& state) override {
      if (refuses) throw ValueError("[counter] no");
      count = state.at(0).value.item();
    }
    double count = 0;
    bool refuses = false;
  };
  const TemporaryFolder folder;
  Checkpoint checkpoint(folder / "c");
  Given first, second(3);
  Counter one, two;
  one.count = 5;
  first.run({&one, &two, &checkpoint});
  one.count = 1;
  two.refuses = true;
  const auto before = numbers(second.net.state());
  EXPECT_THAT(error_of<FileError>([&] { second.run({&one, &two, &checkpoint}); }), HasSubstr("[counter] no"));
  EXPECT_EQ(one.count, 1);
  EXPECT_EQ(numbers(second.net.state()), before);
  EXPECT_TRUE(second.adam.state().empty());
}

TEST_P(StoppedRun, OnceFinishedIsOnlyRead) {
  const TemporaryFolder folder;
  Checkpoint checkpoint(folder / "c", {{"config", "mine"}});
  Given first, second(9);
  first.options.average_decay = second.options.average_decay = GetParam();
  first.run({&checkpoint});
  EXPECT_EQ(load_safetensors(folder / "c").metadata.at("config"), "mine");
  const Result again = second.run({&checkpoint});
  EXPECT_EQ(again.status, Status::finished);
  EXPECT_EQ(again.history.size(), 3u);
  EXPECT_EQ(numbers(second.net.state()), numbers(first.net.state()));
  Given more(9);
  more.options.average_decay = GetParam();
  more.options.epochs = 4;
  more.options.batch_size = 30;  // between epochs, the size of the batches may change
  EXPECT_EQ(more.run({&checkpoint}).history.size(), 4u);
}

TEST(CheckpointFile, DamagedOrForeignOnesAreRefusedAndChangeNothing) {
  const TemporaryFolder folder;
  const std::string path = folder / "c";
  {
    Given given;
    Checkpoint checkpoint(path);
    Watch stop([](const std::string&, Fit& fit) {
      if (fit.step() == 7) fit.stop();
    });
    given.run({&checkpoint, &stop});
  }
  SafetensorsFile good = load_safetensors(path);
  good.metadata.erase("digest");  // which would be what is wrong with all that follows
  const auto refused = [&](const std::function<void(SafetensorsFile&)>& change) {
    SafetensorsFile file = good;
    change(file);
    save_safetensors(path, file.tensors, file.metadata);
    Given given(3);
    Checkpoint checkpoint(path);
    const std::vector<double> before = numbers(given.net.state());
    const std::string message = error_of<FileError>([&] { given.run({&checkpoint}); });
    EXPECT_EQ(numbers(given.net.state()), before);
    EXPECT_TRUE(given.adam.state().empty());
    const std::string start = "[checkpoint] " + path + ": ";
    EXPECT_TRUE(message.starts_with(start)) << message;
    return message.substr(std::min(start.size(), message.size()));
  };
  const auto tensor = [](SafetensorsFile& file, const std::string& name) -> Tensor& {
    for (NamedTensor& item : file.tensors)
      if (item.name == name) return item.value;
    throw ValueError(name);
  };
  EXPECT_EQ(refused([](auto& f) { f.metadata["format"] = "elkgrad/1"; }),
            "expected format \"elkgrad-checkpoint/1\", found \"elkgrad/1\"");
  EXPECT_EQ(refused([](auto& f) { f.metadata.erase("format"); }), "the metadata lacks \"format\"");
  EXPECT_EQ(refused([](auto& f) { f.metadata.erase("history"); }), "the metadata lacks \"history\"");
  EXPECT_THAT(refused([](auto& f) { f.metadata["history"] = ""; }),
              "it is in epoch 2, its history has 0 epochs");
  EXPECT_EQ(refused([](auto& f) { std::erase_if(f.tensors, [](auto& t) { return t.name == "order"; }); }),
            "\"order\" is missing");
  EXPECT_EQ(refused([&](auto& f) { tensor(f, "order") = arange(80); }),
            "it belongs to 80 training examples, the data have 90");
  EXPECT_EQ(refused([&](auto& f) { tensor(f, "order") = full({90}, 90, i64); }),
            "its order has example 90 of 90");
  EXPECT_EQ(refused([&](auto& f) { tensor(f, "order") = full({90}, 7, i64); }),
            "its order has example 7 twice");
  EXPECT_EQ(refused([&](auto& f) {
              tensor(f, "position") = from(std::vector<Index>{1, 2, 7, 0, 2, 20});
            }),
            "\"position\" holds 2, expected 0 or 1");
  EXPECT_EQ(refused([&](auto& f) { tensor(f, "rng.key") = full({624}, 4294967296.0, i64); }),
            "\"rng.key\" holds more than words of 32 bits");
  EXPECT_EQ(refused([&](auto& f) { tensor(f, "sums") = full({2}, -1, f64); }), "\"sums\" holds -1 seconds");
  EXPECT_EQ(refused([&](auto& f) { f.metadata["digest"] = "0"; }),
            "its contents do not fit its \"digest\": they were changed after they were written");
  EXPECT_EQ(refused([&](auto& f) {
              tensor(f, "position") = from(std::vector<Index>{1, 2, 7, 0, 0, 30});
            }),
            "it stopped in the middle of an epoch in batches of 30, which those of 20 cannot end");
  EXPECT_EQ(refused([&](auto& f) { tensor(f, "sums") = zeros({5}, f64); }),
            "\"sums\" holds 5 numbers, expected 2");
  EXPECT_THAT(refused([&](auto& f) { tensor(f, "rng.key") = zeros({624}); }), HasSubstr("f32"));
  EXPECT_EQ(refused([&](auto& f) { tensor(f, "model.0.bias") = zeros({9}); }),
            "[load_state] \"0.bias\" must be f32 (8), got f32 (9)");
  EXPECT_EQ(refused([&](auto& f) { tensor(f, "optimizer.0.bias.mean") = zeros({9}); }),
            "[optimizer] \"0.bias.mean\" must be f32 (8), got f32 (9)");
  // Counts that would overflow when the run goes on, or already in the check of the next one.
  constexpr Index highest = std::numeric_limits<Index>::max();
  for (std::size_t i = 0; i < 3; ++i)
    for (const Index count : {Index{-1}, highest}) {
      std::vector<Index> position{1, 2, 7, 0, 0, 20};
      position[i] = count;
      EXPECT_EQ(refused([&](auto& f) { tensor(f, "position") = from(position); }),
                "\"position\" holds " + std::to_string(count) + ", expected counts from 0 to 2^62");
    }
  EXPECT_THAT(refused([&](auto& f) { tensor(f, "optimizer.0.bias.steps") = from(std::vector{highest}, {}); }),
              HasSubstr("\"0.bias.steps\" must be from 1 to 2^62, got 9223372036854775807"));
  EXPECT_THAT(refused([&](auto& f) {
                tensor(f, "rng.position") = from(std::vector<Index>{Index{1} << 32, 0});
              }),
              HasSubstr("4294967296"));
  EXPECT_THAT(refused([&](auto& f) {
                tensor(f, "rng.position") = from(std::vector<std::int64_t>{700, 0});
              }),
              HasSubstr("700"));
  // Cut off anywhere.
  save_safetensors(path, good.tensors, good.metadata);
  const std::string bytes = read_file(path);
  for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 50) {
    write_file_atomically(path, bytes.substr(0, size));
    Given given;
    Checkpoint checkpoint(path);
    EXPECT_NE(error_of<FileError>([&] { given.run({&checkpoint}); }), "no error") << size;
  }
}

// By whomever it is saved, before, at and after the end: weights and average are each in their place.
TEST(CheckpointFile, HoldsTheWeightsAndTheirAverage) {
  const TemporaryFolder folder;
  const std::string path = folder / "c";
  Given given;
  given.options.average_decay = 0.8;
  std::vector<double> last;
  const auto expect = [&](const std::vector<double>& average) {
    const SafetensorsFile file = load_safetensors(path);
    State weights_now, averages;
    for (const nn::NamedSlot& parameter : given.net.parameters())
      for (const NamedTensor& item : file.tensors) {
        if (item.name == "model." + parameter.name) weights_now.push_back(item);
        if (item.name == "average." + parameter.name) averages.push_back(item);
      }
    EXPECT_EQ(numbers(weights_now), last);
    EXPECT_EQ(numbers(averages), average);
  };
  Watch watch([&](const std::string& event, Fit& fit) {
    if (event == "step") last = weights(fit.net());
    if (event == "begun" || event == "step") return;
    fit.save(path);
    expect(weights(fit.net()));
  });
  given.options.callbacks = {&watch};
  Fit fit(given.net, given.adam, given.data, given.rng, given.options);
  fit.run();
  EXPECT_NE(weights(given.net), last);
  fit.save(path);
  expect(weights(given.net));
  const std::vector<double> left = weights(given.net);
  EXPECT_EQ(fit.run().history.size(), 3u);  // there is nothing left to do
  EXPECT_EQ(weights(given.net), left);
  given.options.callbacks = {};
  given.options.average_decay = 0;
  Fit other(given.net, given.adam, given.data, given.rng, given.options);
  EXPECT_EQ(error_of<FileError>([&] { other.load(path); }),
            "[checkpoint] " + path +
                ": it holds a moving average of the weights, for which the run has no average_decay");
  other.save(path);
  EXPECT_EQ(error_of<FileError>([&] { fit.load(path); }),
            "[checkpoint] " + path +
                ": it holds no moving average of the weights, which the run has an average_decay for");
  EXPECT_EQ(weights(given.net), left) << "nothing has changed";
}

TEST(CheckpointFile, OfARunWithoutEarlyStoppingIsNotOneWith) {
  const TemporaryFolder folder;
  Checkpoint checkpoint(folder / "c");
  Given first, second;
  first.run({&checkpoint});
  EarlyStopping early(3);
  EXPECT_THAT(error_of<FileError>([&] {
                second.run({&early, &checkpoint});
              }),
              HasSubstr("[early_stopping] expected its \"waited\" and \"best_loss\""));
}

TEST(EarlyStopping, RefusesAStateThatIsNotItsOwn) {
  const auto refused = [](Index waited, const std::string& name) {
    return error_of<ValueError>([&] {
      EarlyStopping(3).load_state({{"waited", from(std::vector<Index>{waited})},
                                   {"best_loss", from(std::vector<double>{1})},
                                   {name, zeros({1})}});
    });
  };
  EXPECT_EQ(refused(2, "best.x"), "no error");
  for (const char* name : {"x", "best", "worst.x"})
    EXPECT_EQ(refused(2, name),
              std::string("[early_stopping] expected \"best.\" and a weight's name, found \"") + name + "\"");
  for (const Index waited : {Index{-1}, std::numeric_limits<Index>::max()})
    EXPECT_EQ(refused(waited, "best.x"),
              "[early_stopping] \"waited\" must be from 0 to 2^62, got " + std::to_string(waited));
}

TEST(HistoryFileCallback, HoldsTheHistoryAfterEveryEpoch) {
  const TemporaryFolder folder;
  const std::string path = folder / "history.jsonl";
  Given given;
  HistoryFile file(path);
  std::vector<std::int64_t> lines;
  Watch watch([&](const std::string& event, Fit&) {
    if (event == "begun" || event == "epoch") {
      const std::string text = read_file(path);
      lines.push_back(std::count(text.begin(), text.end(), '\n'));
    }
  });
  const Result result = given.run({&file, &watch});
  EXPECT_THAT(lines, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(to_jsonl(parse_jsonl(read_file(path), path)), to_jsonl(result.history));
}

TEST(ProgressCallback, SaysNothingWhenQuiet) {
  testing::internal::CaptureStderr();
  Progress quiet(true);
  quiet.message("hidden");
  Given().run({&quiet});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  testing::internal::CaptureStderr();
  Progress(false).message("reading");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "reading\n");
}

}  // namespace
}  // namespace elk::train
