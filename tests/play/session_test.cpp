// What the page asks and is answered: states, what is wrong with them, steps, pictures, edits, and the
// presets.
#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <play/session.hpp>

namespace elk::play {
namespace {

using ::testing::HasSubstr;

Json ask(Session& session, const Json& request) { return Json::parse(session.answer(request.dump())); }

Json started(Session& session, const Json& state) {
  Json answer = ask(session, {{"do", "start"}, {"state", state}});
  EXPECT_FALSE(answer.contains("error")) << answer.dump();
  return answer;
}

std::string error_of(const Json& state) {
  Session session;
  return ask(session, {{"do", "start"}, {"state", state}}).value("error", "");
}

TEST(State, IsCompletedAndGivenBack) {
  Session session;
  const Json state = started(session, {{"data", "xor"}, {"hidden", {4, 2}}, {"seed", 7}})["state"];
  EXPECT_EQ(state["data"], "xor");
  EXPECT_EQ(state["hidden"], Json({4, 2}));
  EXPECT_EQ(state["activation"], "tanh");
  EXPECT_EQ(started(session, state)["state"], state);
}

TEST(State, SaysWhatIsWrong) {
  EXPECT_EQ(error_of({{"data", "cats"}}),
            "[state] data: expected circles, moons, spiral, xor, own, curve, digits, got \"cats\"");
  EXPECT_EQ(error_of({{"layers", 3}}), "[state] there is no \"layers\"");
  EXPECT_EQ(error_of({{"hidden", {8, 0}}}), "[state] hidden: expected a number from 1 to 32, got \"0\"");
  EXPECT_EQ(error_of({{"hidden", {1.5}}}), "[state] hidden: expected a whole number, got 1.5");
  EXPECT_EQ(error_of({{"hidden", {1, 1, 1, 1, 1, 1, 1, 1, 1}}}),
            "[state] hidden: expected a list of at most 8, got \"[1,1,1,1,1,1,1,1,1]\"");
  EXPECT_EQ(error_of({{"lr", "fast"}}), "[state] lr: expected a number from 0 to 1000, got \"\\\"fast\\\"\"");
  EXPECT_EQ(error_of({{"lr", -1}}), "[state] lr: expected a number from 0 to 1000, got \"-1\"");
  EXPECT_EQ(error_of({{"loss", "l1"}}), "[state] loss: expected cross_entropy, mse, hinge, got \"l1\"");
  EXPECT_EQ(error_of({{"data", "curve"}}), "[state] loss: expected mse, l1, huber, got \"cross_entropy\"");
  EXPECT_EQ(error_of({{"features", Json::array()}}), "[state] features: expected one at least");
  EXPECT_EQ(error_of({{"features", {"x", "x"}}}), "[state] features: x is there twice");
  EXPECT_EQ(error_of({{"data", "curve"}, {"loss", "mse"}, {"features", {"y"}}}),
            "[state] features of a curve: expected x, x2, sinx, got \"y\"");
  EXPECT_EQ(error_of({{"points", {{0, 0}}}}), "[state] points: expected x, y and class");
  EXPECT_EQ(error_of({{"points", {{0, 9, 1}}}}), "[state] points: expected a number from -3 to 3, got \"9\"");
  EXPECT_EQ(error_of(Json::array()), "[state] expected an object, got \"[]\"");
}

TEST(Session, SaysWhatIsWrong) {
  Session session;
  EXPECT_EQ(ask(session, {{"do", "step"}})["error"], "[play] nothing was started");
  EXPECT_THAT(std::string(ask(session, {{"do", "dance"}})["error"]), HasSubstr("got \"dance\""));
  EXPECT_THAT(session.answer("{"), HasSubstr("error"));
  EXPECT_THAT(session.answer("[]"), HasSubstr("error"));
  started(session, Json::object());
  EXPECT_EQ(ask(session, {{"do", "step"}, {"count", 0}})["error"],
            "[play] count: expected a whole number from 1 to 100000, got \"0\"");
  EXPECT_EQ(ask(session, {{"do", "edit"}, {"tensor", "w"}, {"value", 1}})["error"],
            "[edit] there is no \"w\" to change");
  EXPECT_EQ(ask(session, {{"do", "edit"}, {"tensor", "labels"}, {"value", 0.5}})["error"],
            "[edit] labels: expected 0 or 1, got 0.5");
  EXPECT_EQ(ask(session, {{"do", "edit"}, {"tensor", "x"}, {"element", 20}, {"value", 1}})["error"],
            "[edit] x has 20 numbers here, and no number 20");
}

TEST(Session, AStateThatIsRefusedChangesNothing) {
  Session session;
  started(session, {{"data", "xor"}});
  const Json before = ask(session, {{"do", "report"}});
  ask(session, {{"do", "start"}, {"state", {{"lr", -1}}}});
  EXPECT_EQ(ask(session, {{"do", "report"}}), before);
}

class Learns : public ::testing::TestWithParam<const char*> {};
TEST_P(Learns, EveryDataSet) {
  Session session;
  Json state{{"data", GetParam()}};
  const std::string data = GetParam();
  if (data == "curve") state.update({{"loss", "mse"}, {"features", {"x"}}});
  if (data == "digits") state.update({{"activation", "relu"}, {"hidden", {32}}, {"lr", 0.01}, {"batch", 32}});
  if (data == "own") state["points"] = {{-1, -1, 0}, {1, 1, 0}, {-1, 1, 1}, {1, -1, 1}};
  const Json before = started(session, state)["report"];
  const Json after = ask(session, {{"do", "step"}, {"count", data == "digits" ? 200 : 1500}});
  EXPECT_LT(double(after["train_loss"]), 0.3 * double(before["train_loss"])) << after.dump();
  if (data != "curve") {
    EXPECT_GT(double(after["train_accuracy"]), 0.9);
  }
}
INSTANTIATE_TEST_SUITE_P(Play, Learns,
                         ::testing::Values("circles", "moons", "spiral", "xor", "own", "curve", "digits"));

// Every word that a state can have does something that is finite and not what the first word does.
TEST(Choices, EachIsItsOwn) {
  Session session;
  const Json all = choices();
  for (const std::string member : {"activation", "init", "optimizer"}) {
    std::set<std::string> seen;
    for (const Json& word : all[member]) {
      started(session, {{"data", "xor"}, {member, word}, {"hidden", {4}}, {"weight_decay", 0.1}});
      const Json report = ask(session, {{"do", "step"}, {"count", 20}});
      EXPECT_TRUE(report["train_loss"].is_number()) << word;
      seen.insert(report["train_loss"].dump());
    }
    EXPECT_EQ(seen.size(), all[member].size()) << member;
  }
  for (const std::string kind : {"points", "curve", "digits"})
    for (const Json& loss : all["loss"][kind]) {
      Json state{{"data", kind == "points" ? "moons" : kind}, {"loss", loss}, {"dropout", 0.2}};
      if (kind != "digits") state["features"] = all["features"][kind];
      started(session, state);
      EXPECT_TRUE(ask(session, {{"do", "step"}, {"count", 5}})["train_loss"].is_number()) << kind << loss;
    }
}

TEST(Session, IsTheSameForTheSameState) {
  Session a, b;
  const Json state{{"data", "spiral"}, {"dropout", 0.1}, {"batch", 7}};
  started(a, state);
  started(b, state);
  for (int i = 0; i < 100; ++i) ask(a, {{"do", "step"}});
  EXPECT_EQ(ask(b, {{"do", "step"}, {"count", 100}}), ask(a, {{"do", "report"}}));
}

TEST(Session, NoPointsAreNoError) {
  Session session;
  started(session, {{"data", "own"}});
  const Json report = ask(session, {{"do", "step"}, {"count", 3}});
  EXPECT_EQ(report["steps"], 0);
  EXPECT_EQ(report["train_loss"], "NaN");
  EXPECT_FALSE(ask(session, {{"do", "picture"}}).contains("error"));
  EXPECT_EQ(ask(session, {{"do", "lens"}})["error"], "[lens] there are no examples: add points first");
  EXPECT_EQ(ask(session, {{"do", "cpp"}})["error"], "[cpp] there are no examples: add points first");
}

TEST(Picture, HasEveryUnitAtEveryPixel) {
  Session session;
  started(session, {{"hidden", {8, 5}}, {"features", {"x", "y", "x2"}}});
  const Json parts = ask(session, {{"do", "picture"}, {"size", 10}})["parts"];
  ASSERT_EQ(parts.size(), 4u);
  const std::vector<int> columns{3, 8, 5, 1};
  std::size_t offset = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(parts[i]["rows"], 100);
    EXPECT_EQ(parts[i]["columns"], columns[i]);
    EXPECT_EQ(parts[i]["offset"], offset);
    offset += 100 * static_cast<std::size_t>(columns[i]);
  }
  ASSERT_EQ(session.picture().size(), offset);
  EXPECT_FLOAT_EQ(session.picture()[0], -2.7f);  // x and y of the upper left corner
  EXPECT_FLOAT_EQ(session.picture()[1], 2.7f);
  started(session, {{"data", "digits"}, {"hidden", {4}}});
  const Json digits = ask(session, {{"do", "picture"}})["parts"];
  EXPECT_EQ(digits[0]["columns"], 196);
  EXPECT_EQ(digits[1]["columns"], 10);
}

// The lens shows the very step that comes next, and leaves everything as it was.
TEST(Lens, IsTheNextStep) {
  for (const char* optimizer : {"sgd", "adam"}) {
    Session session;
    started(session, {{"data", "xor"}, {"optimizer", optimizer}, {"dropout", 0.25}, {"lr", 0.1}});
    ask(session, {{"do", "step"}, {"count", 33}});
    const Json before = ask(session, {{"do", "report"}});
    const Json trace = ask(session, {{"do", "lens"}})["trace"];
    EXPECT_EQ(ask(session, {{"do", "report"}}), before);
    ASSERT_EQ(trace["steps"].size(), 2u);
    const Json report = ask(session, {{"do", "step"}});
    EXPECT_EQ(trace["steps"][0]["loss"], report["batch_loss"]);
    int checked = 0;
    for (const Json& entry : trace["steps"][1]["entries"])
      if (entry["name"] == "layer1.weight") {
        EXPECT_EQ(entry["value"]["values"], report["weights"][0]);
        ++checked;
      }
    EXPECT_EQ(checked, 1);
  }
}

TEST(Lens, EditsRecomputeAndGoBack) {
  Session session;
  started(session, {{"data", "moons"}});
  ask(session, {{"do", "step"}, {"count", 5}});
  const auto loss = [&] { return ask(session, {{"do", "lens"}, {"rows", 2}})["trace"]["steps"][0]["loss"]; };
  const Json first = loss();
  for (const char* tensor : {"x", "labels", "layer1.weight", "output.bias"}) {
    const bool label = std::string(tensor) == "labels";
    Json request{
        {"do", "edit"}, {"rows", 2}, {"tensor", tensor}, {"element", 0}, {"value", label ? 1 : 0.25}};
    Json answer = ask(session, request);
    ASSERT_TRUE(answer.contains("old")) << answer.dump();
    if (label && answer["old"] == 1) {
      request["value"] = 0;
      ask(session, request);
      answer["old"] = 1;
    }
    EXPECT_NE(loss(), first) << tensor;
    request["value"] = answer["old"];
    ask(session, request);
    EXPECT_EQ(loss(), first) << tensor;
  }
}

Json after(const State& state, Index steps) {
  Session session;
  started(session, to_json(state));
  return ask(session, {{"do", "step"}, {"count", std::max<Index>(1, steps)}});
}

TEST(Presets, ShowWhatTheySay) {
  for (const Preset& preset : presets()) {
    const Json report = after(preset.state, preset.steps);
    const Json& layers = report["layers"];
    SCOPED_TRACE(preset.name + " " + report.dump());
    if (preset.name == "exploding") {
      EXPECT_FALSE(report["train_loss"].is_number() && report["train_loss"] < 1e3);
    }
    if (preset.name == "vanishing") {
      EXPECT_LT(double(layers.front()["gradient_norm"]), 1e-3 * double(layers.back()["gradient_norm"]));
      EXPECT_GT(double(report["train_loss"]), 0.68);
    }
    if (preset.name == "dead") {
      EXPECT_THAT(layers[1]["dead"], ::testing::Each(true));
    }
    if (preset.name == "saturated") {
      double share = 0;
      for (const Json& flat : layers[1]["flat"]) share += double(flat) / 32;
      EXPECT_GT(share, 0.6);
    }
    if (preset.name == "symmetric") {
      EXPECT_EQ(layers[0]["distinct"], 1);
    }
    const Json mended = after(preset.mended, 3000);
    EXPECT_GT(double(mended["train_accuracy"]), 0.95) << mended.dump();
  }
}

}  // namespace
}  // namespace elk::play
