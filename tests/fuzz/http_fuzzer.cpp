// The head of a request to the demo: what was understood comes back when it is written plainly and read
// again.
#include <algorithm>

#include <demo/http.hpp>

#include "fuzz.hpp"

namespace {

using elk::demo::RequestHead;

// With every byte of the path and of the query as a code.
std::string plain(const RequestHead& head) {
  const auto coded = [](const std::string& text) {
    std::string out;
    for (const char c : text) {
      char code[4];
      std::snprintf(code, sizeof code, "%%%02x", static_cast<unsigned char>(c));
      out += c == '/' ? "/" : code;
    }
    return out;
  };
  std::string text = head.method + ' ' + coded(head.path) + '?';
  for (const auto& [name, value] : head.query) text += coded(name) + '=' + coded(value) + '&';
  text += head.chunks ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n";
  for (const auto& [name, value] : head.headers) text += name + ":" + value + "\r\n";
  return text + "\r\n";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elk;
  demo::RequestHead head, again;
  if (size > 2048 || !fuzz::accepted([&] { head = demo::parse_head(fuzz::text(data, size)); })) return 0;
  fuzz::check(fuzz::accepted([&] { again = demo::parse_head(plain(head)); }), "refused when written plainly");
  fuzz::check(again.method == head.method && again.path == head.path && again.query == head.query &&
                  again.headers == head.headers && again.closes() == head.closes(),
              "another head came back");
  for (const auto& [name, value] : head.headers)
    fuzz::check(name == demo::lower_case(name) &&
                    value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
                "a header of capitals or of more than one line");
  fuzz::accepted([&] { fuzz::check(head.body_size() <= std::size_t(1) << 50, "a size beyond all bounds"); });
  return 0;
}
