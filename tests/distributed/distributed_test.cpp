// What several ranks of MPI do is what one process does, to the bit; and what becomes of it when some of them
// fail, differ, are killed or stall.
#include <dirent.h>
#include <sys/resource.h>

#include <chrono>
#include <condition_variable>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <regex>
#include <set>
#include <stop_token>
#include <thread>

#include "experiments/fixture.hpp"

namespace elk::lab::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr bool open_mpi = ELK_OPEN_MPI != 0;
#ifdef ELK_SANITIZE
constexpr bool sanitized = true;  // all takes ten times as long
#else
constexpr bool sanitized = false;
#endif

class Distributed : public TrainProgram {
 protected:
  void SetUp() override {
    if (access(ELK_MPIRUN, X_OK) != 0) GTEST_SKIP() << ELK_MPIRUN << " is not there";
    // ctest ends a test after 600 s, and would not say what it waited for.
    watch_ = std::jthread([this](const std::stop_token& stop) {
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any ended;
      ended.wait_for(lock, stop, std::chrono::seconds(500), [] { return false; });
      if (stop.stop_requested()) return;
      ADD_FAILURE() << "still running after 500 s, and killed now:\n" << what_runs();
      TearDown();
    });
  }
  void TearDown() override {  // whoever was stopped, or lost its mpirun
    for (const auto& [process, variables] : of_this_test()) ::kill(process, SIGKILL);
  }

  Surroundings mpi(const std::map<std::string, std::string>& others = {}) {
    Surroundings result = around();
    result.environment["PATH"] = "/usr/local/bin:/usr/bin:/bin";
    result.environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1";
    result.environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1";
    result.environment["ELK_TEST_FOLDER"] = folder_.path();
    for (const auto& [name, value] : others) result.environment[name] = value;
    result.program = ELK_MPIRUN;
    return result;
  }
  // mpirun's own words, for so many ranks of a program.
  static Arguments start(int ranks, const std::string& program, const Arguments& arguments) {
    Arguments words;
    if (open_mpi) words = {"--oversubscribe", "--bind-to", "none"};
    // Without gnuplot, which would take most of the time.
    return words +
           Arguments{"-n", std::to_string(ranks), "/usr/bin/env", "PATH=/nowhere",
                     ELK_PROGRAMS "/" + program} +
           arguments;
  }
  Outcome run_mpi(int ranks, const std::string& program, const Arguments& arguments,
                  const std::map<std::string, std::string>& others = {}) {
    return Child(start(ranks, program, arguments), mpi(others)).wait();
  }
  // Of one whose rank was killed. Open MPI's launcher may then wait for ever for a lock of its own
  // (pmix_rte_finalize, seen once in a thousand kills), after all its ranks have ended.
  Outcome end_of(Child& child) {
    const auto begun = Clock::now();
    if (child.wait_until([&] { return seconds_since(begun) > 20 && processes().empty(); }))
      child.kill(SIGKILL);
    return child.wait();
  }
  // Without mpirun.
  Outcome run_alone(const std::string& program, const Arguments& arguments) {
    Surroundings where = around();
    where.program = ELK_PROGRAMS "/" + program;
    return Child(arguments, where).wait();
  }

  // MPICH kills the others, and ends with what comes of all their codes.
  static void expect_failed(const Outcome& outcome, int code) {
    if (open_mpi) {
      EXPECT_EQ(outcome.code, code) << outcome.err;
    } else {
      EXPECT_NE(outcome.code, 0) << outcome.err;
    }
  }

