// The programs that are timed: run one at a time, on one core, and ended when the user asks for it.
#pragma once

#include <string>
#include <vector>

namespace elk::bench {

/// Thrown where a signal asked for the end.
struct Stopped {};

struct Finished {
  int code = 0;  ///< of its exit; 128 + signal when one ended it, 127 when it could not be started
  std::string out, err;
};

/// Runs a program to its end on processor `core` (-1: on any).
Finished run_child(const std::vector<std::string>& command, int core);

/// The same for a program that must succeed: what it wrote to standard output. Error with the end of its
/// messages.
std::string output_of(const std::vector<std::string>& command, int core);

/// The last processor that this process may run on: the first ones serve interrupts.
int default_core();

}  // namespace elk::bench
