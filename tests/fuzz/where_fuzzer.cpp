// The conditions of results --where, a line each, from the words of a command line to the runs that meet
// them. What is no condition is refused.
#include <lab/command_line.hpp>
#include <lab/config.hpp>
#include <lab/program.hpp>
#include <lab/selection.hpp>

#include "fuzz.hpp"

namespace {

using namespace elk;
using Words = std::vector<std::string>;

lab::ListedRun run_of(const char* hidden, const char* status) {
  lab::TrainConfig config;
  lab::resolve(config);
  config.hidden = hidden;
  lab::RunSummary run;
  run.status = status;
  run.config = lab::canonical_json(config);
  return lab::listed(run);
}

// Runs, and the options of the program that matter here; made once.
struct Known {
  std::vector<lab::ListedRun> runs{run_of("64", "done"), run_of("128,64", "failed")};
  Words names = lab::option_names(runs);
  boost::program_options::options_description options;
  Known() { options.add_options()("where", boost::program_options::value<Words>()->composing(), ""); }
};

void select(const Known& known, const Words& conditions) {
  Words arguments;
  for (const std::string& condition : conditions) arguments.push_back("--where=" + condition);
  boost::program_options::variables_map values;
  fuzz::check(lab::parse_options(arguments, known.options, values).empty(), "taken for something else");
  fuzz::check(values["where"].as<Words>() == conditions, "other conditions came out");
  for (const std::string& text : conditions) {
    const lab::Condition condition = lab::parse_condition(text, known.names);
    fuzz::check(condition.name + "=" + condition.value == text, "a condition was changed");
    for (const lab::ListedRun& one : known.runs)
      fuzz::check(lab::meets(one, condition) ==
                      (condition.value ==
                       (condition.name == "status" ? one.run.status : one.options.at(condition.name))),
                  "another run was selected");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Known known;
  Words conditions(1);
  for (const char c : fuzz::text(data, size)) {
    if (c == '\n')
      conditions.emplace_back();
    else if (c != '\0')  // an argument has none
      conditions.back() += c;
  }
  fuzz::accepted<lab::UsageError>([&] { select(known, conditions); });
  return 0;
}
