#include <lab/results.hpp>

#include <string_view>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <elk/base/error.hpp>
#include <elk/io/digest.hpp>
#include <lab/statistics.hpp>

namespace elk::lab {

namespace {

constexpr const char* results_format = "elkgrad-results/1";

template <class T, class Type>
constexpr bool is = std::is_same_v<std::remove_const_t<T>, Type>;

// Tells `visit` the name and the value of every member: for writing as for reading.
template <class T, class Visit>
void members(T& v, const Visit& visit) {
  if constexpr (is<T, Estimate>) {
    visit("mean", v.mean);
    visit("low", v.low);
    visit("high", v.high);
    visit("values", v.values);
  } else if constexpr (is<T, Point>) {
    visit("series", v.series);
    visit("label", v.label);
    visit("x", v.x);
    visit("measured", v.measured);
    visit("reported", v.reported);
    visit("agrees", v.agrees);
    visit("parameters", v.parameters);
    visit("flops", v.flops);
    visit("seconds", v.seconds);
    visit("diverged", v.diverged);
    visit("failed", v.failed);
    visit("config", v.config);
    visit("images", v.images);
    visit("examples", v.examples);
    visit("unique", v.unique);
    visit("curves", v.curves);
  } else if constexpr (is<T, Table>) {
    visit("title", v.title);
    visit("columns", v.columns);
    visit("rows", v.rows);
    visit("note", v.note);
  } else if constexpr (is<T, Picture>) {
    visit("title", v.title);
    visit("file", v.file);
  } else if constexpr (is<T, Cost>) {
    visit("runs", v.runs);
    visit("seconds", v.seconds);
    visit("flops", v.flops);
  } else {
    static_assert(is<T, Results>);
    visit("program", v.program);
    visit("title", v.title);
    visit("question", v.question);
    visit("protocol", v.protocol);
    visit("dataset", v.dataset);
    visit("data", v.data);
    visit("status", v.status);
    visit("configuration", v.configuration);
    visit("compared", v.compared);
    visit("points", v.points);
    visit("tables", v.tables);
    visit("pictures", v.pictures);
    visit("verdicts", v.verdicts);
    visit("warnings", v.warnings);
    visit("failures", v.failures);
    visit("numbers", v.numbers);
    visit("cost", v.cost);
    visit("machine", v.machine);
    visit("version", v.version);
    visit("commit", v.commit);
    visit("command", v.command);
    visit("date", v.date);
    visit("checklist", v.checklist);
  }
}

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class T>
struct IsMap<std::map<std::string, T>> : std::true_type {};

// What files of 0.1.0 lack.
bool may_lack(std::string_view name) {
  return name == "images" || name == "examples" || name == "unique" || name == "curves" || name == "data" ||
         name == "checklist";
}

using Entry = std::pair<std::string, std::string>;  // written as ["name", "value"]: their order matters

// --- Writing

template <class T>
nlohmann::ordered_json json_of(const T& value) {
  using nlohmann::ordered_json;
  if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (std::is_same_v<T, std::optional<double>>) {
    return value ? ordered_json(*value) : ordered_json();
  } else if constexpr (std::is_same_v<T, Entry>) {
    return ordered_json::array({value.first, value.second});
  } else if constexpr (IsVector<T>::value) {
    ordered_json list = ordered_json::array();
    for (const auto& element : value) list.push_back(json_of(element));
    return list;
  } else if constexpr (IsMap<T>::value) {
    ordered_json object = ordered_json::object();
    for (const auto& [name, element] : value) object[name] = json_of(element);
    return object;
  } else {
    ordered_json object;
    members(value, [&](const char* name, const auto& member) { object[name] = json_of(member); });
    return object;
  }
}

// --- Reading

// Not an ordered_json, which looks for every name among all before it.
using Json = nlohmann::json;

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  [[noreturn]] void refuse(const std::string& where, const std::string& why) const {
    throw FileError(fmt::format("[results] {}: {}{}{}", file_, where, where.empty() ? "" : ": ", why));
  }
  void require(bool right, const std::string& where, const char* expected, const Json& found) const {
    if (!right) refuse(where, fmt::format("expected {}, found {}", expected, found.type_name()));
  }

