// How the library builds its messages. Private: included by .cpp files only, so that users need no fmt.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <elk/base/dtype.hpp>
#include <elk/base/error.hpp>
#include <elk/base/shape.hpp>

template <>
struct fmt::formatter<elk::Shape> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const elk::Shape& shape, Context& context) const {
    return fmt::formatter<std::string>::format(elk::to_string(shape), context);
  }
};

template <>
struct fmt::is_range<elk::Shape, char> : std::false_type {};

template <>
struct fmt::formatter<elk::DType> : fmt::formatter<const char*> {
  template <class Context>
  auto format(elk::DType dtype, Context& context) const {
    return fmt::formatter<const char*>::format(elk::name(dtype), context);
  }
};

template <>
struct fmt::formatter<elk::Axis> : fmt::formatter<int> {
  template <class Context>
  auto format(elk::Axis axis, Context& context) const {
    return fmt::formatter<int>::format(axis, context);
  }
};

namespace elk {

/// Text from a file or a user as part of a message, quoted: it may be long (of more than `longest`, 3 or
/// more, bytes the beginning is shown) and contain anything.
inline std::string shown(std::string_view text, std::size_t longest = 100) {
  if (text.size() <= longest) return fmt::format("{:?}", text);
  std::size_t length = longest;
  // Not inside a character of UTF-8, which has at most three bytes after its first.
  while (length + 3 > longest && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) --length;
  return fmt::format("{:?}...", text.substr(0, length));
}

/// Throws `E` with the formatted message.
template <class E, class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw E(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace elk
