#include <lab/fit/isoflop.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <lab/statistics.hpp>

namespace elk::lab::scaling {

namespace {

// A mean over seeds, in logarithms.
struct Mean {
  double n = 0, loss = 0;
};
using Means = std::vector<std::vector<Mean>>;  // of each budget, by n

std::vector<std::size_t> checked(const std::vector<Budget>& budgets) {
  std::vector<std::size_t> seeds;
  for (const Budget& budget : budgets) {
    if (!(budget.flops > 0) || std::isinf(budget.flops) || budget.cells.empty())
      throw ValueError(fmt::format(
          "[isoflop] expected budgets above 0 and finite, with cells, got {:g} FLOPs and {} cells",
          budget.flops, budget.cells.size()));
    for (const JointCell& cell : budget.cells) {
      for (const double loss : cell.losses)
        if (!(loss > 0) || std::isinf(loss))
          throw ValueError(
              fmt::format("[isoflop] expected losses above 0 and finite, got {} at N = {:g}", loss, cell.n));
      seeds.push_back(cell.losses.size());
    }
  }
  return seeds;
}

// `scatter` is the size of a Draw::shift.
Means means_of(const std::vector<Budget>& budgets, const Resample& resample, double scatter = 0) {
  Means means;
  auto draw = resample.begin();
  for (const Budget& budget : budgets) {
    means.emplace_back();
    for (const JointCell& cell : budget.cells) {
      const Draw& drawn = *draw++;
      if (drawn.seeds.empty()) continue;
      means.back().push_back(
          {std::log(cell.n), std::log(mean_of(cell.losses, drawn)) + scatter * drawn.shift});
    }
  }
  return means;
}

std::size_t lowest_of(const std::vector<Mean>& cells) {
  return static_cast<std::size_t>(
      std::min_element(cells.begin(), cells.end(),
                       [](const Mean& a, const Mean& b) { return a.loss < b.loss; }) -
      cells.begin());
}

// The slope of the line of least squares; NaN for fewer than two different x.
double slope(const std::vector<std::pair<double, double>>& points) {
  double x = 0, y = 0, xx = 0, xy = 0;
  for (const auto& [a, b] : points) x += a, y += b;
  x /= static_cast<double>(points.size()), y /= static_cast<double>(points.size());
  for (const auto& [a, b] : points) xx += (a - x) * (a - x), xy += (a - x) * (b - y);
  return xx > 0 ? xy / xx : nan;
}

// Over x less `at`: c[0] + c[1] x + c[2] x^2, from one cell to another.
struct Parabola {
  double at = 0, low = 0, high = 0;
  double squares = 0;     // of its residuals,
  std::size_t spare = 0;  // from so many cells more than it has parameters
  std::array<double, 3> c{};

  double operator()(double x) const { return c[0] + (x - at) * (c[1] + (x - at) * c[2]); }
  double vertex() const { return at - c[1] / (2 * c[2]); }
};

// Why there is none, or "" and the parabola.
std::string fit_parabola(const std::vector<Mean>& cells, Parabola& fit) {
  constexpr std::size_t reach = 2;
  if (cells.size() < 3) return fmt::format("{} sizes make no parabola", cells.size());
  const std::size_t lowest = lowest_of(cells);
  if (lowest == 0) return "the lowest loss is that of the smallest net: the best size may lie below";
  if (lowest + 1 == cells.size())
    return "the lowest loss is that of the largest net: the best size may lie above";
  const std::size_t first = lowest - std::min(lowest, reach),
                    last = std::min(lowest + reach, cells.size() - 1);
  fit = {.at = cells[lowest].n, .low = cells[first].n, .high = cells[last].n};
  // Normal equations; x in units of the window, as they do not like numbers of different size.
  const double unit = fit.high - fit.low;
  std::array<std::array<double, 4>, 3> m{};
  for (std::size_t i = first; i <= last; ++i) {
    const double x = (cells[i].n - fit.at) / unit;
    const std::array<double, 3> powers{1, x, x * x};
    for (std::size_t a = 0; a < 3; ++a) {
      for (std::size_t b = 0; b < 3; ++b) m[a][b] += powers[a] * powers[b];
      m[a][3] += powers[a] * cells[i].loss;
    }
  }
  for (std::size_t i = 0; i < 3; ++i)  // positive definite: no pivoting
    for (std::size_t row = 0; row < 3; ++row) {
      if (row == i) continue;
      const double factor = m[row][i] / m[i][i];
      for (std::size_t k = i; k < 4; ++k) m[row][k] -= factor * m[i][k];
    }
  fit.c = {m[0][3] / m[0][0], m[1][3] / m[1][1] / unit, m[2][3] / m[2][2] / (unit * unit)};
  fit.spare = last - first - 2;
  for (std::size_t i = first; i <= last; ++i) fit.squares += std::pow(fit(cells[i].n) - cells[i].loss, 2);
  if (!(fit.c[2] > 0)) return "the losses do not rise on both sides of the lowest one";
  if (!(fit.vertex() >= fit.low && fit.vertex() <= fit.high))
    return "the parabola's lowest point lies beyond the sizes that it was fitted to";
  return "";
}

// The lowest points of the parabolas. A budget that has none, whose `why` is not empty, has its lowest cell
// in its place: in a resample the best size lies there, or beyond, and the interval is to show it.
struct Lows {
  std::vector<double> n, loss;
  std::vector<std::string> why;
  double squares = 0;
  std::size_t spare = 0;

