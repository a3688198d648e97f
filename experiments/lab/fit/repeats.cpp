#include <lab/fit/repeats.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <lab/fit/terms.hpp>
#include <lab/fit/worth.hpp>
#include <lab/statistics.hpp>

namespace elk::lab::scaling {

namespace {

constexpr double least_beta = 0.01, most_beta = 4, least_rounds = 0.01, most_rounds = 1e4;

double effective_data(double unique, double epochs, double rounds) {
  if (std::isinf(rounds)) return unique * epochs;
  return unique * (1 - rounds * std::expm1(-(epochs - 1) / rounds));
}

// log beta and log R*.
using Place = std::array<double, 2>;

// Where the search ended; `settled`: because its steps had become small.
struct End {
  Place at;
  double loss;
  bool settled;
};

class RepeatProblem {
 public:
  RepeatProblem(std::span<const RepeatPoint> points, const RepeatForm& form)
      : fit(weights_of(points)), form_(form) {
    for (const RepeatPoint& point : points)
      if (point.weight != 0) points_.push_back(point), middle_ += std::log(point.unique);
    middle_ = std::exp(middle_ / static_cast<double>(points_.size()));
  }

  Coefficients fit;
  Terms c{};
  double middle() const { return middle_; }
  double rounds(const Place& at) const {
    return form_.fades ? std::exp(at[1]) : std::numeric_limits<double>::infinity();
  }

  double look(const Place& at) {
    const double beta = std::exp(at[0]), rounds = this->rounds(at);
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const auto& [unique, epochs, loss, weight] = points_[i];
      fit.columns[0][i] = 1 / loss;
      fit.columns[1][i] = std::pow(effective_data(unique, epochs, rounds) / middle_, -beta) / loss;
      if (form_.harms) fit.columns[2][i] = std::pow(unique / middle_, -beta) * std::log(epochs) / loss;
    }
    unsigned used = 0;
    return fit.fit(form_.harms ? 7U : 3U, nullptr, c, used);
  }

  // Downhill from there (Nelder and Mead 1965); one number where epochs do not fade.
  End minimize(Place start) {
    const std::size_t n = form_.fades ? 2 : 1;
    struct Corner {
      Place at;
      double loss;
    };
    const auto corner = [&](Place at) {
      at[0] = std::clamp(at[0], std::log(least_beta), std::log(most_beta));
      at[1] = std::clamp(at[1], std::log(least_rounds), std::log(most_rounds));
      return Corner{at, look(at)};
    };
    std::vector<Corner> simplex{corner(start)};
    for (std::size_t i = 0; i < n; ++i) {
      Place at = start;
      at[i] += 0.3;
      simplex.push_back(corner(at));
    }
    const auto by_loss = [](const Corner& a, const Corner& b) { return a.loss < b.loss; };
    bool settled = false;
    for (int step = 0; step < 200; ++step) {
      std::stable_sort(simplex.begin(), simplex.end(), by_loss);
      double width = 0;
      for (const Corner& one : simplex)
        for (std::size_t i = 0; i < n; ++i)
          width = std::max(width, std::abs(one.at[i] - simplex.front().at[i]));
      settled = width < 1e-5;
      if (settled) break;
      Place center{};
      for (std::size_t k = 0; k < n; ++k)
        for (std::size_t i = 0; i < n; ++i) center[i] += simplex[k].at[i] / static_cast<double>(n);
      const auto along = [&](double by) {
        Place at = start;
        for (std::size_t i = 0; i < n; ++i) at[i] = center[i] + by * (simplex[n].at[i] - center[i]);
        return corner(at);
      };
      const Corner reflected = along(-1);
      if (reflected.loss < simplex.front().loss) {
        const Corner further = along(-2);
        simplex[n] = further.loss < reflected.loss ? further : reflected;
      } else if (reflected.loss < simplex[n - 1].loss) {
        simplex[n] = reflected;
      } else {
        const Corner inside = along(reflected.loss < simplex[n].loss ? -0.5 : 0.5);
        if (inside.loss < std::min(reflected.loss, simplex[n].loss)) {
          simplex[n] = inside;
        } else {
          for (std::size_t k = 1; k <= n; ++k) {
            Place at = start;
            for (std::size_t i = 0; i < n; ++i) at[i] = (simplex[k].at[i] + simplex.front().at[i]) / 2;
            simplex[k] = corner(at);
          }
        }
      }
    }
    std::stable_sort(simplex.begin(), simplex.end(), by_loss);
    return {simplex.front().at, simplex.front().loss, settled};
  }

