// Metrics against what is counted by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include <elk/ops/shape.hpp>
#include <elk/train/metrics.hpp>

#include "support.hpp"

namespace elk::train {
namespace {

using test::error_of;
using test::values;
using testing::ElementsAre;

Tensor labels(const std::vector<std::int64_t>& list) { return from(list); }

TEST(Accuracy, IsTheShareOfRowsWhoseLargestIsTheLabel) {
  const Tensor logits = from({1, 2, 0, 5, 4, 3, -1, -2, -3, 0, 0, 1}, {4, 3});
  EXPECT_EQ(accuracy(logits, labels({1, 0, 0, 2})), 1);
  EXPECT_EQ(accuracy(logits, labels({1, 0, 1, 0})), 0.5);
  EXPECT_EQ(accuracy(logits, labels({0, 1, 2, 0})), 0);
}

TEST(Accuracy, OfEqualOutputsTheFirstCounts) { EXPECT_EQ(accuracy(zeros({2, 3}), labels({0, 1})), 0.5); }

TEST(TopK, CountsTheLabelAmongTheLargest) {
  const Tensor logits = from({1, 2, 0, 5, 4, 3, -1, -2, -3, 0, 0, 1}, {4, 3});
  const Tensor y = labels({0, 2, 1, 2});  // second, third, second, first
  EXPECT_EQ(top_k_accuracy(logits, y, 1), 0.25);
  EXPECT_EQ(top_k_accuracy(logits, y, 2), 0.75);
  EXPECT_EQ(top_k_accuracy(logits, y, 3), 1);
}

TEST(TopK, OfOneIsAccuracyWithTiesAndNaN) {
  Rng rng(3);
  std::vector<double> numbers;
  for (int i = 0; i < 200 * 4; ++i) {
    const double draw = std::floor(6 * rng.uniform());
    numbers.push_back(draw == 5 ? NAN : draw);
  }
  std::vector<std::int64_t> y;
  for (int i = 0; i < 200; ++i) y.push_back(i % 4);
  for (const DType dtype : {f32, f64}) {
    const Tensor logits = cast(from(numbers, {200, 4}), dtype);
    EXPECT_EQ(top_k_accuracy(logits, labels(y), 1), accuracy(logits, labels(y)));
    EXPECT_EQ(top_k_accuracy(logits, labels(y), 4), 1);
  }
}

TEST(ConfusionMatrix, RowsAreTrueAndColumnsPredicted) {
  const Tensor logits = from({1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1}, {4, 3});
  const Tensor matrix = confusion_matrix(logits, labels({0, 0, 1, 1}));
  EXPECT_EQ(matrix.dtype(), i64);
  EXPECT_EQ(matrix.shape(), Shape({3, 3}));
  EXPECT_THAT(values(matrix), ElementsAre(1, 1, 0, 0, 1, 1, 0, 0, 0));
}

// Logits of two classes whose first has probability p.
Tensor saying(const std::vector<double>& p) {
  std::vector<double> logits;
  for (const double x : p) {
    logits.push_back(std::log(x));
    logits.push_back(std::log(1 - x));
  }
  return from(logits, {static_cast<Index>(p.size()), 2});
}

TEST(CalibrationError, IsZeroForWhoIsRightAsOftenAsItSays) {
  EXPECT_NEAR(calibration_error(saying({0.75, 0.75, 0.75, 0.75}), labels({0, 0, 0, 1})), 0, 1e-15);
}

TEST(CalibrationError, ByHand) {
  // Two bins of [0, 1]: all confidences are in the second, mean 0.85, of which half is right.
  const Tensor logits = saying({0.9, 0.8});
  EXPECT_NEAR(calibration_error(logits, labels({0, 1}), 2), 0.35, 1e-15);
  // Ten bins: apart, |1 - 0.9| / 2 + |0 - 0.8| / 2.
  EXPECT_NEAR(calibration_error(logits, labels({0, 1}), 10), 0.45, 1e-15);
  // A confidence of exactly 1 belongs to the last bin.
  EXPECT_NEAR(calibration_error(from({1000, 0}, {1, 2}), labels({1})), 1, 1e-15);
  EXPECT_TRUE(std::isnan(calibration_error(from({NAN, 0}, {1, 2}), labels({1}))));
}

TEST(Metrics, RefuseWhatDoesNotFit) {
  EXPECT_EQ(error_of<ShapeError>([] { accuracy(zeros({0, 3}), labels({})); }), "[accuracy] no examples");
  EXPECT_EQ(error_of<ShapeError>([] {
              accuracy(zeros({2, 3}), labels({1}));
            }),
            "[accuracy] expected logits (N, classes) and labels (N), got (2, 3) and (1)");
  EXPECT_EQ(error_of<ShapeError>([] {
              confusion_matrix(zeros({2}), labels({1, 1}));
            }),
            "[confusion_matrix] expected logits (N, classes) and labels (N), got (2) and (2)");
  EXPECT_EQ(error_of<IndexError>([] {
              confusion_matrix(zeros({1, 3}), labels({3}));
            }),
            "[confusion_matrix] label 3 is outside 3 classes");
  EXPECT_EQ(error_of<IndexError>([] {
              calibration_error(zeros({1, 3}), labels({-1}));
            }),
            "[calibration_error] label -1 is outside 3 classes");
  EXPECT_EQ(error_of<DTypeError>([] {
              top_k_accuracy(zeros({1, 3}), zeros({1}), 1);
            }),
            "[top_k_accuracy] labels must be i64, got f32: write cast(labels, i64)");
  for (const Index k : {0, 4})
    EXPECT_EQ(error_of<ValueError>([&] {
                top_k_accuracy(zeros({1, 3}), labels({1}), k);
              }),
              "[top_k_accuracy] k must be from 1 to 3, got " + std::to_string(k));
  EXPECT_EQ(error_of<ValueError>([] {
              calibration_error(zeros({1, 3}), labels({1}), 0);
            }),
            "[calibration_error] expected 1 to 1000000 bins, got 0");
}

}  // namespace
}  // namespace elk::train
