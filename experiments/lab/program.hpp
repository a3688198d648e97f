// What every experiment program does around its work: exit codes, messages, signals.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <elk/base/error.hpp>

namespace elk::lab {

/// A wrong command line: exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

enum ExitCode {
  exit_done = 0,
  exit_failed = 1,
  exit_usage = 2,
  exit_diverged = 3
};  // 128 + signal when stopped by one

/// Of the built-in data set: every program sees the same.
constexpr std::uint32_t digits_seed = 1;

/// Runs `body(argc, argv)` and turns what it throws into one line on stderr and an exit code. Standard
/// streams that are closed are /dev/null.
int run_program(int argc, char** argv, const std::function<int(int, char**)>& body);

/// The name that a program was called by, without its folder.
const char* program_name(char** argv);

/// Writes to standard error. A reader that went away is no reason to end a run.
void say(const std::string& text);

/// Makes SIGINT and SIGTERM ask for an orderly end; a second one ends the process at once.
void catch_signals();
/// The signal that asked for the end, or 0.
int stop_signal();

}  // namespace elk::lab
