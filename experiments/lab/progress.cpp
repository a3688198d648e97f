#include <lab/progress.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include <lab/program.hpp>

namespace elk::lab {

namespace {

bool is_terminal() {
  const char* kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) && (kind == nullptr || std::string_view(kind) != "dumb");
}

}  // namespace

Progress::Progress(bool quiet) : quiet_(quiet), terminal_(is_terminal()), last_(Clock::now()) {}

void Progress::message(const std::string& text) {
  if (quiet_) return;
  clear();
  say(text + "\n");
}

void Progress::update(const std::string& label, double done, double total, double loss) {
  if (quiet_) return;
  const auto now = Clock::now();
  if (now - last_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10000))) return;
  last_ = now;
  const double part = total > 0 ? std::clamp(done / total, 0.0, 1.0) : 1;
  if (terminal_) {
    constexpr int width = 30;
    const auto full = static_cast<std::size_t>(part * width);
    say(fmt::format("\r{} [{:<{}}] {:3.0f}%  loss {:.4f}\x1b[K", label, std::string(full, '='), width,
                    100 * part, loss));
    drawn_ = true;
  } else {
    say(fmt::format("{} {:3.0f}%  loss {:.4f}\n", label, 100 * part, loss));
  }
  std::fflush(stderr);
}

void Progress::clear() {
  if (!drawn_) return;
  say("\r\x1b[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace elk::lab
