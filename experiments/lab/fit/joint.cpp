#include <lab/fit/joint.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <lab/fit/terms.hpp>
#include <lab/statistics.hpp>

namespace elk::lab::scaling {

namespace {

constexpr double flattest = 0.01, steepest = 4;  // exponents: beyond, a term is a constant or a step

// The law at some exponents, with the coefficients that suit them.
struct At {
  double alpha = 0, beta = 0;
  Terms c{};
  unsigned used = 0;  // terms above 0
  double loss = HUGE_VAL;
  double g[2] = {}, h[2][2] = {};  // half the slope and curvature of the squares over the exponents
};

class Problem {
 public:
  Problem(std::span<const JointPoint> points, const Form& form) : fit(weights_of(points)), form_(form) {
    for (const JointPoint& point : points) {
      if (point.weight == 0) continue;
      t_.push_back(std::log(point.n)), s_.push_back(std::log(point.d)), y_.push_back(point.loss);
    }
    middle_n_ = std::accumulate(t_.begin(), t_.end(), 0.0) / static_cast<double>(t_.size());
    middle_d_ = std::accumulate(s_.begin(), s_.end(), 0.0) / static_cast<double>(s_.size());
    for (double& t : t_) t -= middle_n_;
    for (double& s : s_) s -= middle_d_;
  }

  Coefficients fit;  // of the last law that was looked at
  double middle_n() const { return middle_n_; }
  double middle_d() const { return middle_d_; }

  // The best coefficients at these exponents, from the weights of those of `before`, and how the loss changes
  // with the exponents.
  At look(double alpha, double beta, const Terms* before) {
    At at{.alpha = alpha, .beta = beta};
    const std::size_t n = y_.size();
    for (std::size_t i = 0; i < n; ++i) {
      fit.columns[0][i] = 1 / y_[i];
      if (form_.n) fit.columns[1][i] = std::exp(-alpha * t_[i]) / y_[i];
      if (form_.d) fit.columns[2][i] = std::exp(-beta * s_[i]) / y_[i];
    }
    const unsigned all = (form_.e ? 1U : 0U) | (form_.n ? 2U : 0U) | (form_.d ? 4U : 0U);
    at.loss = fit.fit(all, before, at.c, at.used);
    // Kaufman's approximation: the exponents' directions less what the coefficients make up for.
    std::array<std::vector<double>*, 2> direction{&of_n_, &of_d_};
    for (std::size_t k = 0; k < 2; ++k) {
      std::vector<double>& v = *direction[k];
      v.assign(n, 0);
      const std::vector<double>& x = k == 0 ? t_ : s_;
      Terms h{}, c{};
      for (std::size_t i = 0; i < n; ++i) {
        v[i] = -x[i] * at.c[k + 1] * fit.columns[k + 1][i];
        for (std::size_t a = 0; a < terms; ++a) h[a] += fit.squares[i] * fit.columns[a][i] * v[i];
      }
      if (at.used == 0 || !solve(fit.matrix, h, at.used, c)) continue;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t a = 0; a < terms; ++a) v[i] -= c[a] * fit.columns[a][i];
    }
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < 2; ++k) {
        at.g[k] += fit.squares[i] * (*direction[k])[i] * (fit.ratio[i] - 1);
        for (std::size_t j = 0; j < 2; ++j)
          at.h[k][j] += fit.squares[i] * (*direction[k])[i] * (*direction[j])[i];
      }
    return at;
  }

