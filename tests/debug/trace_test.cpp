// Traces: what stands in trace.json is what the tape had, and the page holds nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <regex>
#include <thread>

#include <nlohmann/json.hpp>

#include <elk/debug/trace/graph.hpp>
#include <elk/elk.hpp>
#include <elk/io/atomic_file.hpp>
#include <models/mlp.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk {
namespace {

using nlohmann::json;
using test::error_of;
using test::values;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

std::string written(const Trace& trace, const std::string& ending, const nn::Module* net = nullptr) {
  const TemporaryFolder folder;
  const std::string path = folder / ("trace" + ending);
  net != nullptr ? trace.write(path, *net) : trace.write(path);
  return read_file(path);
}

json to_json(const Trace& trace, const nn::Module* net = nullptr) {
  const std::string text = written(trace, ".json", net);
  if (net != nullptr) {
    EXPECT_EQ(trace.json(*net) + "\n", text);
  }
  return json::parse(text);
}

// Entries of a step as "kind name operation(inputs)"; modules are in front.
std::vector<std::string> told(const json& trace, std::size_t step = 0) {
  std::vector<std::string> list;
  const json& s = trace["steps"][step];
  for (const json& entry : s["entries"]) {
    std::string text;
    if (const int g = entry["group"]; g >= 0) {
      const json& group =
          trace["graphs"][s["graph"].get<std::size_t>()]["groups"][static_cast<std::size_t>(g)];
      const std::string name = group["name"], kind = group["kind"];
      text = (name.empty() ? kind : name) + (group["call"] == 1 ? "" : "'") + ": ";
    }
    if (entry["kind"] != "operation") text += entry["kind"].get<std::string>() + " ";
    if (entry["name"] != "") text += entry["name"].get<std::string>() + " ";
    if (entry.contains("inputs")) {
      text += entry["operation"].get<std::string>() + "(";
      for (const json& input : entry["inputs"]) text += (text.back() == '(' ? "" : " ") + input.dump();
      text += ")";
    }
    if (text.back() == ' ') text.pop_back();
    list.push_back(text);
  }
  return list;
}

// The numbers of a tensor are exactly those of `x`.
void expect_tensor(const json& tensor, const Tensor& x) {
  EXPECT_EQ(tensor["dtype"], name(x.dtype()));
  ASSERT_EQ(tensor["values"].size(), static_cast<std::size_t>(x.size()));
  EXPECT_EQ(Shape(std::span<const Index>(tensor["shape"].get<std::vector<Index>>())), x.shape());
  double squares = 0;
  for (Index i = 0; i < x.size(); ++i) {
    const double value = tensor["values"][static_cast<std::size_t>(i)];
    EXPECT_EQ(x.dtype() == f32 ? static_cast<double>(static_cast<float>(value)) : value, x.at(i));
    squares += x.at(i) * x.at(i);
  }
  EXPECT_NEAR(tensor["norm"].get<double>(), std::sqrt(squares), 1e-12 * squares);
}

double norm(const Tensor& x) { return std::sqrt(sum(square(cast(x, f64))).item()); }

Tensor xor_inputs(DType dtype = f32) { return from({0, 0, 0, 1, 1, 0, 1, 1}, {4, 2}, dtype); }

struct TraceOfMLP : testing::Test {
  Rng rng{1};
  nn::Sequential net = nn::Sequential()
                           .add("fc1", nn::Linear(2, 3, rng))
                           .add("act", nn::Tanh())
                           .add("fc2", nn::Linear(3, 1, rng));
  Tensor x = xor_inputs(), y = from({0, 1, 1, 0}, {4, 1});
  Tensor weight() const { return net.parameters()[0].slot->value(); }
};

TEST_F(TraceOfMLP, HasTheValuesAndGradientsOfTheTape) {
  Trace trace;
  trace.name(x, "x");
  Tape tape;
  tape.watch(x);
  trace.follow(tape);
  const Tensor z = net(x), h = tanh(z);
  tape.watch(z);
  tape.watch(h);
  const Tensor loss = sum(h * y);
  const Gradients gradients = tape.backward(loss);
  const json trace_json = to_json(trace, &net);
  EXPECT_EQ(trace_json["format"], "elkgrad-trace/1");
  EXPECT_EQ(trace_json["network"], net.describe());
  EXPECT_THAT(
      told(trace_json),
      ElementsAre("watched x", "fc1: parameter fc1.weight", "fc1: parameter fc1.bias", "fc1: linear(0 1 2)",
                  "act: tanh(3)", "fc2: parameter fc2.weight", "fc2: parameter fc2.bias",
                  "fc2: linear(4 5 6)", "tanh(7)", "constant", "mul(8 9)", "sum(10)"));
  const json& step = trace_json["steps"][0];
  EXPECT_EQ(step["label"], "step 1");
  EXPECT_EQ(static_cast<float>(step["loss"].get<double>()), loss.item());
  EXPECT_THAT(step["backward"].get<std::vector<int>>(), ElementsAre(11, 10, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  const json& entries = step["entries"];
  const std::vector<std::pair<std::size_t, Tensor>> known{{0, x}, {1, weight()}, {7, z},
                                                          {8, h}, {9, y},        {11, loss}};
  for (const auto& [i, value] : known) expect_tensor(entries[i]["value"], value);
  for (const auto& [i, value] : known)
    if (gradients.has(value)) expect_tensor(entries[i]["gradient"], gradients[value]);
  EXPECT_FALSE(entries[9].contains("gradient"));  // a constant
  EXPECT_EQ(entries[11]["gradient"]["values"], json({1.0}));
  for (const nn::NamedSlot& p : net.parameters())
    for (const json& entry : entries)
      if (entry["name"] == p.name) expect_tensor(entry["gradient"], gradients[p.slot->value()]);
}

TEST_F(TraceOfMLP, SaysHowMuchGradientFlowsToEachInput) {
  Tape tape;
  tape.watch(x);
  Trace trace(tape);
  const Gradients gradients = tape.backward(mse(net(x), y));
  const json entries = to_json(trace, &net)["steps"][0]["entries"];
  const json flow = entries[3]["flow"];  // of fc1
  const std::vector<Tensor> inputs{x, weight(), net.parameters()[1].slot->value()};
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_NEAR(flow[i]["norm"].get<double>(), norm(gradients[inputs[i]]), 1e-7);
}

TEST(Trace, ContributionsAddUpToTheGradient) {
  const Tensor x = from({3, -2}, f64), c = from({5, 7}, f64);
  Tape tape;
  tape.watch(x);
  Trace trace(tape);
  const Tensor a = x * x, b = x * c;
  (void)tape.backward(sum(a + b));
  const json entries = to_json(trace)["steps"][0]["entries"];
  EXPECT_THAT(told(to_json(trace)),
              ElementsAre("watched", "mul(0 0)", "constant", "mul(0 2)", "add(1 3)", "sum(4)"));
  const auto dx = [&](std::size_t entry, std::size_t input) {
    return entries[entry]["flow"][input]["dx"]["values"].get<std::vector<double>>();
  };
  EXPECT_THAT(dx(1, 0), ElementsAre(3, -2));
  EXPECT_THAT(dx(1, 1), ElementsAre(3, -2));
  EXPECT_THAT(dx(3, 0), ElementsAre(5, 7));
  EXPECT_TRUE(entries[3]["flow"][1].is_null());                    // a constant
  EXPECT_EQ(entries[0]["gradient"]["values"], json({11.0, 3.0}));  // 3 + 3 + 5, -2 - 2 + 7
  EXPECT_NEAR(entries[1]["flow"][0]["norm"].get<double>(), std::sqrt(13), 1e-15);
  EXPECT_FALSE(entries[4]["flow"][0].contains("dx"));  // it is all that its input gets
}

TEST(Trace, ARuleThatReturnsNothingStandsForZero) {
  const Tensor x = from({1, 2});
  Tape tape;
  tape.watch(x);
  Trace trace(tape);
  (void)tape.backward(sum(x + record("stop", detach(x), wrt(x, [](const Tensor&) { return Tensor(); }))));
  const json entry = to_json(trace)["steps"][0]["entries"][1];
  EXPECT_EQ(entry["operation"], "stop");
  EXPECT_EQ(entry["flow"][0], json({{"norm", 0.0}}));
}

TEST(Trace, ChangesNoBit) {
  const auto weights = [](bool traced, bool adam, Index batch) {
    Rng rng(3);
    models::MLP net({.sizes = {784, 32, 10}, .activation = models::activation("relu"), .dropout = 0.2}, rng);
    optim::SGD sgd(net, {.lr = 0.1});
    optim::Adam other(net, {});
    Trace trace;
    for (const auto& [x, labels] : Batches(digits(1, 0, 4 * batch), batch, rng)) {
      Tape tape(rng);
      if (traced) trace.follow(tape);
      const Tensor of = labels;
      const Gradients gradients = tape.backward(cross_entropy(net(x), labels));
      if (traced) trace.check(net, x, [&](const Tensor& in) { return cross_entropy(net(in), of); });
      adam ? other.step(gradients) : sgd.step(gradients);
    }
    return format_safetensors(net.state());
  };
  for (const bool adam : {false, true})
    for (const Index batch : {25, 150})
      EXPECT_TRUE(weights(true, adam, batch) == weights(false, adam, batch)) << adam << " " << batch;
}

TEST_F(TraceOfMLP, KeepsEveryStepAsItWas) {
  optim::SGD sgd(net, {.lr = 0.1});
  Trace trace;
  std::vector<std::vector<double>> weights, losses;
  for (int i = 0; i < 3; ++i) {
    Tape tape;
    i == 1 ? trace.follow(tape, "the second") : trace.follow(tape);
    weights.push_back(values(weight()));
    const Tensor loss = mse(net(x), y);
    losses.push_back(values(loss));
    sgd.step(tape.backward(loss));
  }
  const json all = to_json(trace, &net);
  ASSERT_EQ(all["steps"].size(), 3u);
  EXPECT_EQ(all["graphs"].size(), 1u);
  for (std::size_t i = 0; i < 3; ++i) {
    const json& step = all["steps"][i];
    EXPECT_EQ(step["label"], i == 1 ? "the second" : "step " + std::to_string(i + 1));
    EXPECT_EQ(step["graph"], 0);
    EXPECT_FLOAT_EQ(step["loss"], static_cast<float>(losses[i][0]));
    for (std::size_t k = 0; k < weights[i].size(); ++k)
      EXPECT_FLOAT_EQ(step["entries"][1]["value"]["values"][k], static_cast<float>(weights[i][k]));
  }
  EXPECT_NE(weights[0], weights[1]);
}

TEST(Trace, StepsOfDifferentGraphs) {
  const Tensor x = from({2}), unused = from({1});
  Trace trace;
  for (int i = 0; i < 3; ++i) {
    Tape tape;
    tape.watch(x);
    trace.follow(tape);
    Tensor y = x;
    for (int k = 0; k <= i % 2; ++k) y = square(y);
    if (i < 2) (void)tape.backward(y);
  }
  Tape empty;
  trace.follow(empty);  // nothing is recorded there
  const json all = to_json(trace);
  ASSERT_EQ(all["steps"].size(), 3u);
  EXPECT_EQ(all["graphs"].size(), 2u);
  EXPECT_EQ(all["steps"][1]["graph"], 1);
  EXPECT_EQ(all["steps"][2]["graph"], 0);
  EXPECT_THAT(all["steps"][2]["backward"], IsEmpty());  // it did not run
  EXPECT_FALSE(all["steps"][2].contains("loss"));
}

// ---- finite differences ----

TEST_F(TraceOfMLP, ChecksGradientsByDifferences) {
  Tape tape;
  Trace trace(tape);
  const Gradients gradients = tape.backward(mse(net(x), y));
  const std::string before = format_safetensors(net.state());
  const std::uint64_t id = weight().id();
  int calls = 0;
  trace.check(net, x, [&](const Tensor& in) {
    ++calls;
    EXPECT_EQ(in.dtype(), f64);
    EXPECT_FALSE(Tape::recording());
    return mse(net(in), cast(y, in.dtype()));
  });
  EXPECT_EQ(format_safetensors(net.state()), before);
  EXPECT_EQ(weight().id(), id);
  const json step = to_json(trace, &net)["steps"][0];
  EXPECT_EQ(step["check"]["dtype"], "f64");
  EXPECT_EQ(step["check"]["same_loss"], true);
  EXPECT_NEAR(step["check"]["loss"].get<double>(), step["loss"].get<double>(), 1e-6);
  int checked = 0;
  for (const nn::NamedSlot& p : net.parameters())
    for (const json& entry : step["entries"])
      if (entry["name"] == p.name) {
        ASSERT_TRUE(entry.contains("check")) << p.name;
        double largest = 0, seen = 0;
        for (Index i = 0; i < p.slot->value().size(); ++i)
          largest = std::max(largest, std::abs(gradients[p.slot->value()].at(i)));
        for (const json& c : entry["check"]) {
          ++checked;
          EXPECT_TRUE(c["ok"]) << p.name << c;
          EXPECT_FALSE(c["corner"]);
          EXPECT_EQ(c["tape"].get<double>(), gradients[p.slot->value()].at(c["element"]));
          EXPECT_NEAR(c["difference"].get<double>(), c["tape"].get<double>(), 1e-5);
          EXPECT_LT(c["error"].get<double>(), 1e-4);
          seen = std::max(seen, std::abs(c["tape"].get<double>()));
        }
        EXPECT_EQ(seen, largest) << p.name;
      }
  EXPECT_EQ(calls, 1 + 2 * checked);
}

TEST_F(TraceOfMLP, ChecksTheStepAsItWasEvenAfterTheUpdate) {
  optim::SGD sgd(net, {.lr = 1});
  Tape tape;
  Trace trace(tape);
  sgd.step(tape.backward(mse(net(x), y)));
  trace.check(net, x, [&](const Tensor& in) { return mse(net(in), cast(y, in.dtype())); });
  const json step = to_json(trace, &net)["steps"][0];
  EXPECT_EQ(step["check"]["same_loss"], true);
  for (const json& c : step["entries"][1]["check"]) EXPECT_TRUE(c["ok"]) << c;
}

// x^2 with the rule of 3 x^2.
Tensor wrong_square(const Tensor& x) {
  return record("wrong_square", square(detach(x)), wrt(x, [x](const Tensor& dy) { return 3 * x * dy; }));
}

struct Scale : nn::Module {
  nn::Parameter w;
  std::function<Tensor(const Tensor&)> f;
  Scale(Tensor value, std::function<Tensor(const Tensor&)> function) : w(value), f(std::move(function)) {}
  Tensor forward(const Tensor& x) const override { return f(w * x); }
  void fields(Fields& fields) override { fields("w", w); }
  std::string describe() const override { return "Scale"; }
};

json checked(Scale& net, const Tensor& x, const std::function<Tensor(const Tensor&)>& loss) {
  Trace trace;
  {
    Rng rng(1);
    Tape tape(rng);
    trace.follow(tape);
    (void)tape.backward(loss(x));
  }
  trace.check(net, x, loss);
  return to_json(trace, &net)["steps"][0];
}

json checks_of(const json& step) {
  for (const json& entry : step["entries"])
    if (entry["name"] == "w") return entry["check"];
  return nullptr;
}

TEST(TraceCheck, FindsAWrongRule) {
  Scale net(from({0.5, -2}), wrong_square);
  const json rows = checks_of(checked(net, from({1, 1}), [&](const Tensor& x) { return sum(net(x)); }));
  ASSERT_EQ(rows.size(), 2u);
  for (const json& c : rows) {
    EXPECT_FALSE(c["ok"]) << c;
    EXPECT_FALSE(c["corner"]);
    EXPECT_NEAR(c["tape"].get<double>() / c["difference"].get<double>(), 1.5, 1e-6);
  }
}

TEST(TraceCheck, KnowsACorner) {
  Scale net(from({0, 2, -2}), relu);
  const json rows = checks_of(checked(net, from({1, 1, 1}), [&](const Tensor& x) { return sum(net(x)); }));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_TRUE(rows[0]["corner"]);
  EXPECT_FALSE(rows[0]["ok"]);  // 0 by the tape, 1/2 by the difference
  EXPECT_NEAR(rows[0]["difference"].get<double>(), 0.5, 1e-6);
  for (const std::size_t i : {1u, 2u}) EXPECT_TRUE(rows[i]["ok"] && !rows[i]["corner"]) << rows[i];
}

TEST(TraceCheck, InTheNetworksOwnDtypeWhereTheLossDoesNotTakeF64) {
  const Tensor target = from({1, 2});  // f32
  Scale net(from({0.5, -1.5}), [](const Tensor& x) { return tanh(x); });
  const json step = checked(net, from({1, 2}), [&](const Tensor& x) { return mse(net(x), target); });
  EXPECT_EQ(step["check"]["dtype"], "f32");
  for (const json& c : checks_of(step)) EXPECT_TRUE(c["ok"]) << c;
  EXPECT_EQ(net.w.value().dtype(), f32);
}

TEST(TraceCheck, TightInF64) {
  Scale net(from({0.5, -1.5}, f64), [](const Tensor& x) { return tanh(x); });
  for (const json& c :
       checks_of(checked(net, from({1, 2}, f64), [&](const Tensor& x) { return sum(net(x)); }))) {
    EXPECT_TRUE(c["ok"]);
    EXPECT_LT(c["error"].get<double>(), 1e-8);
  }
}

TEST(TraceCheck, SaysWhenTheLossIsAnother) {
  Scale net(from({0.5, -1.5, 2, 1}), [](const Tensor& x) { return dropout(x, 0.5); });
  const json step = checked(net, from({1, 2, 3, 4}), [&](const Tensor& x) { return sum(square(net(x))); });
  EXPECT_EQ(step["check"]["same_loss"], false);
}

TEST(TraceCheck, OfDropoutWithTheSameDraws) {
  Scale net(from({0.5, -1.5, 2, 1}), [](const Tensor& x) { return dropout(x, 0.5); });
  const Rng rng(1);  // as checked() has it
  const json step = checked(net, from({1, 2, 3, 4}), [&](const Tensor& x) {
    Rng copy = rng;
    Tape tape(copy);
    return sum(square(net(x)));
  });
  EXPECT_EQ(step["check"]["same_loss"], true);
  for (const json& c : checks_of(step)) EXPECT_TRUE(c["ok"]) << c;
}

TEST(TraceCheck, NaNIsNotOk) {
  Scale net(from({-1}), [](const Tensor& x) { return log(x); });
  const json rows = checks_of(checked(net, from({1}), [&](const Tensor& x) { return sum(net(x)); }));
  EXPECT_EQ(rows[0]["difference"], "NaN");
  EXPECT_EQ(rows[0]["ok"], false);
}

TEST(TraceCheck, AnInfiniteGradientDoesNotHideWrongOnes) {
  // The slope of sqrt is infinite at 0; the other element's rule is wrong.
  Scale net(from({0, 4}), [](const Tensor& x) {
    return record("root", sqrt(detach(x)), wrt(x, [x](const Tensor& dy) { return dy / sqrt(x); }));
  });
  const json rows = checks_of(checked(net, from({1, 1}), [&](const Tensor& x) { return sum(net(x)); }));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["tape"], "Infinity");
  for (const json& c : rows) EXPECT_FALSE(c["ok"]) << c;
  EXPECT_NEAR(rows[1]["difference"].get<double>(), 0.25, 1e-6);
}

TEST(TraceCheck, NeedsGradients) {
  Scale net(from({1}), [](const Tensor& x) { return square(x); });
  const Tensor x = from({2});
  const auto loss = [&](const Tensor& in) { return net(in); };
  Trace trace;
  const std::string message = "[trace] check needs the gradients of a step: call it after backward";
  EXPECT_EQ(error_of<TapeError>([&] { trace.check(net, x, loss); }), message);
  Tape tape;
  trace.follow(tape);
  const Tensor y = net(x) * from({1, 2});
  EXPECT_EQ(error_of<TapeError>([&] { trace.check(net, x, loss); }), message);
  (void)tape.backward(y, ones({2}));
  EXPECT_EQ(error_of<TapeError>([&] { trace.check(net, x, loss); }),
            "[trace] check needs a loss of one element, backward began at (2)");
  Tape other;
  trace.follow(other);
  (void)other.backward(net(x));
  Scale stranger(from({1}), relu);
  EXPECT_EQ(error_of<TapeError>([&] { trace.check(stranger, x, loss); }),
            "[trace] check: the last step has no gradient of a parameter of this network");
  EXPECT_THROW(trace.check(net, x, [](const Tensor&) -> Tensor { throw ValueError("no"); }), ValueError);
  EXPECT_EQ(net.w.value().dtype(), f32);  // as it was
}

// ---- modules ----

// Layers that fields() does not list, that are called twice, and that hold others.
class Odd : public nn::Module {
 public:
  explicit Odd(Rng& rng) : a_(2, 2, rng), unlisted_(2, 2, rng), inner_{nn::Linear(2, 2, rng), nn::ReLU()} {}
  Tensor forward(const Tensor& x) const override {
    const Tensor h = a_(x), shift = from({1, 1});
    return inner_(a_(2 * unlisted_(h + shift)));
  }
  void fields(Fields& f) override { f("a", a_)("inner", inner_); }
  std::string describe() const override { return "Odd"; }

 private:
  nn::Linear a_, unlisted_;
  nn::Sequential inner_;
};

TEST(Trace, GroupsCallsOfModules) {
  Rng rng(1);
  const Odd net(rng);
  Tape tape;
  Trace trace(tape);
  const Tensor y = net(ones({3, 2}));
  (void)nn::Linear(2, 2, rng)(y);
  const json all = to_json(trace, &net);
  EXPECT_THAT(
      told(all),
      ElementsAre("constant", "a: parameter a.weight", "a: parameter a.bias", "a: linear(0 1 2)",
                  "Odd: constant", "Odd: add(3 4)", "Linear(2, 2): parameter", "Linear(2, 2): parameter",
                  "Linear(2, 2): linear(5 6 7)", "Odd: constant", "Odd: mul(9 8)", "a': linear(10 1 2)",
                  "inner.0: parameter inner.0.weight", "inner.0: parameter inner.0.bias",
                  "inner.0: linear(11 12 13)", "inner.1: relu(14)", "Linear(2, 2): parameter",
                  "Linear(2, 2): parameter", "Linear(2, 2): linear(15 16 17)"));
  std::vector<std::string> groups;
  for (const json& g : all["graphs"][0]["groups"])
    groups.push_back(g["name"].get<std::string>() + "/" + g["kind"].get<std::string>() + "/" +
                     g["parent"].dump());
  EXPECT_THAT(groups, ElementsAre("/Odd/-1", "a/Linear(2, 2)/0", "/Linear(2, 2)/0", "a/Linear(2, 2)/0",
                                  "inner/Sequential/0", "inner.0/Linear(2, 2)/4", "inner.1/ReLU/4",
                                  "/Linear(2, 2)/-1"));
  EXPECT_EQ(all["graphs"][0]["nodes"][12]["title"], "weight");
}

// Called again and again, with nothing in between.
struct Loop : nn::Module {
  nn::Parameter w{scalar(2)};
  nn::Function twice{"twice", [](const Tensor& x) { return -(-x); }};
  Tensor forward(const Tensor& x) const override {
    Tensor h = x;
    for (int i = 0; i < 3; ++i) h = twice(h);
    return w * h;
  }
  void fields(Fields& f) override { f("w", w)("twice", twice); }
};

TEST(Trace, EachCallIsAGroup) {
  const Loop net;
  const Tensor x = scalar(1);
  Tape tape;
  tape.watch(x);
  Trace trace(tape);
  (void)net(net(x));
  std::vector<int> calls, parents;
  const json groups = to_json(trace, &net)["graphs"][0]["groups"];
  for (const json& g : groups) {
    calls.push_back(g["call"]);
    parents.push_back(g["parent"]);
  }
  EXPECT_THAT(calls, ElementsAre(1, 1, 2, 3, 2, 4, 5, 6));
  EXPECT_THAT(parents, ElementsAre(-1, 0, 0, 0, -1, 4, 4, 4));
}

TEST_F(TraceOfMLP, WithoutTheNetwork) {
  Tape tape;
  Trace trace(tape);
  (void)tape.backward(sum(net(x)));
  const json all = to_json(trace);
  EXPECT_TRUE(all["network"].is_null());
  EXPECT_THAT(told(all), testing::Contains("Tanh: tanh(3)"));
  EXPECT_THAT(told(all), testing::Contains("Linear(2, 3): parameter"));
}

TEST(Trace, NamesBuffersAndFrozenParameters) {
  Rng rng(1);
  nn::Linear net(2, 2, rng);
  net.freeze();
  const Tensor x = from({1, 2}, {1, 2});
  Tape tape;
  tape.watch(x);
  Trace trace(tape);
  (void)net(x);
  EXPECT_THAT(told(to_json(trace, &net)),
              ElementsAre("watched", "constant weight", "constant bias", "Linear(2, 2): linear(0 1 2)"));
}

// ---- tapes ----

TEST(Trace, FollowsTheTapeThatItWasGivenAndNoOther) {
  const Tensor x = scalar(3, f64);
  Tape outer;
  outer.watch(x);
  Trace around(outer);
  std::optional<Trace> within;
  {
    Tape inner;
    inner.watch(x);
    within.emplace(inner);
    const Gradients first = inner.backward(x * x * x);
    EXPECT_EQ(outer.backward(first[x])[x].item(), 18);
  }
  EXPECT_THAT(told(to_json(*within)), ElementsAre("watched", "mul(0 0)", "mul(1 0)"));
  const json all = to_json(around);
  EXPECT_GT(all["steps"][0]["entries"].size(), 5u);
  EXPECT_EQ(all["steps"][0]["entries"][0]["gradient"]["values"][0], 18.0);
  EXPECT_EQ(to_json(*within)["steps"][0]["entries"][0]["gradient"]["values"][0], 27.0);
}

struct Inside : nn::Module {
  std::function<void()> f;
  Tensor forward(const Tensor& x) const override {
    f();
    return 2 * x;
  }
};

TEST(Trace, BeginsInsideAModule) {
  const Tensor x = from({2});
  Tape tape;
  tape.watch(x);
  std::optional<Trace> trace;
  Inside module;
  module.f = [&] { trace.emplace(tape); };
  const Tensor y = module(x);
  module.f = [] {};
  (void)module(y);
  EXPECT_THAT(told(to_json(*trace)),
              ElementsAre("constant", "watched", "mul(0 1)", "Module: constant", "Module: mul(3 2)"));
}

TEST(Trace, BeginsInTheMiddleAndEndsBeforeTheTape) {
  const Tensor x = from({2}), c = from({1});
  Tape tape;
  tape.watch(x);
  const Tensor before = square(x);
  {
    Trace trace(tape);
    (void)(before * x + c);
    EXPECT_THAT(told(to_json(trace)), ElementsAre("earlier", "watched", "mul(0 1)", "constant", "add(2 3)"));
    EXPECT_EQ(to_json(trace)["steps"][0]["entries"][0]["operation"], "square");
  }
  EXPECT_EQ(tape.backward(exp(before))[x].size(), 1);
}

TEST(Trace, OtherObserversStay) {
  const Tensor x = from({2});
  int seen = 0;
  Tape tape;
  tape.watch(x);
  tape.observe([&](const Tape::Event&) { ++seen; });
  Trace a(tape), b(tape);
  (void)tape.backward(square(x));
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(to_json(a), to_json(b));
}

TEST(Trace, ThreadsHaveTracesOfTheirOwn) {
  std::vector<json> traces(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < traces.size(); ++t)
    threads.emplace_back([&, t] {
      const Tensor x = scalar(static_cast<double>(t));
      Tape tape;
      tape.watch(x);
      Trace trace(tape);
      (void)tape.backward(square(x) * x);
      traces[t] = to_json(trace);
    });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t t = 0; t < traces.size(); ++t) {
    EXPECT_THAT(told(traces[t]), ElementsAre("watched", "square(0)", "mul(1 0)"));
    EXPECT_EQ(traces[t]["steps"][0]["loss"], t * t * t);
  }
}

TEST(Trace, ALongTapeKeepsItsBeginning) {
  Tensor x = scalar(1);
  Tape tape;
  tape.watch(x);
  Trace trace(tape);
  for (std::size_t i = 0; i < Trace::entry_limit + 10; ++i) x = -x;
  (void)tape.backward(x);
  const json step = to_json(trace)["steps"][0];
  EXPECT_EQ(step["entries"].size(), Trace::entry_limit);
  EXPECT_EQ(step["left_out"], 11);
  EXPECT_EQ(std::abs(step["entries"][1]["gradient"]["values"][0].get<double>()), 1);
}

// ---- numbers ----

TEST(Trace, NumbersThatAreNotFinite) {
  const Tensor x = from({0, -1, 4});
  Tape tape;
  tape.watch(x);
  Trace trace(tape);
  (void)tape.backward(sum(log(x)));
  const json entries = to_json(trace)["steps"][0]["entries"];
  const json& value = entries[1]["value"];
  EXPECT_EQ(value["values"][0], "-Infinity");
  EXPECT_EQ(value["values"][1], "NaN");
  EXPECT_EQ(value["nan"], 1);
  EXPECT_EQ(value["infinite"], 1);
  EXPECT_EQ(value["min"], value["max"]);
  EXPECT_NEAR(value["norm"].get<double>(), std::log(4), 1e-6);
  EXPECT_EQ(entries[0]["gradient"]["values"][0], "Infinity");
  EXPECT_EQ(to_json(trace)["steps"][0]["loss"], "NaN");
}

TEST(Trace, NumbersWhoseSquaresAreTooLargeOrTooSmall) {
  const Tensor x = from({3e200, 4e200}, f64), y = from({3e-200, 4e-200}, f64);
  Tape tape;
  tape.watch(x);
  tape.watch(y);
  Trace trace(tape);
  (void)(x + y);
  const json entries = to_json(trace)["steps"][0]["entries"];
  EXPECT_DOUBLE_EQ(entries[0]["value"]["norm"].get<double>(), 5e200);
  EXPECT_DOUBLE_EQ(entries[1]["value"]["norm"].get<double>(), 5e-200);
  EXPECT_EQ(entries[0]["value"]["deviation"], "Infinity");
}

TEST(Trace, InputsOfEveryDtypeAndNoElements) {
  const Tensor x = from({1, 2}), labels = from(std::vector<std::int64_t>{1, std::int64_t{1} << 60}),
               mask = from(std::vector<std::uint8_t>{0, 255}), nothing = zeros({0, 3});
  Tape tape;
  tape.watch(x);
  tape.watch(nothing);
  Trace trace(tape);
  const auto none = [](const Tensor& dy) { return dy; };
  const Tensor y = record("odd", detach(x), wrt(x, none), wrt(labels, none), wrt(mask, none));
  (void)tape.backward(sum(y) + sum(2 * nothing));
  const json entries = to_json(trace)["steps"][0]["entries"];
  EXPECT_EQ(entries[1]["value"]["values"], json({1, std::int64_t{1} << 60}));
  EXPECT_EQ(entries[2]["value"]["values"], json({0.0, 255.0}));
  EXPECT_EQ(entries[2]["value"]["dtype"], "u8");
  const auto empty = std::find_if(entries.begin(), entries.end(), [](const json& e) {
    return e["value"]["shape"] == json({0, 3});
  });
  ASSERT_NE(empty, entries.end());
  EXPECT_THAT((*empty)["value"]["values"], IsEmpty());
  EXPECT_FALSE((*empty)["value"].contains("min"));
  EXPECT_EQ((*empty)["value"]["norm"], 0);
  (void)written(trace, ".html");
}

TEST(Trace, LargeTensorsAreSampled) {
  const auto sampled = [](const Tensor& x, std::size_t steps = 1) {
    Trace trace;
    for (std::size_t i = 0; i < steps; ++i) {
      Tape tape;
      tape.watch(x);
      trace.follow(tape);
      (void)sum(x);
    }
    return to_json(trace)["steps"][0]["entries"][0]["value"];
  };
  const Tensor images = cast(reshape(arange(50 * 784), {50, 784}), f64);
  const json some = sampled(images);
  EXPECT_EQ(some["rows"], json({0, 5, 10, 15, 20, 25, 30, 35, 40, 45}));
  EXPECT_EQ(some["columns"].size(), 784u);
  EXPECT_EQ(some["values"].size(), 7840u);
  EXPECT_EQ(some["values"][784 + 7], 5 * 784 + 7);
  EXPECT_EQ(some["max"], 50 * 784 - 1);  // of all
  EXPECT_FALSE(sampled(zeros({8192})).contains("rows"));
  const json wide = sampled(cast(arange(20000), f64));
  EXPECT_EQ(wide["rows"], json::array({0}));
  EXPECT_EQ(wide["columns"].size(), 1024u);
  EXPECT_EQ(wide["values"][1], wide["columns"][1]);
  EXPECT_EQ(sampled(images, 40)["values"].size(), 784u);  // less in each where there are many steps
  EXPECT_EQ(sampled(zeros({300, 2}), 200)["values"].size(), 256u);
  EXPECT_EQ(sampled(zeros({2, 2}), 200)["values"].size(), 4u);
}

// ---- files ----

TEST(Trace, AnMLPOnABatchOf50IsBelow5MB) {
  Rng rng(1);
  models::MLP net({.sizes = {784, 128, 64, 10}, .activation = models::activation("relu")}, rng);
  const Batch batch = *Batches(digits(1, 0, 50), 50).begin();
  Tape tape(rng);
  Trace trace(tape);
  (void)tape.backward(cross_entropy(net(batch.x), batch.labels));
  trace.check(net, batch.x, [&](const Tensor& x) { return cross_entropy(net(x), batch.labels); });
  const std::string page = written(trace, ".html", &net);
  EXPECT_LT(page.size(), 5'000'000u);
  EXPECT_GT(page.size(), 100'000u);
}

TEST(Trace, ThePageIsOneFileThatAsksForNothing) {
  const std::string odd = "</script><script>alert(1)</script><!-- \" ' & \xff /* data */ /* script */";
  const Tensor x = from({1, 2});
  Tape tape;
  tape.watch(x);
  Trace trace(tape);
  trace.name(x, odd);
  trace.explain("square", {.formula = odd, .words = odd, .rules = {odd}, .rule_words = odd});
  const nn::Function net(odd, [](const Tensor& in) { return square(in); });
  (void)tape.backward(sum(net(x)));
  const std::string page = written(trace, ".html", &net);
  const std::regex data(R"(<script type="application/json" id="trace">\s*([^<]*)</script>)");
  std::smatch found;
  ASSERT_TRUE(std::regex_search(page, found, data));
  const json all = json::parse(found[1].str());
  EXPECT_EQ(all, to_json(trace, &net));
  EXPECT_THAT(all["steps"][0]["entries"][0]["name"], StartsWith("</script><script>alert(1)</script><!--"));
  EXPECT_EQ(all["operations"]["square"]["rules"][0], all["operations"]["square"]["formula"]);
  // Without the data: no address but that of SVG's namespace, nothing that loads.
  const std::string rest = found.prefix().str() + found.suffix().str();
  EXPECT_THAT(rest, HasSubstr("default-src 'none'"));
  for (const char* mark :
       {"/* style */", "/* data */", "/* script */", "src=", "@import", "fetch(", "import("})
    EXPECT_THAT(rest, Not(HasSubstr(mark)));
  EXPECT_THAT(std::regex_replace(rest, std::regex("http://www.w3.org/2000/svg"), ""), Not(HasSubstr("://")));
  std::size_t scripts = 0;
  for (std::size_t at = page.find("</script"); at != std::string::npos; at = page.find("</script", at + 1))
    ++scripts;
  EXPECT_EQ(scripts, 2u);
}

TEST_F(TraceOfMLP, DotIsWellFormed) {
  Tape tape;
  Trace trace(tape);
  trace.name(x, "quote \" back\\slash \n& <b>");
  (void)tape.backward(mse(net(x), y));
  const std::string dot = written(trace, ".dot", &net);
  EXPECT_THAT(dot, StartsWith("digraph trace {\n"));
  EXPECT_THAT(dot, HasSubstr("label=\"quote \\\" back\\\\slash \\n&amp; <b>\\n(4, 2)\""));
  EXPECT_THAT(dot, HasSubstr("  subgraph cluster_1 {\n  label=\"fc1: Linear(2, 3)\";\n"));
  EXPECT_THAT(dot, HasSubstr("n1 -> n3;"));
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < dot.size(); ++i) {
    if (dot[i] == '\\' && quoted)
      ++i;
    else if (dot[i] == '"')
      quoted = !quoted;
    else if (!quoted)
      depth += (dot[i] == '{') - (dot[i] == '}');
    EXPECT_GE(depth, 0);
  }
  EXPECT_EQ(depth, 0);
  EXPECT_FALSE(quoted);
}

TEST(Trace, Errors) {
  const TemporaryFolder folder;
  Trace trace;
  EXPECT_EQ(error_of<ValueError>([&] { trace.write("trace.txt"); }),
            "[trace] \"trace.txt\": expected a name that ends with .html, .json or .dot");
  const std::string nothing =
      "[trace] nothing was recorded: a Trace follows its tape from before the forward pass, and what is "
      "computed there must depend on a parameter or a watched tensor";
  EXPECT_EQ(error_of<TapeError>([&] { trace.write(folder / "trace.html"); }), nothing);
  const Tensor x = from({1});
  Tape tape;
  trace.follow(tape);
  (void)square(x);  // a constant
  EXPECT_EQ(error_of<TapeError>([&] { trace.write(folder / "trace.html"); }), nothing);
  EXPECT_FALSE(std::filesystem::exists(folder / "trace.html"));
  tape.watch(x);
  (void)square(x);
  const std::string path = folder / "nowhere/trace.html";
  EXPECT_THAT(error_of<FileError>([&] { trace.write(path); }), HasSubstr(path + ": cannot create"));
  trace.write(folder / "trace.html");
}

// Every key of `value`, those inside of others as well.
void collect_keys(const json& value, std::set<std::string>& keys) {
  for (const auto& [key, inner] : value.items()) {
    if (value.is_object()) keys.insert(key);
    if (inner.is_structured()) collect_keys(inner, keys);
  }
}

TEST(Trace, EveryKeyIsDocumented) {
  Scale net(from({-1, 0, 4}), [](const Tensor& x) { return log(x); });
  Tape tape;
  Trace trace(tape);
  const Tensor x = ones({3}), y = net(x);
  (void)tape.backward(sum(y * y + sum(full({9000}, 1) * sum(net.w))));
  trace.check(net, x, [&](const Tensor& in) { return sum(net(in)); });
  json all = to_json(trace, &net);
  all.erase("operations");  // whose keys are operations
  std::set<std::string> keys{"operations", "formula", "words", "rules", "rule_words", "left_out"};
  collect_keys(all, keys);
  EXPECT_GT(keys.size(), 40u);
  const std::string page = read_file(std::string(ELK_TESTS_DIR) + "/../docs/trace.md");
  for (const std::string& key : keys) EXPECT_THAT(page, HasSubstr("`" + key + "`"));
}

// ---- what is said of operations ----

TEST(Trace, ExplainsEveryOperationOfTheLibrary) {
  const std::regex recorded("record\\(\\s*\"([a-z_0-9]+)\"");
  std::set<std::string> names;
  for (const auto& file :
       std::filesystem::directory_iterator(std::string(ELK_TESTS_DIR) + "/../framework/elk/ops")) {
    const std::string source = read_file(file.path());
    for (std::sregex_iterator at(source.begin(), source.end(), recorded), end; at != end; ++at)
      names.insert((*at)[1]);
  }
  EXPECT_GT(names.size(), 40u);
  for (const std::string& name : names) {
    const Explanation* text = tracing::explanation(name);
    ASSERT_NE(text, nullptr) << name;
    EXPECT_THAT(text->formula, StartsWith("y = "));
    EXPECT_FALSE(text->words.empty() || text->rule_words.empty()) << name;
    ASSERT_FALSE(text->rules.empty()) << name;
    for (const std::string& rule : text->rules)
      EXPECT_THAT(rule, testing::ContainsRegex("^d[A-Za-z] = ")) << name;
  }
  EXPECT_EQ(tracing::explanation("isru"), nullptr);
}

TEST(Trace, ExplainsWhatItWasTold) {
  const Tensor x = from({1});
  Tape tape;
  tape.watch(x);
  Trace trace(tape);
  const auto own = [&](const char* name) {
    (void)record(name, detach(x), wrt(x, [](const Tensor& dy) { return dy; }));
  };
  own("mine");
  own("silent");
  (void)square(x);
  trace.explain("mine",
                {.formula = "y = x", .words = "Nothing.", .rules = {"dx = dy"}, .rule_words = "Nothing."});
  const json operations = to_json(trace)["operations"];
  EXPECT_EQ(operations["mine"]["rules"], json({"dx = dy"}));
  EXPECT_FALSE(operations.contains("silent"));
  EXPECT_EQ(operations["square"]["formula"], "y = x²");
}

// ---- layouts ----

using tracing::Box;

// Groups as they are in networks: calls that follow each other, within each other; leaves where they are
// taken.
tracing::Graph random_graph(Rng& rng, int count) {
  tracing::Graph graph;
  int group = -1;
  const auto node = [&](const std::string& title, int in, bool leaf) {
    graph.nodes.push_back({title, "", 60 + rng.uniform() * 80, leaf ? 26.0 : 40.0, in, leaf});
    return static_cast<int>(graph.nodes.size()) - 1;
  };
  std::vector<int> operations{node("x", -1, true)};
  for (int i = 0; i < count; ++i) {
    while (group >= 0 && rng.uniform() < 0.3) group = graph.groups[static_cast<std::size_t>(group)].parent;
    if (rng.uniform() < 0.4) {
      graph.groups.push_back({"g", "G", 1, group, 100 * rng.uniform()});
      group = static_cast<int>(graph.groups.size()) - 1;
    }
    const int leaf = rng.uniform() < 0.5 ? node("w", group, true) : -1;
    const int at = node("operation", group, false);
    std::set<int> inputs{
        operations.back(),
        operations[static_cast<std::size_t>(rng.uniform() * static_cast<double>(operations.size()))]};
    if (leaf >= 0) inputs.insert(leaf);
    for (const int from : inputs) graph.edges.push_back({from, at});
    operations.push_back(at);
  }
  return graph;
}

bool apart(const Box& a, const Box& b) {
  const double slack = 0.01;
  return a.x + a.width <= b.x + slack || b.x + b.width <= a.x + slack || a.y + a.height <= b.y + slack ||
         b.y + b.height <= a.y + slack;
}
bool within(const Box& in, const Box& around) {
  return in.x >= around.x && in.y >= around.y && in.x + in.width <= around.x + around.width + 0.01 &&
         in.y + in.height <= around.y + around.height + 0.01;
}

void expect_sound(const tracing::Graph& graph, const tracing::Layout& layout) {
  const Box all{0, 0, layout.width, layout.height};
  ASSERT_EQ(layout.nodes.size(), graph.nodes.size());
  ASSERT_EQ(layout.groups.size(), graph.groups.size());
  ASSERT_EQ(layout.edges.size(), graph.edges.size());
  const auto inside = [&](int in, int group) {
    while (in > group) in = graph.groups[static_cast<std::size_t>(in)].parent;
    return in == group;
  };
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    EXPECT_EQ(layout.nodes[i].width, graph.nodes[i].width);
    EXPECT_TRUE(within(layout.nodes[i], all));
    for (std::size_t k = 0; k < i; ++k) EXPECT_TRUE(apart(layout.nodes[i], layout.nodes[k])) << i << " " << k;
    for (std::size_t g = 0; g < graph.groups.size(); ++g) {
      if (inside(graph.nodes[i].group, static_cast<int>(g)))
        EXPECT_TRUE(within(layout.nodes[i], layout.groups[g])) << i << " in " << g;
      else
        EXPECT_TRUE(apart(layout.nodes[i], layout.groups[g])) << i << " outside " << g;
    }
  }
  for (std::size_t g = 0; g < graph.groups.size(); ++g)
    for (std::size_t k = 0; k < g; ++k) {
      if (inside(static_cast<int>(g), static_cast<int>(k)))
        EXPECT_TRUE(within(layout.groups[g], layout.groups[k]));
      else
        EXPECT_TRUE(apart(layout.groups[g], layout.groups[k])) << g << " " << k;
    }
  for (std::size_t e = 0; e < graph.edges.size(); ++e) {
    const Box &from = layout.nodes[static_cast<std::size_t>(graph.edges[e].from)],
              &to = layout.nodes[static_cast<std::size_t>(graph.edges[e].to)];
    EXPECT_LE(from.y + from.height, to.y + 0.01);  // downwards
    const auto& curve = layout.edges[e];
    ASSERT_GE(curve.size(), 4u);
    EXPECT_EQ(curve.size() % 3, 1u);
    const auto touches = [](const tracing::Point& p, const Box& box) {
      return p.x >= box.x - 2 && p.x <= box.x + box.width + 2 && p.y >= box.y - 2 &&
             p.y <= box.y + box.height + 2;
    };
    EXPECT_TRUE(touches(curve.front(), from)) << e;
    EXPECT_TRUE(touches(curve.back(), to)) << e;
  }
}

