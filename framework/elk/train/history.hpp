// The measurements of a training run after each epoch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace elk::train {

/// An epoch.
struct HistoryRow {
  std::int64_t epoch = 0;  ///< from 1
  std::int64_t step = 0;   ///< updates so far
  // Absent where not measured; a value that is not finite is written as null.
  std::optional<double> train_loss = {}, val_loss = {}, val_accuracy = {}, test_loss = {}, test_accuracy = {};
  double lr = 0;
  std::uint64_t flops = 0;  ///< of training, so far
  double seconds = 0;       ///< of training, this epoch alone
  bool diverged = false;
};

/// JSON Lines: one object a row, keyed by the names of its fields.
std::string to_jsonl(const std::vector<HistoryRow>& history);
/// FileError naming the line for anything that to_jsonl does not write, an accuracy that is not from 0 to 1,
/// and a line with a digest (see HistoryFile) that was changed afterwards. `first_line` is the number of the
/// first.
std::vector<HistoryRow> parse_jsonl(const std::string& text, const std::string& file,
                                    std::int64_t first_line = 1);

}  // namespace elk::train
