// The run store and the runner: nothing is lost, nothing is done twice, and the bits do not depend on who
// does it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <elk/base/error.hpp>
#include <elk/base/sha256.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/io/digest.hpp>
#include <lab/config.hpp>
#include <lab/crew.hpp>
#include <lab/runner.hpp>
#include <lab/store.hpp>
#include <lab/trainings.hpp>

#include "experiments/store_rows.hpp"
#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk::lab {
namespace {

using nlohmann::json;
using test::rows_of;
using testing::ElementsAre;
using testing::HasSubstr;

TrainConfig config_of(std::int64_t seed, const std::string& hidden = "8") {
  TrainConfig config;
  config.hidden = hidden;
  config.epochs = 2;
  config.validation = 100;
  config.seed = seed;
  resolve(config);
  return config;
}

std::string key_of(int number) { return sha256(std::to_string(number)); }

RunSummary run_of(int number) {
  RunSummary run;
  run.key = key_of(number);
  run.status = "done";
  run.config = fmt::format(R"({{"hidden":"{}"}})", number);
  run.test_loss = 0.1 + number;
  run.test_accuracy = 0.9;
  run.epochs = run.best_epoch = 3;
  run.flops = 123456789012345678u;
  run.date = "2025-04-01T12:00:00Z";
  return run;
}

std::vector<train::HistoryRow> curve_of(int number) {
  std::vector<train::HistoryRow> rows;
  for (int epoch = 1; epoch <= 3; ++epoch) {
    train::HistoryRow row;
    row.epoch = epoch;
    row.train_loss = number + 0.1 * epoch;
    rows.push_back(row);
  }
  return rows;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

class StoreTest : public testing::Test {
 protected:
  std::string folder() const { return folder_ / "store"; }
  std::string file(const char* name) const { return folder() + "/" + name; }
  TemporaryFolder folder_;
};

TEST_F(StoreTest, KeysStayAsTheyAre) {
  // Of a store on a user's disk: when this fails, all that was ever run would be run again.
  EXPECT_EQ(run_key(canonical_json(config_of(100)), "data"),
            "2fb77284e7bdb63efc2b3f459edf60b98bb639a4f2749bd9f2d45cb46bde7f57");
  std::set<std::string> keys{
      run_key(canonical_json(config_of(100)), "data"), run_key(canonical_json(config_of(100)), "other data"),
      run_key(canonical_json(config_of(101)), "data"), run_key(canonical_json(config_of(100, "9")), "data")};
  EXPECT_EQ(keys.size(), 4u);
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(StoreTest, GivesBackWhatWasAdded) {
  RunSummary diverged = run_of(2);
  diverged.status = "diverged";
  diverged.error = "epoch 1, step 3: \xFF \"quoted\"\n";
  diverged.test_loss = NAN;
  diverged.val_loss = std::nullopt;
  {
    Store store(folder());
    store.add(run_of(1), curve_of(1));
    store.add(diverged, curve_of(2));
    store.add(run_of(1), curve_of(7));  // is there already
  }
  Store store(folder());
  ASSERT_EQ(store.runs().size(), 2u);
  const auto first = store.find(key_of(1));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->test_loss, 1.1);
  EXPECT_EQ(first->flops, 123456789012345678u);
  EXPECT_EQ(first->date, "2025-04-01T12:00:00Z");
  EXPECT_EQ(json::parse(first->config), json::parse(R"({"hidden":"1"})"));
  EXPECT_EQ(to_jsonl(store.curve(key_of(1))), to_jsonl(curve_of(1)));
  const auto second = store.find(key_of(2));
  EXPECT_TRUE(std::isnan(second->test_loss.value()));
  EXPECT_FALSE(second->val_loss);
  EXPECT_THAT(second->error, HasSubstr("\"quoted\""));
  EXPECT_EQ(store.curve(key_of(2)).size(), 3u);
  EXPECT_FALSE(store.find(key_of(3)));
  EXPECT_TRUE(store.curve(key_of(3)).empty());
}

TEST_F(StoreTest, AFailedRunIsTriedAgain) {
  Store store(folder());
  RunSummary failed = run_of(1);
  failed.status = "failed";
  failed.error = "no memory";
  store.add(failed, {});
  store.add(failed, {});  // the same again is no news
  store.add(run_of(1), curve_of(1));
  EXPECT_EQ(store.find(key_of(1))->status, "done");
  Store again(folder());
  EXPECT_EQ(again.runs().size(), 1u);
  EXPECT_EQ(again.find(key_of(1))->status, "done");
  const std::string text = read_file(file("summaries.jsonl"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

// A kill leaves any beginning of what was being written.
TEST_F(StoreTest, GoesOnAfterAKillAtAnyByte) {
  std::string summaries[3], curves[3];  // with 0, 1 and 2 runs
  {
    Store store(folder());
    for (const int number : {1, 2}) {
      store.add(run_of(number), curve_of(number));
      summaries[number] = read_file(file("summaries.jsonl"));
      curves[number] = read_file(file("curves.jsonl"));
    }
  }
  // The second run's epochs are written first, then its line.
  std::vector<std::pair<std::string, std::string>> torn;
  for (std::size_t size = curves[1].size(); size <= curves[2].size(); size += 5)
    torn.emplace_back(summaries[1], curves[2].substr(0, size));
  for (std::size_t size = summaries[1].size(); size < summaries[2].size(); size += 7)
    torn.emplace_back(summaries[2].substr(0, size), curves[2]);
  for (const auto& [summary, curve] : torn) {
    SCOPED_TRACE(fmt::format("{} and {} bytes", summary.size(), curve.size()));
    write_file_atomically(file("summaries.jsonl"), summary);
    write_file_atomically(file("curves.jsonl"), curve);
    Store store(folder());
    EXPECT_EQ(store.runs().size(), 1u);
    EXPECT_EQ(store.curve(key_of(1)).size(), 3u);
    EXPECT_TRUE(store.curve(key_of(2)).empty());
    store.add(run_of(2), curve_of(2));
    EXPECT_EQ(read_file(file("summaries.jsonl")), summaries[2]);
    EXPECT_EQ(read_file(file("curves.jsonl")), curves[2]);
    EXPECT_EQ(to_jsonl(store.curve(key_of(2))), to_jsonl(curve_of(2)));
  }
}

TEST_F(StoreTest, ALineThatIsNoRunIsNamedAndNothingIsTouched) {
  {
    Store store(folder());
    for (const int number : {1, 2, 3}) store.add(run_of(number), curve_of(number));
  }
  const std::string good = read_file(file("summaries.jsonl"));
  const std::size_t second = good.find('\n') + 1, third = good.find('\n', second) + 1;
  const auto refused = [&](const std::string& line, const std::string& why) {
    const std::string bad = good.substr(0, second) + line + "\n" + good.substr(third);
    write_file_atomically(file("summaries.jsonl"), bad);
    const std::string message = message_of([&] { Store store(folder()); });
    EXPECT_THAT(message, HasSubstr("[store] " + file("summaries.jsonl") + ": line 2 is no run: "));
    EXPECT_THAT(message, HasSubstr(why));
    EXPECT_EQ(read_file(file("summaries.jsonl")), bad);
  };
  std::string line = good.substr(second, third - second - 1);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = line;
    EXPECT_NE(changed.find(from), std::string::npos);
    return changed.replace(changed.find(from), from.size(), to);
  };
  const auto unsealed = [&](const std::string& from, const std::string& to) {
    const std::string changed = with(from, to);
    return changed.substr(0, changed.find(",\"digest\"")) + "}";
  };
  refused("", "parse error");
  refused("\x01\x02garbage", "parse error");
  refused(line.substr(0, 90), "parse error");
  refused("[]", "type_error");
  refused(with("\"test_accuracy\":0.9", "\"test_accuracy\":0.8"),
          "its contents do not fit its \"digest\": they were changed after they were written");
  refused(unsealed("\"test_accuracy\":0.9", "\"test_accuracy\":8.36"),
          "expected a share from 0 to 1 as \"test_accuracy\", found 8.36");
  refused(unsealed("\"best_epoch\":3", "\"best_epoch\":4"), "the best epoch is 4 of 3");
  refused(unsealed("\"epochs\":3", "\"epochs\":-3"), "expected a whole number as \"epochs\", found -3");
  refused(unsealed("\"seconds\":0.0", "\"seconds\":-1.0"), "it took -1 seconds");
  refused(unsealed("\"hidden\":\"2\"", "\"hidden\":[2]"), "an option in \"config\" is no plain value");
  refused(unsealed("elkgrad-run/1", "elkgrad-run/2"),
          "it is of the format \"elkgrad-run/2\", this program knows \"elkgrad-run/1\"");
  refused(unsealed("\"done\"", "\"well\""), "the status is done, diverged, hopeless or failed, not \"well\"");
  refused(unsealed("\"flops\":", "\"flop\":"), "key 'flops' not found");
  refused(unsealed(key_of(2), "x"), "is no key of a run");
  refused(unsealed(key_of(2), std::string(64, 'G')), "is no key of a run");
  const std::string anew =
      "another program has rewritten it, with other spaces or in another order: ours "
      "begin with {\"key\":\"";
  refused(with("\"key\":", "\"key\": "), anew);
  refused(" " + line, anew);
  refused(nlohmann::json::parse(line).dump(), anew);
  // The newline at the end: what a kill leaves is less.
  write_file_atomically(file("summaries.jsonl"), good.substr(0, good.size() - 1) + "\v");
  EXPECT_THAT(message_of([&] { Store store(folder()); }),
              HasSubstr("line 3 is no run: it does not end with a newline"));

  write_file_atomically(file("summaries.jsonl"), good);
}

// What is damaged in the curves is moved aside, with a warning; all else stays, and what is missing is run
// again.
class DamagedCurves : public StoreTest {
 protected:
  DamagedCurves() {
    Store store(folder());
    for (const int number : {1, 2, 3}) store.add(run_of(number), curve_of(number));
    good_ = read_file(file("curves.jsonl"));
  }

  // The curves with another text in the place of `from`, or of the line that holds it.
  void replace(const std::string& from, const std::string& to, bool line = false) {
    std::size_t begin = good_.find(from), end = begin + from.size();
    ASSERT_NE(begin, std::string::npos) << from;
    if (line) {
      begin = good_.rfind('\n', begin) + 1;
      end = good_.find('\n', end) + 1;
    }
    write_file_atomically(file("curves.jsonl"), good_.substr(0, begin) + to + good_.substr(end));
  }

  // What is said when the store is mended.
  std::string mended(Store& store) {
    testing::internal::CaptureStderr();
    store.mend();
    return testing::internal::GetCapturedStderr();
  }

  // Run 2, a line of whose curve is gone; the others are as they were, and adding it again makes all as it
  // was.
  void expect_second_damaged(const std::string& why, std::ptrdiff_t lines_aside) {
    Store store(folder());
    EXPECT_THAT(message_of([&] { store.curve(key_of(2)); }),
                HasSubstr("[store] " + file("curves.jsonl") + ": the 3 epochs of run " +
                          key_of(2).substr(0, 8) + " are not all there"));
    EXPECT_EQ(to_jsonl(store.curve(key_of(1))), to_jsonl(curve_of(1)));
    EXPECT_FALSE(std::filesystem::exists(file("curves.jsonl.aside")));
    const std::string said = mended(store);
    EXPECT_THAT(said, testing::StartsWith("warning: "));
    EXPECT_THAT(said, HasSubstr(why));
    EXPECT_THAT(said,
                HasSubstr(fmt::format("Lines moved aside into {}: {}. Runs that lack their curve are made "
                                      "again\n",
                                      file("curves.jsonl.aside"), lines_aside)));
    const std::string aside = read_file(file("curves.jsonl.aside"));
    EXPECT_EQ(std::count(aside.begin(), aside.end(), '\n'), lines_aside);
    EXPECT_EQ(mended(store), "");
    for (const int number : {1, 3}) {
      EXPECT_TRUE(store.complete(key_of(number)));
      EXPECT_EQ(to_jsonl(store.curve(key_of(number))), to_jsonl(curve_of(number)));
    }
    EXPECT_FALSE(store.complete(key_of(2)));
    store.add(run_of(2), curve_of(2));
    EXPECT_TRUE(store.complete(key_of(2)));
    Store again(folder());
    EXPECT_EQ(again.runs().size(), 3u);
    for (const int number : {1, 2, 3})
      EXPECT_EQ(to_jsonl(again.curve(key_of(number))), to_jsonl(curve_of(number)));
    EXPECT_EQ(mended(again), "");
  }

  std::string good_;
};

TEST_F(DamagedCurves, AFlippedDigit) {
  replace("\"train_loss\":2.1", "\"train_loss\":3.1");
  expect_second_damaged("line 4 is malformed: its contents do not fit its \"digest\"", 3);
}

TEST_F(DamagedCurves, ALineThatIsNone) {
  replace("\"train_loss\":2.2", "garbage\n", true);
  expect_second_damaged("line 5 is malformed: ", 3);
}

TEST_F(DamagedCurves, ALineThatIsMissing) {
  replace("\"train_loss\":2.3", "", true);
  expect_second_damaged("line 4: no run that is known has these epochs", 2);
}

TEST_F(DamagedCurves, GarbageBetweenRunsHarmsNone) {
  const std::string garbage = "{}\ngarbage\n\n", more = "more\n\n";
  const std::size_t second = good_.find("{\"key\":\"" + key_of(2));
  write_file_atomically(file("curves.jsonl"),
                        garbage + good_.substr(0, second) + more + good_.substr(second));
  Store store(folder());
  for (const int number : {1, 2, 3})
    EXPECT_EQ(to_jsonl(store.curve(key_of(number))), to_jsonl(curve_of(number)));
  const std::string said = mended(store);
  EXPECT_THAT(said,
              HasSubstr("line 1 is malformed: [json.exception.out_of_range.403] key 'epoch' not found"));
  EXPECT_THAT(said, HasSubstr("curves.jsonl.aside: 5. "));
  EXPECT_EQ(read_file(file("curves.jsonl")), good_);
  EXPECT_EQ(read_file(file("curves.jsonl.aside")), garbage + more);
}

TEST_F(DamagedCurves, TheLastNewline) {
  write_file_atomically(file("curves.jsonl"), good_.substr(0, good_.size() - 1) + "\v");
  Store store(folder());
  EXPECT_FALSE(store.complete(key_of(3)));
  EXPECT_THAT(mended(store), HasSubstr("line 9 is malformed"));
  for (const int number : {1, 2})
    EXPECT_EQ(to_jsonl(store.curve(key_of(number))), to_jsonl(curve_of(number)));
}

// The advice for a spoilt line of the summaries: to remove it. Nothing else is lost by that.
TEST_F(DamagedCurves, ASummaryThatWasRemoved) {
  const std::string summaries = read_file(file("summaries.jsonl"));
  write_file_atomically(file("summaries.jsonl"), summaries.substr(summaries.find('\n') + 1));
  {
    Store store(folder());
    EXPECT_THAT(mended(store), HasSubstr("line 1: no run that is known has these epochs"));
    const std::string first_run = good_.substr(0, good_.find("{\"key\":\"" + key_of(2)));
    EXPECT_EQ(read_file(file("curves.jsonl.aside")), first_run);
    EXPECT_EQ(read_file(file("curves.jsonl")), good_.substr(first_run.size()));
    store.add(run_of(1), curve_of(1));
  }
  Store store(folder());
  for (const int number : {1, 2, 3})
    EXPECT_EQ(to_jsonl(store.curve(key_of(number))), to_jsonl(curve_of(number)));
}

TEST_F(DamagedCurves, AllOfThemGone) {
  std::filesystem::remove(file("curves.jsonl"));
  Store store(folder());
  for (const int number : {1, 2, 3}) {
    EXPECT_FALSE(store.complete(key_of(number)));
    store.add(run_of(number), curve_of(number));
  }
  EXPECT_EQ(read_file(file("curves.jsonl")), good_);
}

TEST_F(DamagedCurves, OthersAtWorkFollow) {
  Store other(folder());
  EXPECT_EQ(other.curve(key_of(1)).size(), 3u);
  replace("\"train_loss\":1.2", "garbage\n", true);
  {
    Store store(folder());
    EXPECT_NE(mended(store), "");
  }
  other.add(run_of(4), curve_of(4));
  other.add(run_of(1), curve_of(1));
  Store store(folder());
  for (Store* each : {&other, &store})
    for (const int number : {1, 2, 3, 4})
      EXPECT_EQ(to_jsonl(each->curve(key_of(number))), to_jsonl(curve_of(number)));
}

// As earlier versions wrote them.
TEST_F(DamagedCurves, LinesWithoutADigestAreRead) {
  for (const char* name : {"summaries.jsonl", "curves.jsonl"}) {
    std::string text = read_file(file(name));
    for (std::size_t at = 0; (at = text.find(",\"digest\"")) != std::string::npos;) text.erase(at, 76);
    write_file_atomically(file(name), text);
    EXPECT_EQ(text.find("digest"), std::string::npos);
  }
  Store store(folder());
  EXPECT_EQ(mended(store), "");
  for (const int number : {1, 2, 3}) {
    EXPECT_TRUE(store.complete(key_of(number)));
    EXPECT_EQ(to_jsonl(store.curve(key_of(number))), to_jsonl(curve_of(number)));
  }
}

TEST_F(StoreTest, WritersAtTheSameTime) {
  constexpr int writers = 6, runs = 40;
  std::vector<pid_t> children;
  for (int writer = 0; writer < writers; ++writer) {
    const pid_t child = fork();
    if (child == 0) {
      try {
        Store store(folder());
        // Each adds most of them, in an order of its own.
        for (int i = 0; i < runs; ++i)
          if (const int number = (i * 7 + writer * 11) % runs; number % writers != writer)
            store.add(run_of(number), curve_of(number));
      } catch (...) {
        _exit(1);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  Store store(folder());
  EXPECT_EQ(store.runs().size(), static_cast<std::size_t>(runs));
  const std::string text = read_file(file("summaries.jsonl")), curves = read_file(file("curves.jsonl"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), runs);
  EXPECT_EQ(std::count(curves.begin(), curves.end(), '\n'), 3 * runs);
  for (int number = 0; number < runs; ++number)
    EXPECT_EQ(to_jsonl(store.curve(key_of(number))), to_jsonl(curve_of(number)));
}

TEST_F(StoreTest, SeesWhatOthersAdd) {
  Store one(folder()), other(folder());
  one.add(run_of(1), curve_of(1));
  EXPECT_FALSE(other.find(key_of(1)));
  other.refresh();
  EXPECT_TRUE(other.find(key_of(1)));
  EXPECT_EQ(other.curve(key_of(1)).size(), 3u);
}

TEST_F(StoreTest, ARunIsTakenOnByOne) {
  Store one(folder());
  EXPECT_TRUE(one.claim(key_of(1)));
  {
    Store other(folder());
    EXPECT_FALSE(other.claim(key_of(1)));
    EXPECT_TRUE(other.claim(key_of(2)));
    EXPECT_FALSE(one.claim(key_of(2)));
    one.release(key_of(1));
    EXPECT_TRUE(other.claim(key_of(1)));
  }
  EXPECT_TRUE(one.claim(key_of(1)));  // the other one is gone
  EXPECT_TRUE(one.claim(key_of(2)));
}

// A limit on the size of files stands in for a full disk.
TEST_F(StoreTest, AFullDiskLosesNothing) {
  Store store(folder());
  store.add(run_of(1), curve_of(1));
  const std::string summaries = read_file(file("summaries.jsonl")), curves = read_file(file("curves.jsonl"));
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_IGN);
  for (const std::size_t room : {curves.size() + 10, curves.size() + 3000}) {
    rlimit limit = before;
    limit.rlim_cur = room;
    setrlimit(RLIMIT_FSIZE, &limit);
    RunSummary large = run_of(2);
    large.error = std::string(5000, 'x');
    const std::string message = message_of([&] { store.add(large, curve_of(2)); });
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_THAT(message, HasSubstr("jsonl: File too large"));
    EXPECT_EQ(read_file(file("summaries.jsonl")), summaries);
    EXPECT_FALSE(store.find(key_of(2)));
  }
  signal(SIGXFSZ, SIG_DFL);
  store.add(run_of(2), curve_of(2));
  Store again(folder());
  EXPECT_EQ(again.runs().size(), 2u);
  EXPECT_EQ(again.curve(key_of(2)).size(), 3u);
}

// Added together, runs are what they are one by one, and a kill leaves whole ones and one that is not. The
// system kills who writes behind a limit.
TEST_F(StoreTest, AKillAmongRunsThatAreAddedTogether) {
  std::vector<Record> records;
  for (const int number : {1, 2, 3, 4}) {
    RunSummary run = run_of(number);
    run.error = std::string(static_cast<std::size_t>(300 * number), 'x');  // lines longer than the curves
    records.emplace_back(run, curve_of(number));
  }
  {
    Store store(folder());
    for (const Record& record : records) store.add({record});
  }
  const std::string summaries = read_file(file("summaries.jsonl")), curves = read_file(file("curves.jsonl"));
  const std::size_t longest = std::max(summaries.size(), curves.size());
  std::set<std::size_t> had;  // runs, when it was killed
  for (std::size_t room = 0; room < longest; room += 97) {
    SCOPED_TRACE(room);
    for (const char* name : {"summaries.jsonl", "curves.jsonl"}) std::filesystem::remove(file(name));
    const pid_t child = fork();
    if (child == 0) {
      Store store(folder());
      const rlimit limit{room, room};
      setrlimit(RLIMIT_FSIZE, &limit);
      store.add(records);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ) << status;
    Store store(folder());
    had.insert(store.runs().size());
    for (const RunSummary& run : store.runs()) EXPECT_TRUE(store.complete(run.key));
    testing::internal::CaptureStderr();
    store.mend();
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    store.add(records);
    EXPECT_EQ(read_file(file("summaries.jsonl")), summaries);
    EXPECT_EQ(read_file(file("curves.jsonl")), curves);
    for (const Record& record : records) EXPECT_TRUE(store.complete(record.run().key));
  }
  EXPECT_THAT(had, ElementsAre(0, 1, 2, 3));
}

TEST_F(StoreTest, ARecordIsReadAsItWasWritten) {
  const Record record(run_of(1), curve_of(1)), read(record.text());
  EXPECT_EQ(read.text(), record.text());
  EXPECT_EQ(read.run().key, key_of(1));
  EXPECT_EQ(read.epochs(), 3);
  EXPECT_EQ(Record(read.text().substr(0, read.line().size())).epochs(), 0);
  const auto refused = [](const std::string& text) { return message_of([&] { (void)Record(text); }); };
  const std::string& text = record.text();
  EXPECT_EQ(refused(text.substr(0, text.size() - 1)), "[store] the lines of a run do not end with a newline");
  const std::size_t first = record.line().size(), second = text.find('\n', first) + 1;
  const std::string lacks = fmt::format("[store] the lines of run {} lack epoch ", key_of(1).substr(0, 8));
  EXPECT_EQ(refused(text.substr(0, first) + text.substr(second)), lacks + "1");
  EXPECT_EQ(refused(text + text.substr(second)), lacks + "4");
  EXPECT_EQ(refused(text.substr(0, first) + Record(run_of(2), curve_of(2)).text().substr(first)),
            lacks + "1");
  auto rows = curve_of(1);
  std::swap(rows[0], rows[1]);
  EXPECT_EQ(message_of([&] { Record(run_of(1), rows); }), lacks + "1");
}

TEST_F(StoreTest, AFolderThatCannotBe) {
  write_file_atomically(folder_ / "file", "");
  EXPECT_THAT(message_of([&] { Store store(folder_ / "file/store"); }),
              HasSubstr("the folder cannot be made"));
  std::filesystem::create_directories(file("summaries.jsonl"));
  EXPECT_THAT(message_of([&] { Store store(folder()); }), HasSubstr("summaries.jsonl: Is a directory"));
}

class RunnerTest : public StoreTest {
 protected:
  static std::vector<RunSummary> run(const std::string& folder, const std::vector<TrainConfig>& configs,
                                     int jobs) {
    Trainings trainings(DataSets("nowhere", 600));
    Store store(folder);
    std::vector<std::string> settings;
    for (const TrainConfig& config : configs) settings.push_back(canonical_json(config));
    return Runner(store, trainings, {"test", jobs, true}).run(settings);
  }
};

TEST_F(RunnerTest, TheSameBitsForAnyNumberOfJobs) {
  std::vector<TrainConfig> configs;
  for (const char* hidden : {"8", "16,8", "130"})
    for (const int seed : {1, 2}) configs.push_back(config_of(seed, hidden));
  configs.push_back(config_of(3));
  configs.back().optimizer = "sgd";
  configs.back().lr = 1e38;  // diverges
  const auto runs = run(folder_ / "jobs1", configs, 1);
  const auto expected = rows_of(folder_ / "jobs1");
  ASSERT_EQ(runs.size(), 7u);
  EXPECT_EQ(runs[0].status, "done");
  EXPECT_EQ(runs[0].epochs, 2);
  EXPECT_EQ(runs[6].status, "diverged");
  EXPECT_TRUE(runs[6].test_accuracy);
  EXPECT_THAT(runs[6].error, HasSubstr("epoch 1"));
  for (const int jobs : {2, 4}) {
    const std::string folder = folder_ / fmt::format("jobs{}", jobs);
    run(folder, configs, jobs);
    EXPECT_EQ(rows_of(folder), expected);
  }
  // Nothing is run again; the order is the one asked for; what comes twice is run once.
  std::reverse(configs.begin(), configs.end());
  configs.push_back(configs.front());
  const auto again = run(folder_ / "jobs1", configs, 2);
  EXPECT_EQ(rows_of(folder_ / "jobs1"), expected);
  EXPECT_EQ(again.front().key, runs.back().key);
  EXPECT_EQ(again.back().key, runs.back().key);
}

TEST_F(RunnerTest, AFailedRunLeavesTheOthersAlone) {
  TrainConfig impossible = config_of(1);
  impossible.train_size = 100000;
  const auto runs = run(folder(), {config_of(1), impossible, config_of(2)}, 2);
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].status, "done");
  EXPECT_EQ(runs[1].status, "failed");
  EXPECT_THAT(runs[1].error,
              HasSubstr("--train-size: there are 500 examples to learn from, 100000 were asked for"));
  EXPECT_EQ(runs[2].status, "done");
}

// What was lost is made again, to the same bits.
TEST_F(RunnerTest, ADoneRunWithoutItsCurveIsRunAgain) {
  const std::vector<TrainConfig> configs{config_of(1), config_of(2), config_of(3)};
  run(folder(), configs, 1);
  const auto expected = rows_of(folder());
  const std::string curves = read_file(file("curves.jsonl"));
  write_file_atomically(file("curves.jsonl"), curves.substr(curves.find('\n') + 1));
  testing::internal::CaptureStderr();
  run(folder(), configs, 2);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("moved aside into " + file("curves.jsonl.aside")));
  auto rows = rows_of(folder());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());  // the run has two lines, the same
  EXPECT_EQ(rows, expected);
}

TEST_F(RunnerTest, TheBestEpochIsTheOneTested) {
  TrainConfig config = config_of(1);
  config.epochs = config.early_stop = 8;
  config.lr = 0.1;  // jumps about
  const auto runs = run(folder(), {config}, 1);
  Store store(folder());
  const auto rows = store.curve(runs[0].key);
  double lowest = INFINITY;
  std::int64_t epoch = 0;
  for (const auto& row : rows)
    if (row.val_loss.value() < lowest) lowest = *row.val_loss, epoch = row.epoch;
  EXPECT_EQ(runs[0].best_epoch, epoch);
  EXPECT_EQ(runs[0].val_loss, lowest);
}

TEST_F(RunnerTest, TwoProcessesShareTheWork) {
  std::vector<TrainConfig> configs;
  for (int seed = 0; seed < 8; ++seed) configs.push_back(config_of(seed));
  const pid_t child = fork();
  if (child == 0) {
    try {
      run(folder(), configs, 1);
    } catch (...) {
      _exit(1);
    }
    _exit(0);
  }
  const auto runs = run(folder(), configs, 1);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(runs.size(), 8u);
  run(folder_ / "alone", configs, 1);
  EXPECT_EQ(rows_of(folder()), rows_of(folder_ / "alone"));
}

// The waits for the disk of this process.
int waits = 0;

}  // namespace
}  // namespace elk::lab

