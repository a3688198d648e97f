// demo: a page on this machine: draw digits, and see what a network predicts and why.

#include <memory>

#include <fmt/format.h>

#include <lab/command_line.hpp>
#include <lab/program.hpp>
#include <models/model_file.hpp>

#include "api.hpp"
#include "serve.hpp"

namespace {

using namespace elk;
using namespace elk::lab;
using namespace elk::demo;

struct Options {
  Serving serving{.program = "demo", .usual_port = 8080};
  std::string model, data_dir;
  std::int64_t seed = 100;
  std::string help;  // the text to print instead of running, if any
};

Options parse(int argc, char** argv) {
  namespace po = boost::program_options;
  Options o;
  po::options_description known("Options");
  auto add = known.add_options();
  add("port", po::value<int>()->value_name("N")->notifier([&](int port) { o.serving.port = port; }),
      "port of 127.0.0.1; 0 = any free port; default: 8080, or a free port if that is taken");
  add("model", po::value(&o.model)->value_name("FILE"),
      "a model.safetensors of digits or mnist, as `train` writes it; default: train one first");
  add("data-dir", po::value(&o.data_dir)->value_name("DIR"),
      "where MNIST's files are; default: $ELK_DATA_DIR, or data");
  add("seed", po::value(&o.seed)->default_value(o.seed)->value_name("N"),
      "for networks that are trained here");
  add("quiet", po::bool_switch(&o.serving.quiet), "no messages");
  add("json", po::bool_switch(&o.serving.json), "print the address as a JSON object");
  add("help", "print this and end");
  add("version", "print the version and end");
  po::variables_map values;
  const std::vector<std::string> words =
      parse_options({argv + std::min(argc, 1), argv + argc}, known, values);
  po::notify(values);
  o.help = help_or_version(
      values,
      "Usage: ./elk demo [options]\n\n"
      "Serves a page that only this machine can reach. Draw digits on it, and see what a network predicts\n"
      "and why. Prints the address; Ctrl-C ends it. Without --model it trains a network first, on MNIST if\n"
      "it is there, else on the built-in digits, which takes seconds; the page shows the training.\n\n",
      {&known}, "\nExit codes: 130 or 143 ended by Ctrl-C or a signal, 1 failed, 2 wrong usage.\n");
  if (!o.help.empty()) return o;
  if (!words.empty()) throw UsageError(fmt::format("unexpected argument '{}'", words.front()));
  if (o.serving.port) in_range("port", *o.serving.port, 0, 65535);
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
  catch_signals();
  const auto seed = static_cast<std::uint32_t>(options.seed);
  DataSets data(options.data_dir);
  NetworkSlot slot;
  if (!options.model.empty())
    slot.set(std::make_shared<Network>(models::load_model(options.model), options.model));

  const std::unique_ptr<Server> server = options.serving.open();

  std::string dataset = "digits";
  try {
    data.get("mnist");
    dataset = "mnist";
  } catch (const Error& missing) {
    const std::string reason = missing.what();
    if (options.model.empty())
      options.serving.message(fmt::format("training on the built-in digits, for lack of MNIST: {}",
                                          reason.substr(0, reason.find(". Looked in"))));
  }
  Trainer trainer(data, slot);
  if (options.model.empty()) {
    TrainConfig config = quick_config(dataset, seed);
    resolve(config);
    trainer.start(config);
  }

  return options.serving.run(*server, routes(data, slot, trainer, seed));
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, run_demo); }
