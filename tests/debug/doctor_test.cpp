// The doctor finds planted faults, finds none in a healthy network, and leaves no trace.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>

#include <elk/elk.hpp>
#include <models/mlp.hpp>

#include "support.hpp"

namespace elk {
namespace {

using testing::HasSubstr;

const Batch& batch() {
  static const Batch all = *Batches(digits(1, 0, 200), 200).begin();
  return all;
}

models::MLP mlp(const std::string& activation = "relu", nn::Init init = nn::Init::he,
                std::vector<Index> hidden = {64}, DType dtype = f32, double dropout = 0) {
  Rng rng(1);
  hidden.insert(hidden.begin(), 784);
  hidden.push_back(10);
  return {{.sizes = hidden,
           .activation = models::activation(activation),
           .init = init,
           .dropout = dropout,
           .dtype = dtype},
          rng};
}

void set(nn::Module& net, const std::string& name, const Tensor& value) {
  for (const nn::NamedSlot& parameter : net.parameters())
    if (parameter.name == name) {
      State state = net.state();
      for (NamedTensor& item : state)
        if (item.name == name) item.value = value;
      net.load_state(state);
      return;
    }
  FAIL() << "no parameter " << name;
}

Diagnosis examine(const nn::Module& net, const DoctorOptions& options = {}) {
  return doctor(net, batch().x, batch().labels, options);
}

// The findings of a check as lines.
std::string of(const Diagnosis& d, const std::string& check) {
  std::string text;
  for (const Finding& f : d.findings)
    if (f.check == check)
      text +=
          std::string(name(f.severity)) + ": " + f.measured + " | " + f.expected + " | " + f.advice + "\n";
  return text;
}

TEST(Doctor, AHealthyNetworkHasNothing) {
  for (const std::string& activation : models::activation_names()) {
    const Diagnosis d = examine(mlp(activation));
    EXPECT_EQ(d.severity(), Severity::good) << to_string(d);
    EXPECT_EQ(d.findings.size(), 8u);
    EXPECT_EQ(d.examples, 200);
    EXPECT_EQ(d.classes, 10);
    EXPECT_NEAR(*d.loss, std::log(10), 0.5);
    EXPECT_LE(*d.overfit_loss, std::log(10) / 10);
    EXPECT_LE(d.overfit_steps, 300);
  }
  const Diagnosis d =
      doctor(mlp("relu", nn::Init::he, {64, 32}, f64, 0.3), cast(batch().x, f64), batch().labels);
  EXPECT_EQ(d.severity(), Severity::good) << to_string(d);
  EXPECT_EQ(examine(mlp("relu", nn::Init::xavier, {})).severity(), Severity::good);
}

TEST(Doctor, Report) {
  const std::string text = to_string(examine(mlp()));
  std::istringstream lines(text);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_LE(line.size(), 100u) << line;
  EXPECT_LE(count, 30);
  EXPECT_THAT(text, HasSubstr("0 problems, 0 warnings, 8 good; 200 examples, 10 classes\n\n"));
  EXPECT_THAT(text, HasSubstr("\ngood     values       all are finite; expected no NaN and no infinity\n"));
  EXPECT_THAT(text, HasSubstr("\nact1   relu "));
  EXPECT_THAT(text, HasSubstr("\nfc2.weight "));
  std::ostringstream out;
  out << examine(mlp());
  EXPECT_EQ(out.str(), text);

  const std::string deep = to_string(examine(mlp("relu", nn::Init::he, std::vector<Index>(20, 8))));
  EXPECT_THAT(deep, HasSubstr("\n... 34 more\n"));  // of 20 * 2 + 1: the first 4 and the last 3 are shown
  EXPECT_LE(std::count(deep.begin(), deep.end(), '\n'), 45);
}

TEST(Doctor, Statistics) {
  Rng rng(1);
  nn::Sequential net;
  net.add("fc", nn::Linear(2, 2, rng)).add("act", nn::ReLU());
  set(net, "fc.weight", from({1, 0, 0, -1}, {2, 2}));
  const Tensor x = from({1, 1, 3, 1}, {2, 2});
  const Diagnosis d = doctor(net, x, from(std::vector<std::int64_t>{0, 1}), {.overfit_steps = 0});
  ASSERT_EQ(d.layers.size(), 2u);
  EXPECT_EQ(d.layers[0].name, "fc");
  EXPECT_EQ(d.layers[0].kind, "Linear(2, 2)");
  EXPECT_EQ(d.layers[0].mean, 0.5);  // of 1, -1, 3, -1
  EXPECT_DOUBLE_EQ(d.layers[0].deviation, std::sqrt(11.0 / 4));
  EXPECT_EQ(d.layers[1].name, "act");
  EXPECT_EQ(d.layers[1].kind, "relu");
  EXPECT_EQ(d.layers[1].zeros, 0.5);
  EXPECT_EQ(d.layers[1].dead, std::nullopt);  // two examples do not tell
  ASSERT_EQ(d.parameters.size(), 2u);
  EXPECT_DOUBLE_EQ(d.parameters[0].size, std::sqrt(0.5));
  EXPECT_EQ(d.parameters[0].gradient_zeros, 0.5);
  // Adam's first step is lr in each of the two elements that have a gradient.
  EXPECT_NEAR(*d.parameters[0].update, 1e-3, 1e-8);
  EXPECT_EQ(d.overfit_loss, std::nullopt);
}

TEST(Doctor, WeightsThatAreTooLarge) {
  const Diagnosis d = examine(mlp("tanh", nn::Init::normal));
  EXPECT_THAT(of(d, "loss"), HasSubstr("problem: "));
  EXPECT_THAT(of(d, "loss"),
              HasSubstr(" at the start | 2.303 = ln(10), give or take 50% | smaller initial weights"));
  EXPECT_THAT(of(d, "activations"), HasSubstr("problem: "));
  EXPECT_THAT(of(d, "activations"), HasSubstr("of the units of act1 are at an end of their range"));
  EXPECT_GT(*d.layers[1].saturated, 0.5);
  EXPECT_THAT(of(examine(mlp("sigmoid", nn::Init::normal)), "activations"), HasSubstr("act1 are at an end"));
}

TEST(Doctor, DeadUnits) {
  models::MLP net = mlp();
  std::vector<float> bias(64);
  for (std::size_t i = 0; i < 16; ++i) bias[i] = -100;
  set(net, "fc1.bias", from(bias));
  Diagnosis d = examine(net);
  EXPECT_EQ(of(d, "activations"),
            "warning: 25% of the units of act1 are 0 for every example | at most 10% | lower the learning "
            "rate, raise the biases before it, or use leaky_relu\n");
  set(net, "fc1.bias", full({64}, -100));
  d = examine(net);
  EXPECT_THAT(of(d, "activations"), HasSubstr("problem: 100% of the units of act1"));
  EXPECT_THAT(of(d, "gradients"), HasSubstr("problem: 0 in every element: fc1.weight, fc1.bias, fc2.weight"));
  EXPECT_THAT(of(d, "overfit"), HasSubstr("it has only learned how often each label occurs"));
}

// Activations by functions, an output through detach, and a spare layer.
class Custom : public nn::Module {
 public:
  enum Fault { none, detached, spare, constant };
  Custom(Fault fault, Rng& rng) : fault_(fault), fc1_(784, 32, rng), fc2_(32, 10, rng) {}
  Tensor forward(const Tensor& x) const override {
    const Tensor hidden = relu(fc1_(x));
    const Tensor logits = fc2_(fault_ == detached || fault_ == constant ? detach(hidden) : hidden);
    return fault_ == constant ? detach(logits) : logits;
  }
  void fields(Fields& f) override { f("fc1", fc1_)("fc2", fc2_); }

