// The program `show`: images with their labels, in the terminal and as a picture.
#include <set>

#include <elk/data/load.hpp>
#include <elk/ops/shape.hpp>
#include <lab/image_file.hpp>
#include <lab/image_text.hpp>
#include <lab/program.hpp>

#include "experiments/fixture.hpp"

namespace elk::lab::test {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const TrainTest& digits() {
  static const TrainTest sets = digits_train_test(digits_seed);
  return sets;
}

std::string drawing(const Dataset& set, Index i) {
  return draw_image(reshape(set.take(i, 1).images, {28, 28}), ImageStyle::ascii);
}

std::string heading(const Dataset& set, Index i) {
  return set.classes[static_cast<std::size_t>(set.labels.data<std::int64_t>()[static_cast<std::size_t>(i)])] +
         " #" + std::to_string(i);
}

class Show : public TrainProgram {
 protected:
  Surroundings surroundings(bool with_gnuplot = false) {
    Surroundings s = around();
    s.program = ELK_PROGRAMS "/show";
    if (with_gnuplot) s.environment.erase("PATH");
    return s;
  }
  Outcome show(const Arguments& arguments) { return Child(arguments, surroundings()).wait(); }
  Json chosen(const Arguments& arguments) {
    const Outcome outcome = show(arguments + Arguments{"--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const Json object = Json::parse(outcome.out, nullptr, false);
    EXPECT_FALSE(object.contains("picture"));
    return object["images"];
  }
  static std::vector<Index> indices(const Json& images) {
    std::vector<Index> all;
    for (const Json& image : images) all.push_back(image["index"]);
    return all;
  }
  void expect_usage_error(const Arguments& arguments, const std::string& message) {
    const Outcome outcome = show(arguments);
    EXPECT_EQ(outcome.code, 2) << testing::PrintToString(arguments);
    EXPECT_EQ(outcome.err, "show: " + message + "\nsee ./elk show --help\n");
    EXPECT_EQ(outcome.out, "");
  }
};

TEST_F(Show, DrawsImagesUnderTheirLabels) {
  const Outcome outcome = show({"--count", "2", "--columns", "1"});
  EXPECT_EQ(outcome.code, 0);
  const Dataset& set = digits().test;
  EXPECT_EQ(outcome.out,
            heading(set, 0) + "\n" + drawing(set, 0) + "\n" + heading(set, 1) + "\n" + drawing(set, 1));
  EXPECT_EQ(outcome.err, "show: no picture: " + no_gnuplot() + "\n");

  // Side by side: each line of the left one is filled up.
  std::istringstream left(heading(set, 0) + "\n" + drawing(set, 0)),
      right(heading(set, 1) + "\n" + drawing(set, 1));
  std::string both, a, b;
  while (std::getline(left, a) && std::getline(right, b)) {
    a = (a + std::string(30 - a.size(), ' ') + b);
    both += a.substr(0, a.find_last_not_of(' ') + 1) + "\n";
  }
  EXPECT_EQ(show({"--count", "2"}).out, both);
  EXPECT_EQ(show({"--count", "2", "--quiet"}).out, "");
}

TEST_F(Show, ChoosesImages) {
  const auto of_class = [](const Json& images, int label) {
    return std::all_of(images.begin(), images.end(),
                       [&](const Json& image) { return image["label"] == label; });
  };
  EXPECT_THAT(indices(chosen({"--count", "3"})), ElementsAre(0, 1, 2));
  const Json sevens = chosen({"--label", "7", "--split", "train", "--count", "400"});
  EXPECT_EQ(sevens.size(), 400u);
  EXPECT_TRUE(of_class(sevens, 7));
  const auto labels = digits().train.labels.data<std::int64_t>();
  for (const Index i : indices(sevens)) EXPECT_EQ(labels[static_cast<std::size_t>(i)], 7);
  const auto drawn = indices(chosen({"--seed", "1"}));
  EXPECT_EQ(std::set<Index>(drawn.begin(), drawn.end()).size(), 20u);
  EXPECT_TRUE(std::is_sorted(drawn.begin(), drawn.end()));
  EXPECT_EQ(indices(chosen({"--seed", "1"})), drawn);
  EXPECT_NE(indices(chosen({"--seed", "2"})), drawn);
  EXPECT_TRUE(of_class(chosen({"--seed", "1", "--label", "3"}), 3));

  small();  // writes a data set
  EXPECT_EQ(chosen({"--dataset", "mnist", "--data-dir", "data", "--count", "200"}).size(), 200u);
}

TEST_F(Show, SaysWhatIsWrong) {
  for (const auto& [arguments, message] : std::vector<std::pair<Arguments, std::string>>{
           {{"--dataset", "svhn"},
            "--dataset: expected one of digits, mnist, fashion-mnist, cifar-10, found 'svhn'"},
           {{"--split", "all"}, "--split: expected train or test, found 'all'"},
           {{"--count", "0"}, "--count: expected 1 to 400, found 0"},
           {{"--count", "401"}, "--count: expected 1 to 400, found 401"},
           {{"--columns", "0"}, "--columns: expected 1 to 400, found 0"},
           {{"--seed", "-1"}, "--seed: expected a number from 0 to 4294967295, got -1"},
           {{"--label", "10"},
            "--label: expected one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, or its number, found '10'"},
           {{"--label", ""},
            "--label: expected one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, or its number, found ''"},
           {{"--out", "a.gif"}, "--out: expected a name that ends in .png or .svg, found 'a.gif'"},
           {{"--out", "a.png", "--out-dir", "b"}, "--out and --out-dir both name the picture's place"},
           {{"5"}, "unexpected argument '5'"},
           {{"--cou", "5"}, "unrecognised option '--cou'"}})
    expect_usage_error(arguments, message);
  const Outcome few = show({"--label", "1", "--count", "400"});
  EXPECT_EQ(few.code, 2);
  EXPECT_THAT(few.err, HasSubstr("--count: there are only "));
  const Outcome missing = show({"--dataset", "mnist", "--data-dir", "nowhere"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.err, StartsWith("show: [mnist] not found"));
  EXPECT_THAT(show({"--help"}).out, StartsWith("Usage: ./elk show"));
  EXPECT_THAT(show({"--version"}).out, StartsWith("elkgrad "));
  EXPECT_FALSE(std::filesystem::exists(path("runs")));

  // Whoever asks for a picture and nothing else learns that there is none.
  EXPECT_EQ(show({}).code, 0);
  for (const Arguments& asked : {Arguments{"--quiet"}, {"--out", "a.png"}, {"--out-dir", "b"}}) {
    const Outcome outcome = show(asked);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.err, "show: no picture: " + no_gnuplot() + "\n");
  }
}

TEST_F(Show, LeavesAPicture) {
  if (std::system("gnuplot --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "gnuplot is not installed";
  const auto picture = [&](const Arguments& arguments, const std::string& file) {
    const Outcome outcome = Child(arguments + Arguments{"--quiet"}, surroundings(true)).wait();
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.err, "picture in " + file + "\n");
    return file;
  };
  // 3 images of 28 x 28 a row, with 3 pixels around and 7 for the label, 8 dots a pixel.
  const Tensor image =
      read_colour_image(path(picture({"--count", "4", "--columns", "3"}, "runs/show/digits-test.png")));
  ASSERT_EQ(image.shape(), (Shape{3, 8 * (2 * (28 + 7) + 3), 8 * (3 * (28 + 3) + 3)}));
  // Each pixel of an image is where it belongs.
  const std::uint8_t* red = image.data<std::uint8_t>().data();
  const Dataset& set = digits().test;
  for (Index i = 0; i < 4; ++i) {
    const Tensor wanted = set.take(i, 1).images;
    const std::uint8_t* grey = wanted.data<std::uint8_t>().data();
    int differ = 0;
    for (Index y = 0; y < 28; ++y)
      for (Index x = 0; x < 28; ++x) {
        const Index row = 8 * (3 + i / 3 * 35 + y) + 4, column = 8 * (3 + i % 3 * 31 + x) + 4;
        differ += std::abs(red[row * image.size(2) + column] - grey[28 * y + x]) > 2;
      }
    EXPECT_EQ(differ, 0) << i;
  }
  const std::string svg = file(picture({"--count", "3", "--out", "it's.svg"}, "it's.svg"));
  for (const char* text :
       {"<title>Images of digits, test</title>", "<text>#2</text>", "data:image/png;base64,"})
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  picture({"--out-dir", "some/where"}, "some/where/digits-test.png");
  EXPECT_TRUE(std::filesystem::exists(path("some/where/digits-test.png")));
  const Outcome outcome = Child({"--out", "no/folder/a.png"}, surroundings(true)).wait();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("no/folder/a.png"));
  EXPECT_THAT(outcome.out, Not(testing::IsEmpty()));
}

TEST_F(Show, FillsTheLinesOfATerminal) {
  Surroundings s = surroundings();
  for (const auto& [name, value] : {std::pair{"NO_COLOR", ""}, {"COLORTERM", "truecolor"}, {"TERM", "xterm"}})
    s.environment[name] = value;
  const auto columns = [&](unsigned short width) {
    const std::string text = on_terminal({"--count", "3"}, s, width);
    const std::string line = text.substr(0, text.find('\r'));
    EXPECT_THAT(text, HasSubstr("\x1b[48;2;0;0;0m▀"));
    return std::count(line.begin(), line.end(), '#');
  };
  EXPECT_EQ(columns(20), 1);
  EXPECT_EQ(columns(57), 1);
  EXPECT_EQ(columns(58), 2);
  EXPECT_EQ(columns(88), 3);
  EXPECT_EQ(columns(0), 2);
}

class RealShow : public Show, public testing::WithParamInterface<std::pair<const char*, const char*>> {};

TEST_P(RealShow, DrawsTheSet) {
  const char* folder = std::getenv("ELK_DATA_DIR");
  if (folder == nullptr || *folder == '\0') GTEST_SKIP() << "ELK_DATA_DIR is not set";
  const auto [set, label] = GetParam();
  const Outcome outcome = show({"--dataset", set, "--data-dir", folder, "--label", label, "--count", "3"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith(std::string(label) + " #"));
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), (*set == 'c' ? 17 : 15) * 2 + 1);
}

INSTANTIATE_TEST_SUITE_P(RealSets, RealShow,
                         testing::Values(std::pair{"mnist", "7"}, std::pair{"fashion-mnist", "Ankle boot"},
                                         std::pair{"cifar-10", "ship"}));

}  // namespace
}  // namespace elk::lab::test
