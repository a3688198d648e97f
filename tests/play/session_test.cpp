// What the page asks and is answered: states, what is wrong with them, steps, pictures, edits, and the
// presets.
#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <elk/ops/reduce.hpp>
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
  ASSERT_EQ(digits.size(), 3u);
  EXPECT_EQ(digits[0]["columns"], 196);
  EXPECT_EQ(digits[1]["columns"], 10);
  EXPECT_EQ(digits[2],
            Json({{"name", "output"}, {"rows", 10}, {"columns", 196}, {"offset", 4 * 196 + 40 * 10}}));
}

// What an output of digits has for its picture: where ink makes it give more, its own digit is.
TEST(Picture, OfLaterUnitsIsMadeOfImages) {
  Session session;
  started(session,
          {{"data", "digits"}, {"hidden", {24}}, {"activation", "relu"}, {"lr", 0.01}, {"batch", 32}});
  ask(session, {{"do", "step"}, {"count", 300}});
  const Json part = ask(session, {{"do", "picture"}})["parts"][2];
  const Playground same(state_from({{"data", "digits"}}));  // of the same images
  const Tensor mean_image = mean(same.data().train.inputs, {0});
  int right = 0;
  for (Index digit = 0; digit < 10; ++digit) {
    double best = -1e9;
    Index which = -1;
    for (Index other = 0; other < 10; ++other) {
      double ink = 0, count = 0;
      for (Index i = 0; i < 500; ++i) {
        if (same.data().train.labels.at(i) != static_cast<double>(other)) continue;
        ++count;
        for (Index k = 0; k < 196; ++k)
          ink += session.picture()[std::size_t(part["offset"]) + static_cast<std::size_t>(196 * digit + k)] *
                 (same.data().train.inputs.at(196 * i + k) - mean_image.at(k));
      }
      if (ink / count > best) best = ink / count, which = other;
    }
    right += which == digit;
  }
  EXPECT_GE(right, 9);
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

// A state has what was changed by hand: whoever starts with it gets the same run.
TEST(Edits, AreInTheState) {
  for (const char* data : {"moons", "digits", "curve"}) {
    SCOPED_TRACE(data);
    Session session, other;
    Json state{{"data", data}, {"hidden", {4}}, {"batch", 20}};
    if (state["data"] == "curve") state.update({{"loss", "mse"}, {"features", {"x"}}});
    started(session, state);
    const auto edit = [&](const char* tensor, Index element, double value) {
      return ask(session,
                 {{"do", "edit"}, {"rows", 4}, {"tensor", tensor}, {"element", element}, {"value", value}});
    };
    edit("layer1.weight", 2, 0.75);
    edit("labels", 1, 1);
    ask(session, {{"do", "step"}, {"count", 13}});
    edit("x", 3, 0.5);
    edit("x", 3, 0.25);
    ask(session, {{"do", "step"}, {"count", 20}});
    state["edits"] = edit("output.bias", 0, -1)["edits"];
    ASSERT_EQ(state["edits"].size(), 5u);
    EXPECT_EQ(state["edits"][0], Json({0, "layer1.weight", 2, 0.75}));
    EXPECT_EQ(state["edits"][4], Json({33, "output.bias", 0, -1.0}));
    EXPECT_EQ(state["edits"][2][2], state["edits"][3][2]);
    EXPECT_EQ(started(other, state)["state"]["edits"], state["edits"]);
    const Json again = ask(other, {{"do", "step"}, {"count", 33}}), now = ask(session, {{"do", "report"}});
    for (const char* what : {"train_loss", "test_loss", "weights"}) EXPECT_EQ(again[what], now[what]) << what;
    EXPECT_EQ(ask(other, {{"do", "lens"}}), ask(session, {{"do", "lens"}}));
  }
}

TEST(Edits, AreTakenBackUntilTheNextStep) {
  Session session;
  started(session, {{"data", "digits"}, {"hidden", {4}}});
  const Json before = ask(session, {{"do", "report"}});
  const auto edit = [&](const char* tensor, double value) {
    return ask(session, {{"do", "edit"}, {"tensor", tensor}, {"element", 1}, {"value", value}});
  };
  for (const char* tensor : {"x", "labels", "output.weight"}) EXPECT_TRUE(edit(tensor, 5).contains("old"));
  EXPECT_NE(ask(session, {{"do", "report"}}), before);
  for (std::size_t left : {2u, 1u, 0u}) EXPECT_EQ(ask(session, {{"do", "undo"}})["edits"].size(), left);
  EXPECT_EQ(ask(session, {{"do", "report"}}), before);
  EXPECT_EQ(ask(session, {{"do", "undo"}})["error"], "[undo] nothing was changed since the last step");
  edit("labels", 5);
  ask(session, {{"do", "step"}});
  EXPECT_EQ(ask(session, {{"do", "undo"}})["error"], "[undo] nothing was changed since the last step");
  EXPECT_EQ(edit("labels", 12)["error"], "[edit] labels: expected a digit from 0 to 9, got 12");
}

TEST(Edits, InAStateAreChecked) {
  const auto error = [](const Json& edit) { return error_of({{"edits", {edit}}}); };
  EXPECT_EQ(error({0, "layer1.weight", 3}), "[state] edits: expected step, tensor, element and value");
  EXPECT_EQ(error({0, "layer1.weight", 16, 1}), "[edit] layer1.weight has 16 numbers, and no number 16");
  EXPECT_EQ(error({5, "layer9.weight", 0, 1}), "[edit] there is no \"layer9.weight\" to change");
  EXPECT_EQ(error({0.5, "x", 0, 1}), "[state] edits: expected a whole number, got 0.5");
  EXPECT_EQ(error({0, "labels", 0, 0.5}), "[edit] labels: expected 0 or 1, got 0.5");
  EXPECT_EQ(error({0, "x", 400, 1}), "[edit] x has 400 numbers, and no number 400");
  Session session;
  Json edits = Json::array();
  for (int i = 0; i < 200; ++i) edits.push_back({1, "x", i, 0.5});
  started(session, {{"edits", edits}});
  EXPECT_EQ(ask(session, {{"do", "edit"}, {"tensor", "x"}, {"element", 0}, {"value", 1}})["error"],
            "[edit] expected at most 200 changes: start again without them");
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
