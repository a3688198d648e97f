// A client's connection, with bounds on what it may send and on how long the server waits for it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace elk::demo {

using Clock = std::chrono::steady_clock;

/// Whether `fd` has one of `events`, as of poll, by then.
bool ready(int fd, short events, Clock::time_point until);

class Connection {
 public:
  /// Does not close `fd`.
  explicit Connection(int fd) : fd_(fd) {}

  /// The head of the next request with its empty line; nothing when the client leaves or lets the server wait
  /// for too long. HttpError when it is too long.
  std::optional<std::string> read_head();
  /// The next `size` bytes, which belong to the request whose head was read last; nothing as above.
  std::optional<std::string> read_body(std::size_t size);
  /// False when the client is gone or does not take it.
  bool write(std::string_view bytes);
  /// Ends the connection. The client has to see the reply before it is reset for what it still sends.
  void discard_rest();

  /// Since when the client is waited for, if it is. This and what follows other threads may ask.
  std::optional<Clock::time_point> waiting() const;
  void hang_up();
  /// Whether it was hung up; its thread is about to see that.
  bool leaving() const { return leaving_; }
  int fd() const { return fd_; }

 private:
  bool waits(short events, Clock::time_point until);
  bool fill();

  int fd_;
  std::string received_;  // and not taken yet
  Clock::time_point deadline_;
  std::atomic<bool> leaving_{false};
  std::atomic<Clock::rep> waiting_{0};
};

}  // namespace elk::demo
