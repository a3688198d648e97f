// An HTTP server for the user of this machine: on loopback only, and unharmed by whatever clients do.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <elk/base/error.hpp>

#include "http.hpp"

namespace elk::demo {

struct Request {
  std::map<std::string, std::string> query;  ///< of the path, decoded
  std::string body;
};

/// Sends a piece of a stream; false when the client is gone.
using Write = std::function<bool(std::string_view piece)>;

struct Reply {
  std::string body;
  std::string type = "application/json";
  /// Set for an endless body: called again and again until it returns false or the client is gone. It should
  /// return after a second at most, so that the server can end.
  std::function<bool(const Write& write)> stream = {};
  /// The Content-Security-Policy of a page with its scripts within it; empty: that of the demo.
  std::string policy = {};
};

struct Route {
  std::string method;  ///< GET, which answers HEAD as well, POST or DELETE
  std::string path;
  /// Called by several threads at once. An HttpError that it throws is the reply; any other elk::Error is one
  /// of status 400.
  std::function<Reply(const Request&)> answer;
};

/// The port is another program's.
class PortTaken : public Error {
 public:
  using Error::Error;
};

/// What it takes from a client is bounded in size and time, and so is the number of clients: when there are
/// too many, the one that has kept the server waiting for longest has to go. Requests whose Host (or Origin)
/// is not this server's are refused, so that pages of other sites cannot use it.
class Server {
 public:
  static constexpr std::size_t most_body = 1 << 20;  ///< bytes of a request's body

  /// Opens 127.0.0.1:`port`, or any free port for 0. PortTaken, or Error when the system refuses otherwise.
  explicit Server(int port);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;
  /// Answers until `stop`, which is asked several times a second, says so.
  void run(std::vector<Route> routes, const std::function<bool()>& stop);

 private:
  class Http;
  std::unique_ptr<Http> http_;
};

}  // namespace elk::demo