  // Of the residuals, as wide as Student's t with so many degrees of freedom.
  double scatter() const { return spare > 2 ? std::sqrt(squares / static_cast<double>(spare - 2)) : 0; }
};

Lows lows_of(const Means& means) {
  Lows lows;
  for (const std::vector<Mean>& cells : means) {
    Parabola fit;
    lows.why.push_back(fit_parabola(cells, fit));
    if (lows.why.back().empty()) {
      lows.n.push_back(fit.vertex());
      lows.loss.push_back(fit(fit.vertex()));
      lows.squares += fit.squares, lows.spare += fit.spare;
    } else {
      const Mean lowest = cells.empty() ? Mean{nan, nan} : cells[lowest_of(cells)];
      lows.n.push_back(lowest.n);
      lows.loss.push_back(lowest.loss);
    }
  }
  return lows;
}

// L(C), of the budgets that have a lowest point among `all`.
std::vector<Point> points_of(const std::vector<Budget>& budgets, const Lows& lows, const Lows& all) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < budgets.size(); ++i)
    if (all.why[i].empty())
      points.push_back({.x = budgets[i].flops, .loss = std::exp(lows.loss[i]), .cell = i});
  return points;
}

// The lowest curve at a budget, by log n; `edge`: it is that of the smallest or the largest net there.
struct Lowest {
  double n = 0, loss = HUGE_VAL;
  bool edge = false;
};

using Curves = std::map<double, std::vector<std::pair<double, double>>>;  // log loss over log C, by log n

Curves curves_of(const std::vector<Budget>& budgets, const Means& means) {
  Curves curves;
  for (std::size_t i = 0; i < budgets.size(); ++i)
    for (const Mean& mean : means[i]) curves[mean.n].emplace_back(std::log(budgets[i].flops), mean.loss);
  for (auto& [n, curve] : curves) std::sort(curve.begin(), curve.end());
  return curves;
}

std::optional<Lowest> lowest_at(const Curves& curves, double flops) {
  Lowest lowest;
  double smallest = nan, largest = nan;
  for (const auto& [n, curve] : curves) {
    constexpr double rounding = 1e-9;
    if (flops < curve.front().first - rounding || flops > curve.back().first + rounding) continue;
    const auto after = std::find_if(curve.begin(), curve.end(),
                                    [&](const auto& point) { return point.first >= flops - rounding; });
    double loss = after->second;
    if (after != curve.begin()) {
      const auto& before = *std::prev(after);
      loss = before.second +
             (after->second - before.second) * (flops - before.first) / (after->first - before.first);
    }
    if (std::isnan(smallest)) smallest = n;
    largest = n;
    if (loss < lowest.loss) lowest.n = n, lowest.loss = loss;
  }
  if (std::isnan(smallest)) return std::nullopt;
  lowest.edge = lowest.n == smallest || lowest.n == largest;
  return lowest;
}

struct Envelope {
  double growth = nan;
  std::size_t sizes = 0;  // that are the lowest somewhere
  double counted = 0;     // the share of budgets whose lowest curve is not at the edge
};

Envelope envelope_of(const Curves& curves, double first, double last) {
  constexpr int steps = 200;
  std::vector<std::pair<double, double>> points;
  for (int i = 0; i < steps; ++i) {
    const double flops = first + (last - first) * i / (steps - 1);
    const std::optional<Lowest> lowest = lowest_at(curves, flops);
    if (lowest && !lowest->edge) points.emplace_back(flops, lowest->n);
  }
  std::set<double> sizes;
  for (const auto& [at, n] : points) sizes.insert(n);
  const double growth = sizes.empty() ? nan : sizes.size() == 1 ? 0 : slope(points);
  return {growth, sizes.size(), static_cast<double>(points.size()) / steps};
}

// What an approach says of a resample: log n and log loss of each budget, then the power.
using Found = std::vector<double>;

