#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>
#include <unordered_map>

#include <elk/base/format.hpp>
#include <elk/data/byte_file.hpp>
#include <elk/data/csv.hpp>
#include <elk/kernels/kernels.hpp>

namespace elk {

namespace {

// Reads field by field; `line` is that of the place where it is.
class Reader {
 public:
  Reader(std::string_view text, char separator, const std::string& file)
      : text_(text), separator_(separator), file_(file) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  // The fields of the next line that is not empty; none at the end.
  std::vector<std::string> row() {
    while (at_ < text_.size() && end_of_line()) {
    }
    row_line_ = line_;
    std::vector<std::string> fields;
    if (at_ == text_.size()) return fields;
    do fields.push_back(field());
    while (at_ < text_.size() && text_[at_] == separator_ && ++at_ > 0);
    if (at_ < text_.size() && !end_of_line()) fail("a quote within a field");
    return fields;
  }

  std::int64_t row_line() const { return row_line_; }

  [[noreturn]] void fail(const std::string& problem) const {
    elk::fail<FileError>("[csv] {}: line {}: {}", file_, line_, problem);
  }

 private:
  // Steps over a line break, if there is one.
  bool end_of_line() {
    std::size_t size = 0;
    if (text_.substr(at_).starts_with("\r\n"))
      size = 2;
    else if (text_[at_] == '\n')
      size = 1;
    at_ += size;
    line_ += size > 0;
    return size > 0;
  }

  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] != separator_ && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }

  std::string field() {
    skip_spaces();
    if (at_ < text_.size() && text_[at_] == '"') return quoted();
    std::string value;
    for (; at_ < text_.size() && text_[at_] != separator_ && text_[at_] != '\n'; ++at_) {
      if (text_.substr(at_).starts_with("\r\n")) break;
      if (text_[at_] == '"') fail("a quote within a field");
      if (text_[at_] == '\0') fail("a zero byte: this is no text");
      value += text_[at_];
    }
    value.erase(value.find_last_not_of(" \t") + 1);
    return value;
  }

  std::string quoted() {
    const std::int64_t begun = line_;
    std::string value;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\0') fail("a zero byte: this is no text");
      line_ += text_[at_] == '\n';
      if (text_[at_] != '"') {
        value += text_[at_];
      } else if (text_.substr(at_).starts_with("\"\"")) {
        value += text_[at_++];
      } else {
        ++at_;
        skip_spaces();
        return value;
      }
    }
    line_ = begun;
    fail("a quote that is never closed");
  }

  std::string_view text_;
  char separator_;
  const std::string& file_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1, row_line_ = 1;
};

std::optional<double> number(const std::string& field) {
  double value = 0;
  const char* begin = field.data();
  const char* const end = begin + field.size();
  if (begin != end && *begin == '+') ++begin;
  const auto [stop, error] = std::from_chars(begin, end, value);
  // What is too large or too small for a double is an infinity or 0.
  if (error == std::errc::result_out_of_range && stop == end) return std::strtod(field.c_str(), nullptr);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

Tensor in_dtype_of(const Tensor& x, const Tensor& y) {
  return y.dtype() == x.dtype() ? y : kernels::cast(y, x.dtype());
}

void check_columns(const char* operation, const Tensor& x) {
  if (x.rank() != 2) fail<ShapeError>("[{}] expected x (N, columns), got {}", operation, x.shape());
  if (!is_float(x.dtype()))
    fail<DTypeError>("[{}] expected f32 or f64, got {}: convert with cast", operation, x.dtype());
}

}  // namespace

Table::Table(std::vector<std::string> names, std::vector<std::vector<std::string>> rows,
             std::vector<std::string> missing, std::vector<std::int64_t> lines)
    : names_(std::move(names)),
      missing_(std::move(missing)),
      rows_(std::move(rows)),
      lines_(std::move(lines)) {
  for (std::size_t i = 0; i < rows_.size(); ++i)
    if (rows_[i].size() != names_.size())
      fail<ShapeError>("[table] row {} has {} fields, there are {} columns", i, rows_[i].size(),
                       names_.size());
}

std::string Table::place(Index row) const {
  const auto at = static_cast<std::size_t>(row);
  return at < lines_.size() ? fmt::format("line {}", lines_[at]) : fmt::format("row {}", row);
}

std::size_t Table::find(const std::string& column) const {
  const auto at = std::find(names_.begin(), names_.end(), column);
  if (at == names_.end())
    fail<ValueError>("[table] there is no column \"{}\": there are {}", column, fmt::join(names_, ", "));
  if (std::find(at + 1, names_.end(), column) != names_.end())
    fail<ValueError>("[table] there are several columns \"{}\"", column);
  return static_cast<std::size_t>(at - names_.begin());
}

