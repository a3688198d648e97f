#include <gtest/gtest.h>

#include <elk/base/dtype.hpp>
#include <elk/base/error.hpp>

namespace elk {
namespace {

TEST(DType, NamesAndSizes) {
  EXPECT_STREQ(name(f32), "f32");
  EXPECT_STREQ(name(f64), "f64");
  EXPECT_STREQ(name(i64), "i64");
  EXPECT_STREQ(name(u8), "u8");
  EXPECT_EQ(byte_size(f32), sizeof(float));
  EXPECT_EQ(byte_size(f64), sizeof(double));
  EXPECT_EQ(byte_size(i64), sizeof(std::int64_t));
  EXPECT_EQ(byte_size(u8), 1u);
  EXPECT_TRUE(is_float(f32) && is_float(f64));
  EXPECT_FALSE(is_float(i64) || is_float(u8));
  static_assert(dtype_of<float> == f32 && dtype_of<double> == f64);
  static_assert(dtype_of<std::int64_t> == i64 && dtype_of<std::uint8_t> == u8);
}

template <class E>
void expect_caught_as_error() {
  try {
    throw E("[op] why");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[op] why");
  }
}

TEST(Errors, AreOneFamily) {
  expect_caught_as_error<ShapeError>();
  expect_caught_as_error<DTypeError>();
  expect_caught_as_error<IndexError>();
  expect_caught_as_error<ValueError>();
  expect_caught_as_error<TapeError>();
  expect_caught_as_error<FileError>();
}

}  // namespace
}  // namespace elk
