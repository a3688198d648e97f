// Settings: what one run of a function of your own is told.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <variant>

namespace elk::lab {

/// Named values: Settings{{"hidden", 16}, {"lr", 0.01}, {"cell", "gru"}}. Files hold them as one flat JSON
/// object. What reads a value throws ValueError naming the setting that is missing or of another type.
class Settings {
 public:
  using Value = std::variant<bool, std::int64_t, double, std::string>;

  Settings() = default;
  /// ValueError for a name that is empty or given twice, and for a number that is not finite.
  Settings(std::initializer_list<std::pair<const char*, Value>> values);

  bool empty() const { return values_.empty(); }
  bool has(const std::string& name) const { return values_.count(name) > 0; }
  double number(const std::string& name) const;  ///< also of a whole number
  std::int64_t integer(const std::string& name) const;
  std::string text(const std::string& name) const;
  bool flag(const std::string& name) const;
  /// Adds or replaces one.
  void set(const std::string& name, Value value);

  /// One line of JSON, names sorted and no spaces.
  std::string to_json() const;
  /// What to_json() wrote; ValueError for anything else.
  static Settings parse(const std::string& json);

 private:
  const Value& at(const std::string& name) const;
  std::map<std::string, Value> values_;
};

}  // namespace elk::lab
