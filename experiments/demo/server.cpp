#include "server.hpp"

// The only file that knows the library: its header takes long to compile.
#include <httplib.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <list>
#include <mutex>
#include <optional>
#include <semaphore>
#include <system_error>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <lab/program.hpp>

namespace elk::demo {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t most_clients = 256, most_head = 32 * 1024, most_requests = 1000;
constexpr auto idle = seconds(15);       // between the requests of a connection
constexpr auto patience = seconds(10);   // for a request to arrive whole, for a reply to be taken
constexpr auto drain = seconds(2);       // for what is not wanted any more
constexpr std::ptrdiff_t computing = 8;  // requests answered at once: each may take megabytes

bool ready(int fd, short events, Clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
    pollfd item{fd, events, 0};
    const int found = poll(&item, 1, static_cast<int>(std::max<std::int64_t>(0, left)));
    if (found >= 0 || errno != EINTR) return found > 0;
  }
}

// A client's connection, and whom the server is waiting for. (The library's own stream waits anew for every
// byte, and takes heads of any size.)
class Connection : public httplib::Stream {
 public:
  explicit Connection(int fd) : fd_(fd) {}

  // Waits for the first byte of a request.
  bool wait_for_request() {
    deadline_ = Clock::now() + idle;
    taken_ = 0;
    body_.reset();
    if (at_ == filled_ && !fill()) return false;
    deadline_ = Clock::now() + patience;
    return true;
  }
  // The head is read; so many bytes are to follow.
  void begin_body(std::size_t size) {
    body_ = size;
    taken_ = 0;
  }
  // The reply says that it is the last one.
  void make_last() { last_ = true; }
  bool may_go_on() const { return !last_ && body_ == taken_; }

  // The client has to see the reply before the connection is reset for what it still sends.
  void discard_rest() {
    ::shutdown(fd_, SHUT_WR);
    deadline_ = Clock::now() + drain;
    do at_ = filled_;
    while (fill());
  }

  // Since when the client is waited for, if it is.
  std::optional<Clock::time_point> waiting() const {
    const auto since = waiting_.load();
    return since == 0 ? std::nullopt : std::optional(Clock::time_point(Clock::duration(since)));
  }
  void hang_up() {
    ::shutdown(fd_, SHUT_RDWR);
    leaving_ = true;
  }
  // Whether it was hung up; its thread is about to see that.
  bool leaving() const { return leaving_; }
  int fd() const { return fd_; }

  ssize_t read(char* to, std::size_t size) override {
    if (!body_ && taken_ >= most_head) return -1;
    if (at_ == filled_ && !fill()) return ended_ ? 0 : -1;
    const std::size_t count = std::min(size, filled_ - at_);
    std::memcpy(to, buffer_ + at_, count);
    at_ += count;
    taken_ += count;
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* from, std::size_t size) override {
    if (!waits(POLLOUT, Clock::now() + patience)) return -1;
    const ssize_t count = ::send(fd_, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    return count < 0 && errno == EAGAIN ? 0 : count;
  }
  bool is_readable() const override { return at_ < filled_; }
  bool is_writable() const override { return true; }
  void get_remote_ip_and_port(std::string& ip, int& port) const override { get_local_ip_and_port(ip, port); }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    ip = "127.0.0.1";
    port = 0;
  }
  socket_t socket() const override { return fd_; }

 private:
  bool waits(short events, Clock::time_point until) {
    waiting_ = Clock::now().time_since_epoch().count();
    const bool result = ready(fd_, events, until);
    waiting_ = 0;
    return result;
  }
  bool fill() {
    if (!waits(POLLIN, deadline_)) return false;
    const ssize_t count = ::recv(fd_, buffer_, sizeof buffer_, 0);
    ended_ = count == 0;
    at_ = 0;
    filled_ = count > 0 ? static_cast<std::size_t>(count) : 0;
    return count > 0;
  }

  int fd_;
  char buffer_[16 * 1024];
  std::size_t at_ = 0, filled_ = 0;
  std::size_t taken_ = 0;            // of the head, then of the body
  std::optional<std::size_t> body_;  // its size, once the head is read
  bool ended_ = false, last_ = false, leaving_ = false;
  Clock::time_point deadline_;
  std::atomic<Clock::rep> waiting_{0};
};

// By this thread: each connection has one.
thread_local Connection* served = nullptr;