// Estimates by bootstrap. Where `whole`, of all seeds and cells, has NaN, no interval is asked for.
void fill(Allocation& allocation, const Found& whole, std::span<const std::size_t> seeds,
          const std::function<Found(const Resample&)>& find, std::size_t resamples, Rng& rng, Cells cells) {
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < whole.size(); ++i)
    if (std::isfinite(whole[i])) kept.push_back(i);
  std::vector<Estimate> all(whole.size(), Estimate{nan, {nan, nan}});
  if (!kept.empty()) {
    const Intervals intervals = bootstrap(
        seeds,
        [&](const Resample& resample) {
          const Found found = find(resample);
          Found some;
          for (const std::size_t i : kept) some.push_back(found[i]);
          return some;
        },
        resamples, rng, cells);
    allocation.resamples = intervals.resamples;
    allocation.failed = intervals.failed;
    for (std::size_t k = 0; k < kept.size(); ++k) all[kept[k]] = {whole[kept[k]], intervals.both[k]};
  }
  allocation.growth = all.back();
  const std::size_t budgets = allocation.why.size();
  const auto plain = [](const Estimate& log) {
    return Estimate{std::exp(log.value), {std::exp(log.interval.low), std::exp(log.interval.high)}};
  };
  for (std::size_t i = 0; i < budgets; ++i) {
    allocation.sizes.push_back(plain(all[i]));
    allocation.losses.push_back(plain(all[budgets + i]));
  }
}

std::string too_few(std::size_t found, std::size_t budgets) {
  if (found >= budgets_for_a_power) return "";
  return fmt::format("a power of compute needs {} budgets with a best size, {} of {} have one",
                     budgets_for_a_power, found, budgets);
}

}  // namespace

std::size_t Allocation::found() const {
  return static_cast<std::size_t>(
      std::count_if(sizes.begin(), sizes.end(), [](const Estimate& n) { return std::isfinite(n.value); }));
}

double Allocation::size_at(const std::vector<Budget>& budgets, double flops) const {
  std::vector<std::pair<double, double>> points;
  double x = 0, y = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (!std::isfinite(sizes[i].value)) continue;
    points.emplace_back(std::log(budgets[i].flops), std::log(sizes[i].value));
    x += points.back().first, y += points.back().second;
  }
  const auto count = static_cast<double>(points.size());
  return std::exp(y / count + slope(points) * (std::log(flops) - x / count));
}

Allocation by_envelope(const std::vector<Budget>& budgets, std::size_t resamples, Rng& rng) {
  const std::vector<std::size_t> seeds = checked(budgets);
  Allocation allocation;
  if (budgets.empty()) throw ValueError("[isoflop] expected budgets, got none");
  double first = HUGE_VAL, last = -HUGE_VAL;
  for (const Budget& budget : budgets)
    first = std::min(first, std::log(budget.flops)), last = std::max(last, std::log(budget.flops));
  Envelope all;
  const auto find = [&](const Resample& resample, bool whole) {
    const Curves curves = curves_of(budgets, means_of(budgets, resample));
    Found sizes, losses;
    for (const Budget& budget : budgets) {
      const std::optional<Lowest> lowest = lowest_at(curves, std::log(budget.flops));
      const bool none = !lowest || (whole && lowest->edge);
      if (whole)
        allocation.why.push_back(none ? "the lowest curve is that of the smallest or largest net" : "");
      sizes.push_back(none ? nan : lowest->n);
      losses.push_back(none ? nan : lowest->loss);
    }
    const Envelope envelope = envelope_of(curves, first, last);
    if (whole) all = envelope;
    sizes.insert(sizes.end(), losses.begin(), losses.end());
    sizes.push_back(envelope.growth);
    return sizes;
  };
  const Found whole = find(everything(seeds), true);
  fill(
      allocation, whole, seeds, [&](const Resample& resample) { return find(resample, false); }, resamples,
      rng, Cells::drawn);
  allocation.problem = too_few(allocation.found(), budgets.size());
  constexpr std::size_t sizes_for_a_line = 3;
  if (allocation.problem.empty() && all.counted < 0.5)
    allocation.problem =
        fmt::format("the lowest curve is that of the smallest or largest net over {:.0f} % of the compute",
                    100 * (1 - all.counted));
  if (allocation.problem.empty() && all.sizes < sizes_for_a_line)
    allocation.problem = fmt::format("a line needs {} sizes of the grid, the best of all budgets are {}",
                                     sizes_for_a_line, all.sizes);
  return allocation;
}

