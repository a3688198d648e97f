#include <lab/command_line.hpp>

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include <lab/program.hpp>

namespace elk::lab {

namespace po = boost::program_options;

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

std::string data_folder(const std::string& given) {
  if (!given.empty()) return given;
  const char* from_environment = std::getenv("ELK_DATA_DIR");
  return from_environment != nullptr && *from_environment != '\0' ? from_environment : "data";
}

std::string version_text() { return "elkgrad " ELK_VERSION "\n"; }

}  // namespace elk::lab