 private:
  Fault fault_;
  nn::Linear fc1_, fc2_;
};

TEST(Doctor, AFunctionIsNamedAfterTheLayerBeforeIt) {
  Rng rng(1);
  Custom net(Custom::none, rng);
  Diagnosis d = examine(net);
  EXPECT_EQ(d.severity(), Severity::good) << to_string(d);
  ASSERT_EQ(d.layers.size(), 3u);
  EXPECT_EQ(d.layers[1].name, "relu after fc1");
  set(net, "fc1.bias", full({32}, -100));
  EXPECT_THAT(of(examine(net), "activations"), HasSubstr("100% of the units of relu after fc1 are 0"));
}

TEST(Doctor, DetachedLayers) {
  Rng rng(1);
  Diagnosis d = examine(Custom(Custom::detached, rng));
  EXPECT_THAT(of(d, "gradients"), HasSubstr("problem: the loss does not depend on fc1.weight, fc1.bias | a "
                                            "gradient for each | use it in forward()"));
  EXPECT_FALSE(d.parameters[0].has_gradient);
  EXPECT_EQ(d.overfit_loss, std::nullopt);
  EXPECT_THAT(to_string(d), HasSubstr("\nfc1.bias         0            none\n"));
  d = examine(Custom(Custom::constant, rng));
  EXPECT_THAT(of(d, "gradients"), HasSubstr("does not depend on fc1.weight, fc1.bias and 2 more"));
}

TEST(Doctor, FrozenLayers) {
  models::MLP net = mlp();
  const_cast<nn::Module&>(net[0]).freeze();
  Diagnosis d = examine(net);
  EXPECT_THAT(of(d, "gradients"),
              HasSubstr("warning: frozen: fc1.weight, fc1.bias | every parameter trained"));
  EXPECT_EQ(d.severity(), Severity::warning) << to_string(d);
  EXPECT_TRUE(net.parameters()[0].slot->frozen());
  EXPECT_FALSE(net.parameters()[2].slot->frozen());
  net.freeze();
  EXPECT_THAT(of(examine(net), "gradients"), HasSubstr("problem: every parameter is frozen"));
  EXPECT_THAT(of(doctor(nn::Function("sums", [](const Tensor& x) { return slice(x, 1, 300, 310); }),
                        batch().x, batch().labels),
                 "gradients"),
              HasSubstr("problem: the network has no parameters"));
}

TEST(Doctor, AnOutputLayerThatStartsAtZeroIsNoProblem) {
  models::MLP net = mlp();
  set(net, "fc2.weight", zeros({10, 64}));
  const Diagnosis d = examine(net);
  EXPECT_EQ(d.severity(), Severity::warning) << to_string(d);
  EXPECT_THAT(of(d, "gradients"), HasSubstr("if the layer after it starts at 0 on purpose"));
}

TEST(Doctor, VanishingAndExplodingGradients) {
  const Diagnosis d = examine(mlp("sigmoid", nn::Init::xavier, {32, 32, 32, 32, 32, 32}));
  EXPECT_THAT(of(d, "gradients"), HasSubstr("times as large in fc7.weight as in fc1.weight"));
  EXPECT_THAT(of(d, "gradients"), HasSubstr("gradients vanish on their way back"));
  // Small before, large after: the first gradient is a multiple of the large weights, the second of the
  // small.
  models::MLP net = mlp();
  Rng rng(1);
  set(net, "fc1.weight", 1e-3 * randn({64, 784}, rng));
  set(net, "fc2.weight", 1e3 * randn({10, 64}, rng));
  EXPECT_THAT(of(examine(net), "gradients"), HasSubstr("gradients explode on their way back"));
}

TEST(Doctor, SignalsThatGrowOrFade) {
  models::MLP net = mlp("relu", nn::Init::he, {32, 32, 32});
  set(net, "fc2.weight", full({32, 32}, 100));
  EXPECT_THAT(of(examine(net), "activations"), HasSubstr("the signal grows"));
  set(net, "fc2.weight", full({32, 32}, 1e-4));
  EXPECT_THAT(of(examine(net), "activations"), HasSubstr("the signal fades"));
}

TEST(Doctor, Labels) {
  const Tensor& x = batch().x;
  const auto check = [&](const Tensor& labels) { return doctor(mlp(), x, labels); };
  EXPECT_EQ(
      of(check(full({200}, 3, i64)), "labels"),
      "problem: all 200 are 3 | several classes in a batch | shuffle the examples, or look at how labels "
      "are read\n");
  const auto given = batch().labels.data<std::int64_t>();
  std::vector<std::int64_t> labels(given.begin(), given.end());
  for (std::int64_t& label : labels) label += 1;
  Diagnosis d = check(from(labels));
  EXPECT_EQ(
      of(d, "labels"),
      "problem: from 1 to 10 | 0 to 9: the network has 10 outputs | count classes from 0: subtract 1\n");
  EXPECT_EQ(d.loss, std::nullopt);
  for (std::int64_t& label : labels) label = label % 10 == 7 ? 6 : label % 10;
  EXPECT_THAT(of(check(from(labels)), "labels"),
              HasSubstr("warning: class 7 does not occur in 200 examples"));

  std::vector<std::int64_t> shuffled;
  Rng rng(5);
  for (const std::int64_t i : rng.permutation(200)) shuffled.push_back(given[static_cast<std::size_t>(i)]);
  d = check(from(shuffled));
  EXPECT_THAT(of(d, "labels"), HasSubstr("warning: the nearest other example has the same label in "));
  EXPECT_THAT(of(d, "labels"), HasSubstr("% of cases, as by chance (9.55%)"));
}

TEST(Doctor, Input) {
  const Tensor &x = batch().x, &labels = batch().labels;
  Diagnosis d = doctor(mlp(), 255 * x, labels);
  EXPECT_THAT(of(d, "input"), HasSubstr("problem: from 0 to 255, mean "));
  EXPECT_THAT(of(d, "input"), HasSubstr("| divide pixels by 255\n"));
  EXPECT_THAT(of(d, "loss"), HasSubstr("problem"));
  EXPECT_THAT(of(doctor(mlp(), 1e-3 * x, labels), "input"), HasSubstr("warning: "));
  EXPECT_THAT(of(doctor(mlp(), 20 * x - 3, labels), "input"), HasSubstr("subtract the mean"));
  d = doctor(mlp(), zeros(x.shape()), labels);
  EXPECT_THAT(of(d, "input"), HasSubstr("problem: every value is 0 | examples that differ"));
  EXPECT_THAT(of(d, "overfit"), HasSubstr("it has only learned how often each label occurs"));
}

TEST(Doctor, ValuesThatAreNotFinite) {
  models::MLP net = mlp();
  set(net, "fc2.bias", full({10}, NAN));
  const Diagnosis d = examine(net);
  EXPECT_THAT(of(d, "values"), HasSubstr("problem: the first that is not finite: parameter fc2.bias |"));
  EXPECT_EQ(d.loss, std::nullopt);
  EXPECT_TRUE(d.layers.empty());
  EXPECT_THAT(to_string(d), HasSubstr("\nproblem  values"));
  std::vector<float> x(batch().x.data<float>().begin(), batch().x.data<float>().end());
  x[5] = NAN;
  EXPECT_THAT(of(doctor(mlp(), from(x, {200, 784}), batch().labels), "values"), HasSubstr(": the input |"));
  // A root at 0: finite itself, its derivative is not.
  nn::Sequential root;
  Rng rng(1);
  root.add("fc1", nn::Linear(784, 10, rng, {.init = nn::Init::he}))
      .add("root", nn::Function("root", [](const Tensor& v) { return sqrt(0 * v); }));
  EXPECT_THAT(of(examine(root), "gradients"), HasSubstr("problem: not finite: fc1.weight, fc1.bias"));
}

TEST(Doctor, LearningRates) {
  const auto adam = [](double lr) { return of(examine(mlp(), {.lr = lr, .overfit_steps = 0}), "update"); };
  EXPECT_THAT(adam(1e-3),
              HasSubstr("good: the first step changes fc1.weight by 0.02 of its size, at lr 0.001"));
  EXPECT_THAT(adam(1e-2), HasSubstr("warning"));
  EXPECT_THAT(adam(1),
              HasSubstr("problem: the first step changes fc1.weight by 20 of its size, at lr 1 | about "
                        "1e-3; 1e-05 to 0.1 | lower the learning rate, for a start to 0.0005"));
  EXPECT_THAT(adam(1e-7), HasSubstr("warning"));
  EXPECT_THAT(adam(1e-9), HasSubstr("problem"));
  EXPECT_THAT(adam(1e-9), HasSubstr("raise the learning rate, for a start to 5e-05"));
  const auto sgd = [](double lr) {
    const auto make = [lr](const nn::Module& net) {
      return std::make_unique<optim::SGD>(net, optim::SGD::Options{.lr = lr});
    };
    return of(examine(mlp(), {.optimizer = make, .overfit_steps = 0}), "update");
  };
  EXPECT_THAT(sgd(0.1), HasSubstr("good"));
  EXPECT_THAT(sgd(1e3), HasSubstr("problem"));
  EXPECT_THAT(sgd(0), HasSubstr("raise the learning rate: nothing moves"));
}

TEST(Doctor, OverfittingThatFails) {
  const Diagnosis few = examine(mlp(), {.overfit_steps = 5});
  EXPECT_THAT(of(few, "overfit"), HasSubstr("warning: 32 examples from a loss of "));
  EXPECT_THAT(of(few, "overfit"), HasSubstr("in 5 steps of Adam | at most 0.23 | it still falls: "));
  EXPECT_EQ(few.overfit_steps, 5);
  // Logits in (0, 1) leave a loss of at least ln(1 + 9 / e) = 1.46.
  models::MLP net = mlp();
  net.add("end", nn::Sigmoid());
  EXPECT_THAT(of(examine(net, {.overfit_steps = 1000}), "overfit"), HasSubstr("problem: "));
}

TEST(Doctor, AnotherLoss) {
  const DoctorOptions options{
      .loss = [](const Tensor& y, const Tensor& labels) { return mse(y, one_hot(labels, 10)); }};
  const Diagnosis d = examine(mlp(), options);
  EXPECT_EQ(of(d, "loss"), "");
  EXPECT_EQ(d.severity(), Severity::good) << to_string(d);
  DoctorOptions expected = options;
  expected.expected_loss = 0.01;
  EXPECT_THAT(of(examine(mlp(), expected), "loss"), HasSubstr("at the start | 0.01, give or take 50%"));
}

TEST(Doctor, OneClassOneExample) {
  Rng rng(1);
  const nn::Linear one(784, 1, rng);
  EXPECT_THAT(of(doctor(one, batch().x, zeros({200}, i64)), "labels"),
              HasSubstr("problem: the network has one output"));
  const Diagnosis d = doctor(mlp(), slice(batch().x, 0, 0, 1), slice(batch().labels, 0, 0, 1));
  EXPECT_EQ(d.severity(), Severity::good) << to_string(d);
}

// A buffer that forward() changes, as running statistics are; throws when asked to.
class Counting : public nn::Module {
 public:
  explicit Counting(Rng& rng) : calls_(zeros({})), fc_(784, 10, rng) {}
  Tensor forward(const Tensor& x) const override {
    calls_ = calls_ + 1;
    if (limit > 0 && calls_.item() > limit) throw ValueError("[counting] enough");
    return fc_(x);
  }
  void fields(Fields& f) override { f("calls", calls_)("fc", fc_); }
  double limit = 0;

