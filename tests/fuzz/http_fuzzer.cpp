// Heads of HTTP requests, as any program of this machine may send them to the demo.
#include <demo/http.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace elk;
  demo::RequestHead head;
  if (!fuzz::accepted<demo::HttpError>([&] { head = demo::parse_head(fuzz::text(data, size)); })) return 0;
  fuzz::check(head.path.starts_with('/'), "a path that does not begin with /");
  for (const auto& [name, value] : head.headers) {
    fuzz::check(!name.empty() && name == demo::lower_case(name), "a name that is not in lower case");
    fuzz::check(value.find_first_of("\r\n\0") == std::string::npos, "a value of more than one line");
    fuzz::check(head.count(name) > 0, "a header that is not counted");
  }
  fuzz::accepted<demo::HttpError>([&] { (void)head.body_size(); });
  (void)head.closes();
  return 0;
}
