// The runs that `results --where` picks, by their options as they are shown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include <lab/program.hpp>
#include <lab/selection.hpp>

namespace elk::lab {
namespace {

using testing::ElementsAre;
using testing::Pair;

ListedRun listed_run(const std::string& config, const std::string& status = "done") {
  RunSummary run;
  run.status = status;
  run.config = config;
  return listed(run);
}

TEST(Selection, OptionsAreTextsAsTheyAreShown) {
  const ListedRun run =
      listed_run(R"({"activation":"relu","clip":null,"epochs":10,"lr":0.5,"nesterov":true,"none":""})");
  EXPECT_THAT(run.options, ElementsAre(Pair("activation", "relu"), Pair("clip", ""), Pair("epochs", "10"),
                                       Pair("lr", "0.5"), Pair("nesterov", "true"), Pair("none", "")));
  EXPECT_EQ(run.run.status, "done");
  EXPECT_EQ(option_of(run, "lr"), "0.5");
  EXPECT_EQ(option_of(run, "hidden"), "");
}

TEST(Selection, NamesOfOptionsComeOnceInOrderAndStatusIsNone) {
  const std::vector<ListedRun> runs{listed_run(R"({"b":1,"status":"x"})"),
                                    listed_run(R"({"a":1,"b":2,"c":3})"), listed_run("{}")};
  EXPECT_THAT(option_names(runs), ElementsAre("b", "a", "c"));
  EXPECT_THAT(option_names({}), ElementsAre());
}

TEST(Selection, AConditionIsSplitAtItsFirstEqualsSign) {
  const auto split = [](const std::string& text) {
    const Condition condition = parse_condition(text, {"hidden", "note"});
    return std::pair(condition.name, condition.value);
  };
  EXPECT_THAT(split("hidden=64"), Pair("hidden", "64"));
  EXPECT_THAT(split("note=a=b="), Pair("note", "a=b="));
  EXPECT_THAT(split("note="), Pair("note", ""));
  EXPECT_THAT(split("status=done"), Pair("status", "done"));
}

TEST(Selection, WhatIsNoConditionIsRefused) {
  const auto refusal = [](const std::string& text) -> std::string {
    try {
      parse_condition(text, {"hidden"});
    } catch (const UsageError& error) {
      return error.what();
    }
    return "taken";
  };
  EXPECT_EQ(refusal("hidden=64"), "taken");
  EXPECT_EQ(refusal("hidden"), "--where: expected NAME=VALUE such as hidden=64, got \"hidden\"");
  EXPECT_EQ(refusal(""), "--where: expected NAME=VALUE such as hidden=64, got \"\"");
  EXPECT_EQ(refusal("Hidden=64"), "--where: no run has an option \"Hidden\"");
  EXPECT_EQ(refusal("=64"), "--where: no run has an option \"\"");
}

TEST(Selection, ARunMeetsWhatItsOptionOrItsStatusIs) {
  const ListedRun run = listed_run(R"({"clip":null,"hidden":64,"lr":0.10,"status":"x"})", "failed");
  EXPECT_TRUE(meets(run, {"hidden", "64"}));
  EXPECT_FALSE(meets(run, {"hidden", "6"}));
  EXPECT_TRUE(meets(run, {"lr", "0.1"}));
  EXPECT_TRUE(meets(run, {"clip", ""}));
  EXPECT_FALSE(meets(run, {"clip", "null"}));
  EXPECT_TRUE(meets(run, {"missing", ""}));
  EXPECT_FALSE(meets(run, {"missing", "64"}));
  EXPECT_TRUE(meets(run, {"status", "failed"}));
  EXPECT_FALSE(meets(run, {"status", "x"}));
}

}  // namespace
}  // namespace elk::lab
