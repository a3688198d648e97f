// Runs what a store lacks, several runs at once.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <elk/data/dataset.hpp>
#include <lab/config.hpp>
#include <lab/crew.hpp>
#include <lab/store.hpp>

namespace elk::lab {

/// Data sets by name, each read when it is first asked for.
class DataSets {
 public:
  /// `folder` is where the data files are; see load_dataset. With `few` above 0 only so many examples are
  /// kept, and a fifth of them to test on.
  explicit DataSets(std::string folder, Index few = 0) : folder_(std::move(folder)), few_(few) {}

  const TrainTest& operator[](const std::string& name) { return get(name).data; }
  const std::string& digest(const std::string& name) { return get(name).digest; }

 private:
  struct Loaded {
    TrainTest data;
    std::string digest;
  };
  const Loaded& get(const std::string& name);

  std::string folder_;
  Index few_;
  std::map<std::string, Loaded> loaded_;
};

/// How many examples a run learns from.
Index train_examples(const TrainConfig& config, const TrainTest& data);

/// Seconds that a run takes on one thread of this machine, roughly: for order and progress.
double estimated_seconds(const TrainConfig& config, const TrainTest& data);

struct RunnerOptions {
  std::string program;  ///< whose name is in messages
  int jobs = 1;
  bool quiet = false;
  Crew* crew = nullptr;  ///< who does the runs, in place of threads of this process; must outlive the runner
};

/// What a worker of a crew does: the runs that rank 0 sends, one after the other on one thread, until that
/// dismisses it. A worker that a signal ends gives its run back.
void work(Crew& crew, DataSets& data);
/// For rank 0: tells all workers that there is no more work, and waits for their answers.
void dismiss(Crew& crew, const std::string& program);

/// Each run has a thread of its own (or a process of a crew) and works on that alone, so its bits are the
/// same for any number of jobs, and throughput grows with the processors.
class Runner {
 public:
  /// All that is given by reference must outlive the runner.
  Runner(Store& store, DataSets& data, RunnerOptions options);
  ~Runner();

  /// Sees that the store has every one of `configs` (resolved), and returns their lines in that order; of a
  /// failed run its line, too. Runs that another process is at are waited for, and taken over if it dies.
  /// Throws Stopped when a signal has asked for the end, and FileError when the store cannot be written: what
  /// was complete is kept.
  std::vector<RunSummary> run(const std::vector<TrainConfig>& configs);

  struct Stopped {};

 private:
  struct Worker;
  class Queue;
  class Board;
  void run_here(Queue& queue, Board& board);
  void hand_out(Queue& queue, Board& board);

  Store& store_;
  DataSets& data_;
  RunnerOptions options_;
  std::vector<Worker> workers_;  // by their ranks; of rank 0 nothing
};

}  // namespace elk::lab