std::string error_body(const std::string& message) {
  return nlohmann::json{{"error", message}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// The size that a request states for its body.
std::size_t body_size(const httplib::Request& request) {
  const std::size_t times = request.get_header_value_count("Content-Length");
  if (times == 0) return 0;
  const std::string text = request.get_header_value("Content-Length");
  if (times > 1 || text.empty() || text.find_first_not_of("0123456789") != std::string::npos)
    throw HttpError(400, "Content-Length: expected one whole number");
  // Larger ones are as much too large.
  return text.size() > 15 ? std::size_t(1) << 50 : std::stoull(text);
}

}  // namespace

class Server::Http : private httplib::Server {
 public:
  explicit Http(int port);
  ~Http() override { close(listener_); }
  int port() const { return port_; }
  void run(std::vector<Route> routes, const std::function<bool()>& stop);

 private:
  void set_up();
  std::vector<std::string> methods_of(const std::string& path) const;
  void check(const httplib::Request& request) const;
  bool refuse(const httplib::Request& request, httplib::Response& response) const;
  void answer(const Route& route, const httplib::Request& request, httplib::Response& response);
  void admit(int fd);
  void serve(Connection& client);
  void make_room();

  int listener_, port_ = 0;
  std::vector<Route> routes_;
  std::counting_semaphore<computing> slots_{computing};
  std::mutex mutex_;
  std::condition_variable left_;   // a client has
  std::list<Connection> clients_;  // each with a thread of its own
};

Server::Http::Http(int port) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int yes = 1;
  // Not SO_REUSEPORT, the library's choice: two programs could then have the port at once.
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  socklen_t size = sizeof address;
  auto* const at = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, at, size) != 0 || ::listen(listener_, SOMAXCONN) != 0 ||
      ::getsockname(listener_, at, &size) != 0) {
    const int error = errno;
    close(listener_);
    if (error == EADDRINUSE) throw PortTaken(fmt::format("port {} is in use by another program", port));
    throw Error(fmt::format("cannot open port {} of 127.0.0.1: {}", port, std::strerror(error)));
  }
  port_ = ntohs(address.sin_port);
}

std::vector<std::string> Server::Http::methods_of(const std::string& path) const {
  std::vector<std::string> methods;
  for (const Route& route : routes_) {
    if (route.path != path) continue;
    methods.push_back(route.method);
    if (route.method == "GET") methods.emplace_back("HEAD");
  }
  return methods;
}

// Throws unless the request is one for this server, before its body is read.
void Server::Http::check(const httplib::Request& request) const {
  const auto ours = [&](std::string authority) {
    for (char& c : authority) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    for (const char* name : {"localhost", "127.0.0.1"})
      if (authority == fmt::format("{}:{}", name, port_) || (port_ == 80 && authority == name)) return true;
    return false;
  };
  if (request.get_header_value_count("Host") != 1) throw HttpError(400, "expected one Host header");
  if (!ours(request.get_header_value("Host")))
    throw HttpError(403,
                    fmt::format("this server is http://127.0.0.1:{} only, not the Host asked for", port_));
  // Browsers tell which page a request comes from, and let any page send one.
  if (request.has_header("Origin") && !(request.get_header_value("Origin").starts_with("http://") &&
                                        ours(request.get_header_value("Origin").substr(7))))
    throw HttpError(403, "pages of other origins may not use this server");

  const std::vector<std::string> methods = methods_of(request.path);
  if (methods.empty()) throw HttpError(404, "there is nothing at this path");
  if (std::find(methods.begin(), methods.end(), request.method) == methods.end())
    throw HttpError(405, fmt::format("expected the method {}", fmt::join(methods, ", ")));

  if (request.has_header("Transfer-Encoding"))
    throw HttpError(411, "expected a body of a stated Content-Length, not one in pieces");
  if (request.has_header("Content-Encoding")) throw HttpError(415, "expected a body that is not compressed");
  const std::size_t size = body_size(request);
  if (size > most_body) throw HttpError(413, fmt::format("the body is larger than {} bytes", most_body));
  if (request.method != "POST" && size > 0)
    throw HttpError(400, fmt::format("expected no body with the method {}", request.method));
  if (request.method == "POST" && !request.has_header("Content-Length"))
    throw HttpError(411, "expected a Content-Length");
}

bool Server::Http::refuse(const httplib::Request& request, httplib::Response& response) const {
  try {
    check(request);
    return false;
  } catch (const HttpError& error) {
    response.status = error.status();
    response.set_content(error_body(error.what()), "application/json");
    if (error.status() == 405)
      response.set_header("Allow", fmt::format("{}", fmt::join(methods_of(request.path), ", ")));
    return true;
  }
}

void Server::Http::answer(const Route& route, const httplib::Request& request, httplib::Response& response) {
  const auto failed = [&](int status, const std::string& message) {
    response.status = status;
    response.set_content(error_body(message), "application/json");
  };
  slots_.acquire();
  try {
    Reply reply = route.answer({{request.params.begin(), request.params.end()}, request.body});
    if (reply.stream)
      response.set_chunked_content_provider(
          reply.type, [stream = std::move(reply.stream)](std::size_t, httplib::DataSink& sink) {
            if (!stream([&](std::string_view piece) { return sink.write(piece.data(), piece.size()); }))
              sink.done();
            return true;
          });
    else
      response.set_content(reply.body, reply.type);
  } catch (const HttpError& error) {
    failed(error.status(), error.what());
  } catch (const Error& error) {
    failed(400, error.what());
  } catch (const std::exception& error) {
    lab::say(fmt::format("demo: {} {}: {}\n", route.method, route.path, error.what()));
    failed(500, "the server failed to answer this; its messages tell why");
  }
  slots_.release();
}

