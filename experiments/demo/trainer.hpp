// Training in the background, one run at a time, and what is told of it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <lab/config.hpp>

#include "data.hpp"
#include "network.hpp"

namespace elk::demo {

/// The options of a run on digits or mnist that takes seconds.
lab::TrainConfig quick_config(const std::string& dataset, std::uint32_t seed);

/// When a run is done, its network takes the place of the one that answers. Where none answers yet, the
/// network of every epoch does.
class Trainer {
 public:
  Trainer(DataSets& data, NetworkSlot& slot) : data_(data), slot_(slot) {}
  /// Cancels the run and waits for its end.
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Starts a run and returns its number, from 1 on; nothing when another one is under way. `config` must be
  /// resolved.
  std::optional<int> start(const lab::TrainConfig& config);
  /// Asks the run under way, if any, to end.
  void cancel();
  bool running() const;
  /// The number of the last run; 0 before the first.
  int last() const;

  /// Where somebody who follows a run is.
  struct Reader {
    int run;
    std::uint64_t version = 0;
    std::size_t epochs = 0;
    bool over = false;  ///< nothing more will come
  };
  /// Waits half a second at most and returns the news of the run as server-sent events: `start` (its
  /// options), `progress`, `epoch` (a row of the history) and `end`; or a comment when there are none. A
  /// reader who comes late is told all epochs.
  std::string news(Reader& reader) const;

 private:
  class Report;
  void train(const lab::TrainConfig& config);
  std::string train_to_end(const lab::TrainConfig& config);
  template <class Change>
  void tell(Change change);

  DataSets& data_;
  NetworkSlot& slot_;
  std::thread thread_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // Of the last run; the texts are JSON, empty where there is none yet.
  int run_ = 0;
  bool running_ = false, cancelled_ = false;
  std::uint64_t version_ = 0;
  std::string start_, progress_, end_;
  std::vector<std::string> epochs_;
};

}  // namespace elk::demo