  // Downhill from some exponents.
  At minimize(double alpha, double beta) {
    At at = look(alpha, beta, nullptr);
    double damping = 1e-3;
    for (int step = 0; step < 60; ++step) {
      const double h00 = at.h[0][0] * (1 + damping) + 1e-30, h11 = at.h[1][1] * (1 + damping) + 1e-30,
                   h01 = at.h[0][1], determinant = h00 * h11 - h01 * h01;
      const auto move = [](double from, double by) {
        return std::clamp(from - std::clamp(by, -0.5, 0.5), flattest, steepest);
      };
      const double next_alpha = move(at.alpha, (h11 * at.g[0] - h01 * at.g[1]) / determinant),
                   next_beta = move(at.beta, (h00 * at.g[1] - h01 * at.g[0]) / determinant);
      if (std::abs(next_alpha - at.alpha) + std::abs(next_beta - at.beta) < 1e-7) break;
      const At next = look(next_alpha, next_beta, &at.c);
      if (next.loss < at.loss) {
        const bool done = at.loss - next.loss <= 1e-9 * at.loss;
        at = next;
        damping = std::max(damping / 5, 1e-9);
        if (done) break;
      } else {
        damping *= 8;
        if (damping > 1e8) break;
      }
    }
    return at;
  }

 private:
  Form form_;
  double middle_n_ = 0, middle_d_ = 0;
  std::vector<double> t_, s_, y_;  // log N and log D less their means, losses
  std::vector<double> of_n_, of_d_;
};

std::vector<std::pair<double, double>> grid() {
  std::vector<std::pair<double, double>> starts;
  for (const double alpha : {0.1, 0.2, 0.35, 0.6, 1.0, 1.6})
    for (const double beta : {0.1, 0.2, 0.35, 0.6, 1.0, 1.6}) starts.emplace_back(alpha, beta);
  return starts;
}

At lowest(Problem& problem, const Form& form, const std::vector<std::pair<double, double>>& starts) {
  At best;
  std::set<double> alphas, betas;
  for (const auto& [alpha, beta] : starts) {
    // Where a term is missing, starts that differ in its exponent are the same.
    if (!form.d && !alphas.insert(alpha).second) continue;
    if (!form.n && !betas.insert(beta).second) continue;
    const At end = problem.minimize(alpha, beta);
    if (end.loss < best.loss * (1 - 1e-9)) best = end;
  }
  return best;
}

void check(std::span<const JointPoint> points, const Form& form, const JointOptions& options) {
  const auto fail = [](const std::string& what) { throw ValueError("[fit_joint] " + what); };
  if (!form.n && !form.d) fail("expected a form with a term of N or of D, got a constant");
  if (!(options.huber >= 0)) fail(fmt::format("expected huber at least 0, got {}", options.huber));
  std::set<double> sizes, data, losses;
  std::size_t count = 0;
  for (const JointPoint& point : points) {
    for (const double value : {point.n, point.d, point.loss})
      if (!(value > 0) || std::isinf(value))
        fail(fmt::format("expected N, D and losses above 0 and finite, got N = {}, D = {}, loss = {}",
                         point.n, point.d, point.loss));
    if (!(point.weight >= 0) || std::isinf(point.weight))
      fail(fmt::format("expected weights at least 0 and finite, got {}", point.weight));
    if (point.weight == 0) continue;
    ++count;
    sizes.insert(point.n), data.insert(point.d), losses.insert(point.loss);
  }
  if (count < form.parameters())
    fail(fmt::format("expected at least {} cells for the {} parameters of {}, got {}", form.parameters(),
                     form.parameters(), name(form), count));
  // A power needs two sizes, and one more beside a constant.
  const std::size_t needed = form.e ? 3 : 2;
  if (form.n && sizes.size() < needed)
    fail(fmt::format("expected at least {} different N for {}, got {}", needed, name(form), sizes.size()));
  if (form.d && data.size() < needed)
    fail(fmt::format("expected at least {} different D for {}, got {}", needed, name(form), data.size()));
  if (losses.size() < 2)
    fail(fmt::format("expected losses that differ, got {} from every cell", *losses.begin()));
}

std::vector<JointPoint> means(const std::vector<JointCell>& cells, const Resample& resample) {
  std::vector<JointPoint> points;
  for (std::size_t i = 0; i < cells.size(); ++i)
    points.push_back({cells[i].n, cells[i].d, mean_of(cells[i].losses, resample[i]), resample[i].weight});
  return points;
}

