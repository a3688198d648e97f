#include "http.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include <fmt/format.h>

namespace elk::demo {

namespace {

constexpr std::size_t most_target = 8 * 1024;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
// Neither a control character nor a space.
bool is_visible(char c) { return static_cast<unsigned char>(c) > ' ' && c != '\x7f'; }

// What names of methods and of headers are made of.
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || is_letter(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// Takes what stands before `end` off the text, and `end` with it; all of it when there is none.
std::string_view take_until(std::string_view& text, char end) {
  const std::size_t size = std::min(text.find(end), text.size());
  const std::string_view found = text.substr(0, size);
  text.remove_prefix(std::min(size + 1, text.size()));
  return found;
}

// "%41" is "A"; what is no such code stays as it is.
std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::uint8_t code = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '%' && text.size() - i > 2 &&
        std::from_chars(digits, digits + 2, code, 16).ptr == digits + 2) {
      out += static_cast<char>(code);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::map<std::string, std::string> parse_query(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    std::string pair(take_until(text, '&'));
    std::replace(pair.begin(), pair.end(), '+', ' ');
    std::string_view value = pair;
    const std::string_view name = take_until(value, '=');
    query.emplace(decoded(name), decoded(value));
  }
  return query;
}

[[noreturn]] void malformed(const std::string& what) {
  throw HttpError(400, fmt::format("the request is malformed: {}", what));
}

std::string_view take_line(std::string_view& text) {
  std::string_view line = take_until(text, '\n');
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

void parse_request_line(std::string_view line, RequestHead& head) {
  head.method = take_until(line, ' ');
  std::string_view target = take_until(line, ' ');
  if (!is_token(head.method) || (line != "HTTP/1.1" && line != "HTTP/1.0"))
    malformed("expected a first line such as GET / HTTP/1.1");
  head.chunks = line == "HTTP/1.1";
  if (target.size() > most_target)
    throw HttpError(414, fmt::format("the path is longer than {} bytes", most_target));
  // The absolute form, which clients of proxies send, and every server has to take.
  constexpr std::string_view scheme = "http://";
  if (lower_case(std::string(target.substr(0, scheme.size()))) == scheme) {
    target.remove_prefix(scheme.size());
    const std::size_t size = std::min(target.find_first_of("/?"), target.size());
    head.authority = target.substr(0, size);
    target.remove_prefix(size);
    if (head.authority.empty()) malformed("expected a host behind http://");
  }
  if (!std::all_of(target.begin(), target.end(), is_visible)) malformed("the path has a control character");
  const std::string_view path = take_until(target, '?');
  if (!path.starts_with('/') && !(path.empty() && !head.authority.empty()))
    malformed("expected a path that begins with /");
  head.path = path.empty() ? "/" : decoded(path);
  head.query = parse_query(target);
}

std::pair<std::string, std::string> parse_header(std::string_view line) {
  const std::size_t colon = std::min(line.find(':'), line.size());
  const std::string_view name = line.substr(0, colon);
  if (colon == line.size() || !is_token(name)) malformed("expected a header such as Name: value");
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), [](char c) { return is_visible(c) || c == ' ' || c == '\t'; }))
    malformed("a header has a control character");
  return {lower_case(std::string(name)), std::string(value)};
}

const char* reason(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
  }
  return "";
}

}  // namespace

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::size_t RequestHead::count(std::string_view name) const {
  const auto is_it = [&](const auto& header) { return header.first == name; };
  return static_cast<std::size_t>(std::count_if(headers.begin(), headers.end(), is_it));
}

std::string RequestHead::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

bool RequestHead::closes() const {
  if (!chunks) return true;
  for (const auto& [name, value] : headers) {
    if (name != "connection") continue;
    const std::string options = lower_case(value);
    for (std::string_view rest = options; !rest.empty();)
      if (trimmed(take_until(rest, ',')) == "close") return true;
  }
  return false;
}

std::size_t RequestHead::body_size() const {
  const std::size_t times = count("content-length");
  if (times == 0) return 0;
  const std::string text = header("content-length");
  if (times > 1 || text.empty() || !std::all_of(text.begin(), text.end(), is_digit))
    throw HttpError(400, "Content-Length: expected one whole number");
  // Larger ones are as much too large.
  return text.size() > 15 ? std::size_t(1) << 50 : std::stoull(text);
}

RequestHead parse_head(std::string_view text) {
  RequestHead head;
  parse_request_line(take_line(text), head);
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (!line.empty()) head.headers.push_back(parse_header(line));
  }
  return head;
}

std::string format_head(int status, const std::vector<std::pair<std::string, std::string>>& headers) {
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", status, reason(status));
  for (const auto& [name, value] : headers) text += fmt::format("{}: {}\r\n", name, value);
  return text + "\r\n";
}

}  // namespace elk::demo
