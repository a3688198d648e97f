// How the gallery's programs end where something goes wrong. It is linked to each, so that they need not
// speak of it: an error that nobody catches is its message on standard error and exit code 1, and so is
// output that cannot be written. A wrong argument or a wrong ELK_ISA is exit code 2, before anything else.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <new>
#include <string>
#include <string_view>

#include <elk/base/machine.hpp>

// OpenBLAS asks itself this when it is loaded: a thread for each processor would only wait, and where memory
// is short for ever.
extern "C" [[gnu::visibility("default")]] int openblas_num_threads_env() { return 1; }

namespace {

[[noreturn]] void end(int code, const char* message) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n", message);
  std::_Exit(code);
}

[[noreturn]] void end_by_exception() {
  if (!std::current_exception()) std::abort();
  try {
    throw;
  } catch (const std::bad_alloc&) {
    end(1, "there is not enough memory for this program");
  } catch (const std::exception& error) {
    end(std::string_view(error.what()).substr(0, 9) == "[ELK_ISA]" ? 2 : 1, error.what());
  }
}

void end_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) end(1, "cannot write to standard output");
}

// The programs take any argument for --smoke. Without a /proc nothing is said of others.
void check_arguments() {
  std::ifstream words("/proc/self/cmdline");
  std::string program, word;
  std::getline(words, program, '\0');
  program.erase(0, program.rfind('/') + 1);
  while (std::getline(words, word, '\0'))
    if (word != "--smoke")
      end(2, (program + ": expected --smoke or no argument, got \"" + word + "\"").c_str());
}

[[maybe_unused]] const bool ready = [] {
  std::set_terminate(end_by_exception);
  check_arguments();
  (void)elk::instruction_set();  // a wrong ELK_ISA is said before a missing file
  return std::atexit(end_output) == 0;
}();

}  // namespace
