// Whether a drawing looks like any digit that is known. The network's own probabilities do not tell: they are
// high for scribbles too.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "data.hpp"

namespace elk::demo {

/// The distance of an image from the digits of a data set: 1 minus the largest cosine between it and one of
/// their first `count` training images, all blurred a little. 0 is equal, 1 has no ink in common.
class Familiar {
 public:
  static constexpr Index count = 4000;

  /// The limit is where of drawings that are no digits (see doodle()) one in twenty is nearer.
  explicit Familiar(const Dataset& digits);

  /// Of pixels (1, 784), 0 to 1.
  double distance(const Tensor& pixels) const;
  double limit() const { return limit_; }

 private:
  Tensor known_;  // (count, 784), each of length 1
  double limit_ = 0;
};

/// One for each data set, made when it is first needed.
class Familiars {
 public:
  explicit Familiars(DataSets& data) : data_(data) {}
  /// Of the built-in digits where the files of `dataset` are missing.
  std::shared_ptr<const Familiar> get(const std::string& dataset);

 private:
  DataSets& data_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Familiar>> made_;
};

}  // namespace elk::demo
