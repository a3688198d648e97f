// The table of a network: every number by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include <elk/elk.hpp>
#include <models/mlp.hpp>

#include "support.hpp"

namespace elk {
namespace {

using testing::ElementsAre;
using testing::Field;

const SummaryRow& row(const Summary& summary, const std::string& name) {
  for (const SummaryRow& r : summary.rows)
    if (r.name == name) return r;
  throw std::runtime_error("no row " + name);
}

models::MLP mlp(double dropout = 0) {
  Rng rng(1);
  return {{.sizes = {784, 64, 10}, .activation = models::activation("relu"), .dropout = dropout}, rng};
}

TEST(Summary, OfAnMLPByHand) {
  const Summary s = summary(mlp(), {784});
  // fc1: the product 2 * 784 * 64 = 100352 and 64 for the bias; backward the gradient of the weight, the same
  // product again, and the sum of the bias's, over one example 64. The input has no gradient.
  EXPECT_EQ(row(s, "fc1").flops, 100352u + 64);
  EXPECT_EQ(row(s, "fc1").training_flops, 2 * (100352u + 64));
  EXPECT_EQ(row(s, "act1").flops, 64u);
  EXPECT_EQ(row(s, "act1").training_flops, 2 * 64u);
  // fc2: 2 * 64 * 10 = 1280, and 10; backward two products, of weight and input, and 10.
  EXPECT_EQ(row(s, "fc2").flops, 1280u + 10);
  EXPECT_EQ(row(s, "fc2").training_flops, 3 * 1280u + 2 * 10);
  EXPECT_EQ(s.flops, 101770u);
  EXPECT_EQ(s.training_flops, 204820u);
  EXPECT_EQ(s.parameters, 784 * 64 + 64 + 64 * 10 + 10);
  EXPECT_EQ(to_string(s),
            "layer  kind             output   parameters   FLOPs  training\n"
            "fc1    Linear(784, 64)  (N, 64)       50240  100416    200832\n"
            "act1   relu             (N, 64)           0      64       128\n"
            "fc2    Linear(64, 10)   (N, 10)         650    1290      3860\n"
            "total                                 50890  101770    204820\n"
            "FLOPs for one example (784) of f32; training: forward and backward, without loss and update\n");
  std::ostringstream out;
  out << s;
  EXPECT_EQ(out.str(), to_string(s));
}

// It cannot train on one example; evaluation has a gradient, too.
TEST(Summary, OfBatchNorm) {
  Rng rng(1);
  const models::MLP net(
      {.sizes = {784, 64, 10}, .activation = models::activation("relu"), .batch_norm = true, .noise = 0.3},
      rng);
  const State before = net.state();
  const Summary s = summary(net, {784});
  EXPECT_EQ(row(s, "fc1").training_flops, 2 * 100352u);
  EXPECT_EQ(row(s, "fc2").training_flops, 3 * 1280u + 2 * 10);
  EXPECT_GT(row(s, "norm1").flops, 0u);
  EXPECT_GT(row(s, "norm1").training_flops, row(s, "norm1").flops);
  EXPECT_EQ(row(s, "norm1").output, (Shape{1, 64}));
  EXPECT_EQ(s.unlisted, "");
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_EQ(test::values(net.state()[i].value), test::values(before[i].value)) << before[i].name;
}

TEST(Summary, IsWhatALoopCounts) {
  const models::MLP net = mlp();
  const Tensor x = zeros({1, 784});
  const std::uint64_t start = flops();
  Tape tape;
  const Tensor y = net(x);
  const std::uint64_t forward = flops();
  (void)tape.backward(y, ones(y.shape()));
  const Summary s = summary(net, {784});
  EXPECT_EQ(s.flops, forward - start);
  const std::uint64_t again = flops();
  const Tensor z = net(x);
  EXPECT_EQ(s.flops, flops() - again);
}

TEST(Summary, AFrozenLayerIsMarkedAndCostsLess) {
  models::MLP net = mlp();
  const_cast<nn::Module&>(net[0]).freeze();
  const Summary s = summary(net, {784});
  EXPECT_EQ(s.frozen, 50240);
  EXPECT_EQ(row(s, "fc1").frozen, 50240);
  EXPECT_EQ(row(s, "fc1").notes, "frozen");
  EXPECT_EQ(row(s, "fc1").training_flops, row(s, "fc1").flops);
  EXPECT_EQ(row(s, "act1").training_flops, row(s, "act1").flops);
  EXPECT_EQ(row(s, "fc2").training_flops, 2 * 1280u + 2 * 10);  // its input needs no gradient now
  EXPECT_EQ(to_string(s),
            "layer  kind             output   parameters   FLOPs  training\n"
            "fc1    Linear(784, 64)  (N, 64)       50240  100416    100416  frozen\n"
            "act1   relu             (N, 64)           0      64        64\n"
            "fc2    Linear(64, 10)   (N, 10)         650    1290      2580\n"
            "total                                 50890  101770    103060\n"
            "50240 of the parameters are frozen\n"
            "FLOPs for one example (784) of f32; training: forward and backward, without loss and update\n");
  net.freeze();
  EXPECT_EQ(summary(net, {784}).training_flops, s.flops);
}

TEST(Summary, DropoutActsInTrainingOnly) {
  const Summary s = summary(mlp(0.5), {784});
  EXPECT_EQ(row(s, "drop1").flops, 0u);
  EXPECT_GT(row(s, "drop1").training_flops, 64u);
  EXPECT_EQ(row(s, "drop1").output, (Shape{1, 64}));
}

// Parameters of its own, functions between layers, a layer that is used twice, one that never is, a network
// inside, and a module that fields() does not list.
class Custom : public nn::Module {
 public:
  explicit Custom(Rng& rng) : scale_(ones({3})), cell_(3, 3, rng), spare_(3, 2, rng), body_(make_body(rng)) {}
  Tensor forward(const Tensor& x) const override {
    const nn::Function hidden("double", [](const Tensor& v) { return 2 * v; });
    return body_(hidden(cell_(tanh(cell_(x * scale_)))));
  }
  void fields(Fields& f) override { f("scale", scale_)("cell", cell_)("spare", spare_)("body", body_); }
  std::string describe() const override { return "Custom"; }

