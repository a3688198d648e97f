#include <algorithm>
#include <ostream>

#include <elk/base/format.hpp>
#include <elk/debug/doctor.hpp>
#include <elk/debug/inspect.hpp>

namespace elk {

using inspect::percent;

namespace {

constexpr std::size_t columns = 100;

// `text` in lines of at most that, those after the first indented.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::string result, line;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (!line.empty() && line.size() + 1 + word.size() > columns) {
      result += line + "\n";
      line.assign(indent, ' ');
      line += word;
    } else {
      if (at != 0) line += ' ';
      line += word;
    }
    at = end + 1;
  }
  return result + line + "\n";
}

// The first and the last rows of a long table, under its header.
std::vector<std::vector<std::string>> ends(std::vector<std::vector<std::string>> rows) {
  constexpr std::ptrdiff_t most = 8;
  const auto count = static_cast<std::ptrdiff_t>(rows.size()) - 1;
  if (count <= most) return rows;
  rows[1 + most / 2] = {fmt::format("... {} more", count - most + 1)};
  rows.erase(rows.begin() + 2 + most / 2, rows.end() - (most / 2 - 1));
  return rows;
}

std::string number(double value) { return fmt::format("{:.3g}", value); }
std::string share(const std::optional<double>& value) { return value ? percent(*value) : "-"; }

}  // namespace

std::string to_string(const Diagnosis& d) {
  const auto count = [&](Severity severity) {
    const auto n = std::count_if(d.findings.begin(), d.findings.end(),
                                 [&](const Finding& finding) { return finding.severity == severity; });
    return fmt::format("{} {}{}", n, name(severity), n == 1 || severity == Severity::good ? "" : "s");
  };
  std::string text = fmt::format("{}, {}, {}; {} examples{}\n\n", count(Severity::problem),
                                 count(Severity::warning), count(Severity::good), d.examples,
                                 d.classes > 0 ? fmt::format(", {} classes", d.classes) : "");
  for (const Finding& f : d.findings) {
    std::string line = fmt::format("{:<7}  {:<11}  {}", name(f.severity), f.check, f.measured);
    const std::string expected = "; expected " + f.expected;
    if (f.severity != Severity::good || line.size() + expected.size() <= columns) line += expected;
    text += wrapped(line, 22);
    if (!f.advice.empty()) text += wrapped(fmt::format("{:22}-> {}", "", f.advice), 25);
  }
  if (!d.layers.empty()) {
    std::vector<std::vector<std::string>> rows{
        {"layer", "kind", "mean", "deviation", "zeros", "dead", "saturated"}};
    for (const LayerHealth& l : d.layers)
      rows.push_back({inspect::shortened(l.name, 24, true), inspect::shortened(l.kind, 22), number(l.mean),
                      number(l.deviation), percent(l.zeros), share(l.dead), share(l.saturated)});
    text += "\n";
    text += inspect::table("llrrrrr", ends(std::move(rows)));
  }
  if (!d.parameters.empty()) {
    std::vector<std::vector<std::string>> rows{
        {"parameter", "size", "gradient: mean", "deviation", "zeros", "update / size"}};
    for (const ParameterHealth& p : d.parameters) {
      std::vector<std::string> row{inspect::shortened(p.name, 30, true), number(p.size)};
      if (p.has_gradient)
        row.insert(row.end(), {number(p.gradient_mean), number(p.gradient_deviation),
                               percent(p.gradient_zeros), p.update ? number(*p.update) : "-"});
      else
        row.push_back(p.frozen ? "frozen" : "none");
      rows.push_back(std::move(row));
    }
    text += "\n";
    text += inspect::table("lrrrrr", ends(std::move(rows)));
  }
  return text;
}

std::ostream& operator<<(std::ostream& out, const Diagnosis& diagnosis) {
  return out << to_string(diagnosis);
}

}  // namespace elk
