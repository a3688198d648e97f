#include "server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
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

#include "connection.hpp"

namespace elk::demo {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Headers = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t most_clients = 256, most_requests = 1000;
constexpr const char* own_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri "
    "'none'; "
    "form-action 'none'; frame-ancestors 'none'";
constexpr std::ptrdiff_t computing = 8;  // requests answered at once: each may take megabytes

std::string error_body(const std::string& message) {
  return nlohmann::json{{"error", message}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

class Server::Http {
 public:
  explicit Http(int port);
  ~Http() { close(listener_); }
  int port() const { return port_; }
  void run(std::vector<Route> routes, const std::function<bool()>& stop);

 private:
  const Route* find(const std::string& method, const std::string& path) const;
  std::vector<std::string> methods_of(const std::string& path) const;
  const Route& check(const RequestHead& head) const;
  Reply compute(const Route& route, const Request& request);
  bool answer_next(Connection& client, bool last);
  bool stream(Connection& client, const Reply& reply, bool chunks) const;
  void admit(int fd);
  void serve(Connection& client);
  void make_room();

  int listener_, port_ = 0;
  std::vector<Route> routes_;
  std::atomic<bool> running_{false};
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
  // Not SO_REUSEPORT: two programs could then have the port at once.
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

const Route* Server::Http::find(const std::string& method, const std::string& path) const {
  for (const Route& route : routes_)
    if (route.path == path && route.method == (method == "HEAD" ? "GET" : method)) return &route;
  return nullptr;
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

// The route of a request, unless it is not one for this server: HttpError, before its body is read.
const Route& Server::Http::check(const RequestHead& head) const {
  const auto ours = [&](const std::string& authority) {
    const std::string given = lower_case(authority);
    for (const char* name : {"localhost", "127.0.0.1"})
      if (given == fmt::format("{}:{}", name, port_) || (port_ == 80 && given == name)) return true;
    return false;
  };
  if (head.count("host") != 1) throw HttpError(400, "expected one Host header");
  if (!ours(head.header("host")) || !(head.authority.empty() || ours(head.authority)))
    throw HttpError(403,
                    fmt::format("this server is http://127.0.0.1:{} only, not the Host asked for", port_));
  // Browsers tell which page a request comes from, and let any page send one.
  for (const auto& [name, value] : head.headers)
    if (name == "origin" && !(value.starts_with("http://") && ours(value.substr(7))))
      throw HttpError(403, "pages of other origins may not use this server");

  const std::vector<std::string> methods = methods_of(head.path);
  if (methods.empty()) throw HttpError(404, "there is nothing at this path");
  const Route* const route = find(head.method, head.path);
  if (route == nullptr) throw HttpError(405, fmt::format("expected the method {}", fmt::join(methods, ", ")));

  if (head.count("transfer-encoding") > 0)
    throw HttpError(411, "expected a body of a stated Content-Length, not one in pieces");
  if (head.count("content-encoding") > 0) throw HttpError(415, "expected a body that is not compressed");
  const std::size_t size = head.body_size();
  if (size > most_body) throw HttpError(413, fmt::format("the body is larger than {} bytes", most_body));
  if (head.method != "POST" && size > 0)
    throw HttpError(400, fmt::format("expected no body with the method {}", head.method));
  if (head.method == "POST" && head.count("content-length") == 0)
    throw HttpError(411, "expected a Content-Length");
  return *route;
}

Reply Server::Http::compute(const Route& route, const Request& request) {
  slots_.acquire();
  const auto free_slot = [this](const Route*) { slots_.release(); };
  const std::unique_ptr<const Route, decltype(free_slot)> slot(&route, free_slot);
  try {
    return route.answer(request);
  } catch (const HttpError&) {
    throw;
  } catch (const Error& error) {
    throw HttpError(400, error.what());
  } catch (const std::exception& error) {
    lab::say(fmt::format("demo: {} {}: {}\n", route.method, route.path, error.what()));
    throw HttpError(500, "the server failed to answer this; its messages say why");
  }
}

// Sends the body of a stream. Whether the connection can go on.
bool Server::Http::stream(Connection& client, const Reply& reply, bool chunks) const {
  bool there = true;
  const Write write = [&](std::string_view piece) {
    if (!piece.empty())  // an empty chunk would be the last
      there = client.write(chunks ? fmt::format("{:x}\r\n{}\r\n", piece.size(), piece) : std::string(piece));
    return there;
  };
  while (running_ && reply.stream(write) && there) {
  }
  return there && chunks && client.write("0\r\n\r\n");
}

// Answers one request. Whether there may be another.
bool Server::Http::answer_next(Connection& client, bool last) {
  RequestHead head;
  Reply reply;
  int status = 200;
  Headers headers;
  try {
    const std::optional<std::string> text = client.read_head();
    if (!text) return false;
    head = parse_head(*text);
    last = last || head.closes();
    const Route& route = check(head);
    // Curl asks before it sends a large body.
    if (head.chunks && lower_case(head.header("expect")) == "100-continue" &&
        !client.write(format_head(100, {})))
      return false;
    std::optional<std::string> body = client.read_body(head.body_size());
    if (!body) return false;
    reply = compute(route, {head.query, *std::move(body)});
  } catch (const HttpError& error) {
    status = error.status();
    last = true;  // what follows may belong to the body
    reply = {.body = error_body(error.what())};
    if (status == 405)
      headers.emplace_back("Allow", fmt::format("{}", fmt::join(methods_of(head.path), ", ")));
  }
  headers.emplace_back("Content-Type", reply.type);
  if (!reply.stream)
    headers.emplace_back("Content-Length", std::to_string(reply.body.size()));
  else if (head.chunks)
    headers.emplace_back("Transfer-Encoding", "chunked");
  if (last) headers.emplace_back("Connection", "close");
  headers.insert(headers.end(),
                 {{"Content-Security-Policy", reply.policy.empty() ? own_policy : reply.policy},
                  {"X-Content-Type-Options", "nosniff"},
                  {"Referrer-Policy", "no-referrer"},
                  {"Cross-Origin-Resource-Policy", "same-origin"},
                  {"Cache-Control", "no-store"}});
  const bool bodiless = head.method == "HEAD";
  if (!client.write(format_head(status, headers) + (bodiless || reply.stream ? "" : reply.body)))
    return false;
  if (reply.stream && !bodiless && !stream(client, reply, head.chunks)) return false;
  return !last;
}

void Server::Http::serve(Connection& client) {
  for (std::size_t i = 1; running_ && answer_next(client, i == most_requests); ++i) {
  }
  client.discard_rest();
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
  running_ = true;
  while (!stop()) {
    if (!ready(listener_, POLLIN, Clock::now() + milliseconds(100))) continue;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0)
      admit(fd);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
      std::this_thread::sleep_for(milliseconds(10));  // until others have left
  }
  running_ = false;
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