 private:
  static nn::Sequential make_body(Rng& rng) {
    nn::Sequential body;
    body.add("res", nn::Residual{nn::Linear(3, 3, rng), nn::ReLU()}).add("head", nn::Linear(3, 2, rng));
    return body;
  }
  nn::Parameter scale_;
  nn::Linear cell_, spare_;
  nn::Sequential body_;
};

TEST(Summary, OfACustomModule) {
  Rng rng(1);
  const Custom net(rng);
  const Summary s = summary(net, {3});
  // The network itself: 3 products with the scale, 3 tanh, and 3 of the unlisted module. Backward: the
  // scale's gradient, 3 products and as many to sum over the batch; of tanh, dy (1 - y^2), 9; of the
  // doubling, 3.
  EXPECT_EQ(row(s, "").flops, 9u);
  EXPECT_EQ(row(s, "").training_flops, 9u + 6 + 9 + 3);
  EXPECT_EQ(row(s, "cell").calls, 2);
  EXPECT_EQ(row(s, "cell").flops, 2 * 21u);
  // Twice forward 21, and backward weight 18, bias 3 and input 18; the two gradients are added: 9 and 3.
  EXPECT_EQ(row(s, "cell").training_flops, 2 * (21u + 18 + 3 + 18) + 12);
  EXPECT_EQ(row(s, "spare").calls, 0);
  EXPECT_EQ(row(s, "spare").output, std::nullopt);
  EXPECT_EQ(row(s, "body").flops, 0u);
  EXPECT_EQ(row(s, "body.res").flops, 3u);  // its sum; backward only passes on
  // Its gradient of x is added to the one that came past it: 3 more than 21 + 18 + 3 + 18.
  EXPECT_EQ(row(s, "body.res.0").training_flops, 63u);
  EXPECT_EQ(s.parameters, net.parameter_count());
  EXPECT_EQ(to_string(s),
            "layer       kind          output  parameters  FLOPs  training\n"
            "(network)   Custom        (N, 2)           3      9        27\n"
            "cell        Linear(3, 3)  (N, 3)          12     42       132  called 2 times\n"
            "spare       Linear(3, 2)  -                8      0         0  never called\n"
            "body        Sequential    (N, 2)           0      0         0\n"
            "body.res    Residual      (N, 3)           0      3         3\n"
            "body.res.0  Linear(3, 3)  (N, 3)          12     21        63\n"
            "body.res.1  ReLU          (N, 3)           0      3         6\n"
            "body.head   Linear(3, 2)  (N, 2)           8     14        40\n"
            "total                                     43     92       271\n"
            "FLOPs for one example (3) of f32; training: forward and backward, without loss and update\n");
}

// The weight of one layer is another's; a module is listed twice.
class Tied : public nn::Module {
 public:
  explicit Tied(Rng& rng) : in_(3, 3, rng), out_(in_) {}
  Tensor forward(const Tensor& x) const override { return out_(in_(in_(x))); }
  void fields(Fields& f) override { f("in", in_)("again", in_)("out", out_); }

