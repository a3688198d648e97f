// The program `predict` on models that `train` made.
#include <array>
#include <cmath>

#include <fmt/format.h>

#include <elk/data/load.hpp>
#include <elk/io/safetensors.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/shape.hpp>
#include <lab/views.hpp>
#include <models/model_file.hpp>

#include "data/png.hpp"
#include "experiments/fixture.hpp"
#include "support.hpp"

namespace elk::lab::test {
namespace {

using namespace elk::test;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Predict : public TrainProgram {
 protected:
  // One network for all tests: on the built-in digits.
  static void SetUpTestSuite() {
    models_ = new TemporaryFolder;
    const Outcome outcome =
        Child({"--hidden", "32", "--epochs", "3", "--quiet", "--out-dir", "r"}, {.folder = models_->path()})
            .wait();
    ASSERT_EQ(outcome.code, 0);
  }
  static void TearDownTestSuite() { delete models_; }
  static std::string model() { return *models_ / "r/model.safetensors"; }

  Outcome predict(const Arguments& arguments, const std::map<std::string, std::string>& environment = {}) {
    Surroundings surroundings = around();
    surroundings.program = ELK_PROGRAMS "/predict";
    for (const auto& [name, value] : environment) surroundings.environment[name] = value;
    return Child(arguments, surroundings).wait();
  }
  Json results(const Arguments& arguments) {
    const Outcome outcome = predict(Arguments{"--json", model()} + arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    return Json::parse(outcome.out, nullptr, false)["results"];
  }
  void expect_usage_error(const Arguments& arguments, const std::string& message) {
    const Outcome outcome = predict(arguments);
    EXPECT_EQ(outcome.code, 2) << testing::PrintToString(arguments);
    EXPECT_EQ(outcome.err, "predict: " + message + "\nsee ./elk predict --help\n");
    EXPECT_EQ(outcome.out, "");
  }
  void write(const std::string& name, const std::string& bytes) { write_file_atomically(path(name), bytes); }

  // The model, with another line of metadata.
  void write_model(const std::string& name, const std::string& key, const std::string& value) {
    SafetensorsFile file = load_safetensors(model());
    file.metadata.erase("digest");
    file.metadata[key] = value;
    save_safetensors(path(name), file.tensors, file.metadata);
  }

  static TemporaryFolder* models_;
};

TemporaryFolder* Predict::models_ = nullptr;

Tensor test_image(Index i) {
  static const Dataset set = digits_train_test(1, 0).test;
  return reshape(set.take(i, 1).images, {28, 28});
}

Tensor inverted(const Tensor& image) {
  std::vector<std::uint8_t> pixels;
  for (const auto pixel : image.data<std::uint8_t>())
    pixels.push_back(static_cast<std::uint8_t>(255 - pixel));
  return from(pixels, image.shape());
}

TEST_F(Predict, ImagesOfTheTestSetAndFilesOfThemAreTheSame) {
  Arguments indices, files, negatives;
  for (Index i = 0; i < 100; ++i) {
    indices.push_back(std::to_string(i));
    const bool odd = i % 2 == 1;
    files.push_back(std::to_string(i) + (odd ? ".pgm" : ".png"));
    write(files.back(), odd ? pgm(test_image(i)) : grey_png(test_image(i)));
    negatives.push_back("negative-" + std::to_string(i) + ".png");
    write(negatives.back(), grey_png(inverted(test_image(i))));
  }
  const Json by_index = results(indices), by_file = results(files), by_negative = results(negatives);
  ASSERT_EQ(by_index.size(), 100u);
  int right = 0, right_negative = 0;
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(by_index[i]["index"], i);
    EXPECT_EQ(by_file[i]["file"], files[i]);
    EXPECT_EQ(by_file[i]["probabilities"], by_index[i]["probabilities"]) << i;
    right += by_index[i]["class"] == by_index[i]["label"];
    right_negative += by_negative[i]["class"] == by_index[i]["label"];
  }
  EXPECT_GT(right, 85);
  EXPECT_GT(right_negative, 70);
}

TEST_F(Predict, AgreesWithTheModel) {
  const Json result = results({"7"})[0];
  const models::Model loaded = models::load_model(model());
  const Tensor x = reshape(test_image(7), {1, 784});
  const Tensor expected = elk::softmax(loaded.net(cast(x, f32) / 255));
  double sum = 0;
  ASSERT_EQ(result["probabilities"].size(), 10u);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_NEAR(result["probabilities"][i].get<double>(), expected.at(static_cast<Index>(i)), 1e-6);
    sum += result["probabilities"][i].get<double>();
  }
  EXPECT_NEAR(sum, 1, 1e-12);
}

// As `train --tta` measures it, of a network and of an ensemble.
TEST_F(Predict, ByTheViewsOfAnImage) {
  for (const char* networks : {"1", "2"}) {
    const std::string folder = std::string("views-") + networks;
    const Outcome trained = run(small({"--augment", "flip,crop:1", "--tta", "flip,shift", "--ensemble",
                                       networks, "--json", "--out-dir", folder}));
    ASSERT_EQ(trained.code, 0) << trained.err;
    Arguments arguments{"--json", folder + "/model.safetensors", "--data-dir", "data"};
    for (int i = 0; i < 200; ++i) arguments.push_back(std::to_string(i));
    const models::Model loaded = models::load_model(path(folder + "/model.safetensors"));
    const Dataset test = load_dataset("mnist", path("data")).test;
    for (const std::string tta : {"none", "flip", "shift", "flip,shift"}) {
      const Outcome outcome = predict(arguments + Arguments{"--tta", tta});
      ASSERT_EQ(outcome.code, 0) << outcome.err;
      const Json list = Json::parse(outcome.out, nullptr, false)["results"];
      int right = 0;
      for (const Json& one : list) right += one["class"] == one["label"];
      const std::vector<double> expected = elk::test::values(
          mean_probabilities(loaded.net, test, views(tta, parse_augment("flip,crop:1")), f32));
      for (std::size_t i = 0; i < 200; ++i)
        for (std::size_t c = 0; c < 10; ++c)
          EXPECT_NEAR(list[i]["probabilities"][c].get<double>(), expected[10 * i + c], 1e-6);
      const Json told = Json::parse(trained.out, nullptr, false);
      if (tta == "none") {
        EXPECT_EQ(right / 200.0, told["test_accuracy"]);
        EXPECT_EQ(predict(arguments).out, outcome.out);
      }
      if (tta == "flip,shift") {
        EXPECT_EQ(right / 200.0, told["tta_accuracy"]);
      }
    }
  }
}

TEST_F(Predict, ByViewsThatTheNetworkDidNotLearnFrom) {
  expect_usage_error(
      {model(), "0", "--tta", "flip"},
      "--tta flip: the network must have learned from such images, by flip in --augment, which is "
      "\"\"");
  expect_usage_error({model(), "0", "--tta", "mirror"},
                     "--tta: expected none, flip, S or flip,S, where S is shift, shift:PIXELS or "
                     "shift:PIXELS:STEP, a PIXELS of 1 to 10 times STEP, got \"mirror\"");
  write_model("flipped", "augment", "flip:0.5");
  EXPECT_EQ(predict({"flipped", "0", "--tta", "flip"}).code, 0);
  expect_usage_error({"flipped", "0", "--tta", "flip,shift"},
                     "--tta shift: the network must have learned from such images, by shift or crop in "
                     "--augment, which is \"flip:0.5\"");
  write_model("blurred", "augment", "blur:2");
  EXPECT_THAT(predict({"blurred", "0"}).err,
              StartsWith("predict: [model] blurred: [augment] no option \"blur\""));
}

TEST_F(Predict, WritesOneJsonObject) {
  write("no.png", "x");
  write("one.png", grey_png(test_image(1)));
  const Outcome outcome = predict({model(), "3", "one.png", "no.png", "2000", "--json"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, EndsWith("}\n"));
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1);
  const Json object = Json::parse(outcome.out, nullptr, false);
  const auto keys = [](const Json& json) {
    std::vector<std::string> names;
    for (const auto& [name, value] : json.items()) names.push_back(name);
    return names;
  };
  EXPECT_THAT(keys(object), ElementsAre("model", "dataset", "results"));
  EXPECT_EQ(object["model"], model());
  EXPECT_EQ(object["dataset"], "digits");
  const Json& list = object["results"];
  ASSERT_EQ(list.size(), 4u);
  EXPECT_THAT(keys(list[0]), ElementsAre("index", "class", "name", "probabilities", "label"));
  EXPECT_EQ(list[0]["name"], std::to_string(list[0]["class"].get<int>()));
  EXPECT_THAT(keys(list[1]), ElementsAre("file", "class", "name", "probabilities"));
  EXPECT_EQ(list[2],
            (Json{{"file", "no.png"}, {"error", "[image] no.png is not an image, expected PNG or PGM"}}));
  EXPECT_EQ(list[3], (Json{{"index", 2000}, {"error", "2000: the test set of digits has images 0 to 1999"}}));
  EXPECT_EQ(outcome.err,
            "predict: [image] no.png is not an image, expected PNG or PGM\n"
            "predict: 2000: the test set of digits has images 0 to 1999\n");
}

// What fails in the middle has failed: the last piece may be empty, and so is written.
TEST_F(Predict, OutputThatCannotBeWritten) {
  for (const Arguments& more : {Arguments{}, {"--json"}}) {
    Surroundings full = around();
    full.program = ELK_PROGRAMS "/predict";
    full.out = "/dev/full";
    const Outcome outcome = Child(Arguments{model(), "0", "1"} + more, full).wait();
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(outcome.err, StartsWith("predict: cannot write to standard output: "));
  }
}

TEST_F(Predict, PrintsAndDraws) {
  write(
      "corner.pgm", "P2 28 28 1" + [] {
        std::string pixels;
        for (int i = 0; i < 784; ++i) pixels += i == 2 || i == 30 || i == 4 ? " 1" : " 0";
        return pixels;
      }());
  const Outcome outcome = predict({model(), "corner.pgm"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const Json result = results({"corner.pgm"})[0];
  const std::string drawing = "  @ +\n" + std::string(13, '\n');
  EXPECT_THAT(outcome.out,
              StartsWith("corner.pgm: " + result["name"].get<std::string>() + "\n" + drawing + "  "));
  // Bars, from the most probable on.
  std::istringstream lines(outcome.out.substr(outcome.out.find(drawing) + drawing.size()));
  double before = 1;
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const double p = std::stod(line.substr(5));
    EXPECT_LE(p, before);
    before = p;
    const std::size_t i = static_cast<std::size_t>(line[2] - '0');
    EXPECT_NEAR(p, result["probabilities"][i].get<double>(), 5.1e-5);
    const auto bar = static_cast<std::size_t>(std::lround(40 * result["probabilities"][i].get<double>()));
    EXPECT_EQ(line.size(), 11 + (bar > 0 ? bar + 2 : 0)) << line;
  }
  EXPECT_EQ(count, 10);

  const Outcome quiet = predict({model(), "--quiet", "corner.pgm", "0"});
  EXPECT_EQ(std::count(quiet.out.begin(), quiet.out.end(), '\n'), 23) << quiet.out;
  EXPECT_THAT(quiet.out, HasSubstr("\n\ntest image 0: "));
  EXPECT_THAT(quiet.out, HasSubstr(", and its label is "));
}

// What it writes to a terminal.
TEST_F(Predict, DrawsInColoursOnATerminal) {
  const auto drawn = [&](const std::map<std::string, std::string>& environment) {
    Surroundings surroundings = around();
    surroundings.program = ELK_PROGRAMS "/predict";
    for (const auto& [variable, value] : environment) surroundings.environment[variable] = value;
    return on_terminal({model(), "0"}, surroundings);
  };
  using Variables = std::map<std::string, std::string>;
  const Variables plain{{"NO_COLOR", ""}, {"COLORTERM", ""}, {"TERM", "xterm"}};
  const auto with = [&](const std::string& name, const std::string& value) {
    Variables all = plain;
    all[name] = value;
    return all;
  };
  EXPECT_THAT(drawn(plain), HasSubstr("\x1b[48;5;16m▀"));
  EXPECT_THAT(drawn(with("COLORTERM", "truecolor")), HasSubstr("\x1b[48;2;0;0;0m▀"));
  EXPECT_THAT(drawn(with("NO_COLOR", "1")), Not(HasSubstr("\x1b")));
  EXPECT_THAT(drawn(with("TERM", "dumb")), Not(HasSubstr("\x1b")));
}

TEST_F(Predict, NamesWhatIsWrongWithAnImageAndGoesOn) {
  write("good.png", grey_png(test_image(0)));
  write("photo.jpg", "\xff\xd8\xff\xe0");
  write("blank.png", grey_png(full({40, 40}, 255, u8)));
  const std::string good = grey_png(test_image(0));
  write("cut.png", good.substr(0, good.size() - 20));
  write("huge.png", "\x89PNG\r\n\x1a\n" +
                        chunk("IHDR", number32(100000) + number32(100000) + std::string("\x08\0\0\0\0", 5)) +
                        chunk("IDAT", "x") + chunk("IEND", ""));
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"none.png", "[read] none.png: No such file or directory"},
      {".", "[read] .: this is a folder"},
      {"photo.jpg", "[image] photo.jpg is a JPEG image, expected PNG or PGM"},
      {"blank.png",
       "blank.png: [center_digit] there is no ink: no pixel is darker than the paper by 32 or more of 255"},
      {"cut.png", fmt::format("[image] cut.png is cut off: the PNG ends after {} bytes", good.size() - 20)},
      {"huge.png", "[image] huge.png claims 100000 x 100000 pixels, expected at most 50000000 in all"},
      {"2000", "2000: the test set of digits has images 0 to 1999"},
      {"99999999999999999999", "99999999999999999999: the test set of digits has images 0 to 1999"},
  };
  for (const auto& [item, message] : rows) {
    const Outcome outcome = predict({model(), "--quiet", item, "good.png"});
    EXPECT_EQ(outcome.code, 1) << item;
    EXPECT_EQ(outcome.err, "predict: " + message + "\n");
    EXPECT_THAT(outcome.out, StartsWith("good.png: ")) << item;
  }
}

