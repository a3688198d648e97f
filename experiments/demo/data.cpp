#include "data.hpp"

#include <fmt/format.h>

#include <elk/data/load.hpp>
#include <lab/program.hpp>

namespace elk::demo {

TrainTest DataSets::get(const std::string& name) {
  if (name != "digits" && name != "mnist")
    throw ValueError(fmt::format("dataset: expected digits or mnist, got \"{}\"", name));
  const std::lock_guard lock(mutex_);
  if (const auto at = read_.find(name); at != read_.end()) return at->second;
  return read_.emplace(name, load_dataset(name, folder_, lab::digits_seed)).first->second;
}

bool DataSets::has(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return name == "digits" || read_.count(name) > 0;
}

}  // namespace elk::demo
