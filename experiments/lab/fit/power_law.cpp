#include <lab/fit/power_law.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <nlopt.h>

#include <elk/base/error.hpp>

namespace elk::lab::scaling {

namespace {

// Of the law log L = log(exp(p0 - p1 t) + exp(p2)).
using Parameters = std::array<double, 3>;

constexpr double steepest = 30;  // |p1|: L falls or rises by e^60 from end to end

// The points in coordinates that suit any units: t runs from -1 to 1 over the range of log x, and z is log y
// less its mean.
struct Problem {
  double huber;
  double lowest = 0;                       // p2, where E is so far below all losses that it is as good as 0
  double scale = 1;                        // of the loss as the minimizer sees it
  std::vector<double> t{}, z{}, weight{};  // weights add up to 1
};

struct Point {
  Parameters p{}, gradient{};
  double loss = 0;
  double slope = 0;  // mean |d Huber / d residual|: what a gradient is small against

  bool negligible(double derivative) const { return std::abs(derivative) <= 1e-6 * slope + 1e-11; }
  bool flat() const {
    return std::all_of(gradient.begin(), gradient.end(), [this](double d) { return negligible(d); });
  }
};

Point evaluate(const Problem& problem, const Parameters& p) {
  Point at{.p = p};
  const double e = std::exp(p[2]);  // 0 for p2 = -infinity
  for (std::size_t i = 0; i < problem.t.size(); ++i) {
    const double t = problem.t[i], weight = problem.weight[i];
    const double power = std::exp(p[0] - p[1] * t), sum = power + e;
    const double residual = std::log(sum) - problem.z[i], size = std::abs(residual);
    const bool inside = size <= problem.huber;
    const double slope = weight * (inside ? residual : std::copysign(problem.huber, residual));
    at.loss += weight * (inside ? residual * residual / 2 : problem.huber * (size - problem.huber / 2));
    at.slope += std::abs(slope);
    at.gradient[0] += slope * power / sum;
    at.gradient[1] -= slope * power / sum * t;
    at.gradient[2] += slope * e / sum;
  }
  return at;
}

double objective(unsigned parameters, const double* p, double* gradient, void* data) {
  const Problem& problem = *static_cast<const Problem*>(data);
  const Point at = evaluate(problem, {p[0], p[1], parameters == 3 ? p[2] : -HUGE_VAL});
  if (gradient)
    for (unsigned i = 0; i < parameters; ++i) gradient[i] = at.gradient[i] * problem.scale;
  return at.loss * problem.scale;
}

// Downhill from `start`; an E of 0 stays 0. By NLopt's L-BFGS: it takes 30 to 80 evaluations, and a damped
// Newton's method of our own was no faster and missed more optima of this loss, which is nearly one of
// absolute values. When a minimizer stops depends on the loss's scale, which made Hoffmann et al.'s stop too
// early (Besiroglu et al. 2024, "Chinchilla scaling: a replication attempt"): here its slopes are about 1,
// and whoever takes the end looks at the gradient.
Point minimize(Problem& problem, const Parameters& start) {
  const Point at = evaluate(problem, start);
  if (at.flat()) return at;
  problem.scale = 1 / at.slope;
  const std::unique_ptr<nlopt_opt_s, decltype(&nlopt_destroy)> search(
      nlopt_create(NLOPT_LD_LBFGS, std::isinf(start[2]) ? 2 : 3), nlopt_destroy);
  const Parameters low{-600, -steepest, problem.lowest}, high{600, steepest, 600};
  nlopt_set_lower_bounds(search.get(), low.data());
  nlopt_set_upper_bounds(search.get(), high.data());
  nlopt_set_min_objective(search.get(), objective, &problem);
  nlopt_set_vector_storage(search.get(), 5);  // with its default it is at half the speed
  nlopt_set_ftol_rel(search.get(), 1e-13);
  nlopt_set_maxeval(search.get(), 1000);
  Parameters p = start;
  double loss = 0;
  nlopt_optimize(search.get(), p.data(), &loss);
  return evaluate(problem, p);
}

// The line of least squares through the points (t, log(exp(z) - e)), with that e.
Parameters line(const Problem& problem, double e) {
  double mean_t = 0, mean_z = 0, tt = 0, tz = 0;
  for (std::size_t i = 0; i < problem.t.size(); ++i) mean_t += problem.weight[i] * problem.t[i];
  for (std::size_t i = 0; i < problem.t.size(); ++i) {
    const double t = problem.t[i] - mean_t, z = std::log(std::exp(problem.z[i]) - e);
    mean_z += problem.weight[i] * z;
    tt += problem.weight[i] * t * t;
    tz += problem.weight[i] * t * z;
  }
  const double slope = std::clamp(tz / tt, -steepest, steepest);
  return {mean_z - slope * mean_t, -slope, std::log(e)};
}

void check(std::span<const double> x, std::span<const double> y, const PowerLawOptions& options,
           std::span<const double> weights) {
  const auto fail = [](const std::string& what) { throw ValueError("[fit_power_law] " + what); };
  if (x.size() != y.size() || (!weights.empty() && weights.size() != x.size()))
    fail(fmt::format("as many x, y and weights are needed, found {}, {} and {}", x.size(), y.size(),
                     weights.size()));
  if (!(options.huber > 0) || options.starts < 1)
    fail(fmt::format("huber and starts must be above 0, found {} and {}", options.huber, options.starts));
  std::set<double> different;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double weight = weights.empty() ? 1 : weights[i];
    if (!(weight >= 0) || std::isinf(weight))
      fail(fmt::format("weights must be at least 0 and finite, found {} at point {}", weight, i));
    if (!(x[i] > 0) || std::isinf(x[i]) || !(y[i] > 0) || std::isinf(y[i]))
      fail(fmt::format("x and y must be above 0 and finite, found ({}, {}) at point {}", x[i], y[i], i));
    if (weight > 0) different.insert(std::log(x[i]));
  }
  const std::size_t parameters = options.irreducible ? 3 : 2;
  if (different.size() < parameters)
    fail(fmt::format("{} parameters need as many different x, found {}", parameters, different.size()));
}

}  // namespace

