// How the library builds its messages. Private: included by .cpp files only, so that users need no fmt.
#pragma once

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

namespace elk {

/// Throws `E` with the formatted message.
template <class E, class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw E(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace elk
