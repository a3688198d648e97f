#include <lab/fit/worth.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <elk/base/error.hpp>

namespace elk::lab::scaling {

Reached reached(std::vector<std::pair<double, double>> curve, double loss) {
  if (curve.empty()) throw ValueError("[reached] the curve has no points");
  std::sort(curve.begin(), curve.end());
  if (curve.front().second < loss) return {Reached::Place::before, curve.front().first};
  for (std::size_t i = 0; i < curve.size(); ++i) {
    const auto& [size, below] = curve[i];
    if (below > loss) continue;
    if (i == 0) return {Reached::Place::within, size};
    const auto& [smaller, above] = curve[i - 1];
    const double share = std::log(above / loss) / std::log(above / below);
    return {Reached::Place::within, smaller * std::pow(size / smaller, share)};
  }
  return {Reached::Place::after, curve.back().first};
}

std::vector<Worth> worths(const std::vector<Cell>& curve, const std::vector<Cell>& other,
                          std::size_t resamples, Rng& rng) {
  std::vector<const Cell*> cells;
  for (const auto* list : {&curve, &other})
    for (const Cell& cell : *list) cells.push_back(&cell);
  std::vector<std::size_t> seeds;
  for (const Cell* cell : cells) {
    if (cell->losses.empty()) throw ValueError(fmt::format("[worths] size {} has no losses", cell->size));
    for (const double loss : cell->losses)
      if (!(loss > 0) || std::isinf(loss))
        throw ValueError(
            fmt::format("[worths] losses must be above 0 and finite, found {} at size {}", loss, cell->size));
    seeds.push_back(cell->losses.size());
  }
  double first = INFINITY, last = 0;
  for (const Cell& cell : other) first = std::min(first, cell.size), last = std::max(last, cell.size);

  const auto of = [&](const Resample& resample) {
    std::vector<std::pair<double, double>> means;
    for (std::size_t i = curve.size(); i < cells.size(); ++i)
      means.emplace_back(cells[i]->size, mean_of(cells[i]->losses, resample[i]));
    std::vector<Worth> found;
    for (std::size_t i = 0; i < curve.size(); ++i) {
      if (curve[i].size >= last) continue;
      const double loss = mean_of(curve[i].losses, resample[i]);
      found.push_back({.size = curve[i].size, .loss = loss, .other = reached(means, loss)});
    }
    return found;
  };
  std::vector<Worth> found = of(everything(seeds));
  if (found.empty()) return found;
  const Intervals intervals = bootstrap(
      seeds,
      [&](const Resample& resample) {
        std::vector<double> sizes;
        for (const Worth& worth : of(resample)) sizes.push_back(worth.other.size);
        return sizes;
      },
      resamples, rng);
  for (std::size_t i = 0; i < found.size(); ++i) {
    found[i].interval = intervals.seeds[i];
    found[i].low_open = found[i].interval.low <= first;
    found[i].high_open = found[i].interval.high >= last;
  }
  return found;
}

}  // namespace elk::lab::scaling
