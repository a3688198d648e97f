#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <elk/base/error.hpp>
#include <elk/io/atomic_file.hpp>

#include "io/temporary_folder.hpp"
#include "support.hpp"

namespace elk {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::MatchesRegex;
using ::testing::ThrowsMessage;

mode_t mode_of(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

TEST(AtomicFile, WritesNewFilesAndReplacesOldOnes) {
  const TemporaryFolder folder;
  std::string bytes(1'000'003, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 % 256);
  for (const std::string& content : {std::string("old"), bytes, std::string(), std::string("new\0er", 6)}) {
    write_file_atomically(folder / "a", content);
    EXPECT_EQ(read_file(folder / "a"), content);
  }
  EXPECT_THAT(folder.names(), ElementsAre("a"));
}

TEST(AtomicFile, NothingIsSeenBeforeCommit) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "old");
  AtomicFile file(folder / "a");
  file.write("ne");
  file.write("");
  file.write("w");
  EXPECT_EQ(read_file(folder / "a"), "old");
  EXPECT_THAT(folder.names(), ElementsAre("a", MatchesRegex("a\\.elk-tmp-[0-9]+-[0-9]+")));
  file.commit();
  EXPECT_EQ(read_file(folder / "a"), "new");
  EXPECT_THAT(folder.names(), ElementsAre("a"));
  EXPECT_THAT([&] { file.write("x"); },
              ThrowsMessage<FileError>("[write] " + (folder / "a") + ": the file is already finished"));
  EXPECT_THAT([&] { file.commit(); },
              ThrowsMessage<FileError>("[write] " + (folder / "a") + ": the file is already finished"));
}

TEST(AtomicFile, WithoutCommitNothingRemains) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "old");
  {
    AtomicFile a(folder / "a"), b(folder / "b");
    a.write("new");
    b.write("new");
  }
  EXPECT_EQ(read_file(folder / "a"), "old");
  EXPECT_THAT(folder.names(), ElementsAre("a"));
}

TEST(AtomicFile, TwoOfOneNameDoNotMix) {
  const TemporaryFolder folder;
  AtomicFile first(folder / "a"), second(folder / "a");
  first.write("first");
  second.write("second");
  second.commit();
  EXPECT_EQ(read_file(folder / "a"), "second");
  first.commit();
  EXPECT_EQ(read_file(folder / "a"), "first");
}

TEST(AtomicFile, ThreadsWriteWholeFiles) {
  const TemporaryFolder folder;
  std::vector<std::thread> writers;
  for (char letter = 'a'; letter < 'e'; ++letter)
    writers.emplace_back([&folder, letter] {
      for (int i = 0; i < 20; ++i) write_file_atomically(folder / "x", std::string(20000, letter));
    });
  for (auto& writer : writers) writer.join();
  const std::string bytes = read_file(folder / "x");
  EXPECT_EQ(bytes, std::string(20000, bytes.at(0)));
  EXPECT_THAT(folder.names(), ElementsAre("x"));
}

TEST(AtomicFile, PassesOverALeftoverOfTheSameName) {
  const TemporaryFolder folder;
  std::string leftover;
  {
    AtomicFile file(folder / "a");
    leftover = folder.names().at(0);
  }
  const std::size_t dash = leftover.rfind('-');
  const int number = std::stoi(leftover.substr(dash + 1));
  for (int i = 1; i <= 3; ++i) write_file_atomically(folder / "other", "");  // three numbers on
  for (int i = 1; i <= 9; ++i) {
    const std::string name = folder / (leftover.substr(0, dash + 1) + std::to_string(number + i));
    ASSERT_EQ(::symlink("/nowhere", name.c_str()), 0);  // must not be followed either
  }
  write_file_atomically(folder / "a", "new");
  EXPECT_EQ(read_file(folder / "a"), "new");
  EXPECT_EQ(folder.names().size(), 11u);
}

