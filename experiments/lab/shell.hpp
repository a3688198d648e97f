// Commands as one types them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
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

/// What programs are called by where no launcher says: nothing, for one that is not ours.
inline std::string default_launcher = "./elk";

/// What the user calls us by, as the launcher tells in ELK_LAUNCHER and as a shell takes it: a path of ./elk,
/// or the installed command.
inline std::string launcher() {
  const char* word = std::getenv("ELK_LAUNCHER");
  return word != nullptr && *word != '\0' ? word : default_launcher;
}

/// The command line with `words` behind `command`: in a record ./elk, everybody's, and launcher() in a hint.
inline std::string elk_command(const std::vector<std::string>& words, const std::string& command = "./elk") {
  std::string line = command;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + shell_word(word);
  return line;
}

/// `words` without what tells where to write and how to show: the rest makes the same results elsewhere.
inline std::vector<std::string> without_places(std::vector<std::string> words) {
  for (const std::string option : {"--from", "--out-dir", "--data-dir", "--jobs"}) {
    const auto at = std::find(words.begin(), words.end(), option);
    if (at != words.end()) words.erase(at, at + std::min<std::ptrdiff_t>(2, words.end() - at));
    std::erase_if(words, [&](const std::string& word) { return word.starts_with(option + "="); });
  }
  std::erase(words, "--quiet");
  std::erase(words, "--json");
  return words;
}

}  // namespace elk::lab
