// The data sets of digits, each read when it is first needed and kept.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include <elk/data/dataset.hpp>

namespace elk::demo {

class DataSets {
 public:
  explicit DataSets(std::string folder) : folder_(std::move(folder)) {}

  /// digits or mnist. ValueError for another name; FileError when its files are missing or damaged.
  TrainTest get(const std::string& name);
  /// Whether it is there for certain: built in, or read already.
  bool has(const std::string& name);

 private:
  std::string folder_;
  std::mutex mutex_;
  std::map<std::string, TrainTest> read_;
};

}  // namespace elk::demo
