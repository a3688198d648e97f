// demo: a page on this machine on which one draws digits and sees what a network makes of them, and why.

#include <cstdio>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <lab/command_line.hpp>
#include <lab/program.hpp>
#include <models/model_file.hpp>

#include "api.hpp"

namespace {

using namespace elk;
using namespace elk::lab;
using namespace elk::demo;

constexpr int default_port = 8080;

struct Options {
  std::optional<int> port;
  std::string model, data_dir;
  std::int64_t seed = 100;
  bool quiet = false, json = false;
  std::string help;  // the text to print instead of running, if any
};

Options parse(int argc, char** argv) {
  namespace po = boost::program_options;
  Options o;
  po::options_description known("Options");
  auto add = known.add_options();
  add("port", po::value<int>()->value_name("N")->notifier([&](int port) { o.port = port; }),
      "port of 127.0.0.1; 0 = any free one; default: 8080, or a free one where that is taken");
  add("model", po::value(&o.model)->value_name("FILE"),
      "a model.safetensors of digits or mnist, as `train` leaves it; without it one is trained at once");
  add("data-dir", po::value(&o.data_dir)->value_name("DIR"),
      "where MNIST's files are; default: $ELK_DATA_DIR, or data");
  add("seed", po::value(&o.seed)->default_value(o.seed)->value_name("N"), "of what is trained here");
  add("quiet", po::bool_switch(&o.quiet), "no messages");
  add("json", po::bool_switch(&o.json), "print the address as a JSON object");
  add("help", "print this and end");
  add("version", "print the version and end");
  po::variables_map values;
  const std::vector<std::string> words =
      parse_options({argv + std::min(argc, 1), argv + argc}, known, values);
  po::notify(values);
  o.help = help_or_version(
      values,
      "Usage: ./elk demo [options]\n\n"
      "Serves a page on this machine alone, on which one draws digits and sees what a network makes of\n"
      "them, and why. Prints its address; Ctrl-C ends it. Without --model it trains a network first, "
      "on\n"
      "MNIST where that is, else on the built-in digits: in seconds, before your eyes.\n\n",
      {&known}, "\nExit codes: 130 or 143 ended by Ctrl-C or a signal, 1 failed, 2 wrong usage.\n");
  if (!o.help.empty()) return o;
  if (!words.empty()) throw UsageError(fmt::format("unexpected argument '{}'", words.front()));
  if (o.port) in_range("port", *o.port, 0, 65535);
  in_range("seed", static_cast<double>(o.seed), 0, UINT32_MAX);
  o.data_dir = data_folder(o.data_dir);
  return o;
}

int run_demo(int argc, char** argv) {
  const Options options = parse(argc, argv);
  if (!options.help.empty()) {
    fmt::print("{}", options.help);
    return exit_done;
  }
  const auto message = [&](const std::string& text) {
    if (!options.quiet) say(fmt::format("demo: {}\n", text));
  };
  catch_signals();
  const auto seed = static_cast<std::uint32_t>(options.seed);
  DataSets data(options.data_dir);
  NetworkSlot slot;
  if (!options.model.empty())
    slot.set(std::make_shared<Network>(models::load_model(options.model), options.model));

  std::optional<Server> server;
  try {
    server.emplace(options.port.value_or(default_port));
  } catch (const PortTaken& taken) {
    if (options.port) throw Error(fmt::format("{}; --port 0 takes a free one", taken.what()));
    message(fmt::format("{}: taking a free one", taken.what()));
    server.emplace(0);
  }

  std::string dataset = "digits";
  try {
    data.get("mnist");
    dataset = "mnist";
  } catch (const Error& missing) {
    const std::string reason = missing.what();
    if (options.model.empty())
      message(fmt::format("training on the built-in digits, for lack of MNIST: {}",
                          reason.substr(0, reason.find(". Looked in"))));
  }
  Trainer trainer(data, slot);
  if (options.model.empty()) {
    TrainConfig config = quick_config(dataset, seed);
    resolve(config);
    trainer.start(config);
  }

  const std::string url = fmt::format("http://127.0.0.1:{}/", server->port());
  if (options.json)
    fmt::print("{}\n", nlohmann::ordered_json{{"url", url}, {"port", server->port()}}.dump());
  else
    fmt::print("{}\n", url);
  std::fflush(stdout);
  message("open that address in a browser; Ctrl-C ends it");
  server->run(routes(data, slot, trainer, seed), [] { return stop_signal() != 0; });
  return 128 + stop_signal();
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, run_demo); }
