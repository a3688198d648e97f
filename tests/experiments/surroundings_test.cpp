// Programs where users have them: closed streams, folders that only may be read, a decimal comma, a clock
// that jumps back, paths with anything in them.
#include <sys/stat.h>

#include <algorithm>
#include <clocale>

#include <elk/data/digits.hpp>

#include "data/png.hpp"
#include "experiments/fixture.hpp"

namespace elk::lab::test {
namespace {

using namespace elk::test;
using testing::AnyOf;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class InSurroundings : public TrainProgram {
 protected:
  using Environment = std::map<std::string, std::string>;

  Surroundings around_program(const std::string& program, const Environment& environment = {}) {
    Surroundings with = around();
    with.program = program.starts_with("/") ? program : ELK_PROGRAMS "/" + program;
    for (const auto& [name, value] : environment) with.environment[name] = value;
    return with;
  }
  Outcome run(const std::string& program, const Arguments& arguments, const Environment& environment = {}) {
    return Child(arguments, around_program(program, environment)).wait();
  }
  // With standard streams closed, as in `train >&- 2>&-`.
  Outcome run_closed(const std::string& streams, const std::string& program, const Arguments& arguments) {
    return run("/bin/sh",
               Arguments{"-c", "exec \"$0\" \"$@\" " + streams, ELK_PROGRAMS "/" + program} + arguments);
  }
  std::vector<Json> rows(const std::string& name) {
    std::vector<Json> all;
    std::istringstream lines(file(name));
    for (std::string line; std::getline(lines, line);) all.push_back(Json::parse(line));
    return all;
  }

  /// train, train --resume, results, predict and demo in the folder `folder`, and what they said that has no
  /// time in it. `environment` is theirs.
  std::string all_programs(const std::string& folder, const Environment& environment) {
    const std::string data = folder + "/data", run_folder = folder + "/run", study = folder + "/study",
                      picture = folder + "/seven.pgm";
    std::filesystem::create_directories(path(folder));
    small();
    std::filesystem::rename(path("data"), path(data));
    std::string said;
    const auto check = [&](const Outcome& outcome) {
      EXPECT_EQ(outcome.code, 0) << outcome.err;
      said += outcome.out;
    };
    const Arguments options = small({"--data-dir", data, "--out-dir", run_folder, "--lr", "0.0125",
                                     "--dropout", "0.25", "--schedule", "step:1:0.5", "--quiet"});
    check(run("train", options, environment));
    check(run("train", {"--resume", "--data-dir", data, "--out-dir", run_folder, "--epochs", "3", "--quiet"},
              environment));
    said += history(run_folder) + file(run_folder + "/config.json");

    run("width", {"--smoke", "--seeds", "1", "--widths", "8,9", "--jobs", "1", "--out-dir", study, "--quiet"},
        environment);
    // Without what takes time, which comes behind the accuracy.
    const auto results = [&](const Arguments& form) {
      const Outcome outcome = run("results", Arguments{study} + form, environment);
      EXPECT_EQ(outcome.code, 0) << outcome.err;
      return outcome.out;
    };
    EXPECT_THAT(results({}), ContainsRegex(" 0\\.[0-9]{4} "));
    std::istringstream csv(results({"--csv"})), json(results({"--where", "lr=0.1", "--json"}));
    std::size_t columns = 0;
    for (std::string line; std::getline(csv, line);) {
      const auto commas = static_cast<std::size_t>(std::count(line.begin(), line.end(), ','));
      if (columns == 0) columns = commas;
      EXPECT_GE(commas, columns) << line;
      EXPECT_THAT(line, AnyOf(StartsWith("key,"), ContainsRegex(",0\\.[0-9]+,")));
    }
    for (std::string line; std::getline(json, line);) {
      Json row = Json::parse(line);
      row.erase("seconds");
      said += row.dump() + "\n";
    }

    const Dataset test = digits_train_test(1, 0).test;
    write_file_atomically(path(picture), pgm(reshape28(test.take(3, 1).images)));
    check(run("predict", {"--json", run_folder + "/model.safetensors", picture}, environment));
    check(run("predict", {run_folder + "/model.safetensors", picture}, environment));
    const std::string as_json = Json(folder).dump();
    for (const std::string& name : {as_json.substr(1, as_json.size() - 2), folder})
      for (std::size_t at = 0; (at = said.find(name, at)) != std::string::npos;)
        said.replace(at, name.size(), "*");
    return said;
  }
  static Tensor reshape28(const Tensor& image) {
    const auto pixels = image.data<std::uint8_t>();
    return from(std::vector<std::uint8_t>(pixels.begin(), pixels.end()), {28, 28});
  }
};

TEST_F(InSurroundings, ClosedStreamsSpoilNoStore) {
  const Arguments options{"--smoke", "--seeds", "1", "--widths", "8,9"};
  ASSERT_EQ(run("width", options + Arguments{"--out-dir", "usual"}).code, 0);
  for (const std::string streams : {">&- 2>&-", "<&- >&- 2>&-", "2>&-", "<&-", ">&-"}) {
    SCOPED_TRACE(streams);
    const std::string folder = "with " + streams;
    EXPECT_EQ(run_closed(streams, "width", options + Arguments{"--out-dir", folder}).code, 0);
    EXPECT_EQ(rows(folder + "/summaries.jsonl").size(), rows("usual/summaries.jsonl").size());
    EXPECT_EQ(rows(folder + "/curves.jsonl").size(), rows("usual/curves.jsonl").size());
    EXPECT_EQ(run("results", {folder}).code, 0);
  }
}

TEST_F(InSurroundings, ClosedStreamsOfOtherPrograms) {
  ASSERT_EQ(run_closed("<&- >&- 2>&-", "train", small({"--out-dir", "r"})).code, 0);
  ASSERT_EQ(run("train", small({"--out-dir", "usual"})).code, 0);
  EXPECT_EQ(history("r"), history("usual"));
  EXPECT_EQ(file("r/config.json"), file("usual/config.json"));
  EXPECT_EQ(run("train", {"--resume", "--out-dir", "r"}).code, 0);
  write_file_atomically(path("x.pgm"), pgm(reshape28(digits_train_test(1, 0).test.take(3, 1).images)));
  EXPECT_EQ(run_closed(">&- 2>&-", "predict", {"r/model.safetensors", "x.pgm"}).code, 0);
  EXPECT_EQ(run_closed(">&- 2>&-", "show", {"--count", "4"}).code, 0);
  EXPECT_EQ(run_closed(">&- 2>&-", "trace", {"custom", "--out-dir", "t"}).code, 0);
  EXPECT_THAT(file("t/custom/trace.html"), EndsWith("</html>\n"));
}

TEST_F(InSurroundings, ResultsNeedOnlyBeRead) {
  ASSERT_EQ(run("width", {"--smoke", "--seeds", "1", "--widths", "8,9", "--out-dir", "store"}).code, 0);
  const Outcome usual = run("results", {"store"}), curves = run("results", {"store", "--json", "--curves"});
  ASSERT_EQ(usual.code, 0);
  // The administrator may write everywhere: not without this capability.
  Arguments before;
  std::string program = "results";
  if (geteuid() == 0) {
    program = "/usr/bin/setpriv";
    before = {"--bounding-set=-dac_override,-dac_read_search", ELK_PROGRAMS "/results"};
    if (run(program, {before[0], "/bin/true"}).code != 0)
      GTEST_SKIP() << "setpriv cannot drop a capability here";
  }
  const auto forbid = [&](::mode_t folder, ::mode_t files) {
    for (const auto& entry : std::filesystem::directory_iterator(path("store")))
      ::chmod(entry.path().c_str(), files);
    ::chmod(path("store").c_str(), folder);
  };
  forbid(0555, 0444);
  EXPECT_EQ(run(program, before + Arguments{"store"}).out, usual.out);
  EXPECT_EQ(run(program, before + Arguments{"store", "--json", "--curves"}).out, curves.out);
  forbid(0755, 0644);
  std::filesystem::remove(path("store/store.lock"));  // and nothing is made
  forbid(0555, 0444);
  EXPECT_EQ(run(program, before + Arguments{"store", "--json", "--curves"}).out, curves.out);
  EXPECT_FALSE(std::filesystem::exists(path("store/store.lock")));

  // What may not even be read is named.
  forbid(0555, 0);
  const Outcome unreadable = run(program, before + Arguments{"store"});
  EXPECT_EQ(unreadable.code, 1);
  EXPECT_THAT(unreadable.err,
              ContainsRegex("results: \\[store\\] store/(store.lock|summaries.jsonl): Permission denied\n"));
  forbid(0, 0444);
  const Outcome closed = run(program, before + Arguments{"store"});
  EXPECT_EQ(closed.code, 1);
  EXPECT_THAT(closed.err, StartsWith("results: [store] store: Permission denied\n"));
  forbid(0755, 0644);
}

TEST_F(InSurroundings, DataThatMayNotBeRead) {
  Arguments options = small({"--out-dir", "r"});
  std::string program = "train";
  if (geteuid() == 0) {
    program = "/usr/bin/setpriv";
    options = Arguments{"--bounding-set=-dac_override,-dac_read_search", ELK_PROGRAMS "/train"} + options;
    if (run(program, {options[0], "/bin/true"}).code != 0)
      GTEST_SKIP() << "setpriv cannot drop a capability here";
  }
  ::chmod(path("data/mnist").c_str(), 0);
  const Outcome folder = run(program, options);
  ::chmod(path("data/mnist").c_str(), 0755);
  EXPECT_EQ(folder.code, 1);
  EXPECT_THAT(folder.err, EndsWith("train: [mnist] data/mnist cannot be read: Permission denied\n"));
  ::chmod(path("data/mnist/t10k-labels-idx1-ubyte").c_str(), 0);
  const Outcome file = run(program, options);
  EXPECT_EQ(file.code, 1);
  EXPECT_THAT(
      file.err,
      EndsWith("train: [data] data/mnist/t10k-labels-idx1-ubyte cannot be read: Permission denied\n"));
}

TEST_F(InSurroundings, ADecimalComma) {
  const char* const german = "de_DE.UTF-8";
  const locale_t locale = ::newlocale(LC_ALL_MASK, german, nullptr);
  if (locale == nullptr) GTEST_SKIP() << "this machine lacks the locale " << german;
  ::freelocale(locale);
  const std::string usual = all_programs("usual", {{"LC_ALL", "C"}});
  EXPECT_THAT(usual, HasSubstr("\"lr\": 0.0125"));
  EXPECT_EQ(all_programs("german", {{"LC_ALL", german}}), usual);
}

TEST_F(InSurroundings, AClockThatJumpsBack) {
#ifdef ELK_BACKWARD_CLOCK
  const std::string usual = all_programs("usual", {});
  EXPECT_EQ(all_programs("backward", {{"LD_PRELOAD", ELK_BACKWARD_CLOCK}}), usual);
  for (const char* folder : {"usual", "backward"})
    for (const Json& row : rows(std::string(folder) + "/run/history.jsonl")) {
      EXPECT_GT(row["seconds"].get<double>(), 0);
      EXPECT_LT(row["seconds"].get<double>(), 100);
    }
  // The clock did jump: later runs have an earlier date.
  std::vector<std::string> dates;
  for (const Json& row : rows("backward/study/summaries.jsonl")) {
    dates.push_back(row["date"]);
    EXPECT_THAT(dates.back(), StartsWith("202"));
    EXPECT_LT(row["seconds"].get<double>(), 100);
    EXPECT_GT(row["seconds"].get<double>(), 0);
  }
  EXPECT_THAT(dates, testing::SizeIs(testing::Gt(1)));
  EXPECT_FALSE(std::is_sorted(dates.begin(), dates.end()));
#else
  GTEST_SKIP() << "a sanitizer's runtime has to be loaded first";
#endif
}

TEST_F(InSurroundings, PathsWithAnythingInThem) {
  const std::string usual = all_programs("usual", {});
  const std::string odd = "Z\u00fcrich's \"new\" $HOME `ls` %s {} \\ & <b>";
  EXPECT_EQ(all_programs(odd, {}), usual);
}

}  // namespace
}  // namespace elk::lab::test
