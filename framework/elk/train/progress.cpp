#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <elk/base/format.hpp>
#include <elk/train/fit.hpp>
#include <elk/train/progress.hpp>

namespace elk::train {

namespace {

// A reader that went away is no reason to end a run.
void say(const std::string& text) { std::fputs(text.c_str(), stderr); }

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

void Progress::step_done(Fit& fit) {
  if (quiet_) return;
  const auto now = Clock::now();
  if (now - last_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10000))) return;
  last_ = now;
  const double part = static_cast<double>(fit.batch()) / static_cast<double>(fit.batches());
  const std::string label = fmt::format("epoch {}/{}", fit.epoch() + 1, fit.options().epochs);
  if (terminal_) {
    constexpr int width = 30;
    const auto full = static_cast<std::size_t>(part * width);
    say(fmt::format("\r{} [{:<{}}] {:3.0f}%  loss {:.4f}\x1b[K", label, std::string(full, '='), width,
                    100 * part, fit.loss()));
    drawn_ = true;
  } else {
    say(fmt::format("{} {:3.0f}%  loss {:.4f}\n", label, 100 * part, fit.loss()));
  }
  std::fflush(stderr);
}

void Progress::epoch_done(Fit&) { clear(); }

void Progress::clear() {
  if (!drawn_) return;
  say("\r\x1b[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace elk::train