TEST_F(Predict, NamesWhatIsWrongWithAModelOrItsData) {
  const auto fails = [&](const Arguments& arguments, const std::string& message) {
    const Outcome outcome = predict(arguments);
    EXPECT_EQ(outcome.code, 1) << message;
    EXPECT_THAT(outcome.err, StartsWith("predict: " + message));
    EXPECT_EQ(outcome.out, "");
  };
  fails({"none.safetensors", "0"}, "[");
  write("text", "this is no model");
  fails({"text", "0"}, "[");
  write_model("other", "dataset", "svhn");
  fails(
      {"other", "0"},
      "other is a model of the data set \"svhn\", expected one of digits, mnist, fashion-mnist, cifar-10\n");
  write_model("colours", "dataset", "cifar-10");
  write("a.png", grey_png(test_image(0)));
  fails({"colours", "a.png"}, "a.png: an image of cifar-10 is (3, 32, 32), the model takes (28, 28)\n");
  write_model("letters", "classes", R"(["a","b","c","d","e","f","g","h","i","j"])");
  fails({"letters", "0"},
        "0: the classes of digits are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, those of the model a, b, c, d, e, f, g, "
        "h, i, j\n");
  write_model("mnist", "dataset", "mnist");
  fails({"mnist", "0"},
        "[mnist] not found; get it with `./elk data mnist`, or say where it is with --data-dir");
}

