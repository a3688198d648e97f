#include <lab/report.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <elk/base/error.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/io/digest.hpp>
#include <lab/text.hpp>

namespace elk::lab {

namespace {

// Pictures are drawn on white; in the dark they are inverted, and the hues put back.
constexpr std::string_view style = R"(
:root { color-scheme: light dark; --text: #1b1f24; --soft: #59636e; --line: #d5dae0; --page: #ffffff; --box: #f4f6f8;
  --link: #0b5cad; --good: #0a6b3d; --bad: #a8390b; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e3e7ec; --soft: #a1abb6; --line: #3a424b; --page: #14181d; --box: #1f252c; --link: #7db8f5;
    --good: #6fcf97; --bad: #ff9d73; }
  figure svg { filter: invert(0.9) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 78rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
p, .box, figure, caption { max-width: 64rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.4rem; line-height: 1.25; margin: 2.5rem 0 0.5rem; }
h3 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
h4 { font-size: 1rem; margin: 1.5rem 0 0.5rem; }
p { margin: 0.5rem 0; }
a { color: var(--link); }
.soft, figcaption, caption, .interval { color: var(--soft); }
.question { font-size: 1.1rem; }
.box { background: var(--box); border-left: 0.3rem solid var(--link); padding: 0.75rem 1rem; margin: 1rem 0; }
.box p { margin: 0.25rem 0; }
.verdict p { font-size: 1.1rem; }
.warning { border-color: var(--bad); }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0.25rem 0; }
th, td { padding: 0.3rem 0.9rem 0.3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--line); vertical-align: bottom; }
tbody th { font-weight: normal; }
td p:first-child { margin-top: 0; }
tfoot th, tfoot td { font-weight: bold; border-bottom: 0; }
.number { text-align: right; }
.number, .short { white-space: nowrap; }
.interval { font-size: 0.85em; }
.yes { color: var(--good); }
.no { color: var(--bad); font-weight: bold; }
figure { margin: 1.5rem 0; overflow-x: auto; }
figure svg { display: block; width: 100%; min-width: 34rem; height: auto; }
pre { background: var(--box); padding: 0.75rem 1rem; overflow-x: auto; font-size: 0.9rem; }
summary { cursor: pointer; color: var(--link); margin: 1rem 0; }
nav ol { columns: 16rem; padding-left: 1.5rem; }
@media print {
  :root { --text: #000000; --soft: #444444; --line: #bbbbbb; --page: #ffffff; --box: #ffffff; --link: #000000;
    --good: #000000; --bad: #000000; }
  figure svg { filter: none; min-width: 0; }
  main { max-width: none; padding: 0; }
  body { font-size: 10pt; }
  table { font-size: 7.5pt; }
  th, td { padding-right: 1em; }
  .scroll { overflow: visible; }
  figure, tr, .box { break-inside: avoid; }
  h1, h2, h3, h4, caption { break-after: avoid; }
  section + section { break-before: page; }
}
)";

// --- Numbers and names

std::string whole(std::uint64_t number) { return grouped(fmt::format("{}", number)); }
std::string whole(std::int64_t number) { return grouped(fmt::format("{}", number)); }

// 39.6 G: FLOPs in a table.
std::string short_form(double number) {
  constexpr std::string_view units[] = {"", " k", " M", " G", " T", " P", " E", " Z"};
  std::size_t unit = 0;
  for (; std::abs(number) >= 999.5 && unit + 1 < std::size(units); ++unit) number /= 1000;
  return fmt::format("{:.3g}{}", number, units[unit]);
}

std::string duration(double seconds) {
  if (seconds < 60) return fmt::format("{:.3g} s", seconds);
  const auto minutes = static_cast<std::int64_t>(seconds / 60);
  if (minutes < 60) return fmt::format("{} min {:02} s", minutes, static_cast<int>(seconds) % 60);
  return fmt::format("{} h {:02} min", whole(minutes / 60), minutes % 60);
}

// Accuracies are fractions of four digits, all else has four that count.
std::string measured(double value, const std::string& name) {
  if (!std::isfinite(value)) return "–";
  return name.ends_with("accuracy") ? fmt::format("{:.4f}", value) : fmt::format("{:.4g}", value);
}

std::string readable(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string counted(std::int64_t number, const char* what) {
  return fmt::format("{} {}{}", whole(number), what, number == 1 ? "" : "s");
}

// --- Elements

std::string element(const char* tag, const std::string& text) {
  return fmt::format("<{0}>{1}</{0}>\n", tag, escaped(text));
}

struct Column {
  std::string name;
  bool number = false;
};

// A table grows by cells; those of the first column head their rows.
class Rows {
 public:
  Rows(std::vector<Column> columns, const std::string& caption)
      : columns_(std::move(columns)), caption_(caption) {}

  /// `html` is what stands in the cell.
  void cell(const std::string& html, const char* kind = "") {
    const std::size_t column = cells_++ % columns_.size();
    if (column == 0) body_ += "<tr>";
    std::string classes = kind;
    if (columns_[column].number)
      classes += " number";
    else if (html.size() < 40 && html.find(' ') != std::string::npos)
      classes += " short";
    body_ += fmt::format("<{}{}>{}</{}>", column == 0 ? "th scope=\"row\"" : "td",
                         classes.empty() ? "" : fmt::format(" class=\"{}\"", classes), html,
                         column == 0 ? "th" : "td");
    if (column + 1 == columns_.size()) body_ += "</tr>\n";
  }
  void text(const std::string& text) { cell(escaped(text)); }
  /// The rows that follow sum up.
  void foot() { body_ += "</tbody>\n<tfoot>\n", end_ = "</tfoot>\n"; }

  std::string html() const {
    std::string out = fmt::format(
        "<div class=\"scroll\" role=\"region\" aria-label=\"{0}\" tabindex=\"0\">\n"
        "<table>\n<caption>{0}</caption>\n",
        escaped(caption_));
    if (std::any_of(columns_.begin(), columns_.end(), [](const Column& c) { return !c.name.empty(); })) {
      out += "<thead>\n<tr>";
      for (const Column& column : columns_)
        out += fmt::format("<th scope=\"col\"{}>{}</th>", column.number ? " class=\"number\"" : "",
                           escaped(column.name));
      out += "</tr>\n</thead>\n";
    }
    return out + "<tbody>\n" + body_ + end_ + "</table>\n</div>\n";
  }

 private:
  std::vector<Column> columns_;
  std::string caption_, body_, end_ = "</tbody>\n";
  std::size_t cells_ = 0;
};

std::string pairs(const std::string& caption, const std::vector<std::pair<std::string, std::string>>& rows) {
  Rows table({{}, {}}, caption);
  for (const auto& [name, value] : rows) {
    table.text(name);
    table.text(value);
  }
  return table.html();
}

// --- Pictures

// The SVG as an element of HTML: without its head, and with `prefix` before all its names, which gnuplot uses
// again in every picture.
std::string inlined(const std::string& svg, const std::string& title, const std::string& prefix) {
  const std::size_t begin = svg.find("<svg");
  if (begin == std::string::npos) throw FileError("is no SVG");
  std::string out = fmt::format("<svg role=\"img\" aria-label=\"{}\"", escaped(title));
  bool in_tag = true;
  for (std::size_t at = begin + 4; at < svg.size();) {
    in_tag = svg[at] == '<' || (in_tag && svg[at] != '>');
    std::size_t length = 1;
    if (in_tag)
      for (const std::string_view name : {" id='", " id=\"", "href='#", "href=\"#", "url(#"})
        if (svg.compare(at, name.size(), name) == 0) length = name.size();
    out.append(svg, at, length);
    if (length > 1) out += prefix;
    at += length;
  }
  return out;
}

std::string figure(const Picture& picture, const std::string& folder, const std::string& prefix) {
  const std::string caption = fmt::format("<figcaption>{}</figcaption>\n", escaped(picture.title));
  try {
    return fmt::format("<figure>\n{}{}</figure>\n",
                       inlined(read_file(folder + "/" + picture.file + ".svg"), picture.title, prefix),
                       caption);
  } catch (const Error&) {
    return fmt::format(
        "<figure>\n<div class=\"box warning\"><p>This picture is missing: there is no {}.svg. If gnuplot was "
        "not installed (on Debian: apt-get install gnuplot-nox), the same command draws it now from the "
        "results that are kept.</p></div>\n{}</figure>\n",
        escaped(picture.file), caption);
  }
}

// --- The parts of a section

std::string box(const char* kind, const char* name, const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string out = fmt::format(
      "<div class=\"box {0}\" role=\"group\" aria-label=\"{1}\">\n<strong>{1}</strong>\n", kind, name);
  for (const std::string& line : lines) out += element("p", line);
  return out + "</div>\n";
}

// A table of more rows than anyone wants to see at once is folded away.
constexpr std::size_t longest = 60;
std::string folded(const std::string& html, std::size_t rows, const std::string& what) {
  if (rows <= longest) return html;
  return fmt::format("<details>\n<summary>{}</summary>\n{}</details>\n", what, html);
}

std::string points(const Results& results) {
  // Only columns that say something.
  const auto any = [&](const auto& has) {
    return std::any_of(results.points.begin(), results.points.end(), has);
  };
  const bool series = any([](const Point& p) { return !p.series.empty(); });
  const bool reported = any([](const Point& p) { return p.reported.has_value(); });
  const bool agrees = any([](const Point& p) { return !p.agrees.empty(); });
  const bool parameters = any([](const Point& p) { return p.parameters > 0; });
  const bool lost = any([](const Point& p) { return p.diverged > 0 || p.failed > 0; });
  std::vector<std::string> names;
  for (const Point& point : results.points)
    for (const auto& [name, estimate] : point.measured) names.push_back(name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::stable_partition(names.begin(), names.end(),
                        [&](const auto& name) { return name == results.compared; });

  std::vector<Column> columns;
  if (series) columns.push_back({"series"});
  columns.push_back({"run"});
  if (reported) columns.push_back({fmt::format("study: {}", readable(results.compared)), true});
  const Column agreement{"agrees"};  // stands behind the number that is compared
  if (agrees && names.empty()) columns.push_back(agreement);
  for (const std::string& name : names) {
    columns.push_back({readable(name), true});
    if (agrees && name == names.front()) columns.push_back(agreement);
  }
  if (parameters) columns.push_back({"parameters", true});
  for (const char* name : {"FLOPs", "seconds", "seeds"}) columns.push_back({name, true});
  if (lost) columns.push_back({"lost"});

  Rows table(columns, "Every point: the mean over seeds, and below it its 95% interval");
  for (const Point& point : results.points) {
    if (series) table.text(point.series);
    table.text(point.label.empty() ? fmt::format("{:g}", point.x) : point.label);
    if (reported) table.text(point.reported ? measured(*point.reported, results.compared) : "");
    const auto tell_agreement = [&] {
      if (agrees)
        table.cell(escaped(point.agrees), point.agrees == "no" ? "no" : point.agrees.empty() ? "" : "yes");
    };
    if (names.empty()) tell_agreement();
    for (const std::string& name : names) {
      const auto found = point.measured.find(name);
      if (found == point.measured.end()) {
        table.text("");
      } else {
        const Estimate& estimate = found->second;
        std::string html = measured(estimate.mean, name);
        if (std::isfinite(estimate.low) && std::isfinite(estimate.high))
          html += fmt::format("<br/><span class=\"interval\">{} – {}</span>", measured(estimate.low, name),
                              measured(estimate.high, name));
        table.cell(html);
      }
      if (name == names.front()) tell_agreement();
    }
    if (parameters) table.text(whole(point.parameters));
    table.text(short_form(static_cast<double>(point.flops)));
    table.text(fmt::format("{:.3g}", point.seconds));
    table.text(fmt::format("{}", seeds(point)));
    if (lost) {
      std::string text;
      if (point.diverged > 0) text = fmt::format("{} diverged", point.diverged);
      if (point.failed > 0) text += fmt::format("{}{} failed", text.empty() ? "" : ", ", point.failed);
      table.cell(text, text.empty() ? "" : "no");
    }
  }
  // What tables tell already stands behind them, for those who want every number.
  return folded(table.html(), results.tables.empty() ? results.points.size() : longest + 1,
                fmt::format("All numbers of all {} points", results.points.size()));
}

std::string table_html(const Table& table) {
  std::vector<Column> columns;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    // A column of numbers: whatever has no letters.
    const bool number =
        c > 0 && std::all_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
          return c < row.size() && std::none_of(row[c].begin(), row[c].end(), [](unsigned char ch) {
                   return std::isalpha(ch) != 0 && ch != 'e';
                 });
        });
    columns.push_back({table.columns[c], number});
  }
  if (columns.empty()) return "";
  Rows rows(columns, table.title);
  for (const auto& row : table.rows)
    for (std::size_t c = 0; c < columns.size(); ++c) rows.text(c < row.size() ? row[c] : "");
  return folded(rows.html(), table.rows.size(),
                fmt::format("{}: {} rows", escaped(table.title), table.rows.size())) +
         (table.note.empty() ? "" : fmt::format("<p class=\"soft\">{}</p>\n", escaped(table.note)));
}

std::string state(const Results& results) {
  return results.status == "done" ? "" : fmt::format("This experiment is not complete: {}.", results.status);
}

// All but the heading; `h` is the level of the headings in it.
std::string body(const Section& section, const std::string& id, int h) {
  const Results& r = section.results;
  const auto heading = [&](const char* text) { return fmt::format("<h{0}>{1}</h{0}>\n", h, text); };
  std::string out;
  if (!r.question.empty()) out += fmt::format("<p class=\"question\">{}</p>\n", escaped(r.question));
  std::vector<std::string> facts;
  for (const auto& [name, value] : {std::pair{"data", r.dataset}, std::pair{"protocol", r.protocol}})
    if (!value.empty()) facts.push_back(fmt::format("{}: {}", name, value));
  if (r.cost.runs > 0) facts.push_back(counted(r.cost.runs, "run"));
  if (!r.date.empty()) facts.push_back(r.date);
  out += fmt::format("<p class=\"soft\">{}</p>\n", escaped(fmt::format("{}", fmt::join(facts, " · "))));
  std::vector<std::string> problems = r.failures;
  if (const std::string text = state(r); !text.empty()) problems.insert(problems.begin(), text);
  out += box("verdict", "Verdict", r.verdicts) + box("warning", "Failures", problems) +
         box("warning", "Warnings", r.warnings);

  if (!r.points.empty() || !r.tables.empty()) out += heading("Results");
  for (const Table& table : r.tables) out += table_html(table);
  if (!r.points.empty()) out += points(r);
  if (!r.pictures.empty()) out += heading("Plots");
  for (std::size_t i = 0; i < r.pictures.size(); ++i)
    out += figure(r.pictures[i], section.folder, fmt::format("{}-{}-", id, i + 1));

  out += heading("Details");
  if (!r.configuration.empty()) out += pairs("What all runs have in common", r.configuration);
  if (!r.checklist.empty()) out += pairs("What was done with the data", r.checklist);
  std::vector<std::pair<std::string, std::string>> numbers, facts_of_run;
  for (const auto& [name, value] : r.numbers) numbers.emplace_back(name, fmt::format("{:.6g}", value));
  if (!numbers.empty()) out += pairs("Numbers that the text above quotes", numbers);
  facts_of_run = {
      {"runs", whole(r.cost.runs)},
      {"time", fmt::format("{} ({:.1f} seconds of training)", duration(r.cost.seconds), r.cost.seconds)},
      {"FLOPs", fmt::format("{} ({})", whole(r.cost.flops), short_form(static_cast<double>(r.cost.flops)))},
      {"machine", r.machine},
      {"version", r.commit.empty() ? r.version : fmt::format("{}, commit {}", r.version, r.commit)}};
  out += pairs("Cost and origin", facts_of_run);
  if (!r.command.empty())
    out += fmt::format("<p>This makes it again:</p>\n<pre><code>{}</code></pre>\n", escaped(r.command));
  return out;
}

// --- The first page of several sections

std::string name_of(const Results& r) { return r.title.empty() ? r.program : r.title; }

std::string summary(const std::vector<Section>& sections, const std::vector<std::string>& ids) {
  std::string out = "<nav aria-label=\"Contents\">\n<ol>\n";
  for (std::size_t i = 0; i < sections.size(); ++i)
    out += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", ids[i], escaped(name_of(sections[i].results)));
  out += "</ol>\n</nav>\n<h2>Verdicts</h2>\n";

  Rows verdicts({{"program"}, {"verdict"}}, "What every experiment found");
  Rows costs({{"program"}, {"runs", true}, {"time", true}, {"seconds", true}, {"FLOPs", true}},
             "What it cost");
  Cost all;
  const auto cost = [&](const Cost& c) {
    costs.text(whole(c.runs));
    costs.text(duration(c.seconds));
    costs.text(grouped(fmt::format("{:.1f}", c.seconds)));
    costs.text(whole(c.flops));
  };
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const Results& r = sections[i].results;
    verdicts.cell(fmt::format("<a href=\"#{}\">{}</a>", ids[i], escaped(r.program)));
    std::string html;
    for (const std::string& verdict : r.verdicts) html += element("p", verdict);
    if (const std::string text = state(r); !text.empty())
      html += fmt::format("<p class=\"no\">{}</p>", escaped(text));
    if (!r.failures.empty() || !r.warnings.empty())
      html += fmt::format("<p class=\"soft\">{}, {}</p>",
                          counted(static_cast<std::int64_t>(r.failures.size()), "failure"),
                          counted(static_cast<std::int64_t>(r.warnings.size()), "warning"));
    verdicts.cell(html);
    costs.text(r.program);
    cost(r.cost);
    all.runs += r.cost.runs;
    all.seconds += r.cost.seconds;
    all.flops += r.cost.flops;
  }
  costs.foot();
  costs.text("all");
  cost(all);
  return out + verdicts.html() + "<h2>Cost</h2>\n" + costs.html();
}

}  // namespace

