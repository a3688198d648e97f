// The runs that `results` lists: those which meet every condition of its --where.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <lab/store.hpp>

namespace elk::lab {

/// A run, and its options as they are shown and compared.
struct ListedRun {
  RunSummary run;
  std::map<std::string, std::string> options;
};

/// The options of `run.config`.
ListedRun listed(RunSummary run);

/// The names of the options of any of the runs, in the order in which they come up. A run's status is none.
std::vector<std::string> option_names(const std::vector<ListedRun>& runs);

/// What --where asks for: that `name`, an option or "status", is `value`. A run without the option has "".
struct Condition {
  std::string name, value;
};

/// Reads NAME=VALUE. UsageError for anything else, and for a name that is neither "status" nor in `options`.
Condition parse_condition(const std::string& text, const std::vector<std::string>& options);

bool meets(const ListedRun& run, const Condition& condition);

/// The option's value, "" where there is none.
std::string option_of(const ListedRun& run, const std::string& name);

}  // namespace elk::lab