TEST(TraceLayout, NothingOverlapsAndAllGoesDown) {
  for (std::uint32_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed);
    const tracing::Graph graph = random_graph(rng, 1 + static_cast<int>(seed));
    const tracing::Layout layout = layered_layout(graph);
    EXPECT_STREQ(layout.engine, "layered");
    expect_sound(graph, layout);
  }
}

TEST(TraceLayout, EdgesDoNotCrossOtherNodes) {
  // A skip over two modules, a leaf beside it, and one that leaves a module early.
  tracing::Graph graph;
  graph.groups = {{"a", "", 1, -1}, {"b", "", 1, -1}};
  graph.nodes = {{"x", "", 60, 40, -1, true}, {"w", "", 60, 40, 0, true}, {"f", "", 60, 40, 0, false},
                 {"g", "", 60, 40, 0, false}, {"v", "", 60, 40, 1, true}, {"h", "", 60, 40, 1, false},
                 {"k", "", 60, 40, -1, false}};
  graph.edges = {{0, 2}, {1, 2}, {2, 3}, {3, 5}, {4, 5}, {5, 6}, {0, 6}, {2, 6}, {0, 5}};
  const tracing::Layout layout = layered_layout(graph);
  expect_sound(graph, layout);
  for (std::size_t e = 0; e < graph.edges.size(); ++e)
    for (std::size_t k = 0; k + 3 < layout.edges[e].size(); k += 3)
      for (double t = 0; t <= 1; t += 0.05) {
        const auto* p = &layout.edges[e][k];
        const double a = (1 - t) * (1 - t) * (1 - t), b = 3 * t * (1 - t) * (1 - t), c = 3 * t * t * (1 - t),
                     d = t * t * t;
        const double px = a * p[0].x + b * p[1].x + c * p[2].x + d * p[3].x,
                     py = a * p[0].y + b * p[1].y + c * p[2].y + d * p[3].y;
        for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
          if (static_cast<int>(i) == graph.edges[e].from || static_cast<int>(i) == graph.edges[e].to)
            continue;
          const Box& n = layout.nodes[i];
          EXPECT_FALSE(px > n.x && px < n.x + n.width && py > n.y && py < n.y + n.height)
              << "edge " << e << " crosses node " << i;
        }
      }
}