Allocation by_parabolas(const std::vector<Budget>& budgets, std::size_t resamples, Rng& rng) {
  const std::vector<std::size_t> seeds = checked(budgets);
  if (budgets.empty()) throw ValueError("[isoflop] expected budgets, got none");
  Allocation allocation;
  const Lows all = lows_of(means_of(budgets, everything(seeds)));
  allocation.why = all.why;
  const auto found_of = [&](const Lows& lows) {
    Found found;
    for (const auto* numbers : {&lows.n, &lows.loss})
      for (std::size_t i = 0; i < budgets.size(); ++i)
        found.push_back(all.why[i].empty() ? (*numbers)[i] : nan);
    std::vector<std::pair<double, double>> points;
    for (std::size_t i = 0; i < budgets.size(); ++i)
      if (all.why[i].empty()) points.emplace_back(std::log(budgets[i].flops), lows.n[i]);
    found.push_back(points.empty() ? nan : slope(points));
    return found;
  };
  fill(
      allocation, found_of(all), seeds,
      [&](const Resample& resample) { return found_of(lows_of(means_of(budgets, resample, all.scatter()))); },
      resamples, rng, Cells::shifted);
  allocation.problem = too_few(allocation.found(), budgets.size());
  if (allocation.problem.empty() && all.scatter() == 0)
    allocation.problem = "so few sizes do not tell how far losses lie off the parabolas";
  return allocation;
}

Report fit_lowest(const std::vector<Budget>& budgets, Options options, Rng& rng) {
  const std::vector<std::size_t> seeds = checked(budgets);
  const Lows all = lows_of(means_of(budgets, everything(seeds)));
  options.cells = Cells::shifted;
  return fit_law(
      seeds,
      [&](const Resample& resample) {
        return points_of(budgets, lows_of(means_of(budgets, resample, all.scatter())), all);
      },
      options, rng);
}

Holdout hold_out_lowest(const std::vector<Budget>& budgets, std::size_t largest, const Options& options,
                        Rng& rng) {
  std::vector<double> flops;
  for (const Budget& budget : budgets) flops.push_back(budget.flops);
  std::vector<Budget> smaller;
  for (const std::size_t i : all_but_largest(flops, largest)) smaller.push_back(budgets[i]);
  const auto points = [](const std::vector<Budget>& some) {
    const Lows lows = lows_of(means_of(some, everything(checked(some))));
    return points_of(some, lows, lows);
  };
  return hold_out(points(budgets), points(smaller), options,
                  [&](const Options& at_points) { return fit_lowest(smaller, at_points, rng); });
}

namespace {

// So many budgets with a best size make a line.
constexpr std::size_t enough_for_a_line = 3;

Allocation without_intervals(const std::vector<Budget>& budgets) {
  Rng rng(0);
  return by_parabolas(budgets, 1, rng);
}

// NaN where the advised size lies outside of the grid.
double regret_of(Budget budget, const std::vector<Budget>& others) {
  std::vector<JointCell>& cells = budget.cells;
  std::sort(cells.begin(), cells.end(), [](const JointCell& a, const JointCell& b) { return a.n < b.n; });
  double lowest = HUGE_VAL;
  for (const JointCell& cell : cells) lowest = std::min(lowest, mean_of(cell.losses));
  const double n = advised_size(others, budget.flops);
  for (std::size_t i = 1; i < cells.size(); ++i) {
    const double low = cells[i - 1].n, high = cells[i].n;
    if (n < low || n > high) continue;
    const double part = std::log(n / low) / std::log(high / low);
    return std::pow(mean_of(cells[i - 1].losses), 1 - part) * std::pow(mean_of(cells[i].losses), part) /
               lowest -
           1;
  }
  return nan;
}

}  // namespace

bool advised_by_line(const std::vector<Budget>& budgets) {
  return without_intervals(budgets).found() >= enough_for_a_line;
}

double advised_size(const std::vector<Budget>& budgets, double flops) {
  const Allocation found = without_intervals(budgets);
  if (found.found() >= enough_for_a_line) return found.size_at(budgets, flops);
  std::vector<JointPoint> points;
  for (const Budget& budget : budgets)
    for (const JointCell& cell : budget.cells) points.push_back({cell.n, cell.d, mean_of(cell.losses)});
  const double n = fit_joint(points, {}).law.best_size(flops);
  if (!std::isfinite(n))
    throw ValueError("[isoflop] these runs have no best size: their joint law lacks a term");
  return n;
}

Regret regret(const std::vector<Budget>& budgets) {
  Regret all;
  for (std::size_t i = 0; i < budgets.size(); ++i) {
    std::vector<Budget> others = budgets;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    try {
      const double lost = regret_of(budgets[i], others);
      if (std::isfinite(lost)) all.worst = std::max(all.worst, lost), ++all.told;
    } catch (const ValueError&) {  // the others are too few
    }
  }
  return all;
}

std::vector<std::pair<double, double>> parabola(const Budget& budget) {
  const std::vector<Budget> one{budget};
  Parabola fit;
  std::vector<std::pair<double, double>> points;
  if (!fit_parabola(means_of(one, everything(checked(one)))[0], fit).empty()) return points;
  constexpr int steps = 50;
  for (int i = 0; i <= steps; ++i) {
    const double n = fit.low + (fit.high - fit.low) * i / steps;
    points.emplace_back(std::exp(n), std::exp(fit(n)));
  }
  return points;
}

}  // namespace elk::lab::scaling
