// predict: prints what a trained network predicts for images.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <numeric>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <elk/base/error.hpp>
#include <elk/data/augment.hpp>
#include <elk/data/digits.hpp>
#include <elk/data/load.hpp>
#include <elk/ops/shape.hpp>
#include <lab/command_line.hpp>
#include <lab/image_file.hpp>
#include <lab/image_text.hpp>
#include <lab/prepare_image.hpp>
#include <lab/program.hpp>
#include <lab/views.hpp>
#include <models/model_file.hpp>

namespace {

using namespace elk;
using namespace elk::lab;
using nlohmann::ordered_json;

struct Options {
  bool quiet = false, json = false;
  std::string data_dir, model, tta = "none";
  std::vector<std::string> items;
  std::string help;  // the text to print instead of running, if any
};

Options parse(int argc, char** argv) {
  namespace po = boost::program_options;
  Options o;
  po::options_description known("Options");
  auto add = known.add_options();
  add("data-dir", po::value(&o.data_dir)->value_name("DIR"),
      "where the data files are, for an INDEX; default: $ELK_DATA_DIR, or data");
  add("tta", po::value(&o.tta)->default_value(o.tta)->value_name("V,V"),
      fmt::format("predict by the mean of the probabilities over views of each image: {}", views_help)
          .c_str());
  add("quiet", po::bool_switch(&o.quiet), "do not draw the images");
  add("json", po::bool_switch(&o.json), "print one JSON object and nothing else on standard output");
  add("help", "print this and end");
  add("version", "print the version and end");
  po::variables_map values;
  std::vector<std::string> words = parse_options({argv + std::min(argc, 1), argv + argc}, known, values);
  po::notify(values);
  o.help = help_or_version(
      values,
      "Usage: ./elk predict [options] MODEL FILE|INDEX...\n\n"
      "Prints what the network in the file MODEL, which `train` wrote, predicts for images: a PNG or PGM\n"
      "FILE, or image INDEX, from 0, of the test set of the data that it was trained on.\n\n"
      "  ./elk predict runs/train-1/model.safetensors 0 1 2\n"
      "  ./elk predict runs/train-1/model.safetensors seven.png\n\n",
      {&known},
      "\n"
      "Exit codes: 0 done, 1 failed for at least one image, 2 wrong usage.\n");
  if (!o.help.empty()) return o;
  if (words.size() < 2) throw UsageError("expected MODEL and at least one FILE or INDEX");
  o.data_dir = data_folder(o.data_dir);
  o.model = words.front();
  o.items.assign(words.begin() + 1, words.end());
  return o;
}

// The number that an argument of digits alone stands for; one that is too large for any data set is the
// largest.
std::optional<Index> as_index(const std::string& item) {
  Index index = 0;
  const char* const end = item.data() + item.size();
  const auto [next, error] = std::from_chars(item.data(), end, index);
  if (next != end || item.empty() || item.front() == '-') return std::nullopt;
  return error == std::errc() ? index : std::numeric_limits<Index>::max();
}

// The test set of a model's data, read when the first INDEX asks for it.
class TestSet {
 public:
  TestSet(const models::ModelInfo& info, std::string data_dir)
      : info_(info), data_dir_(std::move(data_dir)) {}

  Dataset image(Index index) {
    if (problem_) std::rethrow_exception(problem_);
    if (!set_) try {
        set_ = read();
      } catch (const Error&) {
        problem_ = std::current_exception();
        throw;
      }
    if (index >= set_->size())
      throw IndexError(fmt::format("the test set of {} has images 0 to {}", info_.dataset, set_->size() - 1));
    return set_->take(index, 1);
  }

 private:
  Dataset read() const {
    // Its test set does not depend on the number of images to train on: none are drawn.
    Dataset set = info_.dataset == "digits" ? digits_train_test(digits_seed, 0).test
                                            : load_dataset(info_.dataset, data_dir_).test;
    if (set.features() != info_.input_shape.size())
      throw ValueError(fmt::format("images of {} are {}, the model takes {}", info_.dataset,
                                   to_string(set.sample_shape()), to_string(info_.input_shape)));
    if (set.classes != info_.classes)
      throw ValueError(fmt::format("the classes of {} are {}, those of the model {}", info_.dataset,
                                   fmt::join(set.classes, ", "), fmt::join(info_.classes, ", ")));
    return set;
  }