TEST_F(Predict, ReadsTheTestSetFromTheDataFolder) {
  ASSERT_EQ(run(small({"--out-dir", "r"})).code, 0);
  const Arguments items{"r/model.safetensors", "0", "199", "--json"};
  const Outcome by_option = predict(items + Arguments{"--data-dir", "data"});
  EXPECT_EQ(by_option.code, 0) << by_option.err;
  const Dataset test = load_dataset("mnist", path("data")).test;
  const Json list = Json::parse(by_option.out, nullptr, false)["results"];
  EXPECT_EQ(list[0]["label"], test.labels.at(0));
  EXPECT_EQ(list[1]["label"], test.labels.at(199));
  EXPECT_EQ(predict(items, {{"ELK_DATA_DIR", path("data")}}).out, by_option.out);
  EXPECT_EQ(predict(items).out, by_option.out);  // data is the default
}

TEST_F(Predict, RefusesWrongUsage) {
  expect_usage_error({}, "expected MODEL and at least one FILE or INDEX");
  expect_usage_error({model()}, "expected MODEL and at least one FILE or INDEX");
  expect_usage_error({model(), "0", "--js"}, "unrecognised option '--js'");
  expect_usage_error({model(), "0", "-q"}, "unrecognised option '-q'");
  expect_usage_error({model(), "-1"}, "unrecognised option '-1'");
  expect_usage_error({model(), "0", "--data-dir"},
                     "the required argument for option '--data-dir' is missing");
  expect_usage_error({model(), "0", "--data-dir", "--quiet"},
                     "the required argument for option '--data-dir' is missing");
  expect_usage_error({model(), "0", "--quiet=yes"}, "option '--quiet' does not take any arguments");
  expect_usage_error({model(), "0", "--data-dir", "a", "--data-dir", "b"},
                     "option '--data-dir' cannot be specified more than once");
}

