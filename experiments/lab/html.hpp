// Text in HTML and SVG.
#pragma once

#include <string>
#include <string_view>

namespace elk::lab {

/// `text` with the characters that HTML and XML give a meaning replaced, for elements and attributes in
/// double quotes; control characters, which XML does not allow, become spaces.
inline std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c >= 0 && c < ' ' && c != '\n' ? ' ' : c;
  }
  return out;
}

}  // namespace elk::lab