void Server::Http::set_up() {
  for (const Route& route : routes_) {
    const auto handler = [this, &route](const httplib::Request& request, httplib::Response& response) {
      answer(route, request, response);
    };
    if (route.method == "GET") Get(route.path, handler);
    if (route.method == "POST") Post(route.path, handler);
    if (route.method == "DELETE") Delete(route.path, handler);
  }
  set_keep_alive_timeout(idle.count());
  set_keep_alive_max_count(most_requests);
  set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
    return refuse(request, response) ? HandlerResponse::Handled : HandlerResponse::Unhandled;
  });
  // Says no before a large body is sent, to those who ask.
  set_expect_100_continue_handler([this](const httplib::Request& request, httplib::Response& response) {
    return refuse(request, response) ? response.status : 100;
  });
  const HandlerWithResponse explain = [](const httplib::Request& request, httplib::Response& response) {
    // Of a Range that is malformed further on, the library would apply the beginning to this body.
    const_cast<httplib::Request&>(request).ranges.clear();
    if (response.body.empty())
      response.set_content(
          error_body(response.status == 416
                         ? "Range: malformed; here nothing is served in parts"
                         : fmt::format("the request is malformed or of an unknown method, or its head is "
                                       "longer than {} bytes",
                                       most_head)),
          "application/json");
    response.set_header("Connection", "close");
    served->make_last();
    return HandlerResponse::Handled;
  };
  set_error_handler(explain);
  set_post_routing_handler([](const httplib::Request&, httplib::Response& response) {
    if (response.get_header_value("Connection") == "close") {
      for (const char* name : {"Connection", "Keep-Alive"}) response.headers.erase(name);
      response.set_header("Connection", "close");
    }
    response.set_header(
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "
        "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_header("Referrer-Policy", "no-referrer");
    response.set_header("Cross-Origin-Resource-Policy", "same-origin");
    response.set_header("Cache-Control", "no-store");
  });
}

// Answers the requests of one connection.
void Server::Http::serve(Connection& client) {
  served = &client;
  for (std::size_t i = 1; svr_sock_ != INVALID_SOCKET && client.wait_for_request(); ++i) {
    const bool last = i == most_requests;
    bool closing = false;
    const bool answered = process_request(client, last, closing, [&](httplib::Request& request) {
      std::size_t size = std::size_t(1) << 50;  // not to be read to its end
      try {
        if (!request.has_header("Transfer-Encoding")) size = body_size(request);
      } catch (const HttpError&) {
      }
      client.begin_body(size);
      // Here nothing is served in parts or compressed, and a body is JSON whatever it is called.
      request.ranges.clear();
      request.headers.erase("Accept-Encoding");
      request.headers.erase("Content-Type");
    });
    if (!answered || last || closing || !client.may_go_on()) return client.discard_rest();
  }
}

// When there are too many clients: ends the connection that has kept the server waiting for longest, or else
// the oldest.
void Server::Http::make_room() {
  Connection* chosen = nullptr;
  std::optional<Clock::time_point> longest;
  std::size_t staying = 0;
  for (Connection& client : clients_) {
    if (client.leaving()) continue;
    ++staying;
    const auto since = client.waiting();
    if (chosen == nullptr || (since && (!longest || *since < *longest))) {
      chosen = &client;
      longest = since;
    }
  }
  if (staying >= most_clients) chosen->hang_up();
}

void Server::Http::admit(int fd) {
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  std::unique_lock lock(mutex_);
  make_room();
  // Not for the one to leave: on a busy machine its thread may take a while to get to run.
  if (!left_.wait_for(lock, seconds(1), [&] { return clients_.size() < 2 * most_clients; })) {
    close(fd);
    return;
  }
  const auto client = clients_.emplace(clients_.end(), fd);
  const auto leave = [this, client] {
    const std::lock_guard guard(mutex_);
    close(client->fd());
    clients_.erase(client);
    left_.notify_all();
  };
  lock.unlock();
  try {
    std::thread([this, client, leave] {
      try {
        serve(*client);
      } catch (const std::exception& error) {
        lab::say(fmt::format("demo: a connection failed: {}\n", error.what()));
      }
      leave();
    }).detach();
  } catch (const std::system_error&) {
    leave();
  }
}

void Server::Http::run(std::vector<Route> routes, const std::function<bool()>& stop) {
  routes_ = std::move(routes);
  set_up();
  svr_sock_ = listener_;
  while (!stop()) {
    if (!ready(listener_, POLLIN, Clock::now() + milliseconds(100))) continue;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0)
      admit(fd);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
      std::this_thread::sleep_for(milliseconds(10));  // until others have left
  }
  svr_sock_ = INVALID_SOCKET;
  std::unique_lock lock(mutex_);
  for (Connection& client : clients_) client.hang_up();
  left_.wait(lock, [&] { return clients_.empty(); });
}

Server::Server(int port) : http_(std::make_unique<Http>(port)) {}
Server::~Server() = default;

int Server::port() const { return http_->port(); }

void Server::run(std::vector<Route> routes, const std::function<bool()>& stop) {
  http_->run(std::move(routes), stop);
}

}  // namespace elk::demo
