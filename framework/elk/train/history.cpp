#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include <elk/base/format.hpp>
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

std::vector<HistoryRow> parse_jsonl(const std::string& text, const std::string& file) {
  std::vector<HistoryRow> history;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    try {
      const ordered_json object = ordered_json::parse(line);
      HistoryRow row;
      object.at("epoch").get_to(row.epoch);
      object.at("step").get_to(row.step);
      for (const auto& [name, field] : measured)
        if (object.contains(name)) row.*field = object[name].is_null() ? NAN : object[name].get<double>();
      object.at("lr").get_to(row.lr);
      object.at("flops").get_to(row.flops);
      object.at("seconds").get_to(row.seconds);
      row.diverged = object.contains("status");
      history.push_back(row);
    } catch (const nlohmann::json::exception& error) {
      fail<FileError>("[history] {}: line {} is malformed: {}", file, history.size() + 1, error.what());
    }
  }
  return history;
}

}  // namespace elk::train
