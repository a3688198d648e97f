#include "connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include <fmt/format.h>

#include "http.hpp"

namespace elk::demo {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t most_head = 32 * 1024;
constexpr auto idle = seconds(15);      // between the requests of a connection
constexpr auto patience = seconds(10);  // for a request to arrive whole, for a reply to be taken
constexpr auto drain = seconds(2);      // for what is not wanted any more

// Where the empty line ends that ends the head; 0 when it is not there yet.
std::size_t end_of_head(std::string_view text, std::size_t from) {
  for (std::size_t at = from; (at = text.find('\n', at)) != std::string_view::npos; ++at) {
    if (text.substr(at + 1).starts_with('\n')) return at + 2;
    if (text.substr(at + 1).starts_with("\r\n")) return at + 3;
  }
  return 0;
}

}  // namespace

bool ready(int fd, short events, Clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
    pollfd item{fd, events, 0};
    const int found = poll(&item, 1, static_cast<int>(std::max<std::int64_t>(0, left)));
    if (found >= 0 || errno != EINTR) return found > 0;
  }
}

std::optional<std::string> Connection::read_head() {
  deadline_ = Clock::now() + idle;
  if (received_.empty() && !fill()) return std::nullopt;
  deadline_ = Clock::now() + patience;
  for (std::size_t seen = 0;;) {
    const std::size_t end = end_of_head(received_, seen);
    if ((end > 0 ? end : received_.size()) > most_head) {
      if (received_.find('\n') > most_head)
        throw HttpError(414, fmt::format("the path is longer than {} bytes", most_head));
      throw HttpError(431, fmt::format("the head of the request is longer than {} bytes", most_head));
    }
    if (end > 0) return read_body(end);
    seen = std::max<std::size_t>(received_.size(), 2) - 2;
    if (!fill()) return std::nullopt;
  }
}

std::optional<std::string> Connection::read_body(std::size_t size) {
  while (received_.size() < size)
    if (!fill()) return std::nullopt;
  std::string taken = received_.substr(0, size);
  received_.erase(0, size);
  return taken;
}

bool Connection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!waits(POLLOUT, Clock::now() + patience)) return false;
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN && errno != EINTR) return false;
    bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(0, count)));
  }
  return true;
}

void Connection::discard_rest() {
  ::shutdown(fd_, SHUT_WR);
  deadline_ = Clock::now() + drain;
  const auto end = Clock::now() + patience;  // also of what comes without a pause
  do received_.clear();
  while (fill() && Clock::now() < end);
}

std::optional<Clock::time_point> Connection::waiting() const {
  const auto since = waiting_.load();
  return since == 0 ? std::nullopt : std::optional(Clock::time_point(Clock::duration(since)));
}

void Connection::hang_up() {
  ::shutdown(fd_, SHUT_RDWR);
  leaving_ = true;
}

bool Connection::waits(short events, Clock::time_point until) {
  waiting_ = Clock::now().time_since_epoch().count();
  const bool result = ready(fd_, events, until);
  waiting_ = 0;
  return result;
}

// Waits for more to be received; false when the client is gone or the deadline has come.
bool Connection::fill() {
  if (!waits(POLLIN, deadline_)) return false;
  char buffer[16 * 1024];
  const ssize_t count = ::recv(fd_, buffer, sizeof buffer, 0);
  if (count > 0) received_.append(buffer, static_cast<std::size_t>(count));
  return count > 0;
}

}  // namespace elk::demo
