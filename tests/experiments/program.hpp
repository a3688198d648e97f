// Runs a program as a user would: a process of its own, no shell, in a folder of its own.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <elk/io/atomic_file.hpp>

#include "support.hpp"

extern char** environ;

namespace elk::lab::test {

using Arguments = std::vector<std::string>;

using Clock = std::chrono::steady_clock;
inline double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

inline Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// What a program left: its exit code (128 + signal when one ended it) and all it wrote.
struct Outcome {
  int code;
  std::string out, err;
};

/// The surroundings of a program. Without a PATH it finds no gnuplot, which would take most of a test's time.
struct Surroundings {
  std::string folder;  ///< where it runs
  std::map<std::string, std::string> environment = {
      {"PATH", "/nowhere"}, {"ELK_DATA_DIR", ""}, {"ELK_LAUNCHER", ""}};
  std::string out = "/dev/null", err = "/dev/null";  ///< where its output goes; see Child
  std::string program = ELK_PROGRAMS "/train";
};

/// What programs say where the PATH has no gnuplot. An emulator's posix_spawn does not tell that a program is
/// missing: its child ends with 127.
inline std::string no_gnuplot() {
  return elk::test::emulated() ? "gnuplot failed: exit code 127"
                               : "gnuplot is not installed (on Debian: apt-get install gnuplot-nox)";
}

/// A running program. Its output goes to files beside its folder's content, to be read at any time.
class Child {
 public:
  Child(const Arguments& arguments, Surroundings around) : around_(std::move(around)) {
    std::vector<std::string> texts{around_.program}, variables;
    texts.insert(texts.end(), arguments.begin(), arguments.end());
    for (char** at = environ; *at != nullptr; ++at)
      if (const std::string name = std::string(*at).substr(0, std::strcspn(*at, "="));
          around_.environment.count(name) == 0)
        variables.emplace_back(*at);
    for (const auto& [name, value] : around_.environment) variables.push_back(name + "=" + value);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, around_.out.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, 0644);
    posix_spawn_file_actions_addopen(&actions, 2, around_.err.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, 0644);
    posix_spawn_file_actions_addchdir_np(&actions, around_.folder.c_str());
    const int error = posix_spawn(&id_, around_.program.c_str(), &actions, nullptr, pointers(texts).data(),
                                  pointers(variables).data());
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
      ADD_FAILURE() << "cannot run " << around_.program << ": " << std::strerror(error);
      id_ = 0;
    }
  }
  ~Child() {
    if (id_ == 0) return;
    kill(SIGKILL);
    wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void kill(int signal) const { ::kill(id_, signal); }

  /// Waits until a condition holds; false if the program ended without that.
  template <class Condition>
  bool wait_until(Condition condition) const {
    while (!condition()) {
      siginfo_t info{};
      if (id_ == 0 || waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
          info.si_pid != 0)
        return condition();
      ::usleep(1000);
    }
    return true;
  }

  /// Waits for its end.
  Outcome wait() {
    int status = 0;
    while (id_ != 0 && waitpid(std::exchange(id_, 0), &status, 0) < 0 && errno == EINTR) continue;
    return {WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), out(), err()};
  }

  /// What it has written so far.
  std::string out() const { return text(around_.out); }
  std::string err() const { return text(around_.err); }

 private:
  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (std::string& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
  }
  // Under emulation posix_spawn returns before the program's files are there.
  static std::string text(const std::string& path) {
    return path.starts_with("/dev/") || ::access(path.c_str(), F_OK) != 0 ? "" : read_file(path);
  }

  Surroundings around_;
  pid_t id_ = 0;
};

/// What a program writes to a terminal whose lines have `width` characters (0: unknown).
inline std::string on_terminal(const Arguments& arguments, Surroundings around, unsigned short width = 0) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  std::array<char, 100> name{};
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0 ||
      ptsname_r(terminal, name.data(), name.size()) != 0) {
    ADD_FAILURE() << "there is no terminal";
    return "";
  }
  const winsize size{.ws_row = 0, .ws_col = width, .ws_xpixel = 0, .ws_ypixel = 0};
  ioctl(terminal, TIOCSWINSZ, &size);
  around.out = name.data();
  Child child(arguments, around);
  std::string text;
  std::array<char, 4096> piece;
  // Reading fails when the program, which has the terminal's other end, is done.
  for (ssize_t got = 0; (got = read(terminal, piece.data(), piece.size())) > 0;)
    text.append(piece.data(), static_cast<std::size_t>(got));
  EXPECT_EQ(child.wait().code, 0);
  close(terminal);
  return text;
}

}  // namespace elk::lab::test