 private:
  class Out : public nn::Module {
   public:
    explicit Out(nn::Linear& in) : in_(&in), shift_(zeros({3})) {}
    Tensor forward(const Tensor& x) const override { return matmul(x, in_->weight()) + shift_; }
    void fields(Fields& f) override {
      f("weight", const_cast<nn::Parameter&>(in_->weight()))("shift", shift_);
    }
    std::string describe() const override { return "Out"; }

   private:
    nn::Linear* in_;
    nn::Parameter shift_;
  };
  nn::Linear in_;
  Out out_;
};

TEST(Summary, WhatIsSharedCountsOnce) {
  Rng rng(1);
  const Tied net(rng);
  const Summary s = summary(net, {3});
  EXPECT_EQ(s.parameters, 9 + 3 + 3);
  EXPECT_EQ(s.parameters, net.parameter_count());
  EXPECT_EQ(row(s, "in").notes, "called 2 times");
  EXPECT_EQ(row(s, "again").notes, "is in");
  EXPECT_EQ(row(s, "again").parameters, 0);
  EXPECT_EQ(row(s, "again").flops, 0u);
  EXPECT_EQ(row(s, "out").notes, "weight is in.weight");
  EXPECT_EQ(row(s, "out").parameters, 3);
}

// A module of two inputs inside a network.
class Bilinear : public nn::Module {
 public:
  explicit Bilinear(Rng& rng) : weight_(randn({3, 3}, rng)) {}
  using Module::operator();
  Tensor operator()(const Tensor& a, const Tensor& b) const {
    const Scope scope = enter();
    return sum(matmul(a, weight_) * b, 1, true);
  }
  void fields(Fields& f) override { f("weight", weight_); }

 private:
  nn::Parameter weight_;
};

class Pair : public nn::Module {
 public:
  explicit Pair(Rng& rng) : pair_(rng) {}
  Tensor forward(const Tensor& x) const override { return pair_(x, x); }
  void fields(Fields& f) override { f("pair", pair_); }

