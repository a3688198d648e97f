#include <lab/program.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

#include <fmt/format.h>

#include <elk/base/machine.hpp>
#include <lab/shell.hpp>

// OpenBLAS asks itself this when it is loaded, before main: a thread for each processor would only wait, and
// where the system refuses one, the library ends the program. (A later version that asks another way starts
// them again; nothing else changes.)
extern "C" [[gnu::visibility("default")]] int openblas_num_threads_env() { return 1; }

namespace elk::lab {

namespace {

volatile std::sig_atomic_t caught = 0;

void on_signal(int signal) {
  caught = signal;
  std::signal(signal, SIG_DFL);
}

// ELK_ISA is a part of the command line that stands before it.
void check_instruction_set() {
  try {
    (void)instruction_set();
  } catch (const ValueError& error) {
    throw UsageError(error.what());
  }
}

const char* base_name(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash != nullptr ? slash + 1 : path;
}

// A descriptor from 0 to 2 that the caller has closed would go to the first file that is opened, into which
// messages would then be written.
void open_standard_streams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      ::open("/dev/null", O_RDWR);  // takes the lowest that is free
}

// What became of standard output: the last piece may fail, or one that was written in between has.
std::string output_problem() {
  if (std::fflush(stdout) != 0) return fmt::format(": {}", std::strerror(errno));
  return std::ferror(stdout) != 0 ? ": some of it is lost" : "";
}

}  // namespace

int run_program(int argc, char** argv, const std::function<int(int, char**)>& body) {
  open_standard_streams();
  const char* name = program_name(argv);
  // A reader that goes away (| head) must not end a run without a word: writes fail instead.
  std::signal(SIGPIPE, SIG_IGN);
  // So does a file beyond the limit of ulimit -f.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    check_instruction_set();
    const int code = body(argc, argv);
    if (const std::string problem = output_problem(); !problem.empty()) {
      say(fmt::format("{}: cannot write to standard output{}\n", name, problem));
      return exit_failed;
    }
    return code;
  } catch (const UsageError& error) {
    say(fmt::format("{}: {}\nsee {} --help\n", name, error.what(), elk_command({name}, launcher())));
    return exit_usage;
  } catch (const std::bad_alloc&) {
    say(fmt::format("{}: there is not enough memory for this run\n", name));
  } catch (const std::exception& error) {
    say(fmt::format("{}: {}\n", name, error.what()));
  }
  return exit_failed;
}

const char* program_name(char** argv) { return *argv != nullptr ? base_name(*argv) : "elk"; }

void say(const std::string& text) { std::fputs(text.c_str(), stderr); }

void catch_signals() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

int stop_signal() { return caught; }

}  // namespace elk::lab