  // The processes that this test started, with their variables.
  std::map<pid_t, std::string> of_this_test() const {
    std::map<pid_t, std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream in(entry.path() / "environ");
      std::string all(std::istreambuf_iterator<char>(in), {});
      if (all.find("ELK_TEST_FOLDER=" + folder_.path()) != std::string::npos)
        found.emplace(static_cast<pid_t>(std::stol(name)), std::move(all));
    }
    return found;
  }
  std::string what_runs() const {
    std::string list;
    for (const auto& [process, variables] : of_this_test()) {
      const std::string folder = "/proc/" + std::to_string(process) + "/";
      for (const char* file : {"cmdline", "wchan", "status"}) {
        std::ifstream in(folder + file);
        std::string text(std::istreambuf_iterator<char>(in), {});
        std::replace(text.begin(), text.end(), '\0', ' ');
        list += text + "\n";
      }
    }
    return list;
  }
  // Those of them that are ranks.
  std::map<int, pid_t> processes() const {
    std::map<int, pid_t> found;
    const std::string key = open_mpi ? "OMPI_COMM_WORLD_RANK=" : "PMI_RANK=";
    for (const auto& [process, variables] : of_this_test()) {
      std::error_code error;
      const auto program = std::filesystem::read_symlink("/proc/" + std::to_string(process) + "/exe", error);
      if (error || program.parent_path() != ELK_PROGRAMS) continue;
      if (const auto at = variables.find(key); at != std::string::npos)
        found[std::atoi(variables.c_str() + at + key.size())] = process;
    }
    return found;
  }
  std::optional<pid_t> process(int rank) const {
    const auto all = processes();
    const auto at = all.find(rank);
    return at == all.end() ? std::nullopt : std::optional(at->second);
  }
  void wait_for(const std::function<bool()>& condition, const char* what) {
    for (int i = 0; !condition(); ++i) {
      ASSERT_LT(i, 6000) << what << " did not come";
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  // Everything that has a state takes part. `others` win.
  Arguments options(Arguments others) {
    for (const auto& [option, value] : {std::pair{"--hidden", "32,16"},
                                        {"--batch-size", "30"},
                                        {"--epochs", sanitized ? "2" : "4"},
                                        {"--dropout", "0.3"},
                                        {"--parts", "4"},
                                        {"--early-stop", "40"},
                                        {"--augment", "shift:1,mixup:0.2"},
                                        {"--normalize", "channel"}})
      if (std::find(others.begin(), others.end(), option) == others.end())
        others = others + Arguments{option, value};
    return small(others + Arguments{"--quiet"});
  }
  void expect_same_run(const std::string& a, const std::string& b) {
    EXPECT_TRUE(file(a + "/model.safetensors") == file(b + "/model.safetensors")) << a;
    EXPECT_EQ(history(a), history(b)) << a;
    EXPECT_EQ(file(a + "/config.json"), file(b + "/config.json")) << a;
  }

  // The rows of a store without times, by their keys; none may be there twice.
  std::map<std::string, std::string> rows(const std::string& folder, const char* name) {
    std::map<std::string, std::string> all;
    std::istringstream lines(file(folder + "/" + name));
    for (std::string line; std::getline(lines, line);) {
      Json row = Json::parse(line);
      for (const char* of_time : {"seconds", "date", "digest"}) row.erase(of_time);
      const std::string key =
          row["key"].get<std::string>() + (row.contains("epoch") ? " " + row["epoch"].dump() : "");
      EXPECT_TRUE(all.emplace(key, row.dump()).second) << "twice: " << line;
    }
    return all;
  }
  // Of a file that may be torn, or not be there yet.
  std::set<std::string> complete_lines(const std::string& name) const {
    std::set<std::string> all;
    if (!std::filesystem::exists(path(name))) return all;
    const std::string text = file(name);
    for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
      all.insert(text.substr(begin, end - begin));
    return all;
  }
  static int kills_times() { return std::getenv("ELK_LONG_TESTS") != nullptr ? 10 : 1; }
  void expect_same_store(const std::string& a, const std::string& b) {
    for (const char* name : {"summaries.jsonl", "curves.jsonl"}) EXPECT_EQ(rows(a, name), rows(b, name));
  }
  // Stops a process for good: the others end in time, with an error. What they say.
  std::string end_by_stopping(int rank, Child& child) {
    ::kill(process(rank).value(), SIGSTOP);
    const auto begun = std::chrono::steady_clock::now();
    const Outcome outcome = child.wait();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(30));
    EXPECT_NE(outcome.code, 0);
    return outcome.err;
  }
  Arguments sweep(const std::string& folder, const Arguments& others = {}) {
    return Arguments{"--smoke", "--quiet", "--widths", "16,24", "--out-dir", folder} + others;
  }

  std::jthread watch_;  // last: it asks the others
};

TEST_F(Distributed, TheLibrarysBitsAreThoseOfTheNumberOfParts) {
  const Outcome alone = run_alone("ranks", {"alone", "4"});
  ASSERT_EQ(alone.code, 0) << alone.err;
  for (const int ranks : {1, 2, 4}) {
    const Outcome outcome = run_mpi(ranks, "ranks", {"fit", "4"});  // rank r on r + 1 threads
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, alone.out) << ranks;
  }
}