std::vector<std::size_t> seeds_of(const std::vector<JointCell>& cells) {
  std::vector<std::size_t> seeds;
  for (const JointCell& cell : cells) {
    if (cell.losses.empty())
      throw ValueError(fmt::format(
          "[fit_joint] expected losses of every cell, got none at N = {:g}, D = {:g}", cell.n, cell.d));
    for (const double loss : cell.losses)
      if (!(loss > 0) || std::isinf(loss))
        throw ValueError(
            fmt::format("[fit_joint] expected losses above 0 and finite, got {} at N = {:g}, D = {:g}", loss,
                        cell.n, cell.d));
    seeds.push_back(cell.losses.size());
  }
  return seeds;
}

// The power of ten next to the middle of the sizes.
double reference(const std::vector<JointCell>& cells, double JointCell::*size) {
  double sum = 0;
  for (const JointCell& cell : cells) sum += std::log10(cell.*size);
  return std::pow(10, std::round(sum / static_cast<double>(cells.size())));
}

JointLaw at_reference(JointLaw law, double n0, double d0) {
  law.a *= std::pow(n0 / law.n0, -law.alpha);
  law.b *= std::pow(d0 / law.d0, -law.beta);
  law.n0 = n0, law.d0 = d0;
  return law;
}

double left_out_error(const std::vector<JointPoint>& points, const Form& form, const JointFit& whole) {
  double sum = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    std::vector<JointPoint> others = points;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    try {
      const JointLaw law =
          fit_joint(others, form,
                    {whole.huber, {{whole.law.alpha, whole.law.beta}, {0.3, 0.3}, {1, 0.5}, {0.5, 1}}})
              .law;
      sum += std::abs(std::log(law(points[i].n, points[i].d) / points[i].loss));
    } catch (const ValueError&) {
      return nan;
    }
  }
  return sum / static_cast<double>(points.size());
}

}  // namespace

std::string name(const Form& form) {
  std::string text = form.e ? "E" : "";
  if (form.n) text += text.empty() ? "A N^-α" : " + A N^-α";
  if (form.d) text += text.empty() ? "B D^-β" : " + B D^-β";
  return text;
}

std::span<const Form> all_forms() {
  static constexpr Form forms[] = {{true, true, true},  {false, true, true},  {true, true, false},
                                   {true, false, true}, {false, true, false}, {false, false, true}};
  return forms;
}

double JointLaw::operator()(double n, double d) const {
  return e + (a > 0 ? a * std::pow(n / n0, -alpha) : 0) + (b > 0 ? b * std::pow(d / d0, -beta) : 0);
}

double JointLaw::best_size(double flops) const {
  if (!(a > 0) || !(b > 0)) return nan;
  const double data = flops / (6 * n0 * d0);  // d / d0 at n = n0
  return n0 * std::exp((std::log(alpha * a / (beta * b)) + beta * std::log(data)) / (alpha + beta));
}

JointFit fit_joint(std::span<const JointPoint> points, const Form& form, const JointOptions& options) {
  check(points, form, options);
  Problem problem(points, form);
  std::vector<std::pair<double, double>> starts = options.starts.empty() ? grid() : options.starts;
  At best;
  if (options.huber > 0) {
    problem.fit.huber = options.huber;
    best = lowest(problem, form, starts);
  } else {
    best = lowest(problem, form, starts);  // by squares; then twice with what they leave
    for (int round = 0; round < 2; ++round) {
      problem.look(best.alpha, best.beta, &best.c);
      problem.fit.huber = problem.fit.usual_huber(form.parameters());
      best = lowest(problem, form, {{best.alpha, best.beta}, {0.3, 0.3}, {1, 0.5}, {0.5, 1}});
    }
  }
  if (!std::isfinite(best.loss)) throw ValueError(fmt::format("[fit_joint] {} has no fit", name(form)));
  best = problem.look(best.alpha, best.beta, &best.c);
  JointFit fit;
  fit.huber = problem.fit.huber;
  fit.loss = best.loss;
  fit.residual = std::sqrt(problem.fit.mean_square());
  fit.law = {.e = best.c[0],
             .a = best.c[1],
             .alpha = best.c[1] > 0 ? best.alpha : 0,
             .b = best.c[2],
             .beta = best.c[2] > 0 ? best.beta : 0,
             .n0 = std::exp(problem.middle_n()),
             .d0 = std::exp(problem.middle_d())};
  const auto inside = [](double coefficient, double exponent) {
    return coefficient == 0 || (exponent > 1.01 * flattest && exponent < 0.99 * steepest);
  };
  fit.converged = inside(best.c[1], best.alpha) && inside(best.c[2], best.beta);
  return fit;
}

