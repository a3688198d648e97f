// Runs what a store lacks, several runs at once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <lab/crew.hpp>
#include <lab/store.hpp>
#include <lab/work.hpp>

namespace elk::lab {

struct RunnerOptions {
  std::string program;  ///< whose name is in messages
  int jobs = 1;
  bool quiet = false;
  Crew* crew = nullptr;  ///< who does the runs, in place of threads of this process; must outlive the runner
};

/// What a worker of a crew does: the runs that rank 0 sends, one after the other on one thread, until that
/// dismisses it. A worker that a signal ends gives its run back.
void serve(Crew& crew, Work& work);
/// For rank 0: tells all workers that there is no more work, and waits for their answers.
void dismiss(Crew& crew, const std::string& program);

/// Each run has a thread of its own (or a process of a crew) and works on that alone, so its bits are the
/// same for any number of jobs, and throughput grows with the processors.
class Runner {
 public:
  /// All that is given by reference must outlive the runner.
  Runner(Store& store, Work& work, RunnerOptions options);
  ~Runner();

  /// Sees that the store has the runs of all these settings (canonical JSON), and returns their lines in that
  /// order; of a failed run its line, too. Runs that another process is at are waited for, and taken over if
  /// it dies. Throws Stopped when a signal has asked for the end, and FileError when the store cannot be
  /// written: what was complete is kept.
  ///
  /// A run that has one of `bars` that is finite ends early where its validation loss is not going to get
  /// down to that (see Work::run). Then its status is "hopeless", and as another bar would end it elsewhere,
  /// the bar is a part of its settings, as "stop-hopeless", and of its key. One that comes to its end is as
  /// any other. Where a run is asked for with several bars, the highest counts.
  std::vector<RunSummary> run(const std::vector<std::string>& settings, const std::vector<double>& bars = {});

  struct Stopped {};

 private:
  struct Worker;
  class Queue;
  class Board;
  void run_here(Queue& queue, Board& board);
  void hand_out(Queue& queue, Board& board);

  Store& store_;
  Work& work_;
  RunnerOptions options_;
  std::vector<Worker> workers_;  // by their ranks; of rank 0 nothing
};

}  // namespace elk::lab
