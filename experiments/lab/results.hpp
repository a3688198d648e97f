// What an experiment found: the struct that every program fills, and its file results.json.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace elk::lab {

/// A measured number over seeds. What could not be measured is NaN.
struct Estimate {
  double mean = std::numeric_limits<double>::quiet_NaN();
  /// The 95% interval of the mean; NaN with one seed.
  double low = std::numeric_limits<double>::quiet_NaN(), high = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> values = {};  ///< one a seed
};

/// A point of the question's grid: what was run for it, and what came out.
struct Point {
  std::string series = {}, label = {};  ///< "ReLU", "width 64": a row of the table
  double x = 0;
  std::map<std::string, Estimate> measured = {};  ///< "test_accuracy", "val_loss", ...
  std::optional<double> reported = {};            ///< the study's number, in the unit of Results::compared
  std::string agrees = {};                        ///< whether ours agrees with it: "", "yes", "no", "exactly"
  std::int64_t parameters = 0;                    ///< 0: not told
  std::uint64_t flops = 0;                        ///< of training, all seeds
  double seconds = 0;                             ///< of training, all seeds
  std::int64_t diverged = 0, failed = 0;          ///< of the runs
  std::string config = {};                        ///< config.json of the first seed
  std::int64_t images = 0, examples = 0;          ///< of the test set, and to learn from; 0: not told
  /// Where `examples` counts those seen, one as often as it is: so many different ones there were; 0: without
  /// end, or not told.
  std::int64_t unique = 0;
  /// Where the test set was measured after every epoch: "flops", "train_loss", "val_loss" and "test_loss" of
  /// every seed, to five digits, from which whatever is said of epochs can be computed again.
  std::map<std::string, std::vector<std::vector<double>>> curves = {};
};

struct Table {
  std::string title = {};
  std::vector<std::string> columns = {};
  std::vector<std::vector<std::string>> rows = {};  ///< each as long as `columns`
  std::string note = {};                            ///< below the table
};

struct Picture {
  std::string title = {};
  std::string file = {};  ///< <file>.svg and <file>.png beside results.json
};

struct Cost {
  std::int64_t runs = 0;
  double seconds = 0;
  std::uint64_t flops = 0;
};

struct Results {
  std::string program = {};   ///< "width"
  std::string title = {};     ///< "Width of the hidden layer"
  std::string question = {};  ///< one sentence
  std::string protocol = {}, dataset = {};
  std::string data = {};                                                ///< Question::data
  std::string status = "done";                                          ///< "done", "stopped" or "failed"
  std::vector<std::pair<std::string, std::string>> configuration = {};  ///< what all runs have in common
  std::string compared = "test_accuracy";  ///< the measured number that Point::reported is of
  std::vector<Point> points = {};
  std::vector<Table> tables = {};
  std::vector<Picture> pictures = {};
  std::vector<std::string> verdicts = {};  ///< sentences, computed from the data
  std::vector<std::string> warnings = {}, failures = {};
  std::map<std::string, double> numbers = {};  ///< what verdicts and documents quote
  Cost cost = {};                              ///< of all runs behind it
  std::string machine = {}, version = {}, commit = {};
  std::string command = {};  ///< makes it again
  std::string date = {};
  /// What was counted, tuned, chosen, held out, excluded and compared, after M. Li et al., "(Mis)Fitting: a
  /// survey of scaling laws", 2025.
  std::vector<std::pair<std::string, std::string>> checklist = {};
};

/// Whether the command that made them has the option "--quick", say.
bool made_with(const Results& results, std::string_view option);

/// How many examples a point's runs learn from: as it tells, or as its configuration does of a whole data
/// set. None where neither does.
std::optional<std::int64_t> training_examples(const Point& point);
/// The runs of a cell that did not fail.
std::int64_t seeds(const Point& point);

/// The text of results.json: one object, whose "format" is "elkgrad-results/1" and whose other names are
/// those above. What is not finite is written as null, bytes that are no UTF-8 as U+FFFD.
std::string to_json(const Results& results);

/// What to_json() wrote, with or without elk::with_digest; null is read as NaN. Files of version 0.1.0 lack
/// Point::images, examples and unique, Point::curves, Results::data and checklist, which stay empty.
/// FileError naming `file`, the place and what is wrong there when something is missing, unknown or of
/// another type, when a table's row is not as long as its columns, or when a picture's file lies elsewhere.
Results parse_results(const std::string& text, const std::string& file);

}  // namespace elk::lab
