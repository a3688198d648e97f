// trace: shows the tape of small examples, forward and backward, as pages for a browser.

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <elk/autograd/record.hpp>
#include <elk/data/batches.hpp>
#include <elk/data/digits.hpp>
#include <elk/debug/trace.hpp>
#include <elk/nn/layers.hpp>
#include <elk/nn/sequential.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/loss.hpp>
#include <elk/ops/math.hpp>
#include <elk/ops/shape.hpp>
#include <elk/optim/optimizer.hpp>
#include <lab/command_line.hpp>
#include <lab/program.hpp>
#include <lab/run_folder.hpp>
#include <models/softmax_regression.hpp>

namespace {

using namespace elk;
using namespace elk::lab;

struct Options {
  bool quiet = false, json = false;
  std::uint32_t seed = 1;
  std::string out_dir;
  std::vector<std::string> examples;
  std::string help;  // the text to print instead of running, if any
};

const std::vector<std::string> names{"xor", "softmax", "custom"};

Options parse(int argc, char** argv) {
  namespace po = boost::program_options;
  Options o;
  std::int64_t seed = 1;
  po::options_description known("Options");
  auto add = known.add_options();
  add("out-dir", po::value(&o.out_dir)->value_name("DIR"),
      "the folder to write to; default: a new one, runs/trace-N");
  add("seed", po::value(&seed)->value_name("N")->default_value(1), "for the initial weights");
  add("quiet", po::bool_switch(&o.quiet), "print nothing");
  add("json", po::bool_switch(&o.json), "print one JSON object and nothing else on standard output");
  add("help", "print this and end");
  add("version", "print the version and end");
  po::variables_map values;
  o.examples = parse_options({argv + std::min(argc, 1), argv + argc}, known, values);
  po::notify(values);
  o.help = help_or_version(
      values,
      "Usage: ./elk trace [options] [EXAMPLE...]\n\n"
      "Trains small examples for some steps and writes what the tape recorded: trace.html, a page for a\n"
      "browser that needs nothing else, trace.json and trace.dot.\n\n"
      "  xor      a network of two layers learns the exclusive or\n"
      "  softmax  softmax regression learns the built-in digits\n"
      "  custom   an operation of your own, and numbers to follow by hand\n\n"
      "Without an EXAMPLE it writes all three.\n\n",
      {&known}, "\nExit codes: 0 done, 1 failed, 2 wrong usage.\n");
  if (!o.help.empty()) return o;
  in_range("seed", static_cast<double>(seed), 0, UINT32_MAX);
  o.seed = static_cast<std::uint32_t>(seed);
  for (std::size_t i = 0; i < o.examples.size(); ++i) {
    if (std::find(names.begin(), names.end(), o.examples[i]) == names.end())
      throw UsageError(
          fmt::format("there is no example \"{}\"; there are {}", o.examples[i], fmt::join(names, ", ")));
    if (std::find(o.examples.begin() + static_cast<std::ptrdiff_t>(i) + 1, o.examples.end(), o.examples[i]) !=
        o.examples.end())
      throw UsageError(fmt::format("the example \"{}\" is given twice", o.examples[i]));
  }
  if (o.examples.empty()) o.examples = names;
  return o;
}

// Files of one example; the folder is made.
void write(const Trace& trace, const std::string& folder, const nn::Module& net) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw FileError(fmt::format("[trace] cannot make the folder {}: {}", folder, error.message()));
  for (const char* ending : {"html", "json", "dot"})
    trace.write(fmt::format("{}/trace.{}", folder, ending), net);
}

// Steps to look at: the changes come fast at first.
bool is_shown(int step, int last) {
  for (int power = 1; power <= step; power *= 10)
    if (step == power || step == 2 * power || step == 5 * power) return true;
  return step == last;
}