 private:
  Bilinear pair_;
};

TEST(Summary, AModuleOfTwoInputsShowsItsLastOperation) {
  Rng rng(1);
  const Summary s = summary(Pair(rng), {3});
  EXPECT_EQ(row(s, "pair").output, (Shape{1, 1}));
  EXPECT_EQ(row(s, "pair").flops, 18u + 3 + 3);
}

TEST(Summary, OneLayerOnlyOrNone) {
  Rng rng(1);
  EXPECT_EQ(to_string(summary(nn::Linear(3, 2, rng, {.dtype = f64}), {5, 3})),
            "layer      kind          output     parameters  FLOPs  training\n"
            "(network)  Linear(3, 2)  (N, 5, 2)           8     70       140\n"
            "total                                        8     70       140\n"
            "FLOPs for one example (5, 3) of f64; training: forward and backward, without loss and update\n");
  EXPECT_EQ(summary(nn::Sequential(), {3}).rows[0].output, (Shape{1, 3}));
  EXPECT_EQ(summary(nn::Softmax(), {3}).training_flops, summary(nn::Softmax(), {3}).flops);
  const nn::Function largest("argmax", [](const Tensor& x) { return argmax(x); });
  EXPECT_EQ(summary(nn::Sequential{nn::Linear(3, 2, rng), largest}, {3}).rows[2].output, (Shape{1}));
  EXPECT_EQ(summary(nn::Function("sum", [](const Tensor& x) { return sum(x); }), {0}).rows[0].output,
            Shape{});
}

TEST(Summary, OfTwoInputsOfABatchOrOfExamples) {
  Rng rng(1);
  const Bilinear net(rng);
  const Tensor a = randn({5, 3}, rng), b = randn({5, 3}, rng);
  const Forward forward = [&](const Batch& x) { return net(x.x, x.others[0]); };
  const std::string expected =
      "layer      kind    output  parameters  FLOPs  training\n"
      "(network)  Module  (N, 1)           9     24        45\n"
      "total                               9     24        45\n"
      "FLOPs for one example (3) of f32, (3) of f32; training: forward and backward, without loss and "
      "update\n";
  const Summary s = summary(net, Batch{a, Tensor(), {b}}, forward);  // without labels
  EXPECT_EQ(to_string(s), expected);
  ASSERT_EQ(s.inputs.size(), 2u);
  EXPECT_EQ(s.inputs[1].shape, (Shape{3}));
  EXPECT_EQ(to_string(summary(net, Examples({a, b}, zeros({5})), forward)), expected);
  // What has no row for each example stays whole.
  const Forward with_mask = [&](const Batch& x) { return net(x.x, sum(x.others[0], 0, true)); };
  EXPECT_EQ(summary(net, Batch{a, Tensor(), {ones({4, 3})}}, with_mask).inputs[1].shape, (Shape{4, 3}));

  EXPECT_EQ(
      test::error_of<Error>([&] { (void)summary(net, {3}); }),
      "[Module] this module has no forward() of one tensor: call it with all that it takes, and tell fit, "
      "evaluate, doctor and summary how by a Forward");
  EXPECT_EQ(
      test::error_of<ShapeError>([&] {
        (void)summary(net, Batch{a, Tensor(), {ones({5, 4})}}, forward);
      }),
      "[summary] an example of shapes (3) and (4) does not fit the network: [mul] shapes do not broadcast: "
      "(1, 3) and (1, 4)");
  EXPECT_EQ(test::error_of<ShapeError>([&] {
              (void)summary(net, Batch{zeros({0, 3}), Tensor()});
            }),
            "[summary] expected a batch x (N, ...) with an example in it, got (0, 3)");
  EXPECT_EQ(test::error_of<ShapeError>([&] {
              (void)summary(net, Examples(zeros({0, 3}), zeros({0})));
            }),
            "[summary] the data set \"examples\" is empty");
}

TEST(Summary, FindsOutThatIdsAreWanted) {
  Rng rng(1);
  const nn::Sequential net{nn::Embedding(9, 4, rng), nn::Linear(4, 2, rng)};
  const Summary s = summary(net, {7});
  EXPECT_EQ(to_string(s), to_string(summary(net, {7}, i64)));
  EXPECT_EQ(s.inputs[0].dtype, i64);
  EXPECT_EQ(s.rows[0].output, (Shape{1, 7, 2}));
  // Nothing is tried where a dtype is given, and where ids do not help the first refusal is told.
  EXPECT_EQ(test::error_of<DTypeError>([&] { (void)summary(net, {7}, f32); }),
            "[Embedding(9, 4)] expected ids of i64, got f32: write cast(ids, i64)");
  nn::Linear wide(3, 2, rng, {.dtype = f64});
  const nn::Function refuses("refuses", [&](const Tensor& x) { return wide(cast(x, f32)); });
  EXPECT_EQ(test::error_of<DTypeError>([&] { (void)summary(refuses, {3}); }),
            "[Linear(3, 2)] its weight is f64, x is f32: write cast(x, f64), or net.to(f32)");
}

TEST(Summary, LongNamesAreShortened) {
  Rng rng(1);
  nn::Sequential net;
  net.add("a_layer_with_a_very_long_name", nn::Linear(3072, 10, rng, {.bias = false}));
  EXPECT_EQ(to_string(summary(net, {3072})),
            "layer                 kind                    output   parameters  FLOPs  training\n"
            "..._a_very_long_name  Linear(3072, 10, no...  (N, 10)       30720  61440    122880\n"
            "total                                                       30720  61440    122880\n"
            "FLOPs for one example (3072) of f32; training: forward and backward, without loss and update\n");
}

TEST(Summary, ChangesNothing) {
  const models::MLP net = mlp(0.5);
  const State before = net.state();
  const std::vector<nn::NamedSlot> slots = net.parameters();
  (void)summary(net, {784});
  const State after = net.state();
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto a = before[i].value.data<float>(), b = after[i].value.data<float>();
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << before[i].name;
    EXPECT_EQ(slots[i].slot->value().id(), net.parameters()[i].slot->value().id());
  }
  EXPECT_EQ(Scope::current(), nullptr);
}

TEST(Summary, InTheMidstOfTrainingIsTheSame) {
  const models::MLP net = mlp(0.5);
  const std::string expected = to_string(summary(net, {784}));
  Rng rng(1);
  const Tape tape(rng);
  EXPECT_EQ(to_string(summary(net, {784})), expected);
  EXPECT_EQ(tape.size(), 0u);
}

TEST(Summary, AShapeThatDoesNotFitNamesTheLayer) {
  const auto message = [](const nn::Module& net, const Shape& shape) -> std::string {
    try {
      (void)summary(net, shape);
    } catch (const ShapeError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(
      message(mlp(), {28, 28}),
      "[summary] an example of shape (28, 28) does not fit fc1: [Linear(784, 64)] expected x (..., 784), "
      "got (1, 28, 28)");
  Rng rng(1);
  EXPECT_EQ(message(nn::Linear(3, 2, rng), {}),
            "[summary] an example of shape () does not fit the network: [Linear(3, 2)] expected x (..., 3), "
            "got (1)");
  nn::Sequential net;
  net.add("res", nn::Residual{nn::Linear(3, 3, rng), nn::Linear(4, 3, rng)});
  EXPECT_EQ(
      message(net, {3}),
      "[summary] an example of shape (3) does not fit res.1: [Linear(4, 3)] expected x (..., 4), got (1, 3)");
  EXPECT_EQ(Scope::current(), nullptr);
}

TEST(ScopeObserver, AllThatLiveAreToldAndBackwardOpensScopesAgain) {
  struct Log : ScopeObserver {
    void begin(const void* subject) override { begun.push_back(subject); }
    void end(const void* subject) override { ended.push_back(subject); }
    void output(const void* subject, const Tensor& y) override { outputs.push_back({subject, y.shape()}); }
    std::vector<const void*> begun, ended;
    std::vector<std::pair<const void*, Shape>> outputs;
  };
  Rng rng(1);
  const nn::Linear inner(3, 2, rng);
  const nn::Function twice("twice", [](const Tensor& x) { return x; });
  Log outer;
  {
    Log log;
    Tape tape;
    const Tensor y = sum(twice(inner(ones({1, 3}))));
    EXPECT_THAT(log.begun, ElementsAre(&inner, &twice));
    EXPECT_THAT(log.ended, ElementsAre(&inner, &twice));
    EXPECT_THAT(log.outputs, ElementsAre(std::pair<const void*, Shape>(&inner, {1, 2}),
                                         std::pair<const void*, Shape>(&twice, {1, 2})));
    (void)tape.backward(y);
    // From the last operation back: the sum, in no scope; the product; then its parameters.
    EXPECT_THAT(std::vector(log.begun.begin() + 2, log.begun.begin() + 4), ElementsAre(nullptr, &inner));
  }
  EXPECT_EQ(outer.begun.size(), outer.ended.size());
  EXPECT_EQ(outer.outputs.size(), 2u);
  (void)inner(ones({1, 3}));
  EXPECT_EQ(outer.outputs.size(), 3u);
}

}  // namespace
}  // namespace elk
