#include <lab/fit/scaling.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <lab/statistics.hpp>

namespace elk::lab::scaling {

namespace {

constexpr int starts_of_a_resample = 4;  // of 1,000, some may miss the best end

PowerLawFit fit(const std::vector<Point>& points, const PowerLawOptions& options) {
  std::vector<double> x, loss, weight;
  for (const Point& point : points) {
    x.push_back(point.x);
    loss.push_back(point.loss);
    weight.push_back(point.weight);
  }
  return fit_power_law(x, loss, options, weight);
}

double left_out_error(const std::vector<Point>& points, std::size_t cells, const PowerLawOptions& options) {
  double sum = 0, weight = 0;
  for (std::size_t cell = 0; cell < cells; ++cell) {
    std::vector<Point> others, left_out;
    for (const Point& point : points) (point.cell == cell ? left_out : others).push_back(point);
    if (left_out.empty()) continue;
    PowerLawFit law;
    try {
      law = fit(others, options);
    } catch (const ValueError&) {
      return nan;
    }
    for (const Point& point : left_out) {
      sum += point.weight * std::abs(std::log(law.law(point.x) / point.loss));
      weight += point.weight;
    }
  }
  return sum / weight;
}

std::vector<Point> seed_means(const std::vector<Cell>& cells, const Resample& resample) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < cells.size(); ++i)
    points.push_back({cells[i].size, mean_of(cells[i].losses, resample[i]), resample[i].weight, i});
  return points;
}

std::vector<std::size_t> seeds_of(const std::vector<Cell>& cells) {
  std::vector<std::size_t> seeds;
  for (const Cell& cell : cells) {
    for (const double loss : cell.losses)
      if (!(loss > 0) || std::isinf(loss))
        throw ValueError(fmt::format("[fit_cells] losses must be above 0 and finite, found {} at size {}",
                                     loss, cell.size));
    if (cell.losses.empty()) throw ValueError(fmt::format("[fit_cells] size {} has no losses", cell.size));
    seeds.push_back(cell.losses.size());
  }
  return seeds;
}

}  // namespace

namespace {

Estimate of_both(const Report& report, const Estimate& with_e, const Estimate& without_e) {
  if (report.has_floor()) return with_e;
  return {(report.prefers_e ? with_e : without_e).value,
          {std::min(with_e.interval.low, without_e.interval.low),
           std::max(with_e.interval.high, without_e.interval.high)}};
}

}  // namespace

Estimate Report::alpha() const { return of_both(*this, with_e.alpha, without_e.alpha); }

Estimate Report::prediction(std::size_t i) const {
  return of_both(*this, with_e.predictions.at(i), without_e.predictions.at(i));
}

Report fit_law(std::span<const std::size_t> seeds, const PointsOf& points_of, const Options& options,
               Rng& rng) {
  const auto numbers = [&](const PowerLaw& law) {
    std::vector<double> list{law.e, law.a, law.alpha};
    for (const double x : options.predict_at) list.push_back(law(x));
    return list;
  };
  const Intervals intervals = bootstrap(
      seeds,
      [&](const Resample& resample) {
        const std::vector<Point> points = points_of(resample);
        std::vector<double> both;
        for (const bool irreducible : {true, false})
          for (const double number :
               numbers(fit(points, {irreducible, options.huber, starts_of_a_resample}).law))
            both.push_back(number);
        return both;
      },
      options.resamples, rng, options.cells);

  Report report;
  report.points = points_of(everything(seeds));
  report.resamples = intervals.resamples;
  report.failed = intervals.failed;
  auto interval = intervals.both.begin();
  for (Law* law : {&report.with_e, &report.without_e}) {
    const PowerLawOptions how{law == &report.with_e, options.huber};
    law->fit = fit(report.points, how);
    law->left_out_error = left_out_error(report.points, seeds.size(), how);
    for (const double value : numbers(law->fit.law)) law->predictions.push_back({value, *interval++});
    law->e = law->predictions[0];
    law->a = law->predictions[1];
    law->alpha = law->predictions[2];
    law->predictions.erase(law->predictions.begin(), law->predictions.begin() + 3);
  }
  report.prefers_e = report.with_e.left_out_error < report.without_e.left_out_error;
  return report;
}

Holdout hold_out(const std::vector<Point>& all, const std::vector<Point>& smaller, Options options,
                 const std::function<Report(const Options&)>& fit) {
  double reached = 0;
  for (const Point& point : smaller) reached = std::max(reached, point.x);
  Holdout holdout;
  options.predict_at.clear();
  for (const Point& point : all) {
    if (point.x <= reached) continue;
    holdout.points.push_back(point);
    options.predict_at.push_back(point.x);
  }
  holdout.smaller = fit(options);
  double weight = 0;
  for (std::size_t i = 0; i < holdout.points.size(); ++i) {
    const Point& point = holdout.points[i];
    const auto error = [&](const Law& law) { return std::abs(law.predictions[i].value / point.loss - 1); };
    holdout.error_with_e += point.weight * error(holdout.smaller.with_e);
    holdout.error_without_e += point.weight * error(holdout.smaller.without_e);
    weight += point.weight;
  }
  holdout.error_with_e /= weight;
  holdout.error_without_e /= weight;
  return holdout;
}

std::vector<std::size_t> all_but_largest(std::span<const double> sizes, std::size_t largest) {
  if (largest >= sizes.size())
    throw ValueError(
        fmt::format("[hold_out] {} of {} sizes are held out: none is left", largest, sizes.size()));
  std::vector<std::size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return sizes[i] < sizes[j]; });
  order.resize(sizes.size() - largest);
  return order;
}

Report fit_cells(const std::vector<Cell>& cells, const Options& options, Rng& rng) {
  return fit_law(
      seeds_of(cells), [&](const Resample& resample) { return seed_means(cells, resample); }, options, rng);
}

Holdout hold_out_cells(const std::vector<Cell>& cells, std::size_t largest, const Options& options,
                       Rng& rng) {
  std::vector<double> sizes;
  for (const Cell& cell : cells) sizes.push_back(cell.size);
  std::vector<Cell> smaller;
  for (const std::size_t i : all_but_largest(sizes, largest)) smaller.push_back(cells[i]);
  return hold_out(seed_means(cells, everything(seeds_of(cells))),
                  seed_means(smaller, everything(seeds_of(smaller))), options,
                  [&](const Options& at_points) { return fit_cells(smaller, at_points, rng); });
}

}  // namespace elk::lab::scaling
