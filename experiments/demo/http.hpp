// HTTP/1.1 (RFC 9110 and 9112), as far as a small server needs it: texts only, no sockets.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <elk/base/error.hpp>

namespace elk::demo {

/// What a request is answered with in place of 200; the message goes to the client as {"error": ...}.
class HttpError : public Error {
 public:
  HttpError(int status, const std::string& message) : Error(message), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

/// What a request says before its body.
struct RequestHead {
  std::string method;
  std::string authority;                                     ///< of a target such as http://localhost:8080/
  std::string path;                                          ///< decoded, without the query
  std::map<std::string, std::string> query;                  ///< decoded; of equal names the first
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  bool chunks = true;  ///< whether the client knows bodies in pieces: HTTP/1.1

  std::size_t count(std::string_view name) const;
  /// The value of the first header of that name, which is in lower case; empty without one.
  std::string header(std::string_view name) const;
  /// Whether this is the last request of its connection.
  bool closes() const;
  /// The size that it states for its body, 0 without one. HttpError unless that is one whole number.
  std::size_t body_size() const;
};

std::string lower_case(std::string text);

/// Lines end in CR LF or LF; `text` may end with the empty line. HttpError 400 when it is malformed, 414 when
/// the target is too long.
RequestHead parse_head(std::string_view text);

/// The head of a reply, up to and with the empty line.
std::string format_head(int status, const std::vector<std::pair<std::string, std::string>>& headers);

}  // namespace elk::demo