TEST_F(Predict, TakesFilesOfAnyName) {
  for (const char* name : {"-x.png", "--json", "a b.png", "7"}) write(name, grey_png(test_image(0)));
  const Outcome outcome = predict({"--quiet", model(), "a b.png", "./7", "--", "-x.png", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("a b.png: "));
  for (const char* name : {"\n./7: ", "\n-x.png: ", "\n--json: "}) EXPECT_THAT(outcome.out, HasSubstr(name));
  write("\xff.png", grey_png(test_image(0)));
  EXPECT_EQ(predict({"--json", model(), "\xff.png"}).code, 0);
}

TEST_F(Predict, Help) {
  for (const Arguments& arguments : {Arguments{"--help"}, Arguments{model(), "0", "--help"}}) {
    const Outcome outcome = predict(arguments);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.out, StartsWith("Usage: ./elk predict [options] MODEL FILE|INDEX...\n"));
    for (const char* option : {"--data-dir DIR", "--tta V,V", "--quiet", "--json", "--help", "--version"})
      EXPECT_THAT(outcome.out, HasSubstr(option));
  }
  EXPECT_THAT(predict({"--version"}).out,
              testing::MatchesRegex("elkgrad [0-9.]+\ninstruction set [a-z0-9]+, BLAS .+\n"));
}

