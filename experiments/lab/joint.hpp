// The joint law L(N, D) of measured cells: its forms compared, its table, plot and sentences.
#pragma once

#include <lab/fit/joint.hpp>
#include <lab/law.hpp>

namespace elk::lab {

struct JointQuestion {
  std::vector<scaling::JointCell> cells;  ///< losses that are not finite are left out, and cells without any
  std::string metric = "test loss";
  std::string key = "joint";  ///< in front of the names of numbers
  std::size_t hold_out = 0;   ///< so many of the largest cells; 0 = a seventh
  std::size_t resamples = 1000;
  std::uint64_t seed = 100;
  std::vector<std::pair<double, double>> predict_at = {};  ///< N and D
};

/// Its plot is "joint".
struct JointAnswer : LawAnswer {
  scaling::JointReport best;  ///< of the form that predicts cells left out best
};

/// Fits every form, and tells of the one that cross-validation prefers. ValueError, "[law] expected ..., got
/// ...", when no form can be fitted.
JointAnswer answer(const JointQuestion& question);

/// The same in a study's report, of the outcomes' test losses; where no law can be fitted there is a warning.
void tell_joint(Study& study, std::span<const Outcome> outcomes);

}  // namespace elk::lab
