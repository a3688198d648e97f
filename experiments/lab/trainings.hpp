// Trainings: the work of our own programs, networks that `train` knows.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <elk/data/dataset.hpp>
#include <lab/config.hpp>
#include <lab/work.hpp>

namespace elk::lab {

/// What --dataset calls all that are known, where a program takes several.
constexpr const char* all_sets = "all";
/// Those that --dataset names: one, several with commas between them, or all. UsageError for other names.
std::vector<std::string> sets_named(const std::string& option);

/// Data sets by name, each read when it is first asked for.
class DataSets {
 public:
  /// `folder` is where the data files are; see load_dataset. With `few` above 0 only so many examples are
  /// kept, and a fifth of them to test on. With `digits` above 0 so many of the built-in ones are drawn to
  /// learn from, and 10,000 to test on, as other data sets have.
  explicit DataSets(std::string folder, Index few = 0, Index digits = 0)
      : folder_(std::move(folder)), few_(few), digits_(digits) {}

  const TrainTest& operator[](const std::string& name) { return get(name).data; }
  const std::string& digest(const std::string& name) { return get(name).digest; }

 private:
  struct Loaded {
    TrainTest data;
    std::string digest;
  };
  const Loaded& get(const std::string& name);

  std::string folder_;
  Index few_, digits_;
  std::map<std::string, Loaded> loaded_;
};

/// How many examples a run learns from.
Index train_examples(const TrainConfig& config, const TrainTest& data);

/// See Work::estimate.
double estimated_seconds(const TrainConfig& config, const TrainTest& data);

/// Settings are canonical_json of a TrainConfig.
class Trainings : public Work {
 public:
  explicit Trainings(DataSets sets) : sets_(std::move(sets)) {}

  DataSets& data_sets() { return sets_; }
  std::string data(const std::string& settings) override;
  std::string data_name(const std::string& settings) override;
  optim::Schedule schedule(const std::string& settings) override;
  double estimate(const std::string& settings) override;
  bool run(const std::string& settings, const std::function<bool()>& ended, double bar, RunSummary& summary,
           std::vector<train::HistoryRow>& curve) override;

 private:
  DataSets sets_;
};

}  // namespace elk::lab