extern "C" int fsync(int file) {  // in place of the system's
  ++elk::lab::waits;
  return static_cast<int>(syscall(SYS_fsync, file));
}

namespace elk::lab {
namespace {

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Workers that have done a run as soon as they get it.
class QuickCrew : public Crew {
 public:
  explicit QuickCrew(int size) : size_(size) {}
  int size() const override { return size_; }
  void send(int to, const std::string& text) override {
    if (std::count(text.begin(), text.end(), '\n') < 2) return;  // no job
    const double before = processor_seconds();
    const auto key_end = text.find('\n'), digest_end = text.find('\n', key_end + 1);
    RunSummary run = run_of(1);
    run.key = text.substr(0, key_end);
    run.data = text.substr(key_end + 1, digest_end - key_end - 1);
    run.config = text.substr(digest_end + 1);
    std::vector<train::HistoryRow> rows;
    for (int epoch = 1; epoch <= 3; ++epoch)
      rows.push_back(
          {.epoch = epoch, .step = epoch, .train_loss = 0.5, .val_loss = 0.4, .val_accuracy = 0.9});
    answers_.emplace_back(to, "done\n" + Record(run, rows).text());
    seconds_ += processor_seconds() - before;
  }
  bool receive(int& from, std::string& text) override {
    if (answers_.empty()) return false;
    std::tie(from, text) = std::move(answers_.front());
    answers_.pop_front();
    return true;
  }
  double patience() const override { return 600; }
  void set_stalled() override {}
  double seconds() const { return seconds_; }  // that it took itself