std::string to_text(const Table& table) {
  const auto width_of = [](const std::string& text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  };
  std::vector<std::size_t> widths;
  for (const std::string& column : table.columns) widths.push_back(width_of(column));
  for (const auto& row : table.rows)
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row[i]));
  std::string out = table.title + "\n";
  const auto add = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - width_of(row[i]), ' ');
      line += i == 0 ? row[i] + space : "  " + space + row[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  add(table.columns);
  for (const auto& row : table.rows) add(row);
  if (!table.note.empty()) out += table.note + "\n";
  return out;
}

std::string report_html(const std::vector<Section>& sections, const std::string& title) {
  const std::string name = title.empty() && !sections.empty() ? name_of(sections.front().results) : title;
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{0}</title>\n"
      "<style>{1}</style>\n</head>\n<body>\n<main>\n<h1>{0}</h1>\n",
      escaped(name), style);
  if (sections.size() == 1) {
    out += body(sections.front(), "picture", 2);
  } else {
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < sections.size(); ++i) ids.push_back(fmt::format("section-{}", i + 1));
    out += fmt::format("<section>\n{}</section>\n", summary(sections, ids));
    for (std::size_t i = 0; i < sections.size(); ++i)
      out += fmt::format(
          "<section id=\"{0}\" aria-labelledby=\"{0}-name\">\n<h2 id=\"{0}-name\">{1}</h2>\n{2}</section>\n",
          ids[i], escaped(name_of(sections[i].results)), body(sections[i], ids[i], 3));
  }
  return out + "</main>\n</body>\n</html>\n";
}

void write_report(const std::string& folder, const Results& results) {
  write_file_atomically(folder + "/results.json", with_digest(to_json(results)));
  write_file_atomically(folder + "/report.html", report_html({{results, folder}}));
}

}  // namespace elk::lab