  template <class T>
  void read(const Json& json, const std::string& where, T& value) const {
    if constexpr (std::is_same_v<T, std::string>) {
      require(json.is_string(), where, "a string", json);
      value = json.get<std::string>();
    } else if constexpr (std::is_same_v<T, double>) {
      require(json.is_number() || json.is_null(), where, "a number or null", json);
      value = json.is_null() ? nan : json.get<double>();
    } else if constexpr (std::is_same_v<T, std::optional<double>>) {
      require(json.is_number() || json.is_null(), where, "a number or null", json);
      if (json.is_number()) value = json.get<double>();
    } else if constexpr (std::is_integral_v<T>) {
      // A conversion would cut off a fraction, and anything may come of what T cannot hold.
      if (!json.is_number_unsigned() || !std::in_range<T>(json.get<std::uint64_t>()))
        refuse(where, fmt::format("expected a whole number, found {}",
                                  json.is_number() ? json.dump() : json.type_name()));
      value = json.get<T>();
    } else if constexpr (std::is_same_v<T, Entry>) {
      require(json.is_array() && json.size() == 2, where, "a name and a value", json);
      read(json[0], where + "[0]", value.first);
      read(json[1], where + "[1]", value.second);
    } else if constexpr (IsVector<T>::value) {
      require(json.is_array(), where, "an array", json);
      for (std::size_t i = 0; i < json.size(); ++i)
        read(json[i], fmt::format("{}[{}]", where, i), value.emplace_back());
    } else {
      require(json.is_object(), where, "an object", json);
      if constexpr (IsMap<T>::value) {
        for (const auto& [name, element] : json.items()) read(element, below(where, name), value[name]);
      } else {
        std::size_t known = 0;
        members(value, [&](const char* name, auto& member) {
          const auto found = json.find(name);
          if (found == json.end() && may_lack(name)) return;
          if (found == json.end()) refuse(where, fmt::format("lacks \"{}\"", name));
          read(*found, below(where, name), member);
          ++known;
        });
        if (json.size() != known) refuse(where, fmt::format("\"{}\" is unknown here", unknown(json, value)));
        check(value, where);
      }
    }
  }

 private:
  static std::string below(const std::string& where, const std::string& name) {
    return where.empty() ? name : where + "." + name;
  }

  template <class T>
  static std::string unknown(const Json& json, T& value) {
    for (const auto& item : json.items()) {
      bool known = false;
      members(value, [&](const char* name, const auto&) { known = known || item.key() == name; });
      if (!known) return item.key();
    }
    return "";
  }

  template <class T>
  void check(const T&, const std::string&) const {}
  void check(const Table& table, const std::string& where) const {
    for (std::size_t i = 0; i < table.rows.size(); ++i)
      if (table.rows[i].size() != table.columns.size())
        refuse(fmt::format("{}.rows[{}]", where, i),
               fmt::format("expected {} cells, found {}", table.columns.size(), table.rows[i].size()));
  }
  void check(const Picture& picture, const std::string& where) const {
    if (picture.file.empty() || picture.file.find('/') != std::string::npos)
      refuse(where + ".file",
             fmt::format("expected the name of a file in this folder, found \"{}\"", picture.file));
  }

  const std::string& file_;
};

}  // namespace

bool made_with(const Results& results, std::string_view option) {
  return results.command.find(option) != std::string::npos;
}

std::int64_t seeds(const Point& point) {
  std::size_t most = 0;
  for (const auto& [name, estimate] : point.measured) most = std::max(most, estimate.values.size());
  return static_cast<std::int64_t>(most);
}

std::optional<std::int64_t> training_examples(const Point& point) {
  if (point.examples > 0) return point.examples;
  const Json config = Json::parse(point.config, nullptr, false);
  if (!config.is_object()) return std::nullopt;
  const auto number = [&](const char* option) -> std::int64_t {
    const auto at = config.find(option);
    return at != config.end() && at->is_number_integer() ? at->get<std::int64_t>() : 0;
  };
  if (number("train-size") > 0) return number("train-size");
  static const std::map<std::string, std::int64_t> whole{
      {"digits", 10000}, {"mnist", 60000}, {"fashion-mnist", 60000}, {"cifar-10", 50000}};
  const auto set = config.find("dataset");
  const auto known =
      set != config.end() && set->is_string() ? whole.find(set->get<std::string>()) : whole.end();
  if (known == whole.end()) return std::nullopt;
  return known->second - number("validation");
}

std::string to_json(const Results& results) {
  nlohmann::ordered_json object{{"format", results_format}};
  object.update(json_of(results));
  // A line for each name, and for each item of a list: short, and changes are easy to see.
  const auto line = [](const nlohmann::ordered_json& json) {
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  };
  std::vector<std::string> lines;
  for (const auto& [name, value] : object.items()) {
    std::string text = line(value);
    if (value.is_array() && !value.empty()) {
      std::vector<std::string> items;
      for (const auto& item : value) items.push_back(line(item));
      text = fmt::format("[\n    {}\n  ]", fmt::join(items, ",\n    "));
    }
    lines.push_back(fmt::format("  {}: {}", line(name), text));
  }
  return fmt::format("{{\n{}\n}}\n", fmt::join(lines, ",\n"));
}

Results parse_results(const std::string& text, const std::string& file) {
  const Reader reader(file);
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::parse_error& error) {
    reader.refuse("", fmt::format("is no JSON: {}", error.what()));
  }
  reader.require(json.is_object(), "", "an object", json);
  const auto found = json.find("format");
  if (found == json.end() || *found != results_format)
    reader.refuse("", fmt::format("expected the format \"{}\", found {}", results_format,
                                  found == json.end() ? "none" : found->dump(-1, ' ', true)));
  try {
    take_digest(json);
  } catch (const ValueError& error) {
    reader.refuse("", error.what());
  }
  json.erase("format");
  Results results;
  reader.read(json, "", results);
  return results;
}

}  // namespace elk::lab
