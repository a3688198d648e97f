// fmt's own library is the host's: here its code is compiled once, for what the library's sources ask of it.
#define FMT_HEADER_ONLY
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace elk::play {

// Every kind of argument that is formatted anywhere.
std::string all_of_fmt(const std::vector<long long>& list, const char* text, double d, float f, bool b,
                       char c) {
  return fmt::format("{} {} {} {:?} {} {:.4g} {} {} {} {}", fmt::join(list, ", "), list, text, text, d, d, f,
                     b, c, list.size()) +
         fmt::format("{:>8} {:08x} {:+d}", std::string(text), 5u, list.front());
}

// Its address is taken, or it would be put into the function above and be nowhere else.
std::string (*volatile the_one_that_formats)(fmt::string_view, fmt::format_args) = fmt::vformat;

}  // namespace elk::play