// A process that was killed while it wrote, or is at it.
class Writer {
 public:
  explicit Writer(const std::string& path) {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    child_ = ::fork();
    if (child_ == 0) {
      AtomicFile file(path);
      file.write("half");
      write_file_atomically(file.temporary() + ".gp", "what belongs to it");
      (void)!::write(ready[1], "", 1);
      for (;;) ::pause();
    }
    char byte;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Writer() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  pid_t id() const { return child_; }

 private:
  pid_t child_;
};

TEST(AtomicFile, WhoOpensAFolderRemovesWhatDeadProcessesLeft) {
  const TemporaryFolder folder;
  { const Writer killed(folder / "a"); }
  ASSERT_EQ(folder.names().size(), 2u);
  const Writer living(folder / "b");
  ASSERT_EQ(folder.names().size(), 2u);  // it was the first to write here
  const std::string leftover = folder / "c.elk-tmp-";
  const auto leave = [](const std::string& path) { std::ofstream(path) << "x"; };
  leave(leftover + std::to_string(::getpid()) + "-77");  // of another process that had our number
  leave(leftover + "1-1");                               // of one that has now another's, which lives
  leave(leftover + "1-1.gp");
  leave(leftover + "2-2.0");  // gnuplot wrote on when its program was gone
  const std::vector<std::string> others{"c.elk-tmp-",     "c.elk-tmp-1",   "c.elk-tmp-1-",
                                        "c.elk-tmp-1-1x", "c.elk-tmp-x-1", "notes.tmp-2024-11"};
  for (const std::string& name : others) leave(folder / name);
  ASSERT_EQ(::symlink("/nowhere", (leftover + "3-3").c_str()), 0);
  std::filesystem::create_directory(leftover + "4-4");

  write_file_atomically(folder / "d", "new");
  std::vector<std::string> left = others;
  left.insert(left.end(), {"d", "c.elk-tmp-3-3", "c.elk-tmp-4-4"});
  for (const std::string& name : folder.names())
    if (name.starts_with("b.elk-tmp-" + std::to_string(living.id()) + "-")) left.push_back(name);
  EXPECT_EQ(left.size(), others.size() + 5);
  EXPECT_THAT(folder.names(), testing::UnorderedElementsAreArray(left));
}

// Nothing that is being written is taken for a leftover, however fast others come and look.
TEST(AtomicFile, WritersAndCleanersAtTheSameTime) {
  const TemporaryFolder folder;
  std::vector<pid_t> children;
  for (int writer = 0; writer < 3; ++writer) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    // By another path each time, the folder is a new one to look at.
    std::string path = folder.path();
    try {
      for (int i = 0; i < 100; ++i) write_file_atomically((path += "/.") + "/" + std::to_string(writer), "x");
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(folder.names().size(), 3u);
}

TEST(AtomicFile, KeepsTheModeOfAFileAndFollowsTheMaskForANewOne) {
  const TemporaryFolder folder;
  const mode_t old = ::umask(027);
  write_file_atomically(folder / "a", "1");
  EXPECT_EQ(mode_of(folder / "a"), 0640u);
  for (const mode_t mode : {0600u, 0666u, 0755u}) {
    ASSERT_EQ(::chmod((folder / "a").c_str(), mode), 0);
    write_file_atomically(folder / "a", "2");
    EXPECT_EQ(mode_of(folder / "a"), mode);
  }
  ::umask(old);
}

TEST(AtomicFile, KeepsTheOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "1");
  ASSERT_EQ(::chown((folder / "a").c_str(), 1234, 4321), 0);
  write_file_atomically(folder / "a", "2");
  struct stat status = {};
  ASSERT_EQ(::stat((folder / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 1234u);
  EXPECT_EQ(status.st_gid, 4321u);
}

TEST(AtomicFile, ReplacesWhatALinkPointsTo) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "runs");
  write_file_atomically(folder / "runs/7", "old");
  fs::create_symlink("runs/7", folder / "latest");
  fs::create_symlink("latest", folder / "model");
  write_file_atomically(folder / "model", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "model") && fs::is_symlink(folder / "latest"));
  EXPECT_EQ(read_file(folder / "runs/7"), "new");
  EXPECT_FALSE(fs::is_symlink(folder / "runs/7"));

  fs::create_symlink(folder / "runs/8", folder / "next");  // to nothing yet
  write_file_atomically(folder / "next", "8");
  EXPECT_TRUE(fs::is_symlink(folder / "next"));
  EXPECT_EQ(read_file(folder / "runs/8"), "8");

  fs::create_symlink("loop", folder / "loop");
  EXPECT_THAT(
      [&] { write_file_atomically(folder / "loop", ""); },
      ThrowsMessage<FileError>("[write] " + (folder / "loop") + ": Too many levels of symbolic links"));
}

TEST(AtomicFile, RelativeNamesAndLongNames) {
  const TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  const std::string longest(255, 'n');
  write_file_atomically("plain", "1");
  write_file_atomically("./dotted", "2");
  write_file_atomically(longest, "3");
  EXPECT_EQ(read_file("plain") + read_file("dotted") + read_file(longest), "123");
  EXPECT_EQ(folder.names().size(), 3u);
  EXPECT_THAT([&] { write_file_atomically(longest + 'n', ""); }, ::testing::Throws<FileError>());
  EXPECT_EQ(folder.names().size(), 3u);
  fs::current_path(before);
}

TEST(AtomicFile, ErrorsNameThePathAndTheReason) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "file", "");
  const auto writing = [](std::string path) { return [path] { write_file_atomically(path, "x"); }; };
  const auto says = [](const std::string& text) { return ThrowsMessage<FileError>(text); };
  EXPECT_THAT(writing(""), says("[write] the path is empty"));
  EXPECT_THAT(writing(std::string("a\0b", 3)), says("[write] \"a\\x00b\": the path contains a zero byte"));
  EXPECT_THAT(writing(folder.path()), says("[write] " + folder.path() + ": this is a folder"));
  EXPECT_THAT(writing(folder / "none/"), says("[write] " + folder.path() + "/none/: this is a folder"));
  EXPECT_THAT(writing(folder / "none/x"),
              says("[write] " + (folder / "none/x") + ": cannot create a file in " + (folder / "none/") +
                   ": No such file or directory"));
  EXPECT_THAT(writing(folder / "file/x"),
              says("[write] " + (folder / "file/x") + ": cannot create a file in " + (folder / "file/") +
                   ": Not a directory"));
  EXPECT_THAT(writing("/proc/elk-test"), ::testing::Throws<FileError>());
  EXPECT_THAT(folder.names(), ElementsAre("file"));
}

