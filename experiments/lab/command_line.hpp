// Command lines as every program here takes them: full names only, and nothing left unexplained.
#pragma once

#include <boost/program_options.hpp>
#include <initializer_list>
#include <string>
#include <vector>

namespace elk::lab {

/// Stores the options among `arguments` in `values` and returns the other arguments in their order. Options
/// are written in full, --name VALUE or --name=VALUE; a value that begins with -- needs the latter. All after
/// a lone -- are no options. UsageError for an option that is unknown, abbreviated, given twice, or lacks its
/// value, and for a value that is not of the option's type. Defaults are set and variables filled by
/// boost::program_options::notify(values), later.
std::vector<std::string> parse_options(const std::vector<std::string>& arguments,
                                       const boost::program_options::options_description& known,
                                       boost::program_options::variables_map& values);

/// Stores what `text`, a flat JSON object such as {"lr": 0.1, "hidden": "64,32"}, says about the `known`
/// options where `values` has nothing yet, and passes over a digest. UsageError, naming `source`, for
/// anything else.
void store_config(const std::string& text, const std::string& source,
                  const boost::program_options::options_description& known,
                  boost::program_options::variables_map& values);
/// UsageError, naming `source`, when `config` has a digest (see elk::with_digest) that is that of other
/// options.
void check_untouched(const std::string& config, const std::string& source);
/// check_untouched, then store_config, of what the file of --config holds.
void store_config_file(const std::string& file, const boost::program_options::options_description& known,
                       boost::program_options::variables_map& values);

/// Where the data files are: what --data-dir says, else ELK_DATA_DIR, else "data".
std::string data_folder(const std::string& given);

/// UsageError unless `value`, that of --`option`, is a number from `low` to `high`.
void in_range(const char* option, double value, double low, double high);

/// What --help or --version asks to print in place of running; empty where neither is given. Help is `usage`,
/// the `options` with an empty line between groups, and `ending`, with launcher() for each ./elk.
std::string help_or_version(const boost::program_options::variables_map& values, const std::string& usage,
                            std::initializer_list<const boost::program_options::options_description*> options,
                            const std::string& ending);

}  // namespace elk::lab
