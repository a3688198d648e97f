// What it is worth to see data again: measured cells, the law of repeated data, tables, plots and sentences.
#pragma once

#include <lab/fit/repeats.hpp>
#include <lab/law.hpp>

namespace elk::lab {

struct RepeatQuestion {
  /// Of one size of net. Losses that are not finite are left out, and cells without any.
  std::vector<scaling::RepeatCell> cells = {};
  std::string of = "width 64";  ///< what the net is called
  std::string key = "64";       ///< in the names of numbers and plots
  std::string metric = "test loss";
  std::size_t resamples = 1000;
  std::uint64_t seed = 100;
};

/// Nothing is concluded from fewer cells than parameters and two, from one seed, or where no form can be
/// fitted; a sentence says why. The plot, "worth-<key>", is there where examples that are seen once tell what
/// others are worth.
LawAnswer answer(const RepeatQuestion& question);

}  // namespace elk::lab
