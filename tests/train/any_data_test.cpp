// fit, evaluate, predict and EarlyStopping of what is no labelled image: regression, several labels at once,
// several inputs, sequences.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <elk/elk.hpp>

#include "support.hpp"

namespace elk::train {
namespace {

using test::error_of;
using test::values;

TEST(AnyData, RegressionAndEarlyStopping) {
  Rng rng(1);
  const Tensor x = randn({80, 3}, rng, f64), w = from({1, -2, 3}, {3, 1}, f64), y = matmul(x, w) + 0.5;
  const auto [train, held_out] = split(Examples(x, y), 20, rng);
  nn::Linear net(3, 1, rng);  // f32: the data come in its dtype
  optim::Adam adam(net, {.lr = 0.05});
  EarlyStopping early_stopping(10);
  const Result result = fit(
      net, adam, train, rng,
      {.loss = mse, .epochs = 200, .batch_size = 20, .validation = held_out, .callbacks = {&early_stopping}});
  EXPECT_EQ(result.status, Status::finished);
  EXPECT_FALSE(result.history.back().val_accuracy);
  const Evaluation found = evaluate(net, held_out, mse);
  EXPECT_LT(found.loss, 0.01);
  for (const HistoryRow& row : result.history) EXPECT_GE(*row.val_loss, found.loss);  // the best
  EXPECT_TRUE(std::isnan(found.accuracy));
  EXPECT_EQ(predict(net, held_out).shape(), (Shape{20, 1}));
}

TEST(AnyData, SeveralLabelsAtOnce) {
  Rng rng(1);
  const Tensor x = randn({60, 4}, rng), y = cast(greater(x, zeros({})), f32);
  nn::Linear net(4, 4, rng);
  optim::Adam adam(net, {.lr = 0.1});
  const Result result =
      fit(net, adam, {x, y}, rng,
          {.loss = [](const Tensor& a, const Tensor& b) { return binary_cross_entropy_with_logits(a, b); },
           .epochs = 20});
  EXPECT_LT(*result.history.back().train_loss, 0.3);
}

// Two numbers, one in each input: which is larger?
class Larger : public nn::Module {
 public:
  explicit Larger(Rng& rng) : a_(1, 2, rng), b_(1, 2, rng) {}
  Tensor operator()(const Tensor& a, const Tensor& b) const {
    const Scope scope = enter();
    return a_(a) + b_(b);
  }
  void fields(Fields& f) override { f("a", a_)("b", b_); }

 private:
  nn::Linear a_, b_;
};

TEST(AnyData, SeveralInputs) {
  Rng rng(1);
  const Tensor a = randn({100, 1}, rng), b = randn({100, 1}, rng);
  const Examples data({a, b}, reshape(cast(greater(a, b), i64), {100}));
  Larger net(rng);
  optim::Adam adam(net, {.lr = 0.1});
  const Forward forward = [&](const Batch& batch) { return net(batch.x, batch.others[0]); };
  const Result result =
      fit(net, adam, data, rng, {.epochs = 20, .forward = forward, .validation = data.take(0, 30)});
  EXPECT_GT(*result.history.back().val_accuracy, 0.9);
  EXPECT_GT(evaluate(net, data, cross_entropy, f32, 7, forward).accuracy, 0.9);
  EXPECT_EQ(predict(net, data, f32, 1000, forward).shape(), (Shape{100, 2}));
}

// The mean of embedded characters, padded with id 0, whose row is kept at 0 by the mask.
class Bag : public nn::Module {
 public:
  explicit Bag(Rng& rng) : table_(randn({4, 3}, rng)), out_(3, 2, rng) {}
  Tensor forward(const Tensor& ids) const override {
    const Index n = ids.size(0), length = ids.size(1);
    const Tensor rows = reshape(take_rows(table_, reshape(ids, {n * length})), {n, length, 3});
    const Tensor mask = expand(cast(greater(ids, zeros({}, i64)), f32), 2);
    return out_(sum(rows * mask, 1));
  }
  void fields(Fields& f) override { f("table", table_)("out", out_); }

 private:
  nn::Parameter table_;
  nn::Linear out_;
};

TEST(AnyData, SequencesOfUnequalLength) {
  Rng rng(1);
  // Is there a 3 in it?
  std::vector<Tensor> texts;
  std::vector<Index> labels;
  for (Index i = 0; i < 60; ++i) {
    std::vector<Index> text;
    for (Index j = 0; j <= i % 4; ++j) text.push_back(1 + (i * 7 + j * j) % 3);
    labels.push_back(std::find(text.begin(), text.end(), 3) != text.end());
    texts.push_back(from(text));
  }
  const Examples data(60, [&](std::span<const Index> rows) {
    std::vector<Tensor> chosen;
    std::vector<Index> wanted;
    for (const Index row : rows) {
      chosen.push_back(texts[static_cast<std::size_t>(row)]);
      wanted.push_back(labels[static_cast<std::size_t>(row)]);
    }
    return Batch{pad_sequence(chosen), from(wanted)};
  });
  Bag net(rng);
  optim::Adam adam(net, {.lr = 0.05});
  const Result result = fit(net, adam, data, rng, {.epochs = 30, .batch_size = 8, .validation = data});
  EXPECT_EQ(*result.history.back().val_accuracy, 1);
}

TEST(AnyData, LabelsOfEveryPositionAreJudged) {
  const nn::Function net("logits", [](const Tensor& x) { return x; });
  const Tensor logits = from({0, 1, 1, 0, 1, 0}, {1, 3, 2});
  const Loss none = [](const Tensor& a, const Tensor&) { return 0 * sum(a); };
  EXPECT_DOUBLE_EQ(evaluate(net, {logits, reshape(from(std::vector<Index>{1, 1, 0}), {1, 3})}, none).accuracy,
                   2.0 / 3);
  EXPECT_DOUBLE_EQ(
      evaluate(net, {logits, reshape(from(std::vector<Index>{1, -100, 0}), {1, 3})}, none).accuracy, 1);
}

TEST(AnyData, OnlyImagesAreAugmented) {
  Rng rng(1);
  nn::Linear net(2, 1, rng);
  optim::SGD sgd(net, {});
  EXPECT_EQ(error_of<ValueError>([&] {
              fit(net, sgd, {zeros({2, 2}), zeros({2, 1})}, rng, {.loss = mse, .augment = Augment({}, 1)});
            }),
            "[fit] only images can be augmented");
  EXPECT_EQ(error_of<ValueError>([&] { fit(net, sgd, Examples(), rng); }), "[examples] there are no data");
}

}  // namespace
}  // namespace elk::train
