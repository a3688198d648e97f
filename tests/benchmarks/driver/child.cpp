#include "child.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <elk/base/error.hpp>
#include <lab/program.hpp>

namespace elk::bench {

namespace {

// A file in memory, which takes what a program writes.
class Sink {
 public:
  Sink() : descriptor_(memfd_create("output", MFD_CLOEXEC)) {
    if (descriptor_ < 0) throw Error(fmt::format("memfd_create: {}", std::strerror(errno)));
  }
  ~Sink() { close(descriptor_); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  int descriptor() const { return descriptor_; }
  std::string text() const {
    std::string bytes(static_cast<std::size_t>(lseek(descriptor_, 0, SEEK_END)), '\0');
    const ssize_t count = pread(descriptor_, bytes.data(), bytes.size(), 0);
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return bytes;
  }

 private:
  int descriptor_;
};

[[noreturn]] void become(char* const* arguments, int core, const Sink& out, const Sink& err) {
  setpgid(0, 0);  // Ctrl-C is for us, who then end it
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::signal(SIGPIPE, SIG_DFL);
  dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
  dup2(out.descriptor(), STDOUT_FILENO);
  dup2(err.descriptor(), STDERR_FILENO);
  if (core >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(core), &set);
    sched_setaffinity(0, sizeof set, &set);
  }
  execvp(arguments[0], arguments);
  dprintf(STDERR_FILENO, "cannot start %s: %s\n", arguments[0], std::strerror(errno));
  _exit(127);
}

}  // namespace

Finished run_child(const std::vector<std::string>& command, int core) {
  if (lab::stop_signal() != 0) throw Stopped();
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const Sink out, err;
  const pid_t child = fork();
  if (child < 0) throw Error(fmt::format("fork: {}", std::strerror(errno)));
  if (child == 0) become(arguments.data(), core, out, err);
  setpgid(child, child);  // whoever comes first
  bool stopping = false;
  int status = 0;
  for (pid_t ended = 0; ended != child;) {
    ended = waitpid(child, &status, WNOHANG);
    if (ended < 0 && errno != EINTR) throw Error(fmt::format("waitpid: {}", std::strerror(errno)));
    if (ended == child) break;
    if (lab::stop_signal() != 0 && !stopping) {
      stopping = true;
      kill(-child, SIGTERM);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (stopping) throw Stopped();
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), out.text(), err.text()};
}

std::string output_of(const std::vector<std::string>& command, int core) {
  constexpr std::size_t most = 2000;
  const Finished result = run_child(command, core);
  if (result.code == 0) return result.out;
  const std::string& log = result.err.empty() ? result.out : result.err;
  throw Error(fmt::format("exit code {} of {}\n{}", result.code, fmt::join(command, " "),
                          log.size() > most ? log.substr(log.size() - most) : log));
}

int default_core() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return -1;
  for (int core = CPU_SETSIZE - 1; core >= 0; --core)
    if (CPU_ISSET(static_cast<std::size_t>(core), &set)) return core;
  return -1;
}

}  // namespace elk::bench