TEST_F(Distributed, OnesOwnLoop) {
  const Outcome outcome = run_mpi(3, "ranks", {"loop"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 3) << outcome.out;
}

TEST_F(Distributed, AnExceptionOnOneRankEndsAllWithItsMessage) {
  for (const int rank : {0, 2}) {
    const Outcome outcome = run_mpi(3, "ranks", {"throw", std::to_string(rank)});
    expect_failed(outcome, 7);
    EXPECT_THAT(outcome.err, HasSubstr("[test] rank " + std::to_string(rank) + " cannot go on"));
  }
}

TEST_F(Distributed, RefusesFewerPartsThanRanksAndOtherVersions) {
  const Outcome few = run_mpi(3, "ranks", {"fit", "2"});
  expect_failed(few, 7);
  EXPECT_THAT(few.err, HasSubstr("[parts] 3 ranks cannot share 2 parts: each needs one"));
  const Outcome other = run_mpi(3, "ranks", {"disagree", "1"});
  expect_failed(other, 7);
  EXPECT_THAT(other.err, HasSubstr("[team] rank 1 has version \"2\", rank 0 has \"1\""));
}

TEST_F(Distributed, ARankThatStallsEndsAllInTime) {
  const auto begun = std::chrono::steady_clock::now();
  const Outcome outcome = run_mpi(2, "ranks", {"stall", "1"}, {{"ELK_MPI_PATIENCE", "2"}});
  EXPECT_NE(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("[distributed] rank 0 has waited 2 s for other ranks"));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(15));
}

TEST_F(Distributed, TrainHasTheBitsOfOneProcess) {
  ASSERT_EQ(run_alone("train", options({"--out-dir", "whole"})).code, 0);
  for (const int ranks : {2, 3}) {
    const std::string folder = "r" + std::to_string(ranks);
    const Outcome outcome =
        run_mpi(ranks, "train", options({"--out-dir", folder, "--threads", std::to_string(ranks % 3 + 1)}));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1) << outcome.out;
    expect_same_run(folder, "whole");
  }
  EXPECT_THAT(file("whole/config.json"), HasSubstr("\"parts\": 4"));
  EXPECT_THAT(file("whole/config.json"), Not(HasSubstr("wire")));
  ASSERT_EQ(run_alone("train", options({"--out-dir", "bf16", "--wire", "bf16"})).code, 0);
  ASSERT_EQ(run_mpi(3, "train", options({"--out-dir", "bf16-3", "--wire", "bf16"})).code, 0);
  expect_same_run("bf16-3", "bf16");
  EXPECT_THAT(file("bf16/config.json"), HasSubstr("\"wire\": \"bf16\""));
  EXPECT_NE(history("bf16"), history("whole"));
  ASSERT_EQ(run_alone("train", options({"--out-dir", "two", "--ensemble", "2"})).code, 0);
  ASSERT_EQ(run_mpi(3, "train", options({"--out-dir", "two-3", "--ensemble", "2"})).code, 0);
  EXPECT_TRUE(file("two-3/model.safetensors") == file("two/model.safetensors"));
  expect_same_run("two-3/member-2", "two/member-2");
  expect_same_run("two/member-1", "whole");
  ASSERT_EQ(run_alone("train", options({"--out-dir", "one", "--parts", "1"})).code, 0);
  EXPECT_THAT(file("one/config.json"), Not(HasSubstr("parts")));
  EXPECT_NE(history("one"), history("whole"));
}

TEST_F(Distributed, TrainStopsBySignalsAndGoesOnWithOtherRanks) {
  const Arguments longer{"--epochs", "300"};  // seconds: Open MPI takes one to end them
  ASSERT_EQ(run_alone("train", options(longer + Arguments{"--out-dir", "whole"})).code, 0);
  const Arguments go_on{"--resume", "--out-dir", "r", "--quiet"};
  int ranks = 2;
  for (const int signal : {SIGTERM, SIGINT}) {
    const Arguments words = ranks == 2 ? options(longer + Arguments{"--out-dir", "r"}) : go_on;
    const auto rows = [&] {
      const std::string text =
          std::filesystem::exists(path("r/history.jsonl")) ? file("r/history.jsonl") : "";
      return std::count(text.begin(), text.end(), '\n');
    };
    const auto before = rows();
    Child child(start(ranks, "train", words), mpi());
    wait_for([&] { return rows() > before; }, "an epoch");
    child.kill(signal);
    const Outcome outcome = child.wait();
    // The exit code is the launcher's own, and Open MPI's kills, after a second, who has not spoken yet.
    if (!open_mpi) {
      EXPECT_THAT(outcome.err, HasSubstr("train: stopped in epoch "));
    }
    EXPECT_THAT(outcome.out, Not(HasSubstr("test accuracy")));
    EXPECT_FALSE(std::filesystem::exists(path("r/model.safetensors")));
    ranks = 4;
  }
  ASSERT_EQ(run_alone("train", go_on).code, 0);
  expect_same_run("r", "whole");
}

