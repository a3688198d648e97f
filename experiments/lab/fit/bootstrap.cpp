#include <lab/fit/bootstrap.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include <fmt/format.h>

#include <elk/base/error.hpp>

namespace elk::lab::scaling {

namespace {

Resample other_seeds(std::span<const std::size_t> seeds, Rng& rng) {
  Resample resample = everything(seeds);
  for (Draw& draw : resample) {
    const std::size_t n = draw.seeds.size();
    if (n == 1) continue;
    draw.seeds.pop_back();
    for (std::size_t& seed : draw.seeds)
      seed = static_cast<std::size_t>(rng.integer(0, static_cast<std::int64_t>(n)));
  }
  return resample;
}

Resample other_cells(std::span<const std::size_t> seeds, Rng& rng) {
  Resample resample = everything(seeds);
  for (Draw& draw : resample) {
    const double normal = rng.normal();
    draw.weight = normal * normal;
  }
  return resample;
}

Resample drawn_cells(std::span<const std::size_t> seeds, Rng& rng) {
  Resample resample = everything(seeds);
  for (Draw& draw : resample) draw.weight = 0;
  for (std::size_t i = 0; i < seeds.size(); ++i)
    resample[static_cast<std::size_t>(rng.integer(0, static_cast<std::int64_t>(seeds.size())))].weight += 1;
  for (Draw& draw : resample)
    if (draw.weight == 0) draw.seeds.clear();
  return resample;
}

Resample shifted_cells(std::span<const std::size_t> seeds, Rng& rng) {
  Resample resample = everything(seeds);
  for (Draw& draw : resample) draw.shift = rng.normal();
  return resample;
}

// Between the two nearest of the sorted values.
double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const double low = sorted[below], high = sorted[std::min(below + 1, sorted.size() - 1)];
  return low + (place - static_cast<double>(below)) * (high - low);
}

// Of one kind of resample, with the failures counted.
std::vector<Interval> percentiles(const std::function<Resample()>& resample, const Statistic& statistic,
                                  std::size_t resamples, std::size_t& failed) {
  std::vector<std::vector<double>> values;  // of each number, over the resamples
  std::size_t failures = 0;
  std::string why = "a number is not finite";
  for (std::size_t i = 0; i < resamples; ++i) {
    std::vector<double> numbers;
    try {
      numbers = statistic(resample());
    } catch (const ValueError& error) {
      why = error.what();
      ++failures;
      continue;
    }
    if (!std::all_of(numbers.begin(), numbers.end(), [](double number) { return std::isfinite(number); })) {
      ++failures;
      continue;
    }
    values.resize(numbers.size());
    for (std::size_t k = 0; k < numbers.size(); ++k) values[k].push_back(numbers[k]);
  }
  if (2 * failures > resamples)
    throw ValueError(
        fmt::format("[bootstrap] {} of {} resamples failed, the last: {}", failures, resamples, why));
  failed += failures;
  std::vector<Interval> intervals;
  for (std::vector<double>& list : values) {
    std::sort(list.begin(), list.end());
    intervals.push_back({quantile(list, 0.025), quantile(list, 0.975)});
  }
  return intervals;
}

}  // namespace

double mean_of(std::span<const double> losses) {
  return std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
}

double mean_of(std::span<const double> losses, const Draw& draw) {
  double sum = 0;
  for (const std::size_t seed : draw.seeds) sum += losses[seed];
  return sum / static_cast<double>(draw.seeds.size());
}

Resample everything(std::span<const std::size_t> seeds) {
  Resample resample(seeds.size());
  for (std::size_t cell = 0; cell < seeds.size(); ++cell) {
    resample[cell].seeds.resize(seeds[cell]);
    std::iota(resample[cell].seeds.begin(), resample[cell].seeds.end(), std::size_t{0});
  }
  return resample;
}

Intervals bootstrap(std::span<const std::size_t> seeds, const Statistic& statistic, std::size_t resamples,
                    Rng& rng, Cells cells) {
  if (seeds.empty() || resamples == 0)
    throw ValueError(fmt::format("[bootstrap] at least one cell and one resample are needed, found {} and {}",
                                 seeds.size(), resamples));
  if (const auto none = std::find(seeds.begin(), seeds.end(), std::size_t{0}); none != seeds.end())
    throw ValueError(fmt::format("[bootstrap] cell {} has no seeds", none - seeds.begin()));
  Intervals intervals;
  intervals.resamples = resamples;
  intervals.seeds =
      percentiles([&] { return other_seeds(seeds, rng); }, statistic, resamples, intervals.failed);
  intervals.cells = percentiles(
      [&] {
        return cells == Cells::drawn     ? drawn_cells(seeds, rng)
               : cells == Cells::shifted ? shifted_cells(seeds, rng)
                                         : other_cells(seeds, rng);
      },
      statistic, resamples, intervals.failed);
  for (std::size_t k = 0; k < intervals.seeds.size(); ++k)
    intervals.both.push_back({std::min(intervals.seeds[k].low, intervals.cells[k].low),
                              std::max(intervals.seeds[k].high, intervals.cells[k].high)});
  return intervals;
}

}  // namespace elk::lab::scaling