 private:
  RepeatForm form_;
  std::vector<RepeatPoint> points_;
  double middle_ = 0;  // of the numbers of examples, in logarithms
};

End lowest(RepeatProblem& problem, const std::vector<std::pair<double, double>>& starts) {
  End best{{}, HUGE_VAL, false};
  for (const auto& [beta, rounds] : starts) {
    const End end = problem.minimize({std::log(beta), std::log(rounds)});
    if (end.loss < best.loss) best = end;
  }
  return best;
}

void check(std::span<const RepeatPoint> points, const RepeatForm& form, const RepeatOptions& options) {
  const auto fail = [](const std::string& what) { throw ValueError("[fit_repeats] " + what); };
  if (!(options.huber >= 0)) fail(fmt::format("expected huber at least 0, got {}", options.huber));
  std::set<double> unique, epochs, losses;
  std::size_t count = 0;
  for (const RepeatPoint& point : points) {
    for (const double value : {point.unique, point.epochs, point.loss})
      if (!(value > 0) || std::isinf(value))
        fail(
            fmt::format("expected examples, epochs and losses above 0 and finite, got {} examples, {} epochs "
                        "and a loss of {}",
                        point.unique, point.epochs, point.loss));
    if (point.epochs < 1) fail(fmt::format("expected at least 1 epoch, got {}", point.epochs));
    if (!(point.weight >= 0) || std::isinf(point.weight))
      fail(fmt::format("expected weights at least 0 and finite, got {}", point.weight));
    if (point.weight == 0) continue;
    ++count;
    unique.insert(point.unique), epochs.insert(point.epochs), losses.insert(point.loss);
  }
  if (count < form.parameters())
    fail(fmt::format("expected at least {} cells for the {} parameters of {}, got {}", form.parameters(),
                     form.parameters(), name(form), count));
  if (epochs.size() < 2) fail("expected cells of different numbers of epochs, got those of one");
  if (unique.size() < 3)
    fail(fmt::format("expected at least 3 different numbers of examples, got {}", unique.size()));
  if (losses.size() < 2)
    fail(fmt::format("expected losses that differ, got {} from every cell", *losses.begin()));
}

std::vector<RepeatPoint> means(const std::vector<RepeatCell>& cells, const Resample& resample) {
  std::vector<RepeatPoint> points;
  for (std::size_t i = 0; i < cells.size(); ++i)
    points.push_back(
        {cells[i].unique, cells[i].epochs, mean_of(cells[i].losses, resample[i]), resample[i].weight});
  return points;
}

RepeatOptions from_there(const RepeatFit& fit) {
  const double rounds = std::isfinite(fit.law.rounds) ? fit.law.rounds : 10;
  return {fit.huber, {{std::clamp(fit.law.beta, 0.05, 2.0), std::clamp(rounds, 0.3, 300.0)}}};
}

// Of those of `others`, of the points in `held_out`: mean |log predicted - log measured|.
double error_of(const std::vector<RepeatPoint>& others, const std::vector<RepeatPoint>& held_out,
                const RepeatForm& form, const RepeatOptions& options, bool relative) {
  try {
    const RepeatLaw law = fit_repeats(others, form, options).law;
    double sum = 0;
    for (const RepeatPoint& point : held_out) {
      const double ratio = law(point.unique, point.epochs) / point.loss;
      sum += std::abs(relative ? ratio - 1 : std::log(ratio));
    }
    return sum / static_cast<double>(held_out.size());
  } catch (const ValueError&) {
    return nan;
  }
}

}  // namespace

std::string name(const RepeatForm& form) {
  return form.harms   ? "epochs fade and harm"
         : form.fades ? "epochs fade"
                      : "every epoch is worth new examples";
}

double RepeatLaw::effective(double unique, double epochs) const {
  return effective_data(unique, epochs, rounds);
}

double RepeatLaw::operator()(double unique, double epochs) const {
  const double harmed = harm > 0 ? harm * std::pow(unique / d0, -beta) * std::log(epochs) : 0;
  return e + b * std::pow(effective(unique, epochs) / d0, -beta) + harmed;
}

double RepeatLaw::worth(double k) const {
  if (k <= 1) return 1;
  return effective(1, k) - effective(1, k - 1);
}