 private:
  int size_;
  double seconds_ = 0;
  std::deque<std::pair<int, std::string>> answers_;
};

// What rank 0 spends on a run that another one does is mostly the store's, and must not grow with their
// number.
TEST_F(RunnerTest, HandsOutManyRuns) {
  const bool all = std::getenv("ELK_LONG_TESTS") != nullptr;
  const int count = all ? 100'000 : 4'000;
  std::vector<std::string> settings;
  for (int seed = 0; seed < count; ++seed) settings.push_back(canonical_json(config_of(seed)));
  QuickCrew crew(1025);
  Trainings trainings(DataSets("", 200));
  Store store(folder());
  const auto begun = std::chrono::steady_clock::now();
  const double before = processor_seconds();
  waits = 0;
  const std::vector<RunSummary> runs =
      Runner(store, trainings, {.program = "test", .quiet = true, .crew = &crew}).run(settings);
  const double used = processor_seconds() - before - crew.seconds(),
               took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double mib = static_cast<double>(usage.ru_maxrss) / 1024;
  std::printf("%d runs: %.3f ms of a processor each, %.3f ms of time; %.0f MiB\n", count, 1e3 * used / count,
              1e3 * took / count, mib);
  EXPECT_EQ(runs.size(), settings.size());
  // What has come while others waited for the disk waits for it together.
  EXPECT_LE(waits, 2 * (count / 1024 + 2));
#ifdef NDEBUG
  EXPECT_LT(used / count, elk::test::emulated() ? 50e-3 : 1e-3);
#else  // not optimized
  EXPECT_LT(used / count, 10e-3);
#endif
  EXPECT_LT(mib, 1024);
}

}  // namespace
}  // namespace elk::lab
