// Loaded into a program by LD_PRELOAD: its clock of the day jumps back by an hour whenever it is looked at.
// (Clocks are set, by people and over the network.) The others go on as they should.
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

namespace {

time_t now() {
  static std::atomic<time_t> seconds{1800000000};  // in 2027
  return seconds.fetch_sub(3600);
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, timespec* time) noexcept {
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
    return static_cast<int>(syscall(SYS_clock_gettime, clock, time));
  *time = {.tv_sec = now(), .tv_nsec = 0};
  return 0;
}

__attribute__((visibility("default"))) time_t time(time_t* to) noexcept {
  const time_t found = now();
  if (to != nullptr) *to = found;
  return found;
}

__attribute__((visibility("default"))) int gettimeofday(timeval* time, void*) noexcept {
  *time = {.tv_sec = now(), .tv_usec = 0};
  return 0;
}

}  // extern "C"