TEST_F(Distributed, TrainSurvivesKillsOfAnyRank) {
  const Arguments longer{"--epochs", std::to_string(30 * kills_times())};
  ASSERT_EQ(run_alone("train", options(longer + Arguments{"--out-dir", "whole"})).code, 0);
  std::mt19937 random(1);
  for (int i = 0; i < 2 * kills_times(); ++i) {
    const bool begun = std::filesystem::exists(path("r/checkpoint.safetensors"));
    Child child(start(2, "train",
                      begun ? Arguments{"--resume", "--out-dir", "r", "--quiet"}
                            : options(longer + Arguments{"--out-dir", "r"})),
                mpi());
    wait_for([&] { return process(1).has_value(); }, "rank 1");
    std::this_thread::sleep_for(std::chrono::milliseconds(200 + random() % 400));
    const auto victim = process(i % 2);
    if (!victim) break;  // it was faster
    ::kill(*victim, SIGKILL);
    EXPECT_NE(end_of(child).code, 0);
  }
  const bool begun = std::filesystem::exists(path("r/checkpoint.safetensors"));
  const Outcome last = run_mpi(2, "train",
                               begun ? Arguments{"--resume", "--out-dir", "r", "--quiet"}
                                     : options(longer + Arguments{"--out-dir", "r"}));
  ASSERT_EQ(last.code, 0) << last.err;
  expect_same_run("r", "whole");
}

TEST_F(Distributed, TrainRefusesRanksThatDiffer) {
  const Outcome no_parts = run_mpi(2, "train", small({"--out-dir", "r"}));
  expect_failed(no_parts, 2);
  EXPECT_THAT(no_parts.err, HasSubstr("train: --parts: 2 ranks share a batch in 2 parts or more, got 1\n"));
  EXPECT_FALSE(std::filesystem::exists(path("r")));

  // A rank of its own for each set of variables.
  const auto ranks_of = [&](const std::vector<std::string>& variables, const std::vector<Arguments>& words) {
    Arguments all;
    if (open_mpi) all = {"--oversubscribe", "--bind-to", "none"};
    for (std::size_t i = 0; i < variables.size(); ++i) {
      if (i > 0) all.push_back(":");
      all = all + Arguments{"-n", "1", "/usr/bin/env", variables[i], ELK_PROGRAMS "/train"} + words[i];
    }
    return Child(all, mpi()).wait();
  };
  const Arguments words{"--dataset", "mnist", "--validation", "100", "--hidden", "8",
                        "--parts",   "2",     "--out-dir",    "r"};
  small();
  std::filesystem::rename(path("data"), path("a"));
  make_mnist(500, 200);
  const Outcome data = ranks_of({"ELK_DATA_DIR=a", "ELK_DATA_DIR=data"}, {words, words});
  expect_failed(data, 2);
  EXPECT_THAT(data.err, HasSubstr("train: [team] rank 1 has data \""));
  const Outcome options = ranks_of({"A=1", "A=1"}, {words, words + Arguments{"--lr", "0.5"}});
  expect_failed(options, 2);
  EXPECT_THAT(options.err, HasSubstr("train: [team] rank 1 has command line \""));
  const Outcome none = ranks_of({"ELK_DATA_DIR=a", "ELK_DATA_DIR=nowhere"}, {words, words});
  EXPECT_NE(none.code, 0);
  EXPECT_THAT(none.err, HasSubstr("train: rank 1: "));
  EXPECT_THAT(none.err, HasSubstr("nowhere"));
}

