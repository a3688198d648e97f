// Commands as one types them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace elk::lab {

/// `word` as a POSIX shell takes it for one word with these very bytes: in single quotes, unless it needs
/// none.
inline std::string shell_word(std::string_view word) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:=@%+";
  if (!word.empty() && word.find_first_not_of(plain) == std::string_view::npos) return std::string(word);
  std::string quoted = "'";
  for (const char c : word)
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  return quoted + "'";
}

/// The command line that runs ./elk with `words`.
inline std::string elk_command(const std::vector<std::string>& words) {
  std::string line = "./elk";
  for (const std::string& word : words) line += " " + shell_word(word);
  return line;
}

}  // namespace elk::lab