 private:
  mutable Tensor calls_;
  nn::Linear fc_;
};

// Every bit of parameters and buffers, and what tapes know them by.
std::string bits(const nn::Module& net) {
  std::string all;
  for (const NamedTensor& item : net.state()) {
    all += item.name;
    for (Index i = 0; i < item.value.size(); ++i) {
      const double value = item.value.at(i);
      all.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
  }
  for (const nn::NamedSlot& parameter : net.parameters())
    all += std::to_string(parameter.slot->value().id()) + (parameter.slot->frozen() ? "frozen" : "");
  return all;
}

TEST(Doctor, ChangesNothing) {
  models::MLP net = mlp("relu", nn::Init::he, {16}, f32, 0.5);
  const_cast<nn::Module&>(net[0]).freeze();
  std::string before = bits(net);
  (void)examine(net);
  EXPECT_EQ(bits(net), before);

  Rng rng(1);
  Counting counting(rng);
  before = bits(counting);
  const Tensor held = counting.parameters()[0].slot->value();
  const Diagnosis d = examine(counting);
  EXPECT_EQ(bits(counting), before);
  EXPECT_EQ(held.id(), counting.parameters()[0].slot->value().id());
  for (const double limit : {1.0, 3.0, 10.0}) {
    counting.limit = limit;
    EXPECT_THROW((void)examine(counting), ValueError);
    EXPECT_EQ(bits(counting), before) << limit;
  }
  counting.limit = 0;
  EXPECT_EQ(to_string(examine(counting)), to_string(d));
}

TEST(Doctor, InTheMidstOfTrainingFindsTheSame) {
  const models::MLP net = mlp("relu", nn::Init::he, {16}, f32, 0.5);
  const std::string expected = to_string(examine(net));
  Rng rng(1);
  const Tape tape(rng);
  EXPECT_EQ(to_string(examine(net)), expected);
  EXPECT_EQ(tape.size(), 0u);
}

TEST(Doctor, TrainingGoesOnAsIfItHadNotBeen) {
  const auto train = [](bool see_the_doctor) {
    models::MLP net = mlp("relu", nn::Init::he, {16}, f32, 0.5);
    optim::Adam adam(net, {});
    Rng rng(3);
    for (int step = 0; step < 4; ++step) {
      if (see_the_doctor && step == 2) (void)examine(net, {.overfit_steps = 5});
      Tape tape(rng);
      adam.step(tape.backward(cross_entropy(net(batch().x), batch().labels)));
    }
    return net.state();
  };
  const State with = train(true), without = train(false);
  for (std::size_t i = 0; i < with.size(); ++i)
    EXPECT_EQ(std::memcmp(with[i].value.data<float>().data(), without[i].value.data<float>().data(),
                          with[i].value.data<float>().size_bytes()),
              0);
}

TEST(Doctor, Errors) {
  const auto message = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const Tensor &x = batch().x, &labels = batch().labels;
  EXPECT_EQ(message([&] {
              (void)doctor(mlp(), zeros({0, 784}), zeros({0}, i64));
            }),
            "[doctor] expected a batch x (N, ...) with something in it, got (0, 784)");
  EXPECT_EQ(message([&] { (void)doctor(mlp(), x, zeros({200})); }),
            "[doctor] expected labels of i64, got f32: write cast(labels, i64)");
  EXPECT_EQ(message([&] { (void)doctor(mlp(), x, zeros({20}, i64)); }),
            "[doctor] expected labels (200, ...), one for each of x (200, 784), got (20)");
  EXPECT_EQ(message([&] {
              (void)doctor(mlp(), x, zeros({200, 3}, i64));
            }),
            "[doctor] expected a label for each row of the logits (200, 10), got labels (200, 3)");
  const nn::Function wrong("wrong", [](const Tensor& v) { return expand(v, 0); });
  EXPECT_EQ(message([&] { (void)doctor(wrong, x, labels); }),
            "[doctor] expected logits (200, ..., classes) for x (200, 784), the network gave (1, 200, 784)");
  EXPECT_EQ(message([&] {
              (void)doctor(mlp(), zeros({200, 10}), labels);
            }),
            "[Linear(784, 64)] expected x (..., 784), got (200, 10)");
  EXPECT_EQ(message([&] { (void)examine(mlp(), {.optimizer = [](const nn::Module&) { return nullptr; }}); }),
            "[doctor] options.optimizer returned nothing");
}

TEST(DoctorOfAnyData, JudgesARegression) {
  Rng rng(1);
  const Tensor x = randn({64, 3}, rng), y = sum(x, 1, true);
  const nn::Linear net(3, 1, rng);
  const Diagnosis d = doctor(net, x, y, {.loss = mse, .lr = 1e-2, .overfit_steps = 2000});
  EXPECT_EQ(d.severity(), Severity::good) << to_string(d);
  EXPECT_EQ(d.classes, 0);
  EXPECT_TRUE(to_string(d).starts_with("0 problems, 0 warnings, 5 good; 64 examples\n")) << to_string(d);
  EXPECT_EQ(test::error_of<ShapeError>([&] {
              (void)doctor(net, x, zeros({3, 1}), {.loss = mse});
            }),
            "[doctor] expected labels (64, ...), one for each of x (64, 3), got (3, 1)");
}

// Ids, and whether one of them is 0.
Batch words() {
  Rng rng(1);
  const Tensor ids = randint(0, 12, {64, 5}, rng);
  return {ids, cast(max(equal(ids, 0), 1), i64)};
}

TEST(DoctorOfAnyData, TakesIds) {
  Rng rng(1);
  const Batch batch = words();
  const Tensor &ids = batch.x, &labels = batch.labels;
  const nn::Sequential net{nn::Embedding(12, 16, rng),
                           nn::Function("mean", [](const Tensor& x) { return mean(x, 1); }),
                           nn::Linear(16, 2, rng)};
  const Diagnosis d = doctor(net, ids, labels, {.lr = 1e-2, .overfit_steps = 3000});
  EXPECT_EQ(d.severity(), Severity::good) << to_string(d);
  EXPECT_EQ(of(d, "input"), "");  // ids have no scale
  EXPECT_EQ(d.classes, 2);
  EXPECT_EQ(test::error_of<IndexError>([&] { (void)doctor(net, ids + 3, labels); }).substr(0, 11),
            "[Embedding(");
}

TEST(DoctorOfAnyData, TakesSeveralLabelsAnExample) {
  Rng rng(1);
  const Tensor x = randn({64, 20}, rng), labels = cast(greater(slice(x, 1, 0, 3), 0), f32);
  const nn::Linear net(20, 3, rng);
  const DoctorOptions options{.loss = binary_cross_entropy_with_logits,
                              .expected_loss = std::log(2),
                              .lr = 1e-2,
                              .overfit_steps = 6000};
  const Diagnosis d = doctor(net, x, labels, options);
  EXPECT_EQ(d.severity(), Severity::good) << to_string(d);
  EXPECT_EQ(d.classes, 0);
  EXPECT_THAT(of(d, "loss"), HasSubstr("| 0.6931, give or take 50%"));
  // Of one label, given as a number, a loss of one's own is no matter of classes either.
  const auto loss = [](const Tensor& y, const Tensor& l) {
    return binary_cross_entropy_with_logits(y, expand(cast(l, f32), 1));
  };
  const Diagnosis one = doctor(nn::Linear(20, 1, rng), x, cast(greater(sum(x, 1), 0), i64),
                               {.loss = loss, .lr = 1e-2, .overfit_steps = 6000});
  EXPECT_EQ(one.severity(), Severity::good) << to_string(one);
}

TEST(DoctorOfAnyData, TakesSoftTargets) {
  const Tensor soft = 0.9 * one_hot(batch().labels, 10) + 0.01;
  const Diagnosis d = doctor(mlp(), batch().x, soft, {.overfit_steps = 0});
  EXPECT_EQ(d.severity(), Severity::good) << to_string(d);
  EXPECT_EQ(d.classes, 10);
  EXPECT_THAT(of(d, "loss"), HasSubstr("2.303 = ln(10)"));
}

// Each character's successor in the alphabet, from its vector alone.
TEST(DoctorOfAnyData, TakesSequencesAsCrossEntropyDoes) {
  Rng rng(1);
  const Tensor ids = randint(0, 9, {48, 6}, rng), next = ids + 1;
  const nn::Sequential net{nn::Embedding(10, 16, rng), nn::Linear(16, 32, rng), nn::ReLU(),
                           nn::Linear(32, 10, rng)};
  const Diagnosis d = doctor(net, ids, next, {.lr = 1e-3});
  EXPECT_EQ(d.severity(), Severity::good) << to_string(d);
  EXPECT_EQ(d.classes, 10);
  EXPECT_EQ(of(d, "labels"), "good: 9 of 10 classes occur | several classes | \n");  // 0 follows none
  EXPECT_THAT(of(doctor(net, ids, next + 1, {.overfit_steps = 0}), "labels"),
              HasSubstr("problem: from 2 to 10 | 0 to 9: the network has 10 outputs"));
  EXPECT_THAT(of(doctor(net, ids, zeros({48, 6}, i64)), "labels"), HasSubstr("problem: all 288 are 0"));
  EXPECT_EQ(test::error_of<ShapeError>([&] {
              (void)doctor(net, ids, zeros({48, 5}, i64));
            }),
            "[doctor] expected a label for each row of the logits (48, 6, 10), got labels (48, 5)");
  // Filling that the loss passes over.
  const Tensor filled = where(less(next, 4), -1, next);
  EXPECT_THAT(of(doctor(net, ids, filled, {.overfit_steps = 0}), "labels"),
              HasSubstr("problem: from -1 to 9"));
  const auto ignoring = [](const Tensor& y, const Tensor& l) {
    return cross_entropy(y, l, {.ignore_index = -1});
  };
  EXPECT_EQ(of(doctor(net, ids, filled, {.loss = ignoring, .overfit_steps = 0}), "labels"),
            "good: 6 of 10 classes occur | several classes | \n");
}

// A unit of a sequence is one of its features: filling at the ends is no dead unit.
TEST(DoctorOfAnyData, TheEndsOfSequencesAreNotDead) {
  Rng rng(1);
  const Tensor x = concat({randn({40, 2, 4}, rng), zeros({40, 6, 4})}, 1);
  const nn::Sequential net{nn::Linear(4, 8, rng, {.bias = false}), nn::ReLU(), nn::Flatten(),
                           nn::Linear(64, 2, rng)};
  const Diagnosis d =
      doctor(net, x, cast(greater(sum(slice(x, 1, 0, 1), {1, 2}), 0), i64), {.overfit_steps = 0});
  EXPECT_LT(d.layers[1].dead.value(), 0.2) << to_string(d);
}

// Whether a + b is above 0.
class TwoInputs : public nn::Module {
 public:
  explicit TwoInputs(Rng& rng) : a_(3, 16, rng), b_(2, 16, rng), out_(16, 2, rng) {}
  using Module::operator();
  Tensor operator()(const Tensor& a, const Tensor& b) const {
    const Scope scope = enter();
    return out_(relu(a_(a) + b_(b)));
  }
  void fields(Fields& f) override { f("a", a_)("b", b_)("out", out_); }

 private:
  nn::Linear a_, b_, out_;
};

Tensor call_both(const TwoInputs& net, const Batch& b) { return net(b.x, b.others[0]); }

TEST(DoctorOfAnyData, TakesSeveralInputs) {
  Rng rng(1);
  const TwoInputs net(rng);
  const Tensor a = randn({400, 3}, rng), b = randn({400, 2}, rng);
  const Tensor labels = cast(greater(sum(a, 1) + sum(b, 1), 0), i64);
  DoctorOptions options{.overfit_steps = 2000, .forward = [&](const Batch& x) { return call_both(net, x); }};

  const Diagnosis whole = doctor(net, Batch{a, labels, {b}}, options);
  EXPECT_EQ(whole.severity(), Severity::good) << to_string(whole);
  EXPECT_EQ(whole.examples, 400);
  EXPECT_EQ(whole.overfit_examples, 32);
  EXPECT_THAT(of(whole, "input"), HasSubstr("good: x from "));
  EXPECT_THAT(of(whole, "input"), HasSubstr("good: others[0] from "));

  // As fit takes them: a draw from all of them.
  const Diagnosis drawn = doctor(net, {{a, b}, labels}, options);
  EXPECT_EQ(drawn.severity(), Severity::good) << to_string(drawn);
  EXPECT_EQ(drawn.examples, 256);
  options.examples = 20;
  EXPECT_EQ(doctor(net, Examples({a, b}, labels), options).overfit_examples, 20);

  options.overfit_steps = 0;
  EXPECT_THAT(of(doctor(net, Batch{a, labels, {255 * b}}, options), "input"),
              HasSubstr("warning: others[0] from"));
  EXPECT_THAT(of(doctor(net, Batch{a, labels, {zeros({400, 2})}}, options), "input"),
              Not(HasSubstr("others")));
  EXPECT_THAT(of(doctor(net, Batch{zeros({400, 3}), labels, {b}}, options), "input"),
              HasSubstr("problem: every value of x is 0"));
  EXPECT_EQ(test::error_of<Error>([&] {
              (void)doctor(net, Batch{a, labels, {b}});
            }),
            "[Module] this module has no forward() of one tensor: call it with all that it takes, and tell "
            "fit, evaluate, doctor and summary how by a Forward");
}

TEST(DoctorOfAnyData, TakesWhatFitTakes) {
  const Dataset set = digits(1, 0, 400);
  const DoctorOptions options{.overfit_steps = 10};
  const Diagnosis d = doctor(mlp(), set, options);
  EXPECT_EQ(d.examples, 256);
  EXPECT_EQ(of(d, "input").substr(0, 21), "good: from 0 to 1, me");
  EXPECT_EQ(to_string(doctor(mlp(), Examples(set), options)), to_string(d));
  EXPECT_EQ(doctor(mlp("relu", nn::Init::he, {8}, f64), set, options).examples,
            256);  // in the network's dtype
  const Diagnosis pair = doctor(mlp(), {batch().x, batch().labels}, options);
  EXPECT_EQ(pair.examples, 200);
  // A batch is taken as it is.
  EXPECT_EQ(to_string(doctor(mlp(), batch(), options)), to_string(examine(mlp(), options)));
  // Whatever a function makes of rows; the few are made of their rows, too.
  const Examples made(100, [&](std::span<const Index> rows) { return gather(set, rows); });
  EXPECT_EQ(doctor(mlp(), made, options).examples, 100);

  EXPECT_EQ(test::error_of<ShapeError>([&] { (void)doctor(mlp(), set.take(0, 0)); }),
            "[doctor] the data set \"digits\" is empty");
  EXPECT_EQ(test::error_of<ValueError>([&] { (void)doctor(mlp(), Examples()); }),
            "[examples] there are no data");
  EXPECT_EQ(test::error_of<ValueError>([&] { (void)doctor(mlp(), set, {.examples = 0}); }),
            "[doctor] expected a number of examples above 0, got 0");
}

}  // namespace
}  // namespace elk
