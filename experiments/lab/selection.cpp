#include <lab/selection.hpp>

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <lab/program.hpp>

namespace elk::lab {

namespace {

constexpr const char* status = "status";

}  // namespace

ListedRun listed(RunSummary run) {
  ListedRun result{std::move(run), {}};
  const auto config = nlohmann::json::parse(result.run.config);
  for (const auto& [name, value] : config.items())
    result.options[name] = value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump();
  return result;
}

std::vector<std::string> option_names(const std::vector<ListedRun>& runs) {
  std::vector<std::string> names;
  std::set<std::string> known{status};
  for (const ListedRun& one : runs)
    for (const auto& [name, value] : one.options)
      if (known.insert(name).second) names.push_back(name);
  return names;
}

Condition parse_condition(const std::string& text, const std::vector<std::string>& options) {
  const auto equals = text.find('=');
  if (equals == std::string::npos)
    throw UsageError(fmt::format("--where: expected NAME=VALUE such as hidden=64, got \"{}\"", text));
  Condition condition{text.substr(0, equals), text.substr(equals + 1)};
  if (condition.name != status && std::find(options.begin(), options.end(), condition.name) == options.end())
    throw UsageError(fmt::format("--where: no run has an option \"{}\"", condition.name));
  return condition;
}

bool meets(const ListedRun& run, const Condition& condition) {
  return (condition.name == status ? run.run.status : option_of(run, condition.name)) == condition.value;
}

std::string option_of(const ListedRun& run, const std::string& name) {
  const auto at = run.options.find(name);
  return at == run.options.end() ? "" : at->second;
}

}  // namespace elk::lab
