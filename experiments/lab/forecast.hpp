// Where runs that are under way will end, by their learning curves.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <elk/optim/schedule.hpp>
#include <elk/train/history.hpp>
#include <lab/fit/curve.hpp>

namespace elk::lab {

/// The lowest loss after each epoch: of validation, by which epochs and rates are chosen, else of the test
/// set. None at all where one of them was not measured, or is not finite and above 0.
std::vector<double> lowest_losses(std::span<const train::HistoryRow> rows);

/// The learning rates that the epochs ended with; all 1 where one of them is none (below 0, not finite).
std::vector<double> rates_of(std::span<const train::HistoryRow> rows);

/// Of so many epochs 30 % are seen before their end is predicted.
constexpr std::int64_t seen_of(std::int64_t epochs) { return (3 * epochs + 9) / 10; }
/// Runs of fewer epochs are not predicted.
constexpr std::int64_t fewest_epochs = 7;
static_assert(seen_of(fewest_epochs) == scaling::fewest_losses &&
              seen_of(fewest_epochs - 1) < static_cast<std::int64_t>(scaling::fewest_losses));

/// The forecast of the lowest validation loss of a run of `epochs` epochs with learning rates by `schedule`,
/// of which `rows` are the first, if its interval lies above `bar`: then the run is hopeless. One looks after
/// 30 %, 40 %, ... and 90 % of the epochs. At others there is no forecast, nor of runs that lack a validation
/// loss or have fewer than `fewest_epochs`.
std::optional<scaling::Estimate> hopeless(std::span<const train::HistoryRow> rows, std::int64_t epochs,
                                          const optim::Schedule& schedule, double bar);
/// Whether it was so after any of the epochs.
bool was_hopeless(std::span<const train::HistoryRow> rows, std::int64_t epochs,
                  const optim::Schedule& schedule, double bar);

}  // namespace elk::lab
