// docs/findings.md says nothing that was not computed: its quotes are verdicts, and its tables rows, of the
// results files beside it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <elk/io/atomic_file.hpp>
#include <lab/results.hpp>

namespace elk::lab {
namespace {

const std::string docs = ELK_TESTS_DIR "/../docs";

std::map<std::string, Results> committed() {
  std::map<std::string, Results> all;
  for (const auto& entry : std::filesystem::directory_iterator(docs + "/findings"))
    if (entry.path().extension() == ".json")
      all[entry.path().stem()] = parse_results(read_file(entry.path()), entry.path());
  return all;
}

// A study of another data set than the program's own.
std::string other_dataset(const Results& results, const std::string& before) {
  return results.program == "isoflop" && results.dataset != "digits" ? before + results.dataset : "";
}

// What a law was fitted to, where that is not the grid of data_size.
std::string other_cells(const Results& results) {
  const std::string of = "./elk law docs/findings/";
  if (results.program != "law" || !results.command.starts_with(of)) return "";
  const std::string cells =
      results.command.substr(of.size(), results.command.find("-sound.json") - of.size());
  return cells == "data_size" ? "" : "-" + cells;
}

TEST(Findings, EveryQuoteAndEveryTableIsAResult) {
  std::set<std::string> quotes, rows;
  for (const auto& [name, results] : committed()) {
    quotes.insert(results.verdicts.begin(), results.verdicts.end());
    for (const Table& table : results.tables)
      for (const auto& row : table.rows) rows.insert(fmt::format("| {} |", fmt::join(row, " | ")));
  }
  std::istringstream lines(read_file(docs + "/findings.md"));
  int quoted = 0, shown = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("> ")) {
      EXPECT_EQ(quotes.count(line.substr(2)), 1u) << "no results file says: " << line;
      ++quoted;
    }
    if (!line.starts_with("<!-- table of ")) continue;
    std::getline(lines, line);  // the head
    std::getline(lines, line);
    while (std::getline(lines, line) && line.starts_with("|")) {
      EXPECT_EQ(rows.count(line), 1u) << "no results file has the row: " << line;
      ++shown;
    }
  }
  EXPECT_GT(quoted, 10);
  EXPECT_GT(shown, 10);
}

TEST(Findings, CostWhatTheirRunsTook) {
  const auto row = [](const std::string& what, const Cost& cost) {
    return fmt::format("| {} | {} | {:.0f} | {:.2e} |", what, cost.runs, cost.seconds,
                       static_cast<double>(cost.flops));
  };
  std::set<std::string> expected, found;
  Cost all;
  for (const auto& [name, results] : committed()) {
    if (results.protocol != "sound" || results.program == "law") continue;  // which takes the runs of others
    std::string program = results.program;  // of another question: epochs-unique is epochs --unique
    if (const auto dash = program.find('-'); dash != program.npos) program.replace(dash, 1, " --");
    program += other_dataset(results, " --dataset ");
    expected.insert(row("`" + program + "`", results.cost));
    all.runs += results.cost.runs, all.seconds += results.cost.seconds, all.flops += results.cost.flops;
  }
  expected.insert(row("together", all));
  const std::string page = read_file(docs + "/findings.md");
  std::istringstream lines(page.substr(page.find("<!-- cost -->")));
  std::string line;
  for (int head = 0; head < 3; ++head) std::getline(lines, line);
  while (std::getline(lines, line) && line.starts_with("|")) found.insert(line);
  EXPECT_EQ(found, expected);
}

TEST(Findings, ComeFromWholeExperiments) {
  for (const auto& [name, results] : committed()) {
    EXPECT_EQ(name,
              results.program + other_dataset(results, "-") + other_cells(results) + "-" + results.protocol);
    EXPECT_EQ(results.status, "done") << name;
    EXPECT_FALSE(results.command.empty()) << name;
    EXPECT_FALSE(made_with(results, "--quick")) << name;
    EXPECT_FALSE(made_with(results, "--smoke")) << name;
  }
}

}  // namespace
}  // namespace elk::lab
