// Tensors that every part of a step has, added up in a fixed tree over the parts: by one process, or by the
// ranks of a team, which begin to send what is there while the rest is still computed.
#pragma once

#include <memory>
#include <vector>

#include <elk/base/precision.hpp>
#include <elk/tensor/tensor.hpp>
#include <elk/train/team.hpp>

namespace elk::train {

/// The parts of a step, in ascending order; ranks share them as Parts does.
struct Cut {
  Index count = 1;                   ///< of all parts
  Index first = 0, last = 1;         ///< this rank's, without the last
  Team* team = nullptr;              ///< null or one of one: all are here
  Precision wire = Precision::full;  ///< bf16: every number of the tree is rounded, and sent so
};

/// The first part of a rank.
Index first_part(Index count, int rank, int ranks);

/// The sums of a step. They go by the tree and not by who adds: parts 0 and 1, 2 and 3, ..., then pairs of
/// these.
class Sums {
 public:
  /// Of tensors like these, of which only floats are added up; the last of `like` are sent first, as backward
  /// has them first. `exact` ones are never rounded.
  Sums(std::vector<Tensor> like, std::vector<Tensor> exact, const Cut& cut);
  ~Sums();
  Sums(const Sums&) = delete;
  Sums& operator=(const Sums&) = delete;

  /// Tensor i of `like` and, behind these, of `exact`, times a factor, of the part at hand. A second time is
  /// nothing.
  void add(std::size_t i, const Tensor& x, double factor = 1);
  /// The part at hand has no more: what it has not is nothing. The next one is at hand.
  void end_part();
  /// Helps on what is being sent.
  void help();
  /// After the last part: the sums. Undefined where there are no floats.
  std::vector<Tensor> finish();

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace elk::train
