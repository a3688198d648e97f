// The program `trace`: its files, and its command line.
#include <filesystem>

#include "experiments/fixture.hpp"

namespace elk::lab::test {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class TraceProgram : public TrainProgram {
 protected:
  Outcome trace(const Arguments& arguments) { return run("trace", arguments); }
};

TEST_F(TraceProgram, WritesItsExamples) {
  const Outcome outcome = trace({"--out-dir", "t"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "t/xor/trace.html\nt/softmax/trace.html\nt/custom/trace.html\n");
  EXPECT_EQ(outcome.err, "");
  for (const std::string example : {"xor", "softmax", "custom"}) {
    const std::string at = "t/" + example + "/trace.";
    EXPECT_THAT(file(at + "html"), StartsWith("<!doctype html>"));
    EXPECT_LT(file(at + "html").size(), 5'000'000u);
    EXPECT_THAT(file(at + "dot"), StartsWith("digraph trace {"));
    const Json steps = Json::parse(file(at + "json"))["steps"];
    EXPECT_GE(steps.size(), 3u) << example;
    EXPECT_LT(steps.back()["loss"], 0.9 * steps.front()["loss"].get<double>()) << example;
    for (const Json& step : steps) {
      EXPECT_EQ(step["check"]["dtype"], "f64") << example;
      EXPECT_EQ(step["check"]["same_loss"], true) << example;
      int checked = 0;
      for (const Json& entry : step["entries"]) {
        if (entry["kind"] != "parameter") continue;
        for (const Json& row : entry["check"]) {
          ++checked;
          EXPECT_EQ(row["ok"], true) << example << ": " << entry["name"] << row;
        }
      }
      EXPECT_GT(checked, 1);
    }
  }
  const Json custom = Json::parse(file("t/custom/trace.json"));
  EXPECT_EQ(custom["operations"]["isru"]["rules"][0], "dx = dy / (1 + x²)^1.5");
  EXPECT_EQ(Json::parse(file("t/xor/trace.json"))["steps"].back()["label"], "step 500");
}

TEST_F(TraceProgram, OneExampleInANewFolderWithASeed) {
  const Outcome first = trace({"--json", "custom"});
  EXPECT_EQ(first.out, "{\"out_dir\":\"runs/trace-1\",\"pages\":[\"runs/trace-1/custom/trace.html\"]}\n");
  EXPECT_EQ(trace({"--quiet", "xor"}).out, "");
  EXPECT_TRUE(std::filesystem::exists(path("runs/trace-2/xor/trace.html")));
  EXPECT_EQ(trace({"--quiet", "--seed", "2", "xor"}).code, 0);
  EXPECT_EQ(trace({"--quiet", "--seed", "1", "xor"}).code, 0);
  EXPECT_EQ(file("runs/trace-4/xor/trace.json"), file("runs/trace-2/xor/trace.json"));
  EXPECT_NE(file("runs/trace-3/xor/trace.json"), file("runs/trace-2/xor/trace.json"));
}

TEST_F(TraceProgram, WrongUsage) {
  std::filesystem::create_directories(path("t/custom"));
  const std::vector<std::pair<Arguments, std::string>> cases{
      {{"and"}, "there is no example \"and\"; there are xor, softmax, custom"},
      {{"xor", "custom", "xor"}, "the example \"xor\" is given twice"},
      {{"--seed", "-1"}, "--seed: expected a number from 0 to 4294967295, got -1"},
      {{"--out-dir", "t"}, "--out-dir: t/custom is there already; choose another folder"},
      {{"--out"}, "unrecognised option '--out'"},
  };
  for (const auto& [arguments, message] : cases) {
    const Outcome outcome = trace(arguments);
    EXPECT_EQ(outcome.code, 2) << message;
    EXPECT_EQ(outcome.err, "trace: " + message + "\nsee ./elk trace --help\n");
    EXPECT_EQ(outcome.out, "");
  }
  EXPECT_FALSE(std::filesystem::exists(path("t/xor")));  // refused before anything is written
}

TEST_F(TraceProgram, HelpAndVersion) {
  const Outcome help = trace({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, StartsWith("Usage: ./elk trace [options] [EXAMPLE...]\n"));
  for (const char* option : {"--out-dir", "--seed", "--quiet", "--json", "--help", "--version"})
    EXPECT_THAT(help.out, HasSubstr(option));
  EXPECT_THAT(trace({"--version"}).out, StartsWith("elkgrad "));
}

TEST_F(TraceProgram, AFolderThatCannotBeMade) {
  write_file_atomically(path("t"), "a file");
  const Outcome outcome = trace({"--out-dir", "t", "custom"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, StartsWith("trace: [trace] cannot make the folder t/custom: "));
}

}  // namespace
}  // namespace elk::lab::test