bool Table::is_missing(const std::string& field) const {
  return std::find(missing_.begin(), missing_.end(), field) != missing_.end();
}

std::vector<std::string> Table::text(const std::string& column) const {
  const std::size_t at = find(column);
  std::vector<std::string> values;
  for (const auto& row : rows_) values.push_back(row[at]);
  return values;
}

Tensor Table::column(const std::string& column) const {
  const std::vector<std::string> fields = text(column);
  std::vector<double> values;
  for (const std::string& field : fields) {
    const auto value = is_missing(field) ? std::numeric_limits<double>::quiet_NaN() : number(field);
    if (!value)
      fail<ValueError>("[table] column \"{}\" {}: expected a number, got \"{}\"", column,
                       place(static_cast<Index>(values.size())), field);
    values.push_back(*value);
  }
  return from(values);
}

Tensor Table::numbers(const std::vector<std::string>& columns) const {
  std::vector<double> values(rows_.size() * columns.size());
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const Tensor values_of = column(columns[c]);
    for (std::size_t i = 0; i < rows_.size(); ++i)
      values[i * columns.size() + c] = values_of.data<double>()[i];
  }
  return from(values, {rows(), static_cast<Index>(columns.size())});
}

Categories Table::categories(const std::string& column) const {
  std::vector<std::string> found;
  for (std::string& field : text(column))
    if (!is_missing(field)) found.push_back(std::move(field));
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  Tensor ids = categories(column, found);
  return {std::move(ids), std::move(found)};
}

Tensor Table::categories(const std::string& column, const std::vector<std::string>& names) const {
  std::unordered_map<std::string_view, Index> known;
  for (std::size_t i = 0; i < names.size(); ++i) known.emplace(names[i], static_cast<Index>(i));
  std::vector<Index> ids;
  for (const std::string& field : text(column)) {
    const auto at = known.find(field);
    ids.push_back(at == known.end() || is_missing(field) ? -1 : at->second);
  }
  return from(ids);
}

Table parse_csv(std::string_view text, const CsvOptions& options, const std::string& file) {
  Reader reader(text, options.separator, file);
  std::vector<std::string> first = reader.row();
  if (first.empty()) fail<FileError>("[csv] {} is empty", file);
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::int64_t> lines;
  if (options.header) {
    names = std::move(first);
  } else {
    for (std::size_t i = 0; i < first.size(); ++i) names.push_back(std::to_string(i));
    rows.push_back(std::move(first));
    lines.push_back(reader.row_line());
  }
  for (std::vector<std::string> row = reader.row(); !row.empty(); row = reader.row()) {
    if (row.size() != names.size())
      fail<FileError>("[csv] {}: line {} has {} fields, the first line has {}", file, reader.row_line(),
                      row.size(), names.size());
    rows.push_back(std::move(row));
    lines.push_back(reader.row_line());
  }
  return Table(std::move(names), std::move(rows), options.missing, std::move(lines));
}

Table read_csv(const std::string& path, const CsvOptions& options) {
  detail::ByteFile file(path);
  std::string text;
  std::vector<std::uint8_t> block(1 << 16);
  while (const std::size_t size = file.read(block))
    text.append(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(size));
  return parse_csv(text, options, path);
}

Tensor column_means(const Tensor& x) {
  check_columns("column_means", x);
  const Index columns = x.size(1);
  std::vector<double> means;
  for (Index column = 0; column < columns; ++column) {
    double sum = 0, count = 0;
    for (Index i = column; i < x.size(); i += columns)
      if (const double value = x.at(i); !std::isnan(value)) sum += value, ++count;
    if (count == 0) fail<ValueError>("[column_means] column {} has no value", column);
    means.push_back(sum / count);
  }
  return in_dtype_of(x, from(means));
}

Tensor fill_missing(const Tensor& x, const Tensor& values) {
  check_columns("fill_missing", x);
  if (values.shape() != Shape{x.size(1)})
    fail<ShapeError>("[fill_missing] expected values ({}) for x {}, got {}", x.size(1), x.shape(),
                     values.shape());
  std::vector<double> filled;
  for (Index i = 0; i < x.size(); ++i) {
    const double value = x.at(i);
    filled.push_back(std::isnan(value) ? values.at(i % x.size(1)) : value);
  }
  return in_dtype_of(x, from(filled, x.shape()));
}

}  // namespace elk
