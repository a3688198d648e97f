// play: a playground in the browser: change a small network and its data, and watch it learn, step by step.

#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <demo/serve.hpp>
#include <elk/io/atomic_file.hpp>
#include <lab/command_line.hpp>
#include <lab/program.hpp>

#include "page.hpp"

namespace {

using namespace elk;
using namespace elk::lab;

struct Options {
  demo::Serving serving{.program = "play", .usual_port = 8081};  // beside the demo's
  std::string out;
  std::string help;  // the text to print instead of running, if any
};

Options parse(int argc, char** argv) {
  namespace po = boost::program_options;
  Options o;
  po::options_description known("Options");
  auto add = known.add_options();
  add("out", po::value(&o.out)->value_name("DIR"), "write the page, DIR/index.html, and end");
  add("port", po::value<int>()->value_name("N")->notifier([&](int port) { o.serving.port = port; }),
      "port of 127.0.0.1; 0 = any free port; default: 8081, or a free port if that is taken");
  add("quiet", po::bool_switch(&o.serving.quiet), "no messages");
  add("json", po::bool_switch(&o.serving.json), "print the address, or the file, as a JSON object");
  add("help", "print this and end");
  add("version", "print the version and end");
  po::variables_map values;
  const std::vector<std::string> words =
      parse_options({argv + std::min(argc, 1), argv + argc}, known, values);
  po::notify(values);
  o.help = help_or_version(
      values,
      "Usage: ./elk play [options]\n\n"
      "Serves a page that only this machine can reach. Change a small network and its data, and watch\n"
      "it learn, step by step. Prints the address; Ctrl-C ends it. With --out it writes the page instead,\n"
      "one file that needs no server and no network.\n\n",
      {&known},
      "\nExit codes: 0 written, 130 or 143 ended by Ctrl-C or a signal, 1 failed, 2 wrong usage.\n");
  if (!o.help.empty()) return o;
  if (!words.empty()) throw UsageError(fmt::format("unexpected argument '{}'", words.front()));
  if (o.serving.port) in_range("port", *o.serving.port, 0, 65535);
  if (values.count("out") != 0 && o.out.empty()) throw UsageError("--out takes the name of a folder");
  return o;
}

int write(const Options& options) {
  std::error_code failed;
  std::filesystem::create_directories(options.out, failed);
  if (failed) throw Error(fmt::format("cannot make the folder {}: {}", options.out, failed.message()));
  const std::string file = (std::filesystem::path(options.out) / "index.html").string();
  write_file_atomically(file, play::whole_page());
  if (options.serving.json)
    fmt::print("{}\n", nlohmann::ordered_json{{"page", file}}.dump());
  else
    fmt::print("{}\n", file);
  return exit_done;
}

int run_play(int argc, char** argv) {
  const Options options = parse(argc, argv);
  if (!options.help.empty()) {
    fmt::print("{}", options.help);
    return exit_done;
  }
  if (!options.out.empty()) return write(options);
  demo::Reply reply{play::whole_page(), "text/html; charset=utf-8"};
  reply.policy =  // its scripts are within it, and ask for nothing
      "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; img-src "
      "data:; "
      "base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
  catch_signals();
  const std::unique_ptr<demo::Server> server = options.serving.open();
  return options.serving.run(*server, {{"GET", "/", [&](const demo::Request&) { return reply; }}});
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, run_play); }
