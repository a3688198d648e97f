// Text that the gallery's language models learn: numbers, spelled.
#pragma once

#include <array>
#include <string>

/// "four thousand three hundred twenty-one": n from 1 to 9999.
inline std::string spell(int n) {
  static const std::array<std::string, 20> ones = {"",        "one",     "two",       "three",    "four",
                                                   "five",    "six",     "seven",     "eight",    "nine",
                                                   "ten",     "eleven",  "twelve",    "thirteen", "fourteen",
                                                   "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
  static const std::array<std::string, 10> tens = {"",      "",      "twenty",  "thirty", "forty",
                                                   "fifty", "sixty", "seventy", "eighty", "ninety"};
  const auto join = [](const std::string& a, const char* between, const std::string& b) {
    return b.empty() ? a : a + between + b;
  };
  const auto at = [](const auto& words, int i) { return words[static_cast<std::size_t>(i)]; };
  if (n < 20) return at(ones, n);
  if (n < 100) return join(at(tens, n / 10), "-", at(ones, n % 10));
  if (n < 1000) return join(at(ones, n / 100) + " hundred", " ", spell(n % 100));
  return join(at(ones, n / 1000) + " thousand", " ", spell(n % 1000));
}
