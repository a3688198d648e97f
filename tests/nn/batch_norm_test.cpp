// Whose statistics BatchNorm takes, and where its buffers go. (What it computes: torch_layers_test.cpp.)
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/nn/batch_norm.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/optim/moving_average.hpp>
#include <elk/optim/optimizer.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk {
namespace {

using test::error_of;
using test::values;

// Running mean and variance, and how many batches there were.
std::vector<double> statistics(const nn::Module& net) {
  std::vector<double> list;
  for (const NamedTensor& item : net.state())
    if (item.name.ends_with("running_mean") || item.name.ends_with("running_var") ||
        item.name.ends_with("num_batches_tracked"))
      for (const double value : values(item.value)) list.push_back(value);
  return list;
}

const std::vector<double> fresh{0, 1, 0};

class BatchNorm : public testing::Test {
 protected:
  Rng rng{1};
  nn::BatchNorm1d norm{1};
  const Tensor x = from({1, 3}, {2, 1});
  const std::vector<double> once{0.2, 0.9 + 0.1 * 2, 1};  // of mean 2 and variance 2 over n - 1

  void expect(const std::vector<double>& expected, const char* what) const {
    const std::vector<double> got = statistics(norm);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6) << what << " " << i;
  }
};

TEST_F(BatchNorm, TheTapeSaysWhetherThisIsTraining) {
  EXPECT_FALSE(training());
  (void)norm(x);
  expect(fresh, "without a tape");
  {
    const Tape tape;
    EXPECT_FALSE(training());
    (void)norm(x);
  }
  expect(fresh, "a tape of evaluation");
  {
    const Tape tape(rng);
    EXPECT_TRUE(training());
    {
      const Pause pause;
      EXPECT_FALSE(training());
      (void)norm(x);
      const Tape evaluation;
      (void)norm(x);
    }
    expect(fresh, "paused");
    const Tape inner;  // of training, as the one around it
    EXPECT_TRUE(training());
    (void)norm(x);
  }
  expect(once, "two tapes, one call");
}

TEST_F(BatchNorm, BackwardMovesNothing) {
  {
    Tape outer(rng);
    outer.watch(x);
    Tape inner;
    inner.watch(x);
    const Tensor y = sum(square(norm(x) * x));
    const Gradients first = inner.backward(y);
    (void)outer.backward(sum(square(first[x])));
    EXPECT_FALSE(training()) << "both are used up";
  }
  expect(once, "a gradient penalty");
}

TEST_F(BatchNorm, InTrainingItTakesTheBatchElsewhereWhatItKept) {
  {
    const Tape tape(rng);
    const Tensor y = norm(x);
    EXPECT_NEAR(y.at(0), -1, 1e-5);
    EXPECT_NEAR(y.at(1), 1, 1e-5);
  }
  EXPECT_NEAR(norm(x).at(0), 0.8 / std::sqrt(1.1 + 1e-5), 1e-6);
  const Tensor row = from({5}, {1, 1});
  EXPECT_NEAR(norm(row).at(0), 4.8 / std::sqrt(1.1 + 1e-5), 1e-5) << "one example will do";
  const Tape tape(rng);
  EXPECT_EQ(error_of<ShapeError>([&] { (void)norm(row); }),
            "[batch_norm] expected at least two numbers a channel, got (1, 1)");
  expect(once, "what threw has changed nothing");
}

TEST_F(BatchNorm, KeptStatisticsAreConstants) {
  Tape tape(rng);
  (void)norm(x);
  const std::size_t recorded = tape.size();
  (void)(2 * norm.running_mean() + norm.running_var());
  EXPECT_EQ(tape.size(), recorded);
}

TEST_F(BatchNorm, CopiesHaveStatisticsOfTheirOwnAndMovesKeepThem) {
  nn::BatchNorm1d copy = norm;
  nn::Sequential net{norm};
  {
    const Tape tape(rng);
    (void)norm(x);
  }
  EXPECT_EQ(statistics(copy), fresh);
  EXPECT_EQ(statistics(net), fresh);
  const nn::BatchNorm1d moved = std::move(norm);
  EXPECT_EQ(statistics(moved).back(), 1);
  copy = moved;
  EXPECT_EQ(statistics(copy), statistics(moved));
  {
    const Tape tape(rng);
    (void)copy(x);
  }
  EXPECT_EQ(statistics(moved).back(), 1);
  EXPECT_EQ(statistics(copy).back(), 2);
}

TEST_F(BatchNorm, ItsBuffersAreSavedAndLoaded) {
  nn::Sequential net{nn::Linear(3, 2, rng), nn::BatchNorm1d(2)};
  {
    const Tape tape(rng);
    (void)net(randn({4, 3}, rng));
  }
  std::string names;
  for (const NamedTensor& item : net.state()) names += item.name + " ";
  EXPECT_EQ(names, "0.weight 0.bias 1.weight 1.bias 1.running_mean 1.running_var 1.num_batches_tracked ");
  EXPECT_EQ(net.parameter_count(), 3 * 2 + 2 + 2 + 2);
  const TemporaryFolder folder;
  save_safetensors(folder / "net.safetensors", net.state());
  nn::Sequential other{nn::Linear(3, 2, rng), nn::BatchNorm1d(2)};
  other.load_state(load_safetensors(folder / "net.safetensors").tensors);
  EXPECT_EQ(statistics(other), statistics(net));
  const Tensor rows = randn({4, 3}, rng);
  EXPECT_EQ(values(other(rows)), values(net(rows)));

  net.to(f64);
  for (const NamedTensor& item : net.state())
    EXPECT_EQ(item.value.dtype(), item.name.ends_with("tracked") ? i64 : f64) << item.name;
  const Tape tape(rng);
  EXPECT_EQ(net(randn({4, 3}, rng, f64)).dtype(), f64);
}

TEST_F(BatchNorm, AMovingAverageLeavesItsBuffersAsTheyAre) {
  nn::Sequential net{nn::Linear(1, 1, rng), nn::BatchNorm1d(1)};
  optim::SGD sgd(net, {.lr = 0.1});
  optim::MovingAverage average(net, 0.5);
  for (int i = 0; i < 3; ++i) {
    Tape tape(rng);
    sgd.step(tape.backward(sum(square(net(x) - 1))));
    average.update();
  }
  const std::vector<double> now = statistics(net);
  EXPECT_EQ(now.back(), 3);
  average.swap();
  EXPECT_EQ(statistics(net), now);
}

TEST_F(BatchNorm, ThreadsMayTrainOneLayer) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      Rng mine(static_cast<std::uint32_t>(i));
      for (int step = 0; step < 50; ++step) {
        const Tape tape(mine);
        (void)norm(x);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(statistics(norm).back(), 200);
  EXPECT_NEAR(statistics(norm)[0], 2, 1e-5);
}

}  // namespace
}  // namespace elk