void learn_xor(const std::string& folder, std::uint32_t seed) {
  Rng rng(seed);
  nn::Sequential net;
  const nn::Linear::Options xavier{.init = nn::Init::xavier};
  net.add("fc1", nn::Linear(2, 4, rng, xavier))
      .add("act1", nn::Tanh())
      .add("fc2", nn::Linear(4, 1, rng, xavier));
  optim::SGD sgd(net, {.lr = 0.5});
  const Tensor x = from({0, 0, 0, 1, 1, 0, 1, 1}, {4, 2}), y = from({0, 1, 1, 0}, {4, 1});

  Trace trace;
  trace.name(x, "x");
  trace.name(y, "y");
  constexpr int last = 500;
  for (int step = 1; step <= last; ++step) {
    Tape tape;
    if (is_shown(step, last)) trace.follow(tape, fmt::format("step {}", step));
    const Gradients gradients = tape.backward(binary_cross_entropy_with_logits(net(x), y));
    if (is_shown(step, last))
      trace.check(net, x, [&](const Tensor& in) {
        return binary_cross_entropy_with_logits(net(in), cast(y, in.dtype()));
      });
    sgd.step(gradients);
  }
  write(trace, folder, net);
}

void learn_digits(const std::string& folder, std::uint32_t seed) {
  Rng rng(seed);
  models::SoftmaxRegression net(784, 10, rng);
  optim::SGD sgd(net, {.lr = 0.5});
  const Dataset digits = elk::digits(digits_seed, 0, 5000);

  Trace trace;
  constexpr int last = 100;
  int step = 0;
  for (const auto& [x, labels] : Batches(digits, 50, rng)) {
    ++step;
    Tape tape;
    const bool shown = step == 1 || step == 10 || step == last;
    if (shown) {
      trace.follow(tape, fmt::format("step {}", step));
      trace.name(x, "images");
    }
    const Tensor& of = labels;
    const Gradients gradients = tape.backward(cross_entropy(net(x), labels));
    if (shown) trace.check(net, x, [&](const Tensor& in) { return cross_entropy(net(in), of); });
    sgd.step(gradients);
  }
  write(trace, folder, net);
}

// An operation of one's own, as in the README: the value, then how the gradient dy flows back to x.
Tensor isru(const Tensor& x) {
  const Tensor v = detach(x), y = v / sqrt(1 + square(v));  // not recorded: the rule below is to stand for it
  return record("isru", y, wrt(x, [x](const Tensor& dy) { return dy / pow(1 + square(x), 1.5); }));
}

// One neuron, and one of its steps: all numbers can be followed by hand.
void follow_isru(const std::string& folder, std::uint32_t) {
  struct Neuron : nn::Module {
    nn::Parameter w{scalar(2)}, b{scalar(-1)};
    Tensor forward(const Tensor& x) const override { return isru(w * x + b); }
    void fields(Fields& f) override { f("w", w)("b", b); }
    std::string describe() const override { return "Neuron"; }
  } net;
  const Tensor x = scalar(1.5), target = scalar(1);
  optim::SGD sgd(net, {.lr = 1});

  Trace trace;
  trace.name(x, "x");
  trace.name(target, "target");
  trace.explain("isru", {.formula = "y = x / √(1 + x²)",
                         .words = "Maps any number to one between −1 and 1, more gently than tanh.",
                         .rules = {"dx = dy / (1 + x²)^1.5"},
                         .rule_words = "All of the gradient passes at 0, less and less of it further out."});
  for (int step = 1; step <= 3; ++step) {
    Tape tape;
    trace.follow(tape);
    const Gradients gradients = tape.backward(mse(net(x), target));
    trace.check(net, x, [&](const Tensor& in) { return mse(net(in), cast(target, in.dtype())); });
    sgd.step(gradients);
  }
  write(trace, folder, net);
}

int run_trace(int argc, char** argv) {
  const Options options = parse(argc, argv);
  if (!options.help.empty()) {
    fmt::print("{}", options.help);
    return exit_done;
  }
  const std::string root = options.out_dir.empty() ? new_run_folder("trace") : options.out_dir;
  std::vector<std::string> pages;
  for (const std::string& example : options.examples)
    if (const std::string folder = root + "/" + example; std::filesystem::exists(folder))
      throw UsageError(fmt::format("--out-dir: {} is there already; choose another folder", folder));
  for (const std::string& example : options.examples) {
    const std::string folder = root + "/" + example;
    const auto make = example == "xor" ? learn_xor : example == "softmax" ? learn_digits : follow_isru;
    make(folder, options.seed);
    pages.push_back(folder + "/trace.html");
    if (!options.quiet && !options.json) fmt::print("{}\n", pages.back());
  }
  if (options.json)
    fmt::print("{}\n", nlohmann::ordered_json{{"out_dir", root}, {"pages", pages}}.dump(
                           -1, ' ', false, nlohmann::json::error_handler_t::replace));
  return exit_done;
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, run_trace); }
