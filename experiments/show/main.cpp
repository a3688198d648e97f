// show: shows images of a data set with their labels.

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <elk/base/error.hpp>
#include <elk/base/rng.hpp>
#include <elk/data/digits.hpp>
#include <elk/data/load.hpp>
#include <elk/ops/shape.hpp>
#include <lab/command_line.hpp>
#include <lab/image_text.hpp>
#include <lab/program.hpp>

#include "picture.hpp"

namespace {

using namespace elk;
using namespace elk::lab;

constexpr std::int64_t most_images = 400;

struct Options {
  std::string dataset, split, out, out_dir, data_dir;
  std::optional<std::string> label;
  std::int64_t count = 0, columns = 0;
  std::optional<std::int64_t> seed;
  bool quiet = false, json = false;
  std::string help;  // the text to print instead of running, if any
};

Options parse(int argc, char** argv) {
  namespace po = boost::program_options;
  Options o;
  std::int64_t seed = 0;
  std::string label;
  po::options_description known("Options");
  auto add = known.add_options();
  add("dataset", po::value(&o.dataset)->value_name("NAME")->default_value("digits"),
      "digits, mnist, fashion-mnist or cifar-10");
  add("split", po::value(&o.split)->value_name("NAME")->default_value("test"), "train or test");
  add("count", po::value(&o.count)->value_name("N")->default_value(20),
      "how many images, from the first one on");
  add("label", po::value(&label)->value_name("CLASS"), "only images of this class, by its name or number");
  add("seed", po::value(&seed)->value_name("N"), "images drawn at random, the same for the same N");
  add("columns", po::value(&o.columns)->value_name("N"),
      "images per row; default: 10 in the picture, on a terminal as many as fit");
  add("out", po::value(&o.out)->value_name("FILE"),
      "the picture, a .png or .svg; default: runs/show/<dataset>-<split>.png");
  add("out-dir", po::value(&o.out_dir)->value_name("DIR"),
      "the folder of the picture, in place of runs/show");
  add("data-dir", po::value(&o.data_dir)->value_name("DIR"),
      "where the data files are; default: $ELK_DATA_DIR, or data");
  add("quiet", po::bool_switch(&o.quiet), "only the picture: do not draw on standard output");
  add("json", po::bool_switch(&o.json), "print one JSON object and nothing else on standard output");
  add("help", "print this and end");
  add("version", "print the version and end");
  po::variables_map values;
  const std::vector<std::string> words =
      parse_options({argv + std::min(argc, 1), argv + argc}, known, values);
  po::notify(values);
  o.help =
      help_or_version(values,
                      "Usage: ./elk show [options]\n\n"
                      "Shows images of a data set with their labels and numbers, here and as a picture.\n\n"
                      "  ./elk show --dataset mnist\n"
                      "  ./elk show --dataset fashion-mnist --label Sneaker --seed 1 --out sneakers.png\n\n",
                      {&known}, "\nExit codes: 0 done, 1 failed, 2 wrong usage.\n");
  if (!o.help.empty()) return o;

  if (!words.empty()) throw UsageError(fmt::format("unexpected argument '{}'", words.front()));
  if (const auto& names = dataset_names(); std::find(names.begin(), names.end(), o.dataset) == names.end())
    throw UsageError(
        fmt::format("--dataset: expected one of {}, found '{}'", fmt::join(names, ", "), o.dataset));
  if (o.split != "train" && o.split != "test")
    throw UsageError(fmt::format("--split: expected train or test, found '{}'", o.split));
  if (o.count < 1 || o.count > most_images)
    throw UsageError(fmt::format("--count: expected 1 to {}, found {}", most_images, o.count));
  if (values.count("columns") > 0 && (o.columns < 1 || o.columns > most_images))
    throw UsageError(fmt::format("--columns: expected 1 to {}, found {}", most_images, o.columns));
  if (values.count("seed") > 0) {
    in_range("seed", static_cast<double>(seed), 0, UINT32_MAX);
    o.seed = seed;
  }
  if (values.count("label") > 0) o.label = label;
  if (!o.out.empty() && !o.out_dir.empty())
    throw UsageError("--out and --out-dir both name the picture's place");
  if (!o.out.empty() && !o.out.ends_with(".png") && !o.out.ends_with(".svg"))
    throw UsageError(fmt::format("--out: expected a name that ends in .png or .svg, found '{}'", o.out));
  o.data_dir = data_folder(o.data_dir);
  return o;
}

// The number of a class given by its name or number.
std::int64_t class_of(const std::string& label, const std::vector<std::string>& classes) {
  for (std::size_t i = 0; i < classes.size(); ++i)
    if (label == classes[i]) return static_cast<std::int64_t>(i);
  for (std::size_t i = 0; i < classes.size(); ++i)
    if (label == std::to_string(i)) return static_cast<std::int64_t>(i);
  throw UsageError(
      fmt::format("--label: expected one of {}, or its number, found '{}'", fmt::join(classes, ", "), label));
}

Dataset read(const Options& options) {
  const bool train = options.split == "train";
  // The test set of the digits does not depend on the number of images to train on: none are drawn.
  if (options.dataset == "digits" && !train) return digits_train_test(digits_seed, 0).test;
  const TrainTest data = load_dataset(options.dataset, options.data_dir, digits_seed);
  return train ? data.train : data.test;
}

// Which images of the set to show.
std::vector<Index> choose(const Options& options, const Dataset& set) {
  std::vector<Index> found;
  const auto labels = set.labels.data<std::int64_t>();
  const std::int64_t wanted = options.label ? class_of(*options.label, set.classes) : -1;
  for (Index i = 0; i < set.size(); ++i)
    if (wanted < 0 || labels[static_cast<std::size_t>(i)] == wanted) found.push_back(i);
  if (options.count > static_cast<std::int64_t>(found.size()))
    throw UsageError(
        fmt::format("--count: there are only {} such images, asked for {}", found.size(), options.count));
  const auto count = static_cast<std::size_t>(options.count);
  if (options.seed) {
    Rng rng(static_cast<std::uint32_t>(*options.seed));
    const auto order = rng.permutation(static_cast<std::int64_t>(found.size()));
    std::vector<Index> drawn;
    for (std::size_t i = 0; i < count; ++i) drawn.push_back(found[static_cast<std::size_t>(order[i])]);
    std::sort(drawn.begin(), drawn.end());
    return drawn;
  }
  found.resize(count);
  return found;
}

// How many characters a line of standard output has.
Index line_width() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void print_grid(const Dataset& shown, const std::vector<Index>& indices, Index columns) {
  constexpr Index gap = 2;
  const ImageStyle style = image_style();
  const Shape sample = shown.sample_shape();
  const Index width = sample[-1];
  const auto labels = shown.labels.data<std::int64_t>();
  if (columns == 0) columns = std::max<Index>(1, (line_width() + gap) / (width + gap));
  for (Index first = 0; first < shown.size(); first += columns) {
    const Index last = std::min(first + columns, shown.size());
    std::vector<std::string> lines;
    for (Index i = first; i < last; ++i) {
      const auto at = static_cast<std::size_t>(i);
      std::istringstream image(fmt::format("{} #{}\n{}", shown.classes[static_cast<std::size_t>(labels[at])],
                                           indices[at],
                                           draw_image(reshape(shown.take(i, 1).images, sample), style)));
      std::size_t row = 0;
      for (std::string line; std::getline(image, line); ++row) {
        if (lines.size() <= row) lines.emplace_back();
        // Colours take no room, and fill their lines; other lines have one byte a character.
        const bool full = style != ImageStyle::ascii && row > 0;
        if (i + 1 < last)
          line.append(full ? 0
                           : static_cast<std::size_t>(width) -
                                 std::min(line.size(), static_cast<std::size_t>(width)),
                      ' ')
              .append(gap, ' ');
        lines[row] += line;
      }
    }
    for (std::string& line : lines) {
      line.erase(line.find_last_not_of(' ') + 1);
      fmt::print("{}\n", line);
    }
    if (last < shown.size()) fmt::print("\n");
  }
}

int run_show(int argc, char** argv) {
  const Options options = parse(argc, argv);
  if (!options.help.empty()) {
    fmt::print("{}", options.help);
    return exit_done;
  }
  const Dataset set = read(options);
  const std::vector<Index> indices = choose(options, set);
  const Dataset shown = set.subset(indices);
  if (!options.quiet && !options.json) print_grid(shown, indices, options.columns);
  std::fflush(stdout);

  std::string file = options.out;
  if (file.empty()) {
    const std::string folder = options.out_dir.empty() ? "runs/show" : options.out_dir;
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw FileError(fmt::format("[show] cannot make the folder {}: {}", folder, error.message()));
    file = fmt::format("{}/{}-{}.png", folder, options.dataset, options.split);
  }
  const std::string problem =
      draw_grid(shown, indices, options.columns > 0 ? options.columns : 10,
                fmt::format("Images of {}, {}", options.dataset, options.split), file);
  say(problem.empty() ? fmt::format("picture in {}\n", file)
                      : fmt::format("show: no picture: {}\n", problem));

  if (options.json) {
    nlohmann::ordered_json object{{"dataset", options.dataset}, {"split", options.split}};
    object["images"] = nlohmann::ordered_json::array();
    const auto labels = shown.labels.data<std::int64_t>();
    for (std::size_t i = 0; i < indices.size(); ++i)
      object["images"].push_back({{"index", indices[i]},
                                  {"label", labels[i]},
                                  {"name", set.classes[static_cast<std::size_t>(labels[i])]}});
    if (problem.empty()) object["picture"] = file;
    // A file's name may be no UTF-8.
    fmt::print("{}\n", object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
  // Without gnuplot there is still something to see, unless a picture was asked for.
  const bool asked = !options.out.empty() || !options.out_dir.empty() || options.quiet;
  return asked && !problem.empty() ? exit_failed : exit_done;
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, run_show); }
