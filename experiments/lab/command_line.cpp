#include <lab/command_line.hpp>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string_view>

#include <nlohmann/json.hpp>

#include <elk/base/format.hpp>
#include <elk/base/machine.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/io/digest.hpp>
#include <lab/program.hpp>
#include <lab/provenance.hpp>
#include <lab/shell.hpp>

namespace elk::lab {

namespace po = boost::program_options;
using nlohmann::ordered_json;

namespace {

// A text whose commands begin with ./elk, as the user would type them.
std::string as_called(std::string text) {
  constexpr std::string_view ours = "./elk ";
  const std::string theirs = launcher() + " ";
  for (std::size_t at = 0; (at = text.find(ours, at)) != std::string::npos; at += theirs.size())
    text.replace(at, ours.size(), theirs);
  return text;
}

}  // namespace

std::vector<std::string> parse_options(const std::vector<std::string>& arguments,
                                       const po::options_description& known, po::variables_map& values) {
  using namespace po::command_line_style;
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  std::vector<std::string> others;
  try {
    po::parsed_options parsed = po::command_line_parser(std::vector<std::string>(arguments.begin(), end))
                                    .options(known)
                                    .style(allow_long | long_allow_adjacent | long_allow_next)
                                    .run();
    std::erase_if(parsed.options, [&](const po::option& option) {
      if (option.string_key.empty()) {
        const std::string& word = option.value.front();
        if (word.size() > 1 && word.front() == '-')
          throw UsageError(fmt::format("unrecognised option '{}'", word));
        others.push_back(word);
        return true;
      }
      // --out-dir --quiet: the parser takes whatever comes next.
      if (option.original_tokens.size() > 1 && option.value.front().starts_with("--"))
        throw UsageError(
            fmt::format("the required argument for option '--{}' is missing", option.string_key));
      return false;
    });
    po::store(parsed, values);
  } catch (const po::error& error) {
    throw UsageError(error.what());
  }
  if (end != arguments.end()) others.insert(others.end(), end + 1, arguments.end());
  return others;
}

void store_config(const std::string& text, const std::string& source, const po::options_description& known,
                  po::variables_map& values) {
  ordered_json object;
  try {
    object = ordered_json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    fail<UsageError>("{}: not a JSON file of options: {}", source, error.what());
  }
  if (!object.is_object()) fail<UsageError>("{}: expected a JSON object of options", source);
  object.erase("digest");
  po::parsed_options parsed(&known);
  for (const auto& [name, value] : object.items()) {
    if (name == "instruction_set" || name == "blas") continue;  // recorded, see recorded_json()
    if (name.empty() || known.find_nothrow(name, false) == nullptr)
      fail<UsageError>("{}: there is no option \"{}\"", source, name);
    if (!value.is_primitive() || value.is_null())
      fail<UsageError>("{}: \"{}\" must be a number, a text or true or false", source, name);
    const std::string text_value = value.is_string() ? value.get<std::string>() : value.dump();
    if (name == "lr-decay")
      parsed.options.emplace_back("schedule", std::vector<std::string>{"exponential:" + text_value});
    else
      parsed.options.emplace_back(name, std::vector<std::string>{text_value});
  }
  try {
    po::store(parsed, values);
  } catch (const po::error& error) {
    fail<UsageError>("{}: {}", source, error.what());
  }
}

void store_config_file(const std::string& file, const po::options_description& known,
                       po::variables_map& values) {
  std::string text;
  try {
    text = read_file(file);
  } catch (const FileError& error) {
    fail<UsageError>("--config: {}", error.what());
  }
  check_untouched(text, file);
  store_config(text, file, known, values);
}

void check_untouched(const std::string& config, const std::string& source) {
  try {
    nlohmann::json object = nlohmann::json::parse(config);
    take_digest(object);
  } catch (const nlohmann::json::exception&) {  // store_config says what
  } catch (const ValueError& error) {
    fail<UsageError>(
        "{}: {}. To use the options as they are now, remove the line \"digest\"; to be sure of those of the "
        "run, get the file back from a copy",
        source, error.what());
  }
}

std::string data_folder(const std::string& given) {
  if (!given.empty()) return given;
  const char* from_environment = std::getenv("ELK_DATA_DIR");
  return from_environment != nullptr && *from_environment != '\0' ? from_environment : "data";
}

void in_range(const char* option, double value, double low, double high) {
  if (!(value >= low && value <= high))
    fail<UsageError>("--{}: expected a number from {} to {}, got {}", option, low, high, value);
}

std::string help_or_version(const boost::program_options::variables_map& values, const std::string& usage,
                            std::initializer_list<const boost::program_options::options_description*> options,
                            const std::string& ending) {
  if (values.count("help") > 0) {
    std::ostringstream text;
    text << usage;
    const char* between = "";
    for (const auto* group : options) {
      text << between << *group;
      between = "\n";
    }
    text << ending;
    return as_called(text.str());
  }
  if (values.count("version") == 0) return "";
  return fmt::format("elkgrad {}\ninstruction set {}, BLAS {}\n", version(), instruction_set(), blas_name());
}

}  // namespace elk::lab
