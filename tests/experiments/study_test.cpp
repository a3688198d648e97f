// The experiment programs: each from end to end on next to nothing, and what happens to those that are given
// nonsense, are stopped, or are killed.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <fmt/format.h>

#include <lab/results.hpp>
#include <lab/statistics.hpp>

#include "experiments/fixture.hpp"
#include "experiments/store_rows.hpp"

namespace elk::lab {
namespace {

using test::Arguments;
using test::Json;
using test::Outcome;
using test::rows_of;
using test::operator+;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Study : public test::TrainProgram {};

struct Program {
  const char *name, *protocol;
};
class EveryProgram : public Study, public testing::WithParamInterface<Program> {};

// Of the widest and the narrowest, however they are given.
TEST_F(Study, EpochsCompareSizesAtOneRate) {
  const Outcome outcome = run("epochs", {"--smoke", "--widths", "16,8", "--out-dir", "r"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Results results = parse_results(file("r/results.json"), "results.json");
  EXPECT_THAT(results.verdicts,
              testing::IsSupersetOf(
                  {HasSubstr("The difference between the rise of width 16, rate 0.1 and that of "
                             "width 8, rate 0.1 is "),
                   HasSubstr("The difference between the rise of width 16 and that of width 8 is ")}));
  std::set<std::string> rates;
  for (const Point& point : results.points)
    if (point.label.find("rate") != std::string::npos)
      rates.insert(nlohmann::json::parse(point.config).at("lr").dump());
  EXPECT_EQ(rates, std::set<std::string>{"0.1"});
}

// A rate is the best of its neighbours for the whole run, by the mean over the seeds; the search begins at
// the rate that is best for short runs.
TEST_F(Study, RatesAreFoundAtTheFullLength) {
  ASSERT_EQ(run("width", {"--smoke", "--widths", "16,8", "--epochs", "10", "--out-dir", "r"}).code, 0);
  const Results results = parse_results(file("r/results.json"), "results.json");
  using Rates = std::map<double, std::vector<double>>;  // validation losses by rate
  std::map<int, Rates> whole, shorter;                  // by width
  std::istringstream lines(file("r/summaries.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const Json row = Json::parse(line), config = row["config"];
    auto& runs = config["epochs"] == 10 ? whole : shorter;
    EXPECT_TRUE(config["epochs"] == 10 || config["epochs"] == 3) << line;
    runs[std::stoi(config["hidden"].get<std::string>())][config["lr"].get<double>()].push_back(
        row["val_loss"].get<double>());
  }
  const auto mean = [](const std::vector<double>& losses) { return mean_interval(losses).mean; };
  ASSERT_EQ(results.points.size(), 2U);
  for (const Point& point : results.points) {
    const Json config = Json::parse(point.config);
    const int width = std::stoi(config["hidden"].get<std::string>());
    const double rate = config["lr"].get<double>();
    const Rates& rates = whole.at(width);
    for (const double neighbour : {rate / 2, rate, 2 * rate}) {
      ASSERT_EQ(rates.count(neighbour), 1U) << width << ' ' << neighbour;
      EXPECT_EQ(rates.at(neighbour).size(), 2U);
      EXPECT_LE(mean(rates.at(rate)), mean(rates.at(neighbour))) << width << ' ' << neighbour;
    }
    const auto start = std::min_element(shorter.at(width).begin(), shorter.at(width).end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; });
    EXPECT_EQ(start->second.size(), 1U);
    for (const double begun : {start->first / 2, start->first, 2 * start->first})
      EXPECT_EQ(rates.count(begun), 1U) << width << ' ' << begun;
  }
  const auto tuned = [](const Results& told) {
    for (const auto& [name, text] : told.checklist)
      if (name == "tuned") return text;
    return std::string();
  };
  EXPECT_EQ(
      tuned(results),
      "the learning rate of 2 cells, by steps of two, by validation loss at the full length of the runs, "
      "the mean of 2 seeds. Runs of one seed, of 3 of 10 epochs, told where to begin");

  // Results that are told again say how their rates were found, not how they would be today.
  Results earlier = results;
  for (auto& [name, text] : earlier.checklist)
    if (name == "tuned") text = "by hand";
  std::ofstream(path("earlier.json")) << to_json(earlier);
  const Arguments again{"--smoke", "--epochs", "10", "--from", "earlier.json", "--out-dir", "t"};
  ASSERT_EQ(run("width", again + Arguments{"--widths", "16,8"}).code, 0);
  EXPECT_EQ(tuned(parse_results(file("t/results.json"), "results.json")), "by hand");
  ASSERT_EQ(run("width", again + Arguments{"--widths", "16,8,4"}).code, 0);
  EXPECT_THAT(tuned(parse_results(file("t/results.json"), "results.json")),
              testing::AllOf(testing::StartsWith("the learning rate of 1 cell, "),
                             testing::EndsWith("; of the runs taken over: by hand")));
}

TEST_P(EveryProgram, Smoke) {
  const auto [name, protocol] = GetParam();
  const Arguments arguments{"--smoke", "--protocol", protocol, "--out-dir", "r"};
  const Outcome outcome = run(name, arguments);
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("r/report.html\n"));

  const Results results = parse_results(file("r/results.json"), "results.json");
  EXPECT_EQ(results.program, name);
  EXPECT_EQ(results.protocol, protocol);
  EXPECT_EQ(results.status, "done");
  EXPECT_THAT(results.verdicts, Not(IsEmpty()));
  EXPECT_THAT(results.tables, Not(IsEmpty()));
  EXPECT_THAT(results.pictures, Not(IsEmpty()));
  std::vector<std::string> told;
  for (const auto& [what, text] : results.checklist) told.push_back(what);
  for (const char* what : {"counted", "tuned", "chosen", "held out", "excluded", "compared", "intervals"})
    EXPECT_THAT(told, testing::Contains(what));
  const std::string html = file("r/report.html");
  for (const Table& table : results.tables)
    for (const auto& row : table.rows)
      for (const std::string& cell : row)
        if (cell.find_first_of("<>&\"'") == std::string::npos) {
          EXPECT_THAT(html, HasSubstr(cell));
        }

  // Every number comes from runs of the store: those of the point's configuration, whatever their seed.
  std::multimap<std::string, Json> runs;
  std::istringstream lines(file("r/summaries.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    Json row = Json::parse(line);
    row["config"].erase("seed");
    runs.emplace(Json(nlohmann::json(row["config"])).dump(), row);
  }
  ASSERT_THAT(results.points, Not(IsEmpty()));
  for (const Point& point : results.points) {
    nlohmann::json config = nlohmann::json::parse(point.config);
    config.erase("seed");
    std::multiset<double> expected, found;
    const auto [first, last] = runs.equal_range(Json(config).dump());
    for (auto at = first; at != last; ++at) expected.insert(at->second["test_accuracy"].get<double>());
    for (const double value : point.measured.at("test_accuracy").values) found.insert(value);
    // Another point may have the same configuration with a seed of its own.
    EXPECT_TRUE(std::includes(expected.begin(), expected.end(), found.begin(), found.end())) << point.label;
    const std::vector<double>& values = point.measured.at("test_accuracy").values;
    ASSERT_FALSE(values.empty());
    EXPECT_EQ(point.measured.at("test_accuracy").mean, mean_interval(values).mean);
  }

  // Once more: nothing is run, and the same is found.
  const std::string before = file("r/summaries.jsonl");
  const Outcome again = run(name, arguments);
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(file("r/summaries.jsonl"), before);
  EXPECT_EQ(again.out, outcome.out);
}

#ifdef ELK_SANITIZE  // where each takes long
const Program programs[] = {{"data_size", "sound"}, {"frontier", "sound"}, {"width", "paper"}};
#else
const Program programs[] = {{"activation", "sound"},
                            {"activation", "paper"},
                            {"leaky_slope", "sound"},
                            {"leaky_slope", "paper"},
                            {"initialization", "sound"},
                            {"initialization", "paper"},
                            {"learning_rate", "sound"},
                            {"learning_rate", "paper"},
                            {"decay", "sound"},
                            {"decay", "paper"},
                            {"epochs", "sound"},
                            {"epochs", "paper"},
                            {"loss", "sound"},
                            {"loss", "paper"},
                            {"width", "sound"},
                            {"width", "paper"},
                            {"depth", "sound"},
                            {"depth", "paper"},
                            {"data_size", "sound"},
                            {"data_size", "paper"},
                            {"frontier", "sound"},
                            {"frontier", "paper"},
                            {"best_models", "sound"},
                            {"best_models", "paper"},
                            {"parametrization", "sound"},
                            {"dimension", "sound"},
                            {"architecture", "sound"}};
#endif
INSTANTIATE_TEST_SUITE_P(Lab, EveryProgram, testing::ValuesIn(programs), [](const auto& about) {
  return fmt::format("{}_{}", about.param.name, about.param.protocol);
});

TEST_F(Study, ParametrizationByAdam) {
  const Outcome outcome = run("parametrization", {"--adam", "--smoke", "--quiet"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Results found = parse_results(file("runs/parametrization-adam/results.json"), "results.json");
  EXPECT_EQ(found.command, "./elk parametrization --adam --smoke --quiet");
  // Eight cells: parametrizations, widths 64 and 128, two rates. At the width where mup begins both are one.
  ASSERT_EQ(found.points.size(), 8u);
  for (const Point& point : found.points) EXPECT_THAT(point.config, HasSubstr(R"("optimizer":"adam")"));
  const auto losses = [&](std::size_t i) { return found.points[i].measured.at("test_loss").values; };
  for (const std::size_t rate : {0u, 1u}) {
    EXPECT_EQ(losses(rate), losses(4 + rate));
    EXPECT_NE(losses(2 + rate), losses(6 + rate));
  }
  EXPECT_LT(found.numbers.at("mup_logits_grow"), found.numbers.at("standard_logits_grow"));
  // Which is told by the rates of the lowest mean losses, of two.
  for (const std::string by : {"standard", "mup"}) {
    EXPECT_LE(std::abs(found.numbers.at(by + "_steps")), 1);
    EXPECT_GE(found.numbers.at(by + "_cost"), 0);
    EXPECT_TRUE(found.numbers.contains(by + "_steps_of_seeds"));
  }
  const Outcome help = run("parametrization", {"--adam", "--help"});
  EXPECT_THAT(help.out, HasSubstr("Usage: ./elk parametrization --adam [options]"));
  EXPECT_THAT(help.out, Not(HasSubstr("with --adam")));
}

TEST_F(Study, PlotsAreThereWhereGnuplotIs) {
  if (std::system("command -v gnuplot > /dev/null") != 0) GTEST_SKIP() << "SKIPPED: gnuplot is not installed";
  test::Surroundings around = around_program("width");
  around.environment = {{"ELK_DATA_DIR", ""}};
  const Outcome outcome = test::Child({"--smoke", "--widths", "8,9", "--out-dir", "r"}, around).wait();
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Results results = parse_results(file("r/results.json"), "results.json");
  EXPECT_THAT(results.warnings, testing::Each(Not(HasSubstr("no plot"))));
  for (const Picture& picture : results.pictures) {
    EXPECT_THAT(file("r/" + picture.file + ".svg"), HasSubstr("</svg>"));
    EXPECT_THAT(file("r/" + picture.file + ".png"), testing::StartsWith("\x89PNG"));
    EXPECT_THAT(file("r/" + picture.file + ".svg"), HasSubstr("hidden units"));
  }
  // Without gnuplot results are kept and the message tells what to install.
  const Outcome without = run("width", {"--smoke", "--widths", "8,9", "--out-dir", "s"});
  EXPECT_EQ(without.code, 0);
  EXPECT_THAT(without.err, HasSubstr(test::no_gnuplot()));
  EXPECT_EQ(rows_of(path("r")), rows_of(path("s")));
}

TEST_F(Study, WrongUsage) {
  write_file_atomically(path("file"), "");
  const std::pair<Arguments, const char*> rows[] = {
      {{"--dataset", "imagenet"},
       "--dataset: expected digits, mnist, fashion-mnist, cifar-10, got \"imagenet\""},
      {{"--widths", ""}, "--widths: expected whole numbers above 0 up to 1e+09, such as 16,32, got \"\""},
      {{"--widths", "8,,16"}, "--widths: expected whole numbers above 0"},
      {{"--widths", "8,x"}, "--widths: expected whole numbers above 0"},
      {{"--widths", "0"}, "--widths: expected whole numbers above 0"},
      {{"--widths", "16,16.5"}, "--widths: expected whole numbers above 0"},
      {{"--widths", "16,32,1.6e1"}, "--widths: 16 is given twice in \"16,32,1.6e1\""},
      {{"--widths", "nan"}, "--widths: expected whole numbers above 0"},
      {{"--widths", "1e7"}, "--hidden: expected widths from 1 to 1000000 such as 128,64, got \"1e+07\""},
      {{"--epochs", "0"}, "--epochs: expected a number from 1 to 1000000, got 0"},
      {{"--seeds", "0"}, "--seeds: expected a number from 1 to 10000, got 0"},
      {{"--jobs", "0"}, "--jobs: expected a number from 1 to 256, got 0"},
      {{"--protocol", "both"}, "--protocol: expected sound, paper, got \"both\""},
      {{"--full"}, "--quick, --smoke and --full: give one of them"},
      {{"--depths", "1"}, "unrecognised option '--depths'"},
      {{"--width", "8"}, "unrecognised option '--width'"},
      {{"mnist"}, "unexpected argument \"mnist\""},
  };
  for (const auto& [arguments, message] : rows) {
    const Outcome outcome = run("width", Arguments{"--smoke"} + arguments);
    EXPECT_EQ(outcome.code, 2) << message;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_EQ(outcome.out, "");
  }
  const Outcome unwritable = run("width", {"--smoke", "--out-dir", "file/r"});
  EXPECT_EQ(unwritable.code, 1);
  EXPECT_THAT(unwritable.err, HasSubstr("width: [store] file/r: the folder cannot be made: Not a directory"));
  const Outcome missing = run("width", {"--quick", "--data-dir", "nowhere"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.err, HasSubstr("nowhere"));
}

TEST_F(Study, TellsAboutItself) {
  const Outcome help = run("width", {"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* word : {"Usage: ./elk width", "--protocol", "--widths", "--dry-run", "Exit codes"})
    EXPECT_THAT(help.out, HasSubstr(word));
  EXPECT_THAT(run("width", {"--version"}).out, testing::StartsWith("elkgrad "));
  const Outcome dry = run("width", {"--smoke", "--dry-run"});
  EXPECT_EQ(dry.code, 0);
  EXPECT_THAT(dry.out, HasSubstr("4 runs, 2 searches for a learning rate: about "));
  EXPECT_THAT(folder_.names(), IsEmpty());
  // What --print-config prints, --config reads.
  const Arguments options{"--smoke", "--widths", "8,9", "--seed", "7"};
  const Outcome printed = run("width", options + Arguments{"--print-config"});
  write_file_atomically(path("c.json"), printed.out);
  EXPECT_EQ(run("width", {"--config", "c.json", "--print-config"}).out, printed.out);
  EXPECT_THAT(printed.out, HasSubstr("\"widths\": \"8,9\""));
}

TEST_F(Study, JsonIsTheResults) {
  const Outcome outcome = run("width", {"--smoke", "--widths", "8,9", "--json", "--quiet", "--out-dir", "r"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, file("r/results.json"));
  EXPECT_EQ(outcome.err, "");
}

// Two ensembles have no network in common, and results that are taken over are not those of single networks.
TEST_F(Study, OfEnsembles) {
  const Arguments options{"--smoke", "--ensembles", "2,1", "--seeds", "2", "--quiet"};
  const Outcome outcome = run("best_models", options + Arguments{"--out-dir", "r"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::set<std::pair<int, int>> found;  // networks and seed
  for (const std::string& line : rows_of(path("r"))) {
    const Json row = Json::parse(line);
    if (!row.contains("config")) continue;  // an epoch's
    const bool several = row["config"].contains("ensemble");
    found.emplace(several ? row["config"]["ensemble"].get<int>() : 1, row["config"]["seed"].get<int>());
    EXPECT_EQ(row["metrics"].contains("single_accuracy"), several);
  }
  EXPECT_EQ(found, (std::set<std::pair<int, int>>{{1, 100}, {1, 101}, {2, 100}, {2, 102}}));
  // What runs have in common is what all of them have: the first has more options than the others.
  const Results results = parse_results(file("r/results.json"), "results.json");
  for (const auto& [option, value] : results.configuration)
    for (const char* own : {"ensemble", "batch-norm", "noise", "ema", "label-smoothing"})
      EXPECT_NE(option, own) << value;
  // What some are measured by besides has a column, which is empty for the others; none where no one is.
  const auto column = [](const Table& table) {
    const auto at = std::find(table.columns.begin(), table.columns.end(), "tta accuracy, %");
    return static_cast<std::size_t>(at - table.columns.begin());
  };
  const Table& table = results.tables.at(0);
  const std::size_t tta = column(table);
  ASSERT_LT(tta, table.columns.size());
  for (std::size_t i = 0; i < results.points.size(); ++i)
    EXPECT_EQ(table.rows.at(i).at(tta) == "-",
              Json::parse(results.points[i].config).value("tta", "none") == "none")
        << results.points[i].config;
  ASSERT_EQ(run("best_models", {"--protocol", "paper", "--smoke", "--quiet", "--out-dir", "paper"}).code, 0);
  const Table paper = parse_results(file("paper/results.json"), "results.json").tables.at(0);
  EXPECT_EQ(column(paper), paper.columns.size());
  const Outcome again =
      run("best_models", options + Arguments{"--from", "r/results.json", "--out-dir", "again"});
  ASSERT_EQ(again.code, 0) << again.err;
  const auto points = [&](const std::string& folder) {
    Json all = Json::array();
    for (const Json& point : Json::parse(file(folder + "/results.json"))["points"])
      all.push_back({{"label", point["label"]}, {"measured", point["measured"]}});
    return all;
  };
  EXPECT_EQ(points("again"), points("r"));
  // Alone they are no single networks.
  const Arguments one{"--smoke", "--seeds", "1", "--quiet", "--ensembles"};
  ASSERT_EQ(run("best_models", one + Arguments{"2", "--out-dir", "two"}).code, 0);
  ASSERT_EQ(run("best_models", one + Arguments{"1", "--from", "two/results.json", "--out-dir", "one"}).code,
            0);
  EXPECT_NE(file("one/summaries.jsonl"), "");
}

// From its results alone an experiment tells the same, and runs nothing.
TEST_F(Study, TellsResultsAgain) {
  for (const std::string program : {"width", "frontier"}) {
    const Outcome first = run(program, {"--smoke", "--out-dir", "r/" + program});
    ASSERT_EQ(first.code, 0) << first.err;
    const std::string from = "r/" + program + "/results.json";
    const Outcome again = run(program, {"--smoke", "--from", from, "--out-dir", "s/" + program});
    ASSERT_EQ(again.code, 0) << again.err;
    EXPECT_EQ(file("s/" + program + "/summaries.jsonl"), "");
    const Results told = parse_results(file(from), "results.json"),
                  retold = parse_results(file("s/" + program + "/results.json"), "results.json");
    EXPECT_EQ(retold.verdicts, told.verdicts);
    EXPECT_EQ(retold.cost.runs, told.cost.runs);
    EXPECT_EQ(retold.commit, told.commit);
    ASSERT_EQ(retold.tables.size(), told.tables.size());
    // Fits follow curves of five digits.
    for (std::size_t i = 0; i < std::min<std::size_t>(2, told.tables.size()); ++i)
      EXPECT_EQ(retold.tables[i].rows, told.tables[i].rows);
    // What it lacks is run.
    if (program == "width") {
      const Outcome more = run("width", {"--smoke", "--widths", "16,8", "--from", from, "--out-dir", "t"});
      EXPECT_EQ(more.code, 0) << more.err;
      EXPECT_EQ(parse_results(file("t/results.json"), "results.json").points.size(), 2u);
      // What was spent on cells that are not asked for is no cost of this.
      const Outcome less = run("width", {"--smoke", "--widths", "16", "--from", from, "--out-dir", "u"});
      EXPECT_EQ(less.code, 0) << less.err;
      EXPECT_EQ(file("u/summaries.jsonl"), "");
      const Results few = parse_results(file("u/results.json"), "results.json");
      ASSERT_EQ(few.points.size(), 1u);
      std::int64_t others = 0;
      for (const Point& point : told.points)
        if (point.config != few.points[0].config)
          others += static_cast<std::int64_t>(point.measured.at("test_accuracy").values.size());
      EXPECT_GT(others, 0);
      EXPECT_EQ(few.cost.runs, told.cost.runs - others);
    }
  }
  // Other seeds are other runs, and so are more of them; of more that are there it takes as many as are asked
  // for.
  const auto runs_made = [&](const Arguments& more, const std::string& folder) {
    const Outcome outcome = run(
        "width",
        Arguments{"--smoke", "--widths", "16", "--from", "r/width/results.json", "--out-dir", folder} + more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const Results found = parse_results(file(folder + "/results.json"), "results.json");
    return std::pair(file(folder + "/summaries.jsonl").empty(),
                     found.points.at(0).measured.at("test_accuracy").values.size());
  };
  EXPECT_EQ(runs_made({"--seed", "200"}, "v"), std::pair(false, std::size_t{2}));
  EXPECT_EQ(runs_made({"--seeds", "3"}, "w"), std::pair(false, std::size_t{3}));
  EXPECT_EQ(runs_made({"--seeds", "1"}, "x"), std::pair(true, std::size_t{1}));
  const Outcome whole =
      run("width", {"--quick", "--dataset", "digits", "--from", "r/width/results.json", "--out-dir", "y"});
  EXPECT_EQ(whole.code, 2);
  EXPECT_THAT(whole.err,
              HasSubstr("--from: r/width/results.json was made without --quick, which takes other data"));
  const Outcome other = run("depth", {"--smoke", "--from", "r/width/results.json", "--out-dir", "u"});
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err,
              HasSubstr("--from: expected results of depth on digits by the sound protocol, r/width/"
                        "results.json has width on digits by sound"));
}

TEST_F(Study, AFailedRunIsNamedAndTheOthersAreThere) {
  const Outcome outcome =
      run("data_size", {"--smoke", "--widths", "8", "--sizes", "100,5000000", "--out-dir", "r"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("data_size: a run failed: --train-size: there are "));
  const Results results = parse_results(file("r/results.json"), "results.json");
  EXPECT_EQ(results.status, "failed");
  EXPECT_THAT(results.failures, Not(IsEmpty()));
  ASSERT_EQ(results.points.size(), 2u);
  EXPECT_EQ(results.points[0].failed, 0);
  EXPECT_EQ(results.points[1].failed, 2);
}

TEST_F(Study, CtrlCEndsItAndItGoesOn) {
  const Arguments arguments{"--smoke", "--epochs", "20", "--widths", "8,9", "--out-dir", "r"};
  test::Child child(arguments, around_program("width"));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  child.kill(SIGINT);
  const Outcome stopped = child.wait();
  if (stopped.code != 0) {  // a fast machine was done
    EXPECT_EQ(stopped.code, 130);
    EXPECT_THAT(stopped.err,
                HasSubstr("width: stopped; what was complete is kept in r, and the same command continues"));
  }
  EXPECT_EQ(run("width", arguments).code, 0);
  EXPECT_EQ(run("width", {"--smoke", "--epochs", "20", "--widths", "8,9", "--out-dir", "s"}).code, 0);
  EXPECT_EQ(rows_of(path("r")), rows_of(path("s")));
}

// kill -9 at random moments, again and again until it has got through.
TEST_F(Study, KilledAtRandomMoments) {
  const int kills = std::getenv("ELK_LONG_TESTS") != nullptr ? 200 : 20;
  const auto arguments = [](const std::string& out) {
    return Arguments{"--smoke", "--widths", "8,9,10,11,12,13,14,15", "--jobs", "2", "--out-dir", out};
  };
  const auto start = test::Clock::now();
  ASSERT_EQ(run("width", arguments("undisturbed")).code, 0);
  double whole = test::seconds_since(start);  // less, if the machine was busy then
  std::mt19937 random(1);
  int killed = 0, through = 0;
  while (killed < kills) {
    test::Child child(arguments("r"), around_program("width"));
    const auto begun = test::Clock::now();
    const double moment = std::uniform_real_distribution<double>(0, whole)(random);
    if (!child.wait_until([&] { return test::seconds_since(begun) >= moment; }))
      whole = std::min(whole, test::seconds_since(begun));
    child.kill(SIGKILL);
    const Outcome outcome = child.wait();
    if (outcome.code != 0) {
      ASSERT_EQ(outcome.code, 137) << outcome.err;
      ++killed;
      continue;
    }
    ++through;
    ASSERT_EQ(rows_of(path("r")), rows_of(path("undisturbed")));
    std::filesystem::remove_all(path("r"));
  }
  ASSERT_EQ(run("width", arguments("r")).code, 0);
  EXPECT_EQ(rows_of(path("r")), rows_of(path("undisturbed")));
}

TEST_F(Study, ResultsListFilterAndExport) {
  ASSERT_EQ(run("width", {"--smoke", "--widths", "8,9", "--out-dir", "r"}).code, 0);
  const Outcome all = run("results", {"r"});
  EXPECT_EQ(all.code, 0);
  EXPECT_THAT(all.out, HasSubstr("test accuracy"));
  const auto lines = std::count(all.out.begin(), all.out.end(), '\n');
  const Outcome some =
      run("results", {"r", "--where", "hidden=8", "--where", "seed=101", "--where", "lr=0.1"});
  EXPECT_EQ(std::count(some.out.begin(), some.out.end(), '\n'), 2);
  const Outcome csv = run("results", {"r", "--csv"});
  EXPECT_EQ(std::count(csv.out.begin(), csv.out.end(), '\n'), lines);
  EXPECT_THAT(csv.out, testing::StartsWith("key,status,"));
  const std::size_t columns = static_cast<std::size_t>(
      std::count(csv.out.begin(), csv.out.begin() + static_cast<std::ptrdiff_t>(csv.out.find('\n')), ','));
  EXPECT_GT(columns, 30u);
  const Outcome as_json = run("results", {"r", "--json", "--where", "status=done"});
  EXPECT_EQ(std::count(as_json.out.begin(), as_json.out.end(), '\n') + 1, lines);
  EXPECT_GT(Json::parse(as_json.out.substr(0, as_json.out.find('\n')))["test_accuracy"].get<double>(), 0);
  const Outcome curves = run("results", {"r", "--json", "--curves"});
  EXPECT_THAT(curves.out, HasSubstr("\"epoch\":2"));

  for (const auto& [arguments, message] : std::initializer_list<std::pair<Arguments, const char*>>{
           {{}, "expected one folder, such as runs/width"},
           {{"nowhere"}, "nowhere holds no runs: there is no nowhere/summaries.jsonl"},
           {{"r", "--where", "hidden"}, "--where: expected NAME=VALUE such as hidden=64, got \"hidden\""},
           {{"r", "--where", "colour=red"}, "--where: no run has an option \"colour\""},
           {{"r", "--csv", "--json"}, "--csv and --json: give one of them"}}) {
    const Outcome outcome = run("results", arguments);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(message));
  }
}

#ifndef ELK_SANITIZE  // where some programs are not built
TEST_F(Study, PaperRunsThemAllAndWritesOneReport) {
  const Arguments arguments{"--smoke", "--only", "leaky_slope,width", "--out-dir", "p"};
  const Outcome outcome = run("paper", arguments);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string html = file("p/report.html");
  for (const char* program : {"leaky_slope", "width"}) {
    const Results results = parse_results(file(fmt::format("p/{}/results.json", program)), "results.json");
    EXPECT_THAT(html, HasSubstr(results.title));
    EXPECT_THAT(outcome.out, HasSubstr(results.title));
  }
  const std::string before = file("p/width/summaries.jsonl");
  EXPECT_EQ(run("paper", arguments).code, 0);
  EXPECT_EQ(file("p/width/summaries.jsonl"), before);
  const Outcome dry = run("paper", {"--smoke", "--dry-run", "--out-dir", "q"});
  EXPECT_EQ(dry.code, 0);
  EXPECT_THAT(dry.out, HasSubstr("frontier\n"));
  EXPECT_FALSE(std::filesystem::exists(path("q")));
  EXPECT_THAT(run("paper", {"--only", "height"}).err, HasSubstr("--only: expected some of activation, "));
  EXPECT_THAT(run("paper", {"--only", ""}).err, HasSubstr("--only: expected some"));
}
#endif

}  // namespace
}  // namespace elk::lab
