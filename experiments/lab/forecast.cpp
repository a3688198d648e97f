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

std::vector<double> rates_of(std::span<const train::HistoryRow> rows) {
  std::vector<double> rates;
  for (const train::HistoryRow& row : rows) rates.push_back(row.lr);
  const auto good = [](double rate) { return rate >= 0 && std::isfinite(rate); };
  if (!std::ranges::all_of(rates, good)) std::ranges::fill(rates, 1);
  return rates;
}

std::optional<scaling::Estimate> hopeless(std::span<const train::HistoryRow> rows, std::int64_t epochs,
                                          const optim::Schedule& schedule, double bar) {
  const auto seen = static_cast<std::int64_t>(rows.size());
  if (epochs < fewest_epochs || seen < seen_of(epochs) || seen >= epochs) return std::nullopt;
  if (10 * seen / epochs == 10 * (seen - 1) / epochs) return std::nullopt;  // in the midst of a tenth
  if (!rows.front().val_loss) return std::nullopt;                          // the test set decides nothing
  const std::vector<double> losses = lowest_losses(rows);
  if (losses.empty() || losses.back() <= bar) return std::nullopt;
  std::vector<double> rates;
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch)  // at the end of each, as in the rows
    rates.push_back(schedule(1, static_cast<double>(epoch) + 0.99));
  const scaling::Estimate found = scaling::forecast(losses, rates);
  return found.interval.low > bar ? std::optional(found) : std::nullopt;
}

bool was_hopeless(std::span<const train::HistoryRow> rows, std::int64_t epochs,
                  const optim::Schedule& schedule, double bar) {
  for (std::size_t seen = 1; seen <= rows.size(); ++seen)
    if (hopeless(rows.first(seen), epochs, schedule, bar)) return true;
  return false;
}

}  // namespace elk::lab
