// paper: runs every experiment of the study and writes one report.

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <elk/io/atomic_file.hpp>
#include <lab/command_line.hpp>
#include <lab/program.hpp>
#include <lab/report.hpp>
#include <lab/results.hpp>

extern char** environ;

namespace {

namespace po = boost::program_options;
using namespace elk;
using namespace elk::lab;
using Words = std::vector<std::string>;

// In the order of the study, the most expensive last.
const Words experiments = {"activation", "leaky_slope", "initialization", "learning_rate",
                           "decay",      "epochs",      "loss",           "width",
                           "depth",      "data_size",   "best_models",    "frontier"};

// Runs a program beside this one; its standard output is dropped, its messages are shown. Returns its exit
// code.
int run_beside(const std::string& program, Words words, bool show_output) {
  const std::string path = std::filesystem::read_symlink("/proc/self/exe").parent_path() / program;
  words.insert(words.begin(), path);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (!show_output) posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int error = posix_spawn(&child, path.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    throw FileError(fmt::format("[paper] {} cannot be started: {}", path, std::strerror(error)));
  int status = 0;
  bool told = false;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR)
      throw Error(fmt::format("[paper] waiting for {} failed: {}", program, std::strerror(errno)));
    // Ctrl-C has reached it as well; another signal may have come to this process alone.
    if (stop_signal() != 0 && !told) kill(child, stop_signal());
    told = true;
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int run_paper(int argc, char** argv) {
  std::string out_dir, only, protocol = "sound";
  bool quiet = false, json = false, dry_run = false;
  Words forwarded;
  po::options_description options("Options");
  auto add = options.add_options();
  const auto pass_on = [&](const char* name) {
    return [&forwarded, name](const std::string& value) {
      forwarded.push_back(fmt::format("--{}={}", name, value));
    };
  };
  const auto pass_switch = [&](const char* name) {
    return po::bool_switch()->notifier([&forwarded, name](bool given) {
      if (given) forwarded.push_back(std::string("--") + name);
    });
  };
  add("protocol", po::value(&protocol)->value_name("P"), "sound (default) or paper; see ./elk width --help");
  add("only", po::value(&only)->value_name("A,B,..."), "only these experiments, such as width,depth");
  for (const char* name : {"dataset", "seeds", "seed", "epochs", "jobs", "data-dir"})
    add(name, po::value<std::string>()->value_name("X")->notifier(pass_on(name)),
        "passed on to every experiment");
  for (const char* name : {"quick", "smoke", "full"})
    add(name, pass_switch(name), "passed on to every experiment");
  add("dry-run", po::bool_switch(&dry_run), "print the cells and the time they may take, and end");
  add("out-dir", po::value(&out_dir)->value_name("DIR"),
      "folder of the study; default runs/paper, with --protocol paper runs/paper-paper. Runs that it has are "
      "not made again");
  add("quiet", po::bool_switch(&quiet), "no progress, only the result");
  add("json", po::bool_switch(&json), "print the results of all experiments as JSON, one line for each");
  add("help", "print this and end");
  add("version", "print the version and end");
  po::variables_map values;
  const Words others = parse_options({argv + std::min(argc, 1), argv + argc}, options, values);
  if (!others.empty()) throw UsageError(fmt::format("unexpected argument \"{}\"", others.front()));
  po::notify(values);
  if (const std::string text =
          help_or_version(values,
                          fmt::format("Usage: ./elk paper [options]\n\nRuns every experiment ({})\nand "
                                      "writes one report, report.html.\n\n",
                                      fmt::join(experiments, ", ")),
                          {&options},
                          "\n"
                          "Exit codes: those of the experiments.\n");
      !text.empty()) {
    fmt::print("{}", text);
    return exit_done;
  }
  if (protocol != "sound" && protocol != "paper")
    throw UsageError(fmt::format("--protocol: expected sound, paper, got \"{}\"", protocol));
  Words chosen = experiments;
  if (values.count("only") > 0) {
    chosen.clear();
    std::istringstream names(only);
    for (std::string name; std::getline(names, name, ',');) {
      if (std::find(experiments.begin(), experiments.end(), name) == experiments.end())
        throw UsageError(
            fmt::format("--only: expected some of {}, got \"{}\"", fmt::join(experiments, ", "), name));
      if (std::find(chosen.begin(), chosen.end(), name) != chosen.end())
        throw UsageError(fmt::format("--only: {} is given twice in \"{}\"", name, only));
      chosen.push_back(name);
    }
    if (chosen.empty()) throw UsageError("--only: expected some experiments, got none");
  }
  if (out_dir.empty()) out_dir = protocol == "paper" ? "runs/paper-paper" : "runs/paper";
  if (quiet) forwarded.push_back("--quiet");
  forwarded.insert(forwarded.end(), {"--protocol", protocol});

  catch_signals();
  int worst = exit_done;
  std::vector<Section> sections;
  for (const std::string& program : chosen) {
    if (dry_run) fmt::print("{}\n", program), std::fflush(stdout);
    const std::string folder = out_dir + "/" + program;
    Words words = forwarded;
    words.push_back("--out-dir=" + folder);
    if (dry_run) words.push_back("--dry-run");
    const int code = run_beside(program, words, dry_run);
    if (code > 128 || code == exit_usage) return code;
    worst = std::max(worst, code);
    const std::string file = folder + "/results.json";
    if (!dry_run && std::filesystem::exists(file))
      sections.push_back({parse_results(read_file(file), file), folder});
  }
  if (dry_run) return worst;
  const std::string title = protocol == "paper" ? "The study as it was done" : "The study, re-done";
  write_file_atomically(out_dir + "/report.html", report_html(sections, title));
  for (const Section& section : sections) {
    if (json) {
      fmt::print("{}\n", to_json(section.results));
      continue;
    }
    fmt::print("{}\n", section.results.title);
    for (const std::string& sentence : section.results.verdicts) fmt::print("  {}\n", sentence);
  }
  if (!json) fmt::print("{}/report.html\n", out_dir);
  return worst;
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, run_paper); }
