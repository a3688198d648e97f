// Tables of text: comma-separated values as spreadsheets and other programs write them.
//
//   const elk::Table cars = elk::read_csv("cars.csv");
//   const elk::Tensor x = cars.numbers({"horsepower", "weight"});  // f64 (N, 2), NaN where missing
//   const elk::Categories maker = cars.categories("maker");        // i64 (N), and their names
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <elk/tensor/tensor.hpp>

namespace elk {

/// How a file is written.
struct CsvOptions {
  char separator = ',';
  bool header = true;  ///< the first line names the columns; else they are "0", "1", ...
  /// Texts that stand for a missing value.
  std::vector<std::string> missing = {"", "NA", "N/A", "NaN", "nan", "null", "?"};
};

/// A column of words as numbers.
struct Categories {
  Tensor ids;                      ///< i64 (N); positions in `names`, -1 where the value is missing
  std::vector<std::string> names;  ///< each once, in the order of the alphabet
};

/// Rows of named columns. ValueError for a column that is not there or named twice.
class Table {
 public:
  /// All rows must have as many fields as there are names (ShapeError). `lines`: the line of a file where
  /// each row begins, if there is a file.
  Table(std::vector<std::string> names, std::vector<std::vector<std::string>> rows,
        std::vector<std::string> missing = CsvOptions().missing, std::vector<std::int64_t> lines = {});

  const std::vector<std::string>& names() const { return names_; }
  /// N.
  Index rows() const { return static_cast<Index>(rows_.size()); }
  /// Where a row is, for messages: "line 5" of its file, or "row 3", counted from 0, of a table without a
  /// file.
  std::string place(Index row) const;

  /// A column as it stands in the file.
  std::vector<std::string> text(const std::string& column) const;
  /// A column as f64 (N), NaN where missing. ValueError naming the place of a field that is not a number.
  Tensor column(const std::string& column) const;
  /// Columns side by side, f64 (N, columns).
  Tensor numbers(const std::vector<std::string>& columns) const;
  /// A column of words as ids.
  Categories categories(const std::string& column) const;
  /// The same with known names, such as those of the training data: -1 for any other word.
  Tensor categories(const std::string& column, const std::vector<std::string>& names) const;

 private:
  std::size_t find(const std::string& column) const;
  bool is_missing(const std::string& field) const;

  std::vector<std::string> names_, missing_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::int64_t> lines_;
};

/// Reads a file as RFC 4180 describes it: fields between quotes may hold separators, line breaks and doubled
/// quotes; lines end with LF or CRLF; empty lines and a byte order mark are skipped. Spaces around a field
/// without quotes are removed. A file packed by gzip is unpacked. FileError, naming the line, for another
/// number of fields than the first line has, a quote that is never closed or within a field, and a zero byte;
/// and for an empty file.
Table read_csv(const std::string& path, const CsvOptions& options = {});

/// The content of a file that is already in memory; `file` names it in messages.
Table parse_csv(std::string_view text, const CsvOptions& options = {}, const std::string& file = "memory");

/// The mean of each column of x (N, columns), without NaN, as (columns). ValueError for a column with nothing
/// but NaN; ShapeError for another rank, DTypeError for integers.
Tensor column_means(const Tensor& x);

/// x (N, columns) with `values` (columns) in the place of NaN: fill_missing(x, column_means(train)).
/// ShapeError and DTypeError where they do not fit.
Tensor fill_missing(const Tensor& x, const Tensor& values);

}  // namespace elk
