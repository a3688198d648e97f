// Texts for people: in HTML and SVG, and of large numbers.
#pragma once

#include <algorithm>
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
      out += static_cast<unsigned char>(c) < ' ' && c != '\n' ? ' ' : c;
  }
  return out;
}

/// A number's digits with its thousands set apart where there are five digits or more: 1000, 60,000, -1234.5.
inline std::string grouped(std::string_view digits) {
  std::string out;
  if (digits.starts_with('-')) {
    out = '-';
    digits.remove_prefix(1);
  }
  const std::size_t whole = std::min(digits.find('.'), digits.size());
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (whole >= 5 && i > 0 && i < whole && (whole - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

}  // namespace elk::lab