TEST(TraceLayout, AWideGraphAndALongOne) {
  tracing::Graph wide, chain;
  for (int i = 0; i < 1000; ++i) {
    wide.nodes.push_back({"leaf", "", 60, 26, -1, true});
    wide.edges.push_back({i, 1000});
    chain.nodes.push_back({"operation", "", 60, 40, -1, i == 0});
    if (i > 0) chain.edges.push_back({i - 1, i});
    if (i > 100) chain.edges.push_back({0, i});
  }
  wide.nodes.push_back({"concat", "", 60, 40, -1, false});
  EXPECT_GT(layered_layout(wide).width, 60000);
  EXPECT_GT(layered_layout(chain).height, 60000);
}

TEST(TraceLayout, OfGraphviz) {
  Rng first(0);
  if (!graphviz_layout(random_graph(first, 3))) GTEST_SKIP() << "Graphviz is not built in";
  for (std::uint32_t seed = 0; seed < 10; ++seed) {
    Rng rng(seed);
    const tracing::Graph graph = random_graph(rng, 2 + 3 * static_cast<int>(seed));
    const auto layout = graphviz_layout(graph);
    ASSERT_TRUE(layout);
    EXPECT_STREQ(layout->engine, "graphviz");
    expect_sound(graph, *layout);
  }
}

}  // namespace
}  // namespace elk
