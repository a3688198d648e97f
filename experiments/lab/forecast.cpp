#include <lab/forecast.hpp>

#include <algorithm>
#include <cmath>

#include <lab/statistics.hpp>

namespace elk::lab {

std::vector<double> lowest_losses(std::span<const train::HistoryRow> rows) {
  std::vector<double> losses;
  for (const train::HistoryRow& row : rows) {
    const double loss = (rows.front().val_loss ? row.val_loss : row.test_loss).value_or(nan);
    if (!(loss > 0) || std::isinf(loss)) return {};
    losses.push_back(losses.empty() ? loss : std::min(loss, losses.back()));
  }
  return losses;
}

std::optional<scaling::Forecast> hopeless(std::span<const train::HistoryRow> rows, std::int64_t epochs,
                                          double bar) {
  const auto seen = static_cast<std::int64_t>(rows.size());
  if (epochs < fewest_epochs || seen < seen_of(epochs) || seen >= epochs) return std::nullopt;
  if (10 * seen / epochs == 10 * (seen - 1) / epochs) return std::nullopt;  // in the midst of a tenth
  if (!rows.front().val_loss) return std::nullopt;                          // the test set decides nothing
  const std::vector<double> losses = lowest_losses(rows);
  if (losses.empty() || losses.back() <= bar) return std::nullopt;
  const auto end = static_cast<std::size_t>(epochs);
  // The interval below holds these, which mostly tell it sooner.
  using enum scaling::CurveForm;
  for (const scaling::CurveForm form : {power, exponential, broken})
    if (scaling::forecast(losses, end, form).loss.interval.low <= bar) return std::nullopt;
  const scaling::Forecast found = scaling::forecast(losses, end);
  return found.loss.interval.low > bar ? std::optional(found) : std::nullopt;
}

bool was_hopeless(std::span<const train::HistoryRow> rows, std::int64_t epochs, double bar) {
  for (std::size_t seen = 1; seen <= rows.size(); ++seen)
    if (hopeless(rows.first(seen), epochs, bar)) return true;
  return false;
}

}  // namespace elk::lab