JointReport fit_joint_cells(const std::vector<JointCell>& cells, const Form& form,
                            const JointReportOptions& options, Rng& rng) {
  const std::vector<std::size_t> seeds = seeds_of(cells);
  const std::vector<JointPoint> points = means(cells, everything(seeds));
  JointReport report;
  report.form = form;
  report.fit = fit_joint(points, form, {options.huber, {}});
  const double n0 = reference(cells, &JointCell::n), d0 = reference(cells, &JointCell::d);
  report.fit.law = at_reference(report.fit.law, n0, d0);
  report.left_out_error = left_out_error(points, form, report.fit);
  const auto numbers = [&](const JointLaw& law) {
    std::vector<double> list{law.e, law.a, law.alpha, law.b, law.beta};
    for (const auto& [n, d] : options.predict_at) list.push_back(law(n, d));
    if (!options.budgets.empty()) list.push_back(law.beta / (law.alpha + law.beta));
    for (const double flops : options.budgets) list.push_back(law.best_size(flops));
    return list;
  };
  const JointLaw& law = report.fit.law;
  const JointOptions again{report.fit.huber,
                           {{law.a > 0 ? law.alpha : 0.5, law.b > 0 ? law.beta : 0.5}, {0.5, 0.5}}};
  const Intervals intervals = bootstrap(
      seeds,
      [&](const Resample& resample) {
        return numbers(at_reference(fit_joint(means(cells, resample), form, again).law, n0, d0));
      },
      options.resamples, rng);
  report.resamples = intervals.resamples;
  report.failed = intervals.failed;
  const std::vector<double> values = numbers(law);
  Estimate* const named[] = {&report.e, &report.a, &report.alpha, &report.b, &report.beta};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Estimate estimate{values[i], intervals.both[i]};
    const std::size_t after = std::size(named) + options.predict_at.size();
    if (i < std::size(named))
      *named[i] = estimate;
    else if (i < after)
      report.predictions.push_back(estimate);
    else if (i == after)
      report.growth = estimate;
    else
      report.best_sizes.push_back(estimate);
  }
  return report;
}

JointHoldout hold_out_joint(const std::vector<JointCell>& cells, std::size_t largest, const Form& form,
                            double huber) {
  const std::vector<JointPoint> points = means(cells, everything(seeds_of(cells)));
  std::vector<double> sizes;
  for (const JointPoint& point : points) sizes.push_back(point.n * point.d);
  const std::vector<std::size_t> kept = all_but_largest(sizes, largest);
  std::vector<JointPoint> smaller;
  JointHoldout holdout;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const bool is_kept = std::find(kept.begin(), kept.end(), i) != kept.end();
    (is_kept ? smaller : holdout.points).push_back(points[i]);
  }
  const JointLaw law = fit_joint(smaller, form, {huber, {}}).law;
  for (const JointPoint& point : holdout.points) {
    holdout.predicted.push_back(law(point.n, point.d));
    holdout.error += std::abs(holdout.predicted.back() / point.loss - 1);
  }
  holdout.error /= static_cast<double>(holdout.points.size());
  return holdout;
}

}  // namespace elk::lab::scaling
