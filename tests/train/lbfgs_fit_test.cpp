// fit with L-BFGS, which computes the loss itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include <elk/elk.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"
#include "train/numbers.hpp"

namespace elk::train {
namespace {

using test::error_of;
using test::numbers;
using test::values;
using testing::HasSubstr;

// 40 points of a curve, all in one batch.
struct Curve {
  explicit Curve(double dropout = 0)
      : net{nn::Linear(2, 8, rng), nn::Tanh(), nn::Dropout(dropout), nn::Linear(8, 1, rng)},
        lbfgs((net.to(f64), net), {.max_iterations = 5, .line_search = true}) {
    options.loss = mse;
    options.epochs = 4;
    options.batch_size = 40;
  }
  Result run(std::vector<Callback*> callbacks = {}) {
    options.callbacks = std::move(callbacks);
    return fit(net, lbfgs, examples, rng, options);
  }

  Rng rng{3};
  Tensor x = randn({40, 2}, rng, f64), y = sin(sum(x, 1, true));
  Examples examples{x, y};
  nn::Sequential net;
  optim::LBFGS lbfgs;
  FitOptions options;
};

class StopsAfter : public Callback {
 public:
  explicit StopsAfter(Index epochs) : epochs_(epochs) {}
  void epoch_done(Fit& fit) override {
    if (fit.epoch() == epochs_) fit.stop();
  }

 private:
  Index epochs_;
};

TEST(FitByLBFGS, IsTheLoopOfItsSteps) {
  Curve a(0.2), b(0.2);
  const Result result = a.run();
  EXPECT_EQ(result.status, Status::finished);
  std::vector<double> losses;
  for (int epoch = 0; epoch < 4; ++epoch)
    for (const auto& batch : Batches(b.examples, 40, b.rng, f64))
      losses.push_back(b.lbfgs.step([&] { return mse(b.net(batch.x), batch.labels); }, b.rng));
  EXPECT_EQ(numbers(a.net.state()), numbers(b.net.state()));
  ASSERT_EQ(result.history.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(result.history[i].train_loss, losses[i]);
  EXPECT_LT(evaluate(a.net, a.examples, mse, f64).loss, losses[0] / 2);
  EXPECT_GT(result.history[0].flops, 0u);
}

TEST(FitByLBFGS, GoesOnToTheSameBits) {
  const TemporaryFolder folder;
  Curve whole(0.2);
  whole.run();
  for (const Index stop : {0, 1, 3}) {
    StopsAfter stops(stop);
    Curve first(0.2), second(0.2);
    Checkpoint checkpoint(folder / ("run" + std::to_string(stop)));
    if (stop == 0) {
      Fit(first.net, first.lbfgs, first.examples, first.rng, first.options)
          .save(folder / "run0");  // before the first step
    } else {
      EXPECT_EQ(first.run({&stops, &checkpoint}).status, Status::stopped);
    }
    for (const nn::NamedSlot& parameter : second.net.parameters())
      parameter.slot->set(ones(parameter.slot->value().shape(), f64));
    EXPECT_EQ(second.run({&checkpoint}).history.size(), 4u);
    EXPECT_EQ(numbers(second.net.state()), numbers(whole.net.state()));
    EXPECT_EQ(numbers(second.lbfgs.state()), numbers(whole.lbfgs.state()));
  }
}

TEST(FitByLBFGS, AStepThatThrowsIsTakenAgain) {
  Curve whole(0.2), once(0.2);
  whole.run();
  int calls = 0;
  once.options.loss = [&](const Tensor& prediction, const Tensor& target) {
    if (++calls == 12) throw std::runtime_error("not now");
    return mse(prediction, target);
  };
  Fit fit(once.net, once.lbfgs, once.examples, once.rng, once.options);
  EXPECT_THROW(fit.run(), std::runtime_error);
  EXPECT_GT(fit.step(), 0);
  fit.run();
  EXPECT_EQ(numbers(once.net.state()), numbers(whole.net.state()));
}

TEST(FitByLBFGS, SchedulesAndPlateausSetItsRate) {
  Curve curve;
  std::vector<double> rates;
  curve.options.schedule = optim::exponential(0.5);
  for (const HistoryRow& row : curve.run().history) rates.push_back(row.lr);
  EXPECT_EQ(rates, (std::vector<double>{1, 0.5, 0.25, 0.125}));
  EXPECT_EQ(curve.lbfgs.lr(), 1);

  Curve flat;
  flat.options.epochs = 3;
  ReduceLROnPlateau plateau(flat.lbfgs, {.factor = 0.5, .patience = 0, .threshold = 0.999});
  flat.run({&plateau});
  EXPECT_LT(flat.lbfgs.lr(), 1);
}

TEST(FitByLBFGS, ALossThatIsNotFiniteEndsTheRun) {
  Curve curve;
  curve.examples = Examples(curve.x, full({40, 1}, INFINITY, f64));
  const std::vector<double> before = numbers(curve.net.state());
  const Result result = curve.run();
  EXPECT_EQ(result.status, Status::diverged);
  EXPECT_EQ(result.problem, "epoch 1, step 1: the first value that is not finite came from sub");
  EXPECT_EQ(numbers(curve.net.state()), before);
}

TEST(FitByLBFGS, RefusesWhatItCannotDo) {
  Curve curve;
  curve.options.batch_size = 20;
  EXPECT_EQ(error_of<ValueError>([&] { curve.run(); }),
            "[fit] L-BFGS needs all 40 examples in one batch: write .batch_size = 40, got 20");
  const std::string itself =
      "[fit] L-BFGS computes loss and gradients itself: leave out the options parts, team and gradients";
  Curve parts;
  parts.options.parts = 2;
  EXPECT_EQ(error_of<ValueError>([&] { parts.run(); }), itself);
  Curve clipped;
  clipped.options.gradients = [](Gradients g) { return optim::clip_norm(std::move(g), 1); };
  EXPECT_EQ(error_of<ValueError>([&] { clipped.run(); }), itself);

  // The optimizer is of a part; the fit sees what else the network uses and does not list.
  struct Forgets : nn::Module {
    explicit Forgets(Rng& r) : listed(2, 2, r), forgotten(2, 1, r) {}
    Tensor forward(const Tensor& in) const override { return forgotten(listed(in)); }
    void fields(Fields& f) override { f("listed", listed); }
    nn::Linear listed, forgotten;
  };
  Rng rng(1);
  Forgets net(rng);
  optim::LBFGS lbfgs(net.listed);
  const std::vector<double> before = values(net.listed.weight());
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(
        error_of<TapeError>([&] {
          fit(net, lbfgs, {ones({4, 2}), ones({4, 1})}, rng, {.loss = mse});
        }),
        "[fit] the forward pass used 4 parameters, the network lists 2: not listed: Linear(2, 1): name it "
        "in fields(), or freeze it");
  EXPECT_EQ(values(net.listed.weight()), before);
}

TEST(FitByLBFGS, IsSavedWithItsNetwork) {
  const TemporaryFolder folder;
  Curve a, b;
  a.run();
  save(folder / "a.safetensors", a.net, a.lbfgs);
  load(folder / "a.safetensors", b.net, b.lbfgs);
  const auto loss = [](Curve& curve) { return [&] { return mse(curve.net(curve.x), curve.y); }; };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(a.lbfgs.step(loss(a)), b.lbfgs.step(loss(b)));
  EXPECT_EQ(numbers(a.net.state()), numbers(b.net.state()));
}

}  // namespace
}  // namespace elk::train
