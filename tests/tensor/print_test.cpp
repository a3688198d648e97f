#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <elk/tensor/tensor.hpp>

namespace elk {
namespace {

TEST(Print, SmallTensors) {
  EXPECT_EQ(to_string(Tensor()), "undefined");
  EXPECT_EQ(to_string(scalar(2.5)), "f32 () 2.5");
  EXPECT_EQ(to_string(from({1, 2.25, -3})), "f32 (3) [1, 2.25, -3]");
  EXPECT_EQ(to_string(from({1, 2, 3, 4}, {2, 2}, f64)), "f64 (2, 2)\n[[1, 2],\n [3, 4]]");
  EXPECT_EQ(to_string(from({1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2}, i64)),
            "i64 (2, 2, 2)\n[[[1, 2],\n  [3, 4]],\n [[5, 6],\n  [7, 8]]]");
  EXPECT_EQ(to_string(from({0, 255}, u8)), "u8 (2) [0, 255]");
}

TEST(Print, Numbers) {
  EXPECT_EQ(to_string(from({1.0 / 3, 1e-12, 123456, 1e20, -0.0})),
            "f32 (5) [0.33333, 1e-12, 1.2346e+05, 1e+20, -0]");
  EXPECT_EQ(to_string(from({NAN, -NAN, INFINITY, -INFINITY})), "f32 (4) [nan, nan, inf, -inf]");
  EXPECT_EQ(to_string(from(std::vector<std::int64_t>{9007199254740993, -1, 123456789})),
            "i64 (3) [9007199254740993, -1, 123456789]");  // the first is no double
}

TEST(Print, EmptyTensors) {
  EXPECT_EQ(to_string(zeros({0})), "f32 (0) []");
  EXPECT_EQ(to_string(zeros({0, 3}, i64)), "i64 (0, 3)\n[]");
  EXPECT_EQ(to_string(zeros({100000000, 0})), "f32 (100000000, 0)\n[]");
}

TEST(Print, LongAxesShowTheirEnds) {
  EXPECT_EQ(to_string(arange(1001)), "i64 (1001) [0, 1, 2, ..., 998, 999, 1000]");
  const std::string whole = to_string(arange(1000));
  EXPECT_EQ(whole.find("..."), std::string::npos);
  EXPECT_NE(whole.find(" 500, "), std::string::npos);
  EXPECT_EQ(
      to_string(full({200, 7}, 1, u8)),
      "u8 (200, 7)\n[[1, 1, 1, ..., 1, 1, 1],\n [1, 1, 1, ..., 1, 1, 1],\n [1, 1, 1, ..., 1, 1, 1],\n ...,\n"
      " [1, 1, 1, ..., 1, 1, 1],\n [1, 1, 1, ..., 1, 1, 1],\n [1, 1, 1, ..., 1, 1, 1]]");
  EXPECT_EQ(to_string(full({2, 600}, 0.5)),
            "f32 (2, 600)\n[[0.5, 0.5, 0.5, ..., 0.5, 0.5, 0.5],\n [0.5, 0.5, 0.5, ..., 0.5, 0.5, 0.5]]");
}

TEST(Print, ToAStream) {
  std::ostringstream out;
  out << from({1, 2}) << '|';
  EXPECT_EQ(out.str(), "f32 (2) [1, 2]|");
}

}  // namespace
}  // namespace elk
