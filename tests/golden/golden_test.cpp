// The study's arithmetic to the digit: on the built-in digits against NumPy (digits_log.py), and on MNIST
// against the study's own numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <elk/data/digits.hpp>
#include <elk/data/load.hpp>
#include <elk/io/atomic_file.hpp>
#include <lab/training.hpp>
#include <support.hpp>

#include "experiments/program.hpp"
#include "io/temporary_folder.hpp"

namespace elk::lab {
namespace {

using Json = nlohmann::ordered_json;
using Texts = std::vector<std::string>;

TrainConfig paper_config(Texts options) {
  options.insert(options.begin(), {"train", "--protocol", "paper"});
  std::vector<char*> arguments;
  for (std::string& option : options) arguments.push_back(option.data());
  return parse_train(static_cast<int>(arguments.size()), arguments.data()).config;
}

struct Log {
  Texts loss, accuracy;  // by epoch, as a log shows them
  double final_accuracy = 0;
};

Log train(const Texts& options, const TrainTest& data) {
  Training training(paper_config(options), data);
  const TrainingResult result = training.run();
  EXPECT_EQ(result.status, elk::train::Status::finished) << result.problem;
  Log log{{}, {}, result.test.accuracy};
  for (const elk::train::HistoryRow& row : result.history) {
    log.loss.push_back(fmt::format("{:.10f}", row.train_loss.value()));
    log.accuracy.push_back(fmt::format("{:.4f}", row.test_accuracy.value()));
  }
  return log;
}

std::int64_t pixel_sum(const Dataset& set) {
  const auto pixels = set.images.data<std::uint8_t>();
  return std::accumulate(pixels.begin(), pixels.end(), std::int64_t{0});
}

TEST(DigitsLog, EveryCaseEveryDigit) {
  const Json cases = Json::parse(read_file(ELK_TESTS_DIR "/golden/digits_log.json"));
  EXPECT_GE(cases.size(), 10u);
  const TrainTest all = digits_train_test(1);
  for (const auto& [name, expected] : cases.items()) {
    SCOPED_TRACE(name);
    if (elk::test::emulated() && expected.at("train") > 2000) continue;
    const TrainTest data{all.train.take(0, expected.at("train")), all.test.take(0, expected.at("test"))};
    ASSERT_EQ(pixel_sum(data.train) + pixel_sum(data.test), expected.at("pixel_sum"))
        << "the digits themselves have changed: make the log again";
    const Log log = train(expected.at("options").get<Texts>(), data);
    EXPECT_EQ(log.loss, expected.at("loss").get<Texts>());
    EXPECT_EQ(log.accuracy, expected.at("accuracy").get<Texts>());
    EXPECT_EQ(fmt::format("{:.4f}", log.final_accuracy), log.accuracy.back());
  }
}

TEST(DigitsLog, AsTrainPrintsIt) {
  const Json cases = Json::parse(read_file(ELK_TESTS_DIR "/golden/digits_log.json"));
  const Json& expected = cases.at("cross-entropy, as train runs it");
  const TemporaryFolder folder;
  Texts arguments = expected.at("options").get<Texts>();
  arguments.insert(arguments.end(), {"--protocol", "paper", "--out-dir", "r"});
  const test::Outcome outcome =
      test::Child(arguments, {.folder = folder.path(), .out = folder / "out", .err = folder / "err"}).wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  std::string line, epoch, loss, test_loss, accuracy;
  std::getline(lines, line);  // the header
  for (std::size_t i = 0; i < expected.at("loss").size(); ++i) {
    std::getline(lines, line);
    std::istringstream(line) >> epoch >> loss >> test_loss >> accuracy;
    EXPECT_EQ(loss, expected.at("loss")[i].get<std::string>());
    EXPECT_EQ(accuracy, expected.at("accuracy")[i].get<std::string>());
  }
  std::getline(lines, line);
  EXPECT_EQ(line, "test accuracy " + accuracy);
}

// The published logs of the study, re-run by NumPy on the same data.
class RealLog : public testing::Test {
 protected:
  void SetUp() override {
    const char* dir = std::getenv("ELK_DATA_DIR");
    if (!dir || !*dir) GTEST_SKIP() << "ELK_DATA_DIR is not set: it names the folder that holds mnist/";
    data_ = load_dataset("mnist", dir);
  }
  TrainTest data_;
};

TEST_F(RealLog, Mnist784x64x10) {
  const Log log = train({"--dataset", "mnist", "--hidden", "64", "--epochs", "2"}, data_);
  EXPECT_THAT(log.loss, testing::ElementsAre("0.2625892784", "0.1189820315"));
  EXPECT_EQ(log.accuracy.back(), "0.9605");
}

TEST_F(RealLog, Mnist784x925x10) {  // 13 s an epoch: its end is for a release
  const Texts all{"0.2036151982", "0.0749304952", "0.0451746252", "0.0290166434", "0.0187609005",
                  "0.0124708710", "0.0086969559", "0.0064962352", "0.0050160513", "0.0042355037",
                  "0.0036112684", "0.0032306068", "0.0029617520", "0.0027288764", "0.0025595558"};
  const std::size_t epochs = std::getenv("ELK_LONG_TESTS") != nullptr ? all.size() : 4;
  const Log log = train(
      {"--dataset", "mnist", "--hidden", "925", "--epochs", std::to_string(epochs), "--clip", "9e9"}, data_);
  EXPECT_EQ(log.loss, Texts(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(epochs)));
  if (epochs == all.size()) {
    EXPECT_EQ(log.accuracy.back(), "0.9851");
  }
}

TEST_F(RealLog, Mnist784x200x10) {
  EXPECT_EQ(train({"--dataset", "mnist", "--hidden", "200"}, data_).accuracy.back(), "0.9834");
}

TEST_F(RealLog, Mnist784x250x10) {
  EXPECT_EQ(train({"--dataset", "mnist", "--hidden", "250"}, data_).accuracy.back(), "0.9834");
}

}  // namespace
}  // namespace elk::lab