TEST_F(Distributed, SweepsHaveTheRowsOfOneProcess) {
  const Outcome one = run_alone("width", sweep("one", {"--jobs", "2"}));
  ASSERT_EQ(one.code, 0) << one.err;
  const Outcome several = run_mpi(3, "width", sweep("several"));
  ASSERT_EQ(several.code, 0) << several.err;
  expect_same_store("several", "one");
  EXPECT_TRUE(std::filesystem::exists(path("several/report.html")));
  const auto without_folder = [](const std::string& text, const std::string& folder) {
    return std::regex_replace(text, std::regex(folder), "");
  };
  EXPECT_EQ(without_folder(several.out, "several"), without_folder(one.out, "one"));
  // What is there is not run again.
  const Outcome again = run_mpi(2, "width", sweep("several"));
  EXPECT_EQ(again.code, 0) << again.err;
  expect_same_store("several", "one");
}

// kill -9 at random moments, again and again, until the sweep has got through.
TEST_F(Distributed, SweepsSurviveKillsOfWorkersAndOfRank0) {
  ASSERT_EQ(run_alone("width", sweep("one", {"--epochs", "6"})).code, 0);
  const auto words = [&] { return start(3, "width", sweep("r", {"--epochs", "6"})); };
  const auto begun = Clock::now();
  ASSERT_EQ(Child(words(), mpi()).wait().code, 0);
  double whole = seconds_since(begun);
  std::mt19937 random(2);
  int of_workers = 5 * kills_times(), of_rank_0 = 2 * kills_times();
  int through = 0, had_done_runs = 0;
  std::filesystem::remove_all(path("r"));
  while (of_workers + of_rank_0 > 0) {
    const bool rank_0 =
        static_cast<int>(random() % static_cast<unsigned>(of_workers + of_rank_0)) < of_rank_0;
    const int rank = rank_0 ? 0 : 1 + static_cast<int>(random() % 2);
    const std::set<std::string> before = complete_lines("r/summaries.jsonl");
    Child child(words(), mpi());
    wait_for([&] { return process(rank).has_value(); }, "the rank");
    const auto seen = Clock::now();
    const double moment = std::uniform_real_distribution<double>(0, whole)(random);
    auto victim = process(rank);
    for (; victim && seconds_since(seen) < moment; victim = process(rank))
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (victim) {
      ::kill(*victim, SIGKILL);
    } else {  // the machine was busy when the first sweep ran
      whole = std::min(whole, seconds_since(seen));
    }
    const Outcome outcome = end_of(child);
    const std::set<std::string> after = complete_lines("r/summaries.jsonl");
    ASSERT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end())) << "lost a run";
    if (victim) --(rank_0 ? of_rank_0 : of_workers);
    if (victim && after.size() > before.size()) ++had_done_runs;
    if (!victim) {  // it was faster
      ASSERT_EQ(outcome.code, 0) << outcome.err;
      ++through;
      expect_same_store("r", "one");
      std::filesystem::remove_all(path("r"));
    }
  }
  const Outcome last = Child(words(), mpi()).wait();
  ASSERT_EQ(last.code, 0) << last.err;
  expect_same_store("r", "one");
  std::printf("%d kills of workers, %d of rank 0, %d of them when it had done runs; got through %d times\n",
              5 * kills_times(), 2 * kills_times(), had_done_runs, through + 1);
}

TEST_F(Distributed, AFullDiskAtRank0EndsAllWithOneMessage) {
  const auto fill = [](pid_t process) {  // its next byte is one too many
    const rlimit none{0, 0};
    return prlimit(process, RLIMIT_FSIZE, &none, nullptr);
  };
  ASSERT_EQ(run_alone("width", sweep("one", {"--epochs", "6"})).code, 0);
  Child child(start(3, "width", sweep("r", {"--epochs", "6"})), mpi());
  wait_for([&] { return !complete_lines("r/summaries.jsonl").empty(); }, "a run");
  ASSERT_EQ(fill(process(0).value()), 0);
  const auto begun = std::chrono::steady_clock::now();
  const Outcome outcome = child.wait();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(30));
  expect_failed(outcome, 1);
  EXPECT_THAT(outcome.err, HasSubstr("width: [store] r/"));
  EXPECT_THAT(outcome.err, HasSubstr("File too large"));
  EXPECT_THAT(outcome.err, Not(HasSubstr("width: rank ")));
  ASSERT_EQ(run_mpi(3, "width", sweep("r", {"--epochs", "6"})).code, 0);
  expect_same_store("r", "one");

  Child training(start(2, "train", options({"--epochs", "1000", "--out-dir", "t"})), mpi());
  wait_for([&] { return !complete_lines("t/history.jsonl").empty(); }, "an epoch");
  ASSERT_EQ(fill(process(0).value()), 0);
  const Outcome trained = training.wait();
  expect_failed(trained, 1);
  EXPECT_THAT(trained.err, HasSubstr("train: ["));
  EXPECT_THAT(trained.err, HasSubstr("File too large"));
}

