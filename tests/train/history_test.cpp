// Lines of a history: written, read back, and refused when malformed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>

#include <elk/base/error.hpp>
#include <elk/train/history.hpp>

#include "support.hpp"

namespace elk::train {
namespace {

using test::error_of;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

TEST(History, Lines) {
  const std::vector<HistoryRow> rows = {
      {.epoch = 1,
       .step = 180,
       .train_loss = 0.5,
       .val_loss = 0.25,
       .val_accuracy = 0.75,
       .lr = 0.001,
       .flops = 12,
       .seconds = 1.5},
      {.epoch = 2,
       .step = 360,
       .train_loss = nan,
       .test_loss = INFINITY,
       .test_accuracy = 1,
       .lr = 1e-300,
       .flops = 18446744073709551615u,
       .seconds = 0,
       .diverged = true},
  };
  EXPECT_EQ(
      to_jsonl(rows),
      "{\"epoch\":1,\"step\":180,\"train_loss\":0.5,\"val_loss\":0.25,\"val_accuracy\":0.75,\"lr\":0.001,"
      "\"flops\":12,\"seconds\":1.5}\n"
      "{\"epoch\":2,\"step\":360,\"train_loss\":null,\"test_loss\":null,\"test_accuracy\":1.0,\"lr\":1e-300,"
      "\"flops\":18446744073709551615,\"seconds\":0.0,\"status\":\"diverged\"}\n");
  EXPECT_EQ(to_jsonl({}), "");
}

TEST(History, RoundTrip) {
  HistoryRow row{
      .epoch = 3, .step = 1LL << 40, .train_loss = 0.1, .lr = 1.0 / 3, .flops = 1ull << 63, .seconds = 2e-9};
  for (const bool diverged : {false, true}) {
    row.diverged = diverged;
    const auto back = parse_jsonl(to_jsonl({row, row}), "file");
    ASSERT_EQ(back.size(), 2u);
    EXPECT_EQ(back[1].epoch, row.epoch);
    EXPECT_EQ(back[1].step, row.step);
    EXPECT_EQ(back[1].train_loss, row.train_loss);
    EXPECT_EQ(back[1].val_loss, std::nullopt);
    EXPECT_EQ(back[1].lr, row.lr);
    EXPECT_EQ(back[1].flops, row.flops);
    EXPECT_EQ(back[1].seconds, row.seconds);
    EXPECT_EQ(back[1].diverged, diverged);
  }
  row.train_loss = -INFINITY;
  EXPECT_TRUE(std::isnan(parse_jsonl(to_jsonl({row}), "file")[0].train_loss.value()));
  EXPECT_TRUE(parse_jsonl("", "file").empty());
}

TEST(History, MalformedLines) {
  const std::string good = to_jsonl({{.epoch = 1}});
  for (const char* bad : {"\n",
                          "{",
                          "{}",
                          "[]",
                          "7",
                          "null",
                          "{\"epoch\":1}",
                          "\xff",
                          R"({"epoch":"1","step":1,"lr":1,"flops":1,"seconds":1})",
                          R"({"epoch":1,"step":1,"lr":1,"flops":1})",
                          R"({"epoch":1,"step":1,"lr":1,"flops":1,"seconds":1,"val_loss":"low"})",
                          R"({"epoch":1,"step":1,"lr":NaN,"flops":1,"seconds":1})",
                          R"({"epoch":1.5,"step":1,"lr":1,"flops":1,"seconds":1})",
                          R"({"epoch":1,"step":1e300,"lr":1,"flops":1,"seconds":1})",
                          R"({"epoch":1,"step":9223372036854775808,"lr":1,"flops":1,"seconds":1})",
                          R"({"epoch":1,"step":1,"lr":1,"flops":-1,"seconds":1})",
                          R"({"epoch":1,"step":1,"lr":1,"flops":1,"seconds":-1})",
                          R"({"epoch":1,"step":1,"lr":1,"flops":1,"seconds":1,"test_accuracy":8.36})",
                          R"({"epoch":1,"step":1,"lr":1,"flops":1,"seconds":1,"val_accuracy":-0.1})",
                          R"({"epoch":1,"step":1,"lr":1,"flops":1,"seconds":1,"status":"done"})",
                          R"({"epoch":1,"step":1,"lr":1,"flops":1,"seconds":1,"digest":"0"})",
                          R"({"epoch":1,"step":1,"lr":1,"flops":1,"seconds":1,"digest":7})"})
    EXPECT_THAT(error_of<FileError>([&] { parse_jsonl(good + bad, "a/history.jsonl"); }),
                testing::StartsWith("[history] a/history.jsonl: line 2 is malformed: "))
        << bad;
}

TEST(History, CountsAreWholeNumbers) {
  EXPECT_EQ(error_of<FileError>(
                [] { parse_jsonl(R"({"epoch":1,"step":-2,"lr":1,"flops":1,"seconds":1})", "file"); }),
            "[history] file: line 1 is malformed: expected a whole number as \"step\", found -2");
  EXPECT_EQ(error_of<FileError>(
                [] { parse_jsonl(R"({"epoch":[1],"step":2,"lr":1,"flops":1,"seconds":1})", "file"); }),
            "[history] file: line 1 is malformed: expected a whole number as \"epoch\", found array");
}

// Names are looked up in a tree: in a list, a line of a megabyte would take minutes.
TEST(History, LongLinesTakeNoLonger) {
  std::string line = R"({"epoch":1,"step":1,"lr":1,"flops":1,"seconds":1)";
  for (int i = 0; i < 100'000; ++i) line += ",\"" + std::to_string(i) + "\":0";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(parse_jsonl(line + "}", "file").size(), 1u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

}  // namespace
}  // namespace elk::train
