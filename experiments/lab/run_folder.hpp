// The folder that a run leaves: config.json, history.jsonl, model.safetensors, checkpoint.safetensors,
// curves.
#pragma once

#include <string>

#include <lab/provenance.hpp>

namespace elk::lab {

/// The next free runs/<program>-N, made. Safe when several programs ask at once. FileError when it cannot be
/// made.
std::string new_run_folder(const std::string& program);

/// The runs/<program>-N of the highest N; UsageError when there is none.
std::string latest_run_folder(const std::string& program);

/// A run's folder while it is written to: no other process has it, by a lock on its file run.lock that ends
/// with the process, however that ends.
class RunFolder {
 public:
  /// Takes `folder`, made where it is missing, for a new run. UsageError when it is in use, or holds a run or
  /// a file of one already: nothing is ever overwritten. FileError when it cannot be made or locked.
  static RunFolder for_new(const std::string& folder);
  /// Takes the folder of a run that is to go on. UsageError when it is in use.
  static RunFolder of_run(const std::string& folder) { return RunFolder(folder); }

  ~RunFolder();
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit RunFolder(const std::string& folder);

  std::string path_;
  int lock_ = -1;
};

/// What the checkpoint of a run says of it.
struct RunRecord {
  std::string config;       ///< as config.json was written
  std::string data_digest;  ///< see data_digest(); empty when it was made by a version that kept none
  ComputedWith with;        ///< likewise
};

/// Of the run in `folder`. UsageError, naming --resume, when there is none; FileError when the checkpoint is
/// damaged or of something else.
RunRecord read_run_record(const std::string& folder);

}  // namespace elk::lab
