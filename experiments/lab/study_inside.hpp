// What the sources of Study share.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <lab/runner.hpp>
#include <lab/study.hpp>

namespace elk::lab {

/// 0 where a function of one's own knows no epochs.
std::int64_t epochs_of(const Cell& cell);
double rate_of(const Cell& cell);
/// Of a run with this seed, as canonical JSON.
std::string settings_of(const Cell& cell, std::int64_t seed);

struct Study::Inside {
  std::unique_ptr<Work> work;
  std::optional<Store> store;  // none for a dry run, which leaves nothing behind
  std::optional<Runner> runner;
  std::set<std::string> used;                    // keys of the runs behind the results
  std::vector<std::string> shown;                // the settings of each cell, as JSON
  std::set<std::int64_t> seeds;                  // of all cells
  std::set<std::string> with;                    // what the runs were computed with, where it was recorded
  std::optional<Results> from;                   // whose runs are taken over
  std::map<std::string, const Point*> taken;     // the points they are of, by the keys given to them
  std::int64_t runs = 0;                         // of cells
  std::int64_t tuned_cells = 0, told_rates = 0;  // cells whose rates were found here, and taken over
  std::set<std::pair<std::int64_t, std::int64_t>> begun_by;  // short searches: their epochs, and the cell's
  std::set<std::string> searched;  // keys of the runs by which they were found, with --stop-hopeless
  std::int64_t hopeless = 0;       // of these
  std::int64_t searched_epochs = 0, spared_epochs = 0;
  std::set<std::int64_t> images;
  std::vector<std::pair<std::string, std::string>> checks;

  Inside(const Question& question, const Options& options);
};

}  // namespace elk::lab
