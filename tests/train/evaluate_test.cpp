#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include <elk/elk.hpp>

#include "support.hpp"

namespace elk::train {
namespace {

using test::error_of;

Tensor labels(const std::vector<std::int64_t>& list) { return from(list); }

Tensor loss(const Tensor& logits, const Tensor& y) { return cross_entropy(logits, y); }

// Five images of two pixels; the network passes pixel / 255 on as logits.
class Evaluate : public testing::Test {
 protected:
  Dataset data_{"five",
                from(std::vector<std::uint8_t>{0, 255, 255, 0, 0, 0, 51, 255, 255, 204}, {5, 1, 2}),
                labels({1, 0, 1, 0, 0}),
                {"a", "b"}};
  nn::Function net_{"identity", [](const Tensor& x) { return x; }};
};

TEST_F(Evaluate, ByHandForAnyBatchSize) {
  const double by_hand = (2 * std::log1p(std::exp(-1.0)) + std::log(2.0) + std::log1p(std::exp(0.8)) +
                          std::log1p(std::exp(-0.2))) /
                         5;
  for (const Index batch_size : {1, 2, 3, 5, 1000}) {
    const Evaluation found = evaluate(net_, data_, loss, f64, batch_size);
    EXPECT_NEAR(found.loss, by_hand, 1e-15) << batch_size;  // short batches weigh by their size
    EXPECT_EQ(found.accuracy, 0.6) << batch_size;
    EXPECT_NEAR(evaluate(net_, data_, loss, f32, batch_size).loss, by_hand, 1e-7) << batch_size;
  }
}

TEST_F(Evaluate, AnyLossAndWithoutDropout) {
  const nn::Sequential net(nn::Dropout(0.9));
  const Evaluation found = evaluate(
      net, data_, [](const Tensor& logits, const Tensor&) { return mean(logits); }, f64, 2);
  EXPECT_NEAR(found.loss, (1 + 1 + 0 + 1.2 + 1.8) / 10, 1e-15);
}

TEST_F(Evaluate, InTheMidstOfTrainingIsEvaluation) {
  const nn::Sequential net(nn::Dropout(0.9));
  const auto loss = [](const Tensor& logits, const Tensor&) { return mean(logits); };
  const double expected = evaluate(net, data_, loss, f64).loss;
  const auto outputs = test::values(predict(net, data_, f64));
  Rng rng(1);
  Tape tape(rng);
  const nn::Parameter scale(ones({}, f64));
  (void)(2 * scale);
  const std::size_t recorded = tape.size();
  EXPECT_EQ(evaluate(net, data_, loss, f64).loss, expected);
  EXPECT_EQ(test::values(predict(net, data_, f64)), outputs);
  const nn::Function scaled("scaled", [&](const Tensor& x) { return scale * x; });
  (void)predict(scaled, data_, f64);
  EXPECT_EQ(tape.size(), recorded);
  EXPECT_EQ(Tape::training_rng(), &rng);
}

TEST_F(Evaluate, NeedsExamples) {
  EXPECT_EQ(error_of<ShapeError>([&] { evaluate(net_, data_.take(0, 0), loss); }),
            "[evaluate] the data set \"five\" is empty");
}

TEST_F(Evaluate, PredictGivesTheOutputsInOrder) {
  for (const Index batch_size : {1, 2, 5, 1000})
    EXPECT_THAT(test::values(predict(net_, data_, f64, batch_size)),
                testing::ElementsAre(0, 1, 1, 0, 0, 0, 0.2, 1, 1, 0.8));
  EXPECT_EQ(error_of<ShapeError>([&] { predict(net_, data_.take(0, 0)); }),
            "[predict] the data set \"five\" is empty");
}

TEST_F(Evaluate, RefusesABatchSizeOfZero) {
  EXPECT_EQ(error_of<ValueError>([&] { evaluate(net_, data_, loss, f32, 0); }),
            "[batches] the batch size must be at least 1, got 0");
}

}  // namespace
}  // namespace elk::train
