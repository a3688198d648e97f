// Tables of text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <elk/data/csv.hpp>
#include <support.hpp>

namespace elk {
namespace {

using test::error_of;
using test::values;
using testing::DoubleEq;
using testing::ElementsAre;
using testing::NanSensitiveDoubleEq;

const std::string cars =
    "\xEF\xBB\xBFname, weight,\"maker, or brand\",price\r\n"
    "a,1200,Volvo,+1.5e3\r\n"
    "\"b \"\"two\"\"\", NA , Audi,-2\r\n"
    "\r\n"
    "\"c\nnext\",900,,?\r\n";

TEST(Csv, ReadsQuotesBreaksAndMissingValues) {
  const Table table = parse_csv(cars);
  EXPECT_THAT(table.names(), ElementsAre("name", "weight", "maker, or brand", "price"));
  EXPECT_EQ(table.rows(), 3);
  EXPECT_THAT(table.text("name"), ElementsAre("a", "b \"two\"", "c\nnext"));
  EXPECT_THAT(values(table.column("weight")),
              ElementsAre(DoubleEq(1200), NanSensitiveDoubleEq(NAN), DoubleEq(900)));
  const Tensor both = table.numbers({"price", "weight"});
  EXPECT_EQ(both.shape(), (Shape{3, 2}));
  EXPECT_EQ(both.at(0), 1500);
  EXPECT_EQ(both.at(2), -2);
  EXPECT_TRUE(std::isnan(both.at(4)));
  EXPECT_EQ(table.numbers(std::vector<std::string>{}).shape(), (Shape{3, 0}));
}

TEST(Csv, WordsAreCategories) {
  const Table table = parse_csv(cars);
  const Categories maker = table.categories("maker, or brand");
  EXPECT_THAT(maker.names, ElementsAre("Audi", "Volvo"));
  EXPECT_EQ(maker.ids.dtype(), i64);
  EXPECT_THAT(values(maker.ids), ElementsAre(1, 0, -1));
  EXPECT_THAT(values(table.categories("maker, or brand", {"Saab", "Volvo"})), ElementsAre(1, -1, -1));
}

TEST(Csv, WithoutHeaderAndWithOtherSeparators) {
  const Table table = parse_csv("1;2\n3;4", {.separator = ';', .header = false});
  EXPECT_THAT(table.names(), ElementsAre("0", "1"));
  EXPECT_THAT(values(table.numbers({"0", "1"})), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(values(parse_csv("a\tb\n1\t\n", {.separator = '\t'}).column("a")), ElementsAre(1));
  EXPECT_EQ(parse_csv("a,b\n").rows(), 0);
  EXPECT_THAT(parse_csv("a,b\n,\n").text("b"), ElementsAre(""));
}

TEST(Csv, NumbersOfEverySize) {
  EXPECT_THAT(values(parse_csv("x\n1e999\n-1e999\n1e-999\ninf\n.5").column("x")),
              ElementsAre(HUGE_VAL, -HUGE_VAL, 0, HUGE_VAL, 0.5));
}

TEST(Csv, ReadsFilesPackedOrNot) {
  const std::string path = testing::TempDir() + "cars.csv";
  std::ofstream(path) << cars;
  EXPECT_EQ(read_csv(path).rows(), 3);
  EXPECT_EQ(error_of<FileError>([&] { (void)read_csv(path, {.separator = ';'}); }),
            "[csv] " + path + ": line 1: a quote within a field");
  std::filesystem::remove(path);
  EXPECT_EQ(error_of<FileError>([&] { (void)read_csv(path); }), "[data] " + path + " does not exist");
}

TEST(Csv, SaysWhatIsWrong) {
  const auto refused = [](const std::string& text) {
    return error_of<FileError>([&] { (void)parse_csv(text, {}, "x.csv"); });
  };
  EXPECT_EQ(refused(""), "[csv] x.csv is empty");
  EXPECT_EQ(refused("\n\r\n"), "[csv] x.csv is empty");
  EXPECT_EQ(refused("a,b\n1,2\n\n1,2,3\n"), "[csv] x.csv: line 4 has 3 fields, the first line has 2");
  EXPECT_EQ(refused("a,b\n1,\"2\n"), "[csv] x.csv: line 2: a quote that is never closed");
  EXPECT_EQ(refused("a,b\n1,2\"\n"), "[csv] x.csv: line 2: a quote within a field");
  EXPECT_EQ(refused("a,b\n1,\"2\"3\n"), "[csv] x.csv: line 2: a quote within a field");
  EXPECT_EQ(refused(std::string("a,b\n1,\0\n", 8)), "[csv] x.csv: line 2: a zero byte: this is no text");
}

TEST(Table, SaysWhatIsWrong) {
  const Table table = parse_csv("a,b,b\n1,x,2\n");
  EXPECT_EQ(error_of<ValueError>([&] { (void)table.text("c"); }),
            "[table] there is no column \"c\": there are a, b, b");
  EXPECT_EQ(error_of<ValueError>([&] { (void)table.text("b"); }), "[table] there are several columns \"b\"");
  EXPECT_EQ(error_of<ValueError>([&] { (void)parse_csv("a\n1\n1 2\n").column("a"); }),
            "[table] column \"a\" line 3: expected a number, got \"1 2\"");
  EXPECT_EQ(error_of<ValueError>([&] { (void)parse_csv("\n\n\"a\nb\"\n\n1\nx\n").column("a\nb"); }),
            "[table] column \"a\nb\" line 7: expected a number, got \"x\"");
  EXPECT_EQ(error_of<ValueError>([&] { (void)parse_csv("1\nx\n", {.header = false}).column("0"); }),
            "[table] column \"0\" line 2: expected a number, got \"x\"");
  EXPECT_EQ(error_of<ValueError>([&] {
              (void)Table({"a"}, {{"1"}, {"x"}}).column("a");
            }),
            "[table] column \"a\" row 1: expected a number, got \"x\"");
  EXPECT_EQ(error_of<ShapeError>([] {
              Table({"a"}, {{"1"}, {"1", "2"}});
            }),
            "[table] row 1 has 2 fields, there are 1 columns");
}

TEST(FillMissing, ByTheMeansOfTheOthers) {
  const Tensor x = from({1, 10, NAN, 20, 3, NAN}, {3, 2}, f64), means = column_means(x);
  EXPECT_THAT(values(means), ElementsAre(2, 15));
  EXPECT_THAT(values(fill_missing(x, means)), ElementsAre(1, 10, 2, 20, 3, 15));
  EXPECT_EQ(error_of<ValueError>([] {
              (void)column_means(full({2, 1}, NAN));
            }),
            "[column_means] column 0 has no value");
  EXPECT_EQ(error_of<ShapeError>([] { (void)column_means(zeros({2})); }),
            "[column_means] expected x (N, columns), got (2)");
  EXPECT_EQ(error_of<DTypeError>([] {
              (void)column_means(zeros({2, 2}, i64));
            }),
            "[column_means] expected f32 or f64, got i64: convert with cast");
  EXPECT_EQ(error_of<ShapeError>([&] { (void)fill_missing(x, zeros({3}, f64)); }),
            "[fill_missing] expected values (2) for x (3, 2), got (3)");
}

}  // namespace
}  // namespace elk
