// The run store: a folder that keeps what every run of an experiment came to, so that none is ever done
// twice.
//
//   summaries.jsonl      one line a run; it comes last and marks the run complete
//   curves.jsonl         one line an epoch of a run, in front of whose line it was written
//   curves.jsonl.aside   what was found in curves.jsonl and is no run's curve, if anything ever was
//   store.lock           locks of the processes at work on the store; empty
//
// Every line has a digest (see elk::with_digest); those of earlier versions have none.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <elk/train/history.hpp>
#include <lab/provenance.hpp>

namespace elk::lab {

/// Raised when the arithmetic changes, so that numbers of before and after are never taken for one another.
constexpr int results_version = 6;

/// What a run came to: a line of summaries.jsonl.
struct RunSummary {
  std::string key;
  std::string status;  ///< done, diverged, hopeless (see Runner::run) or failed
  std::string error;   ///< where it diverged, or why it failed
  std::string config;  ///< the options, as one line of JSON
  // Absent of a failed or hopeless run; a value that is not finite is written as null and read as NaN.
  std::optional<double> train_loss, val_loss, val_accuracy;  ///< of the weights that were tested
  std::optional<double> test_loss, test_accuracy;
  std::map<std::string, double> metrics;  ///< what else it was measured by
  std::int64_t best_epoch = 0;  ///< whose weights were tested: the last one, or the best by validation
  std::int64_t epochs = 0, steps = 0, parameters = 0;
  std::uint64_t flops = 0;
  double seconds = 0;  ///< of a processor, for training and measuring
  // Not part of the key: they tell where the numbers come from.
  std::string data, date, version, commit, processor;
  ComputedWith with;
};

/// A line of summaries.jsonl, and what it says: ValueError for what is no run's.
std::string to_line(const RunSummary& run);
RunSummary parse_line(const std::string& line);

/// The key of a run: the SHA-256 of its settings as canonical JSON (names sorted, no spaces), of the digest
/// of its data and of results_version.
std::string run_key(const std::string& settings, const std::string& data_digest);

/// A run as a store keeps it: its line, and those of its epochs. To write them takes much longer than to add
/// them, so whoever did the run does it.
class Record {
 public:
  /// ValueError where the curve does not have the epochs 1, 2, ... A failed run has none.
  Record(const RunSummary& run, const std::vector<train::HistoryRow>& curve);
  /// Of the text() of another one. ValueError, or an exception of the JSON library, for anything else; the
  /// digests of the epochs are for who reads them.
  explicit Record(std::string text);

  const std::string& text() const { return text_; }  ///< the run's line, and behind it its epochs
  const RunSummary& run() const { return run_; }     ///< as its line says
  std::string_view line() const { return std::string_view(text_).substr(0, line_size_); }
  std::string_view curve() const { return std::string_view(text_).substr(line_size_); }
  std::int64_t epochs() const { return epochs_; }  ///< lines of curve()

 private:
  std::string text_;
  std::size_t line_size_;
  RunSummary run_;
  std::int64_t epochs_ = 0;
};

/// A store may be used by several threads, and its folder by several processes at once. A kill at any moment
/// loses the runs under way and nothing else: what it left half written, at the end of the files, is removed
/// by the next one that writes. What is damaged elsewhere in the curves is not removed but moved aside, with
/// a warning on standard error.
class Store {
 public:
  /// A store that is only read needs no right to write, and is neither made nor changed.
  enum class Access { write, read };

  /// Opens the store in `folder`, making both where they are missing and it is to be written. FileError when
  /// that cannot be done, and for a line that is no run's: the message names it, and the files stay as they
  /// are.
  explicit Store(const std::string& folder, Access access = Access::write);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// Whether `folder` holds a store.
  static bool exists(const std::string& folder);

  /// Takes notice of what other processes have added.
  void refresh();
  /// What is known of a run. A failed one may be tried again: its last line counts.
  std::optional<RunSummary> find(const std::string& key) const;
  /// The latest line of every run, in the order in which the runs entered the store.
  std::vector<RunSummary> runs() const;
  /// Whether all of a run is there, its line and its curve, and it has not failed.
  bool complete(const std::string& key);
  /// The epochs of a run; none when it failed. FileError when they are not all there.
  std::vector<train::HistoryRow> curve(const std::string& key);

  /// Takes a run on for this store object, unless another one has; it ends with release(), or with the
  /// process.
  bool claim(const std::string& key);
  void release(const std::string& key);

  /// Removes what killed processes have left, and moves aside what is damaged, as add() does.
  void mend();
  /// Adds a run, unless the store has all of it already. FileError when the disk is full or the like: then
  /// nothing was added.
  void add(const RunSummary& run, const std::vector<train::HistoryRow>& curve);
  /// Adds several, with one wait for the disk: when it returns, all of them are kept. At a FileError those in
  /// front of the one that it met may have been added.
  void add(const std::vector<Record>& records);

 private:
  class Lock;
  struct Descriptor;
  // Consecutive epochs of a run, or lines that are none.
  struct Piece {
    std::string key = {}, problem = {};  // one of them is empty
    std::int64_t line = 0, begin = 0, end = 0;
    std::int64_t epochs = 0;  // from the first on; below 0 where the first is missing
  };

  std::string path(const char* name) const { return folder_ + "/" + name; }
  void read_summaries();
  void know(RunSummary run);
  void index_curves();  // both with nobody writing, as all below
  void add_piece(Piece piece);
  void follow_curves();
  const Piece* known_curve(const std::string& key) const;
  const Piece* find_curve(const std::string& key);
  void remove_unfinished();
  void move_aside();
  Descriptor write(const std::vector<Record>& records);
  void append(int file, const char* name, std::string_view text);
  void sync(int file, const char* name);

  std::string folder_;
  Access access_;
  int lock_ = -1, summaries_ = -1, curves_ = -1;
  mutable std::mutex mutex_;
  std::vector<RunSummary> runs_;
  std::unordered_map<std::string, std::size_t> position_;  // of a key in runs_
  std::int64_t summaries_read_ = 0, lines_read_ = 0;       // bytes and lines known
  std::int64_t curves_read_ = 0, curves_lines_ = 0;        // bytes and lines known, those of pieces_
  std::vector<Piece> pieces_;
  std::size_t kept_ = 0;  // pieces, from the first on, that are known to be the curve of a run
  std::unordered_map<std::string, std::size_t> piece_of_;  // the last of a key
};

}  // namespace elk::lab
