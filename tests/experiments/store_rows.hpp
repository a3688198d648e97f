// What a run store holds, to compare it with another.
#pragma once

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <elk/io/atomic_file.hpp>

namespace elk::lab::test {

/// The lines of both files of a store, sorted, without times and dates, and so without digests.
inline std::vector<std::string> rows_of(const std::string& folder) {
  std::vector<std::string> all;
  for (const char* name : {"/summaries.jsonl", "/curves.jsonl"}) {
    std::istringstream lines(read_file(folder + name));
    for (std::string line; std::getline(lines, line);) {
      nlohmann::json row = nlohmann::json::parse(line);
      row.erase("seconds");
      row.erase("date");
      row.erase("digest");
      all.push_back(row.dump());
    }
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace elk::lab::test