RepeatFit fit_repeats(std::span<const RepeatPoint> points, const RepeatForm& form,
                      const RepeatOptions& options) {
  check(points, form, options);
  RepeatProblem problem(points, form);
  std::vector<std::pair<double, double>> starts = options.starts;
  if (starts.empty())
    for (const double beta : {0.15, 0.4, 1.0})
      for (const double rounds : {1.0, 10.0, 100.0}) starts.emplace_back(beta, rounds);
  End best;
  if (options.huber > 0) {
    problem.fit.huber = options.huber;
    best = lowest(problem, starts);
  } else {
    best = lowest(problem, starts);  // by squares; then twice with what they leave
    for (int round = 0; round < 2; ++round) {
      problem.look(best.at);
      problem.fit.huber = problem.fit.usual_huber(form.parameters());
      best = lowest(problem, {{std::exp(best.at[0]), std::exp(best.at[1])}, {0.4, 10}});
    }
  }
  if (!std::isfinite(best.loss)) throw ValueError("[fit_repeats] there is no fit");
  RepeatFit fit;
  fit.huber = problem.fit.huber;
  fit.loss = problem.look(best.at);
  fit.residual = std::sqrt(problem.fit.mean_square());
  fit.law = {.e = problem.c[0],
             .b = problem.c[1],
             .beta = std::exp(best.at[0]),
             .rounds = problem.rounds(best.at),
             .harm = problem.c[2],
             .d0 = problem.middle()};
  const auto inside = [](double value, double low, double high) {
    return value > 1.01 * low && value < 0.99 * high;
  };
  fit.converged = best.settled && inside(fit.law.beta, least_beta, most_beta) &&
                  (!form.fades || inside(fit.law.rounds, least_rounds, most_rounds));
  return fit;
}

RepeatReport fit_repeat_cells(const std::vector<RepeatCell>& cells, const RepeatForm& form,
                              std::span<const double> epochs, std::size_t resamples, Rng& rng) {
  std::vector<std::size_t> seeds;
  for (const RepeatCell& cell : cells) {
    if (cell.losses.empty())
      throw ValueError(
          fmt::format("[fit_repeats] expected losses of every cell, got none of {} examples, {} epochs",
                      cell.unique, cell.epochs));
    seeds.push_back(cell.losses.size());
  }
  const std::vector<RepeatPoint> points = means(cells, everything(seeds));
  RepeatReport report;
  report.form = form;
  report.fit = fit_repeats(points, form);
  const RepeatOptions again = from_there(report.fit);

  double sum = 0, most = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    std::vector<RepeatPoint> others = points;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    sum += error_of(others, {points[i]}, form, again, false);
    most = std::max(most, points[i].epochs);
  }
  report.left_out_error = sum / static_cast<double>(points.size());
  std::vector<RepeatPoint> others, held_out;
  for (const RepeatPoint& point : points) (point.epochs == most ? held_out : others).push_back(point);
  report.held_out_error = error_of(others, held_out, form, {}, true);

  const double d0 = report.fit.law.d0;
  const auto numbers = [&](RepeatLaw law) {
    const double by = std::pow(d0 / law.d0, -law.beta);  // resamples have other middles
    // An R* without bounds has no quantiles, but its inverse has.
    std::vector<double> list{law.e, by * law.b, law.beta, 1 / law.rounds, by * law.harm};
    for (const double k : epochs) list.push_back(law.worth(k));
    return list;
  };
  const Intervals intervals = bootstrap(
      seeds,
      [&](const Resample& resample) { return numbers(fit_repeats(means(cells, resample), form, again).law); },
      resamples, rng);
  report.resamples = intervals.resamples;
  report.failed = intervals.failed;
  const std::vector<double> values = numbers(report.fit.law);
  Estimate* const named[] = {&report.e, &report.b, &report.beta, &report.rounds, &report.harm};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Estimate estimate{values[i], intervals.both[i]};
    if (i < std::size(named))
      *named[i] = estimate;
    else
      report.worths.push_back(estimate);
  }
  const Estimate inverse = report.rounds;
  report.rounds = {1 / inverse.value, {1 / inverse.interval.high, 1 / inverse.interval.low}};
  return report;
}

double measured_worth(const std::vector<RepeatCell>& cells, double loss) {
  std::vector<std::pair<double, double>> fresh;
  for (const RepeatCell& cell : cells)
    if (cell.epochs == 1 && !cell.losses.empty()) fresh.emplace_back(cell.unique, mean_of(cell.losses));
  if (fresh.size() < 2) return nan;
  const Reached found = reached(std::move(fresh), loss);
  return found.place == Reached::Place::within ? found.size : nan;
}

}  // namespace elk::lab::scaling
