// report.html: what an experiment found, for people.
#pragma once

#include <string>
#include <vector>

#include <lab/results.hpp>

namespace elk::lab {

/// What one program found, and the folder that its pictures lie in.
struct Section {
  Results results;
  std::string folder;
};

/// The columns of a table on a terminal.
std::string to_text(const Table& table);

/// One HTML file that needs nothing else: no script, no network; the pictures' SVGs stand in it. One section
/// is a report of its own; several are one called `title`, which begins with all verdicts and what everything
/// cost. A picture that cannot be read is missing, and the report says so.
std::string report_html(const std::vector<Section>& sections, const std::string& title = "");

/// Writes results.json and report.html into `folder`, where the pictures are; each file is replaced as a
/// whole. FileError when they cannot be written.
void write_report(const std::string& folder, const Results& results);

}  // namespace elk::lab
