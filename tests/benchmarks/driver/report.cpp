#include "report.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace elk::bench {

namespace {

using nlohmann::ordered_json;

// Three digits and a unit.
std::string engineering(double value, const std::string& unit) {
  static const std::pair<double, const char*> prefixes[] = {
      {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}, {1e-3, "m"}, {1e-6, "µ"}, {1e-9, "n"}};
  const auto* prefix = std::find_if(std::begin(prefixes), std::end(prefixes) - 1,
                                    [&](const auto& p) { return value >= 0.9995 * p.first; });
  const double shown = value / prefix->first;
  return fmt::format("{:.{}f} {}{}", shown, shown < 9.995 ? 2 : shown < 99.95 ? 1 : 0, prefix->second, unit);
}

// As code in a table's cell.
std::string code(const std::string& text) {
  std::string escaped;
  for (const char c : text) escaped += c == '|' ? "\\|" : std::string(1, c);
  return fmt::format("`{}`", escaped);
}

std::string group_of(const ordered_json& row) {
  const std::string name = row.at("name");
  return name.substr(0, name.find('/'));
}

std::string rate(const ordered_json& counters) {
  std::vector<std::string> rates;
  if (counters.contains("per_operation"))
    rates.push_back(duration(counters["per_operation"]) + " an operation");
  if (counters.contains("bytes"))
    rates.push_back(engineering(counters["bytes"], "B/s"));
  else if (counters.value("flops", 0.0) > 0)
    rates.push_back(engineering(counters["flops"], "FLOP/s"));
  if (counters.contains("items_per_second"))
    rates.push_back(engineering(counters["items_per_second"], "") + "examples/s");
  return fmt::format("{}", fmt::join(rates, ", "));
}

std::string machine_table(const ordered_json& report) {
  const ordered_json &m = report["machine"], &c = report["compiler"];
  std::string text = "| | |\n|---|---|\n";
  const auto line = [&](const std::string& key, const std::string& value) {
    text += fmt::format("| {} | {} |\n", key, value);
  };
  const auto integer = [&](const char* key) { return m[key].get<long>(); };
  line("date", report["date"]);
  line("command", code(report["command"]));
  line("processor",
       fmt::format("{}, {} to use, measured on {}", m["processor"].get<std::string>(), integer("processors"),
                   report["core"] == -1 ? "any" : "number " + report["core"].dump()));
  line("instruction set", m["instruction_set"].get<std::string>() + ", that of the loops");
  line("all that the processor has",
       fmt::format("{}", fmt::join(m["instruction_sets"].get<std::vector<std::string>>(), " ")));
  line("caches", fmt::format("L1d {} KiB, L2 {} KiB, L3 {} KiB", integer("l1d_kib"), integer("l2_kib"),
                             integer("l3_kib")));
  line("memory", fmt::format("{:.1f} GiB", m["memory_gib"].get<double>()));
  line("system", fmt::format("{}; load average {:.2f} at the start", m["system"].get<std::string>(),
                             m["load_average"].get<double>()));
  const std::string flags = c["flags"];
  line("compiler", fmt::format("{}, {}{}", c["name"].get<std::string>(), c["build_type"].get<std::string>(),
                               flags.empty() ? "" : ", " + flags));
  for (const auto& [name, version] : report["versions"].items()) line(name, version);
  return text;
}

std::string side_by_side_table(const ordered_json& rows) {
  std::string text =
      "\n## Training side by side\n\n"
      "Seconds an epoch of MNIST, and how many times as fast elkgrad is: median, least and most of the "
      "pairs.\n\n"
      "| network | batch | peer | elkgrad s | peer s | times as fast | least | most "
      "|\n|---|---|---|---|---|---|---|---|\n";
  for (const ordered_json& row : rows) {
    const auto number = [&](const char* what, const char* which) { return row[what][which].get<double>(); };
    text += fmt::format("| {} | {} | {} | {:.3f} | {:.3f} | **{:.2f}** | {:.2f} | {:.2f} |\n",
                        row["network"].get<std::string>(), row["batch"].get<int>(),
                        row["peer"].get<std::string>(), number("elkgrad_seconds", "median"),
                        number("peer_seconds", "median"), number("ratio", "median"), number("ratio", "min"),
                        number("ratio", "max"));
  }
  return text;
}

std::string layers_table(const ordered_json& rows) {
  std::string text =
      "\n## Layers beside PyTorch in C++\n\n"
      "Processor time of a call, and how many times as fast elkgrad is: median, least and most of the "
      "pairs.\n\n"
      "| layer, shape, what | elkgrad | peer | times as fast | least | most |\n|---|---|---|---|---|---|\n";
  for (const ordered_json& row : rows)
    text += fmt::format("| {} | {} | {} | **{:.2f}** | {:.2f} | {:.2f} |\n", row["name"].get<std::string>(),
                        duration(row["elkgrad_seconds"]["median"]), duration(row["peer_seconds"]["median"]),
                        row["ratio"]["median"].get<double>(), row["ratio"]["min"].get<double>(),
                        row["ratio"]["max"].get<double>());
  return text;
}

std::string benchmark_tables(const ordered_json& rows) {
  static const std::map<std::string, std::string> titles{{"kernels", "Kernels"},
                                                         {"ops", "Operations on 8 elements"},
                                                         {"step", "Training steps"},
                                                         {"inference", "Inference"},
                                                         {"data", "Data"}};
  std::map<std::string, double> seconds;
  for (const ordered_json& row : rows)
    if (row.contains("seconds")) seconds[row["name"]] = row["seconds"];
  std::string text, group;
  for (const ordered_json& row : rows) {
    const std::string name = row["name"], general = name + "/reference";
    if (name.ends_with("/reference") && seconds.contains(name.substr(0, name.rfind('/')))) continue;
    if (group_of(row) != group) {
      group = group_of(row);
      text += fmt::format(
          "\n## {}\n\n| | time | least | most | rate | general form |\n|---|---|---|---|---|---|\n",
          titles.contains(group) ? titles.at(group) : group);
    }
    if (row.contains("error")) {
      text += fmt::format("| {} | {} | | | | |\n", name, row["error"].get<std::string>());
      continue;
    }
    const auto time = [&](const char* key) { return duration(row[key].get<double>()); };
    text +=
        fmt::format("| {} | {} | {} | {} | {} | {} |\n", name, time("seconds"), time("seconds_min"),
                    time("seconds_max"), rate(row["counters"]),
                    seconds.contains(general)
                        ? fmt::format("{:.2f} times as long", seconds[general] / row["seconds"].get<double>())
                        : "");
  }
  return text;
}

std::string scaling_tables(const ordered_json& scaling) {
  std::string text =
      "\n## How the cost grows\n\n"
      "Order: the exponent by which the time has grown since the line above; 1 is linear.\n";
  for (const auto& [what, rows] : scaling.items()) {
    text += fmt::format("\n| {} | time | rate | order |\n|---|---|---|---|\n", what);
    for (const ordered_json& row : rows)
      text += fmt::format("| {} | {} | {} | {} |\n", row["size"].get<long>(), duration(row["seconds"]),
                          engineering(row["flops_per_second"], "FLOP/s"),
                          row.contains("order") ? fmt::format("{:.2f}", row["order"].get<double>()) : "");
  }
  return text;
}

}  // namespace

std::string duration(double seconds) { return engineering(seconds, "s"); }

std::string markdown(const ordered_json& report) {
  std::string text = "# elkgrad bench\n\n" + machine_table(report);
  if (report["status"] == "stopped")
    text += "\nStopped before the end: this is what was measured until then.\n";
  if (!report["left_out"].empty()) text += "\nLeft out:\n\n";
  for (const ordered_json& reason : report["left_out"])
    text += fmt::format("- {}\n", reason.get<std::string>());
  if (!report["side_by_side"].empty()) text += side_by_side_table(report["side_by_side"]);
  if (!report["layers"].empty()) text += layers_table(report["layers"]);
  if (!report["benchmarks"].empty()) text += benchmark_tables(report["benchmarks"]);
  if (!report["scaling"].empty()) text += scaling_tables(report["scaling"]);
  return text;
}

}  // namespace elk::bench