TEST(AtomicFile, WritesStraightToWhatIsNoRegularFile) {
  write_file_atomically("/dev/null", "gone");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  EXPECT_THAT([] { write_file_atomically("/dev/full", "x"); },
              ThrowsMessage<FileError>("[write] /dev/full: cannot write: No space left on device"));
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

// A write that ends in the middle, as on a full disk.
TEST(AtomicFile, AShortWriteKeepsTheOldFileAndRemovesTheTemporary) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "old");
  rlimit old;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  rlimit small = old;
  small.rlim_cur = 10000;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THAT([&] { write_file_atomically(folder / "a", std::string(20000, 'x')); },
              ThrowsMessage<FileError>("[write] " + (folder / "a") + ": cannot write: File too large"));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(read_file(folder / "a"), "old");
  EXPECT_THAT(folder.names(), ElementsAre("a"));
}

TEST(AtomicFile, AFolderThatAppearsUnderTheNameIsNotReplaced) {
  const TemporaryFolder folder;
  AtomicFile file(folder / "a");
  file.write("x");
  fs::create_directory(folder / "a");
  EXPECT_THAT([&] { file.commit(); },
              ThrowsMessage<FileError>("[write] " + (folder / "a") + ": cannot replace: Is a directory"));
  EXPECT_THAT(folder.names(), ElementsAre("a"));
}

// As another user, in a child, because root may write anywhere.
TEST(AtomicFile, RespectsReadOnlyFilesAndFolders) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "closed");
  fs::create_directory(folder / "open");
  write_file_atomically(folder / "open/fixed", "old");
  fs::permissions(folder.path(), fs::perms(0755));
  fs::permissions(folder / "closed", fs::perms(0555));
  fs::permissions(folder / "open", fs::perms(0777));
  fs::permissions(folder / "open/fixed", fs::perms(0444));
  const auto message = [](const std::string& path) -> std::string {
    try {
      write_file_atomically(path, "new");
    } catch (const FileError& error) {
      return error.what();
    }
    return "";
  };
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) std::_Exit(9);
    int wrong = 0;
    if (message(folder / "closed/x") != "[write] " + (folder / "closed/x") + ": cannot create a file in " +
                                            (folder / "closed/") + ": Permission denied")
      wrong |= 1;
    if (message(folder / "open/fixed") !=
        "[write] " + (folder / "open/fixed") + ": cannot replace: Permission denied")
      wrong |= 2;
    if (message(folder / "open/x") != "") wrong |= 4;
    std::_Exit(wrong);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(read_file(folder / "open/fixed"), "old");
  EXPECT_EQ(read_file(folder / "open/x"), "new");
  fs::permissions(folder / "closed", fs::perms(0755));
}

TEST(ReadFile, ErrorsNameThePathAndTheReason) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "file", "");
  const auto reading = [](std::string path) { return [path] { (void)read_file(path); }; };
  const auto says = [](const std::string& text) { return ThrowsMessage<FileError>(text); };
  EXPECT_THAT(reading(folder / "none"), says("[read] " + (folder / "none") + ": No such file or directory"));
  EXPECT_THAT(reading(folder / "file/x"), says("[read] " + (folder / "file/x") + ": Not a directory"));
  EXPECT_THAT(reading(folder.path()), says("[read] " + folder.path() + ": this is a folder"));
  EXPECT_THAT(reading(""), says("[read] the path is empty"));
  EXPECT_THAT(reading(std::string("a\0b", 3)), says("[read] \"a\\x00b\": the path contains a zero byte"));
}

TEST(ReadFile, StopsAtALimit) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "12345");
  EXPECT_EQ(read_file(folder / "a", 5), "12345");
  EXPECT_EQ(test::error_of<FileError>([&] { read_file(folder / "a", 4); }),
            "[read] " + (folder / "a") + ": expected at most 4 bytes, found more");
  EXPECT_EQ(test::error_of<FileError>([] { read_file("/dev/zero", 10000); }),
            "[read] /dev/zero: expected at most 10000 bytes, found more");
}

TEST(ReadFile, SizesThatTheSystemDoesNotTell) {
  EXPECT_NE(read_file("/proc/self/status").find("Pid:"), std::string::npos);
  EXPECT_EQ(read_file("/dev/null"), "");
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  const std::string bytes(300'000, 'p');
  std::thread writer([&] { write_file_atomically(folder / "pipe", bytes); });
  EXPECT_EQ(read_file(folder / "pipe"), bytes);
  writer.join();
}

}  // namespace
}  // namespace elk
