#include <lab/settings.hpp>

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <elk/base/error.hpp>

namespace elk::lab {

using nlohmann::json;

namespace {

template <class... T>
[[noreturn]] void refuse(fmt::format_string<T...> text, T&&... arguments) {
  throw ValueError("[settings] " + fmt::format(text, std::forward<T>(arguments)...));
}

std::string shown(const Settings::Value& value) {
  return std::visit([](const auto& v) { return json(v).dump(); }, value);
}

// The value as a T, which is `kind`.
template <class T>
const T& get(const std::string& name, const char* kind, const Settings::Value& value) {
  const T* found = std::get_if<T>(&value);
  if (found == nullptr) refuse("\"{}\" is expected to be {}, it is {}", name, kind, shown(value));
  return *found;
}

}  // namespace

Settings::Settings(std::initializer_list<std::pair<const char*, Value>> values) {
  for (const auto& [name, value] : values) {
    if (has(name)) refuse("\"{}\" is given twice", name);
    set(name, value);
  }
}

const Settings::Value& Settings::at(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) refuse("there is no \"{}\" in {}", name, to_json());
  return found->second;
}

double Settings::number(const std::string& name) const {
  const Value& value = at(name);
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  return get<double>(name, "a number", value);
}

std::int64_t Settings::integer(const std::string& name) const {
  return get<std::int64_t>(name, "a whole number", at(name));
}

std::string Settings::text(const std::string& name) const {
  return get<std::string>(name, "a text", at(name));
}

bool Settings::flag(const std::string& name) const { return get<bool>(name, "true or false", at(name)); }

void Settings::set(const std::string& name, Value value) {
  if (name.empty()) refuse("a name is empty");
  if (const double* number = std::get_if<double>(&value); number != nullptr && !std::isfinite(*number))
    refuse("\"{}\" must be finite, got {}", name, *number);
  values_[name] = std::move(value);
}

std::string Settings::to_json() const {
  json object = json::object();
  for (const auto& [name, value] : values_)
    std::visit([&, &key = name](const auto& v) { object[key] = v; }, value);
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Settings Settings::parse(const std::string& text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) refuse("expected a JSON object, got {}", text);
  Settings settings;
  for (const auto& [name, value] : object.items()) {
    if (value.is_boolean())
      settings.set(name, value.get<bool>());
    else if (value.is_number_integer() &&
             (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX))
      settings.set(name, value.get<std::int64_t>());
    else if (value.is_number())
      settings.set(name, value.get<double>());
    else if (value.is_string())
      settings.set(name, value.get<std::string>());
    else
      refuse("\"{}\" is no plain value: {}", name, value.dump());
  }
  return settings;
}

}  // namespace elk::lab