// Fashion and photographs, on the real sets: a file of a test image is predicted as the image is.
class RealPredict : public Predict, public testing::WithParamInterface<const char*> {};

TEST_P(RealPredict, FilesOfTestImagesAreTheSame) {
  const char* dir = std::getenv("ELK_DATA_DIR");
  const std::string set = GetParam();
  if (dir == nullptr || *dir == '\0')
    GTEST_SKIP() << "ELK_DATA_DIR is not set: it names the folder that holds " << set;
  ASSERT_EQ(
      run({"--dataset", set, "--data-dir", dir, "--epochs", "1", "--hidden", "16", "--out-dir", "r"}).code,
      0);
  const Dataset test = load_dataset(set, dir).test;
  Arguments indices, files;
  for (Index i = 0; i < 100; ++i) {
    const Dataset example = test.take(i, 1);
    const Tensor image = reshape(example.images, example.sample_shape());
    indices.push_back(std::to_string(i));
    files.push_back(std::to_string(i) + ".png");
    write(files.back(),
          image.rank() == 2 ? grey_png(image) : png(32, 32, rgb, 8, bytes_of(permute(image, {1, 2, 0}))));
  }
  const Arguments first{"--json", "--data-dir", dir, "r/model.safetensors"};
  const Json by_index = Json::parse(predict(first + indices).out, nullptr, false)["results"],
             by_file = Json::parse(predict(first + files).out, nullptr, false)["results"];
  ASSERT_EQ(by_index.size(), 100u);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(by_file[i]["probabilities"], by_index[i]["probabilities"]) << i;
    EXPECT_EQ(by_index[i]["label"], test.labels.at(static_cast<Index>(i)));
  }
}

INSTANTIATE_TEST_SUITE_P(RealSets, RealPredict, testing::Values("mnist", "fashion-mnist", "cifar-10"));

}  // namespace
}  // namespace elk::lab::test
