#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include <elk/base/format.hpp>
#include <elk/io/digest.hpp>
#include <elk/train/history.hpp>

namespace elk::train {

namespace {

using nlohmann::ordered_json;
using Measured = std::optional<double> HistoryRow::*;

constexpr std::pair<const char*, Measured> measured[] = {{"train_loss", &HistoryRow::train_loss},
                                                         {"val_loss", &HistoryRow::val_loss},
                                                         {"val_accuracy", &HistoryRow::val_accuracy},
                                                         {"test_loss", &HistoryRow::test_loss},
                                                         {"test_accuracy", &HistoryRow::test_accuracy}};

// Reads a number that is counted up: a conversion by the JSON library would cut off a fraction, and anything
// may come of what T cannot hold.
template <class T>
void read_count(const nlohmann::json& object, const char* name, T& count) {
  const nlohmann::json& value = object.at(name);
  if (!value.is_number_unsigned() || !std::in_range<T>(value.get<std::uint64_t>()))
    fail<ValueError>("expected a whole number as \"{}\", found {}", name,
                     value.is_number() ? value.dump() : value.type_name());
  count = value.get<T>();
}

// What no run writes. Accuracies are shares; where nothing was measured there is none.
void check(const HistoryRow& row) {
  for (const auto& [name, accuracy] :
       {std::pair{"val_accuracy", row.val_accuracy}, {"test_accuracy", row.test_accuracy}})
    if (accuracy && !std::isnan(*accuracy) && !(*accuracy >= 0 && *accuracy <= 1))
      fail<ValueError>("expected a share from 0 to 1 as \"{}\", found {}", name, *accuracy);
  if (!(row.seconds >= 0)) fail<ValueError>("expected 0 or more as \"seconds\", found {}", row.seconds);
}

}  // namespace

std::string to_jsonl(const std::vector<HistoryRow>& history) {
  std::string text;
  for (const HistoryRow& row : history) {
    ordered_json object{{"epoch", row.epoch}, {"step", row.step}};
    for (const auto& [name, field] : measured)
      if (row.*field) object[name] = *(row.*field);  // a NaN or infinity is written as null
    object["lr"] = row.lr;
    object["flops"] = row.flops;
    object["seconds"] = row.seconds;
    if (row.diverged) object["status"] = "diverged";
    text += object.dump() + "\n";
  }
  return text;
}

std::vector<HistoryRow> parse_jsonl(const std::string& text, const std::string& file,
                                    std::int64_t first_line) {
  std::vector<HistoryRow> history;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto refuse = [&](const char* why) {
      fail<FileError>("[history] {}: line {} is malformed: {}", file,
                      first_line + static_cast<std::int64_t>(history.size()), why);
    };
    try {
      // Not an ordered_json, which looks for every name among all before it: a long line would take minutes.
      auto object = nlohmann::json::parse(line);
      take_digest(object);
      HistoryRow row;
      read_count(object, "epoch", row.epoch);
      read_count(object, "step", row.step);
      for (const auto& [name, field] : measured)
        if (object.contains(name)) row.*field = object[name].is_null() ? NAN : object[name].get<double>();
      object.at("lr").get_to(row.lr);
      read_count(object, "flops", row.flops);
      object.at("seconds").get_to(row.seconds);
      row.diverged = object.contains("status");
      if (row.diverged && object["status"] != "diverged")
        fail<ValueError>("the status of an epoch is \"diverged\" or absent");
      check(row);
      history.push_back(row);
    } catch (const nlohmann::json::exception& error) {
      refuse(error.what());
    } catch (const ValueError& error) {
      refuse(error.what());
    }
  }
  return history;
}

}  // namespace elk::train
