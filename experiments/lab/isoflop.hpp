// What compute is best spent on: measured budgets, the three approaches to them, their tables, plots and
// sentences.
#pragma once

#include <functional>

#include <lab/fit/isoflop.hpp>
#include <lab/joint.hpp>

namespace elk::lab {

struct IsoflopQuestion {
  /// Losses that are not finite are left out, and cells and budgets without any.
  std::vector<scaling::Budget> budgets = {};
  std::function<double(double n)> width = {};  ///< of the net of n parameters
  std::string metric = "test loss";
  std::size_t resamples = 1000;
  std::uint64_t seed = 100;
};

/// Of runs that tell nothing, it says that they do not. Plots are there where they can be drawn: "isoflop",
/// the losses of each budget, and "allocation", the best sizes.
struct IsoflopAnswer : LawAnswer {
  /// Those that were fitted, where the parabolas tell a power of compute; else none.
  std::vector<scaling::Budget> budgets;
};

/// Nothing is concluded from fewer than scaling::budgets_for_a_power budgets, from one seed, or by an
/// approach that has no answer; a sentence says why.
IsoflopAnswer answer(const IsoflopQuestion& question);

}  // namespace elk::lab