TEST_F(Distributed, AStoppedRankEndsTraining) {
  for (const int rank : {0, 1}) {
    Child child(start(2, "train", options({"--epochs", "5000", "--out-dir", "t" + std::to_string(rank)})),
                mpi({{"ELK_MPI_PATIENCE", "2"}}));
    wait_for([&] { return !complete_lines("t" + std::to_string(rank) + "/history.jsonl").empty(); },
             "an epoch");
    EXPECT_THAT(end_by_stopping(rank, child),
                HasSubstr("has waited 2 s for other ranks, which do not answer"));
  }
}

TEST_F(Distributed, AStoppedRank0EndsASweep) {
  Child child(start(3, "width", sweep("r", {"--epochs", "50"})), mpi({{"ELK_MPI_PATIENCE", "2"}}));
  wait_for([&] { return !complete_lines("r/summaries.jsonl").empty(); }, "a run");
  EXPECT_THAT(end_by_stopping(0, child), HasSubstr("rank 0 has given no sign for 2 s"));
}

TEST_F(Distributed, AWorkerThatStallsCostsItsRunAlone) {
  const Arguments longer{"--epochs", sanitized ? "3" : "30"};  // much is left after the first run
  ASSERT_EQ(run_alone("width", sweep("one", longer)).code, 0);
  Child child(start(3, "width", sweep("r", longer)), mpi({{"ELK_MPI_PATIENCE", "2"}}));
  wait_for(
      [&] {
        return std::filesystem::exists(path("r/summaries.jsonl")) && !file("r/summaries.jsonl").empty();
      },
      "a run");
  const auto victim = process(2);
  ASSERT_TRUE(victim);
  ::kill(*victim, SIGSTOP);
  const Outcome outcome = child.wait();
  expect_same_store("r", "one");
  EXPECT_TRUE(std::filesystem::exists(path("r/report.html")));
  EXPECT_THAT(outcome.err, HasSubstr("no sign for 2 s"));  // at a run, or behind the last
}

TEST_F(Distributed, SweepsStopBySignals) {
  const Arguments longer{"--epochs", "300", "--seeds", "6"};  // much is left after the first run
  Child child(start(3, "width", sweep("r", longer)), mpi());
  wait_for(
      [&] {
        return std::filesystem::exists(path("r/summaries.jsonl")) && !file("r/summaries.jsonl").empty();
      },
      "a run");
  child.kill(SIGTERM);
  const Outcome outcome = child.wait();
  if (!open_mpi) {  // see above
    EXPECT_THAT(outcome.err, HasSubstr("width: stopped; what was complete is kept in r"));
  }
  EXPECT_FALSE(std::filesystem::exists(path("r/report.html")));
  ASSERT_EQ(run_mpi(2, "width", sweep("r", longer)).code, 0);
  ASSERT_EQ(run_alone("width", sweep("one", longer)).code, 0);
  expect_same_store("r", "one");
}

TEST_F(Distributed, SweepsRefuseWorkersWithOtherDataOrWithout) {
  small();
  std::filesystem::rename(path("data"), path("a"));
  make_mnist(500, 200);
  for (const auto& [folder, message] :
       {std::pair{"data", "it has another data set of the name mnist: SHA-256"}, {"nowhere", "nowhere"}}) {
    Arguments all;
    if (open_mpi) all = {"--oversubscribe", "--bind-to", "none"};
    for (const std::string where : {"a", folder}) {
      if (where != "a") all.push_back(":");
      all = all + Arguments{"-n",
                            "1",
                            "/usr/bin/env",
                            "ELK_DATA_DIR=" + where,
                            ELK_PROGRAMS "/width",
                            "--smoke",
                            "--dataset",
                            "mnist",
                            "--out-dir",
                            "r"};
    }
    const Outcome outcome = Child(all, mpi()).wait();
    expect_failed(outcome, 2);
    EXPECT_THAT(outcome.err, HasSubstr("width: rank 1: "));
    EXPECT_THAT(outcome.err, HasSubstr(message));
  }
}

}  // namespace
}  // namespace elk::lab::test