  const models::ModelInfo& info_;
  std::string data_dir_;
  std::optional<Dataset> set_;
  std::exception_ptr problem_;
};

struct Prediction {
  std::string item;
  std::optional<Index> index;
  std::optional<std::int64_t> label;  // of an INDEX
  Tensor image;                       // u8, as the network got it
  std::vector<double> probabilities;
  std::size_t best = 0;
};

Prediction predict(const models::Model& model, const std::vector<Warp>& views, TestSet& tests,
                   const std::string& item) {
  Prediction p;
  p.item = item;
  p.index = as_index(item);
  if (p.index) {
    const Dataset example = tests.image(*p.index);
    p.image = reshape(example.images, example.sample_shape());
    p.label = example.labels.data<std::int64_t>().front();
  } else {
    p.image = prepare_image(read_colour_image(item), model.info.dataset);
  }
  if (p.image.size() != model.info.input_shape.size())
    throw ValueError(fmt::format("an image of {} is {}, the model takes {}", model.info.dataset,
                                 to_string(p.image.shape()), to_string(model.info.input_shape)));
  const Dataset image{model.info.dataset, stack({p.image}), zeros({1}, i64), model.info.classes};
  const Tensor probabilities = mean_probabilities(model.net, image, views, model.info.dtype);
  const auto values = probabilities.data<double>();
  p.probabilities.assign(values.begin(), values.end());
  if (!std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); }))
    throw ValueError("the network's output is not finite");
  p.best = static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
  return p;
}

ordered_json name_of(const std::string& item, const std::optional<Index>& index) {
  return index ? ordered_json{{"index", *index}} : ordered_json{{"file", item}};
}

ordered_json to_json(const Prediction& p, const std::vector<std::string>& classes) {
  ordered_json object = name_of(p.item, p.index);
  object["class"] = p.best;
  object["name"] = classes[p.best];
  object["probabilities"] = p.probabilities;
  if (p.label) object["label"] = *p.label;
  return object;
}

void print(const Prediction& p, const std::vector<std::string>& classes, bool draws) {
  const ImageStyle style = image_style();
  fmt::print("{}{}: {}", p.index ? "test image " : "", p.item, classes[p.best]);
  if (p.label) fmt::print(", and its label is {}", classes[static_cast<std::size_t>(*p.label)]);
  fmt::print("\n{}", draws ? draw_image(p.image, style) : "");
  std::vector<std::size_t> order(classes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p.probabilities[a] > p.probabilities[b]; });
  std::size_t width = 0;
  for (const std::string& name : classes) width = std::max(width, name.size());
  for (const std::size_t i : order) {
    std::string bar;
    for (int n = static_cast<int>(std::lround(40 * p.probabilities[i])); n > 0; --n)
      bar += style == ImageStyle::ascii ? "#" : "█";
    fmt::print("  {:<{}}  {:.4f}{}{}\n", classes[i], width, p.probabilities[i], bar.empty() ? "" : "  ", bar);
  }
}

int run_predict(int argc, char** argv) {
  const Options options = parse(argc, argv);
  if (!options.help.empty()) {
    fmt::print("{}", options.help);
    return exit_done;
  }
  const models::Model model = models::load_model(options.model);
  const models::ModelInfo& info = model.info;
  const auto& known = dataset_names();
  if (std::find(known.begin(), known.end(), info.dataset) == known.end())
    throw FileError(fmt::format("{} is a model of the data set \"{}\", expected one of {}", options.model,
                                info.dataset, fmt::join(known, ", ")));

  const std::vector<Warp> seen = views(options.tta, parse_augment(info.augment));
  TestSet tests(info, options.data_dir);
  ordered_json results = ordered_json::array();
  bool failed = false, first = true;
  for (const std::string& item : options.items) {
    try {
      const Prediction prediction = predict(model, seen, tests, item);
      if (options.json) {
        results.push_back(to_json(prediction, info.classes));
      } else {
        if (!std::exchange(first, false)) fmt::print("\n");
        print(prediction, info.classes, !options.quiet);
        std::fflush(stdout);
      }
    } catch (const Error& error) {
      failed = true;
      // Errors of files name theirs.
      const bool named = dynamic_cast<const FileError*>(&error) != nullptr;
      const std::string message = named ? error.what() : fmt::format("{}: {}", item, error.what());
      say(fmt::format("predict: {}\n", message));
      results.push_back(name_of(item, as_index(item)));
      results.back()["error"] = message;
    }
  }
  if (options.json) {
    const ordered_json object{{"model", options.model}, {"dataset", info.dataset}, {"results", results}};
    // A file's name may be no UTF-8.
    fmt::print("{}\n", object.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  }
  return failed ? exit_failed : exit_done;
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, run_predict); }
