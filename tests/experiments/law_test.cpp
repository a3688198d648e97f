// `law`: what it makes of results, and of what are none.
#include <cmath>

#include <fmt/format.h>

#include <lab/results.hpp>

#include "experiments/fixture.hpp"

namespace elk::lab {
namespace {

using test::Arguments;
using test::Outcome;
using testing::HasSubstr;
using testing::Not;

class Law : public test::TrainProgram {
 protected:
  Outcome law(const std::string& csv, Arguments arguments = {}) {
    write_file_atomically(path("some.csv"), csv);
    arguments.insert(arguments.begin(), "some.csv");
    return run("law", arguments);
  }
};

// L = 0.03 + 0.02 (N/1e5)^-0.6 + 0.1 (D/1e4)^-0.4, to the rounding, of two seeds.
std::string known(int seeds = 2) {
  std::string csv = "n,d,seed,loss\n";
  for (const double n : {25000.0, 100000.0, 400000.0})
    for (const double d : {500.0, 2000.0, 8000.0, 32000.0})
      for (int seed = 0; seed < seeds; ++seed)
        csv += fmt::format("{},{},{},{:.6f}\n", n, d, seed,
                           (0.03 + 0.02 * std::pow(n / 1e5, -0.6) + 0.1 * std::pow(d / 1e4, -0.4)) *
                               (1 + 0.002 * (seed == 0 ? 1 : -1)));
  return csv;
}

TEST_F(Law, FindsWhatIsKnown) {
  const Outcome outcome = law(known(), {"--n", "1e6", "--d", "1e5", "--resamples", "100", "--out-dir", "r"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("r/report.html\n"));
  EXPECT_THAT(outcome.out, HasSubstr("At N = 1e+06 and D = 100000 the law predicts a test loss of 0.0748"));
  const Results results = parse_results(file("r/results.json"), "results.json");
  EXPECT_NEAR(results.numbers.at("joint_alpha"), 0.6, 0.01);
  EXPECT_NEAR(results.numbers.at("joint_beta"), 0.4, 0.01);
  EXPECT_NEAR(results.numbers.at("joint_e"), 0.03, 0.001);
  EXPECT_LT(results.numbers.at("joint_held_out_error"), 0.01);
  EXPECT_LE(results.numbers.at("joint_predicted_1_low"), results.numbers.at("joint_predicted_1"));
  EXPECT_THAT(file("r/report.html"), HasSubstr("What was done with the data"));
  // The same bits again, and as JSON.
  const Outcome again =
      law(known(), {"--n", "1e6", "--d", "1e5", "--resamples", "100", "--out-dir", "s", "--json", "--quiet"});
  EXPECT_EQ(again.out, file("s/results.json"));
  EXPECT_EQ(parse_results(again.out, "out").numbers, results.numbers);
}

TEST_F(Law, OneSeedIsSaid) {
  const Outcome outcome = law(known(1), {"--resamples", "50"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              HasSubstr("law: there is one seed of every cell: intervals are over cells alone\n"));
}

TEST_F(Law, FewCellsConcludeNothing) {
  const Outcome outcome = law("n,d,loss\n1000,100,0.5\n1000,200,0.4\n1000,400,0.33\n", {"--resamples", "50"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              HasSubstr("3 cells are too few for the 2 parameters of B D^-β: the law is drawn, and nothing "
                        "is concluded from it"));
}

TEST_F(Law, TooFewCellsWithoutTheLargest) {
  const Outcome outcome =
      law("n,d,loss\n1000,100,0.5\n1000,200,0.4\n1000,400,0.33\n", {"--resamples", "50", "--hold-out", "3"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("law: without the 3 largest of 3 cells too few are left to fit any law "
                                     "that could predict them\n"));
}

// As spreadsheets write them.
TEST_F(Law, ReadsAnyCsv) {
  const Arguments few{"--resamples", "50"};
  const std::string plain = law("n,d,loss\n1000,100,0.5\n1000,200,0.4\n1000,400,0.33\n", few).out;
  EXPECT_THAT(plain, HasSubstr("3 cells are too few"));
  const Outcome outcome =
      law("\xEF\xBB\xBF\"n\",\"d\", \"loss\" ,\"a note, or\ntwo\"\r\n\r\n\"1000\",100,0.5,\r\n"
          "1000,+200,0.4,\"he said \"\"no\"\"\"\r\n1000,400,0.33,x",
          few);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, plain);
}

TEST_F(Law, WhatIsNoneIsRefusedInOneLine) {
  const std::pair<const char*, const char*> rows[] = {
      {"n,d,loss\n", "law: [law] some.csv: expected rows, got none"},
      {"n,d,loss\n1e4,1e3,0.5\n1e4,2e3,0.4\n", "law: [law] expected at least 3 cells, got 2"},
      {"n,d,loss\n1e4,1e3,nan\n1e4,2e3,inf\n1e4,4e3,nan\n",
       "law: [law] expected cells with a test loss that is finite and above 0, got none in 3 runs"},
      {"n,d,loss\n1e4,1e3,0.5\n1e4,2e3,0.5\n2e4,4e3,0.5\n",
       "law: [law] expected values of test loss that differ, got 0.5 from every cell"},
      {"n,d,loss\n1e4,1e3,0.5\n1e4,1e3,0.4\n", "law: [law] expected at least 3 cells, got 1"},
      {"n,loss\n1,1\n", "law: [law] some.csv: expected a column d or train-size, got n, loss"},
      {"n,d,loss\n\n1,2,x\n",
       "law: [law] some.csv: [table] column \"loss\" line 3: expected a number, got \"x\""},
      {"n,d,loss\n1,2,\n",
       "law: [law] some.csv: [table] column \"loss\" line 2: expected a number, got \"\""},
      {"n,d,loss\n1,2\n", "law: [csv] some.csv: line 2 has 2 fields, the first line has 3"},
      {"n,d,n,loss\n1,2,1,1\n", "law: [law] some.csv: [table] there are several columns \"n\""},
      {"\"n\",d,loss\n0,2,1\n", "law: [law] some.csv: line 2: expected N and D above 0, got 0 and 2"},
  };
  for (const auto& [csv, message] : rows) {
    const Outcome outcome = law(csv);
    EXPECT_EQ(outcome.code, 1) << message;
    EXPECT_EQ(outcome.err, std::string(message) + "\n");
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(Law, WrongUsage) {
  write_file_atomically(path("some.csv"), known());
  const std::pair<Arguments, const char*> rows[] = {
      {{}, "expected results, such as runs/data_size, its results.json, or a CSV file"},
      {{"nowhere"}, "nowhere: there is no such file; expected the folder of an experiment"},
      {{"some.csv", "./some.csv"}, "./some.csv is given twice: its runs would count twice"},
      {{"some.csv", "--n", "1e6"}, "--n and --d: give as many of each, got 1 and 0"},
      {{"some.csv", "--n", "0", "--d", "5"}, "--n: expected a number from 1 to 1e+18, got 0"},
      {{"some.csv", "--metric", "beauty"},
       "--metric: expected test_loss, test_error, validation_loss, got \"beauty\""},
      {{"some.csv", "--resamples", "1"}, "--resamples: expected a number from 10 to 1000000, got 1"},
      {{"some.csv", "--hold-out", "0"}, "--hold-out: expected a number from 1 to 1000000, got 0"},
      {{"some.csv", "--resample", "100"}, "unrecognised option '--resample'"}};
  for (const auto& [arguments, message] : rows) {
    const Outcome outcome = run("law", arguments);
    EXPECT_EQ(outcome.code, 2) << message;
    EXPECT_THAT(outcome.err, HasSubstr(message));
  }
  EXPECT_THAT(run("law", {"--help"}).out, HasSubstr("Usage: ./elk law RESULTS..."));
  const Outcome printed = run("law", {"--metric", "test_error", "--print-config"});
  write_file_atomically(path("c.json"), printed.out);
  EXPECT_EQ(run("law", {"--config", "c.json", "--print-config"}).out, printed.out);
}

TEST_F(Law, OfAnExperimentsFolder) {
  ASSERT_EQ(
      run("data_size", {"--smoke", "--widths", "8,16", "--sizes", "100,200,400", "--out-dir", "r"}).code, 0);
  const Outcome outcome = run("law", {"r", "--check", "r/results.json", "--resamples", "50"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("Of the 6 cells of r/results.json it is off by"));
  const Results results = parse_results(file("runs/law/results.json"), "results.json");
  EXPECT_EQ(results.dataset, "digits");
  EXPECT_EQ(results.protocol, "sound");
  EXPECT_THAT(results.verdicts, Not(testing::IsEmpty()));
}

}  // namespace
}  // namespace elk::lab
