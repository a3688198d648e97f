// Which epoch of a run counts.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <elk/train/history.hpp>

namespace elk::lab {

/// Where `rows`, of at least one epoch, have the lowest validation loss; without held-out examples, the
/// lowest test loss. Chosen by the test loss, an epoch's is below that of the last one on a flat curve as
/// well.
inline std::size_t chosen_epoch(const std::vector<train::HistoryRow>& rows) {
  const auto loss = [](const train::HistoryRow& row) {
    const double found = row.val_loss.value_or(row.test_loss.value_or(HUGE_VAL));
    return std::isnan(found) ? HUGE_VAL : found;
  };
  const auto lowest = std::min_element(rows.begin(), rows.end(),
                                       [&](const auto& a, const auto& b) { return loss(a) < loss(b); });
  return static_cast<std::size_t>(lowest - rows.begin());
}

}  // namespace elk::lab