double PowerLaw::operator()(double x) const { return e + a * std::pow(x, -alpha); }

PowerLawFit fit_power_law(std::span<const double> x, std::span<const double> y,
                          const PowerLawOptions& options, std::span<const double> weights) {
  check(x, y, options, weights);
  Problem problem{options.huber};
  double total = 0, mean = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double weight = weights.empty() ? 1 : weights[i];
    if (weight == 0) continue;
    problem.t.push_back(std::log(x[i]));
    problem.z.push_back(std::log(y[i]));
    problem.weight.push_back(weight);
    total += weight;
    mean += weight * problem.z.back();
  }
  mean /= total;
  const auto [first, last] = std::minmax_element(problem.t.begin(), problem.t.end());
  const double middle = (*first + *last) / 2, half = (*last - *first) / 2;
  for (double& t : problem.t) t = (t - middle) / half;
  for (double& z : problem.z) z -= mean;
  for (double& weight : problem.weight) weight /= total;
  const double lowest = *std::min_element(problem.z.begin(), problem.z.end());
  problem.lowest = lowest - 15;

  // Without E the loss is convex: one start is enough.
  std::vector<Point> ends{minimize(problem, line(problem, 0))};
  Point best = ends.front();
  if (options.irreducible) {
    for (int i = 0; i < options.starts; ++i) {  // E from 0 to the lowest loss, closer to each other near it
      const double left = 1 - (i + 0.5) / options.starts;
      ends.push_back(minimize(problem, line(problem, std::exp(lowest) * (1 - left * left))));
      if (ends.back().loss < best.loss * (1 - 1e-9) - 1e-15) best = ends.back();
    }
  }

  PowerLawFit fit;
  fit.law.alpha = best.p[1] / half;
  fit.law.e = std::exp(best.p[2] + mean);
  fit.law.a = std::exp(best.p[0] + mean + fit.law.alpha * middle);
  if (!std::isnormal(fit.law.a))
    throw ValueError(
        fmt::format("[fit_power_law] A = exp({:.6g}) is no number of f64: give x in a larger unit",
                    best.p[0] + mean + fit.law.alpha * middle));
  fit.loss = best.loss;
  fit.residual = best.loss <= options.huber * options.huber / 2
                     ? std::sqrt(2 * best.loss)
                     : best.loss / options.huber + options.huber / 2;
  fit.starts = static_cast<int>(ends.size());
  fit.agreeing = static_cast<int>(std::count_if(ends.begin(), ends.end(), [&best](const Point& end) {
    return end.loss <= best.loss * (1 + 1e-6) + 1e-12;
  }));
  fit.converged = best.flat() && std::abs(best.p[1]) < 0.99 * steepest;
  if (options.irreducible && fit.law.e > 0) fit.converged = fit.converged && fit.agreeing >= 2;
  if (options.irreducible && fit.law.e == 0) {  // does the loss fall where E leaves 0?
    const double slope =
        evaluate(problem, {best.p[0], best.p[1], problem.lowest}).gradient[2] * std::exp(-problem.lowest);
    fit.converged = fit.converged && (slope > 0 || best.negligible(slope));
  }
  return fit;
}

}  // namespace elk::lab::scaling
