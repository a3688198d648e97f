#include <lab/fit/curve.hpp>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/math/distributions/students_t.hpp>

#include <elk/base/error.hpp>

namespace elk::lab::scaling {

namespace {

constexpr double usual_noise = 0.02;   // of a loss, relative: what one residual more is worth
constexpr double most_annealed = 0.2;  // by which share a loss is lower at the most where its rate is near 0

// What a shape predicts: a Student's t of this middle and width.
struct Guess {
  double middle = 0, width = 0, weight = 0;  // the weight's logarithm
};

// The shapes' guesses for one curve.
class Guesses {
 public:
  Guesses(std::span<const double> losses, std::span<const double> rates)
      : unit_(*std::min_element(losses.begin(), losses.end())), freedom_(static_cast<double>(losses.size())) {
    for (const double loss : losses) losses_.push_back(loss / unit_);
    const double highest = *std::max_element(rates.begin(), rates.end());
    for (std::size_t i = 0; i < rates.size(); ++i) {
      const double rate = highest > 0 ? rates[i] / highest : 1;
      end_ += rate;
      if (i >= losses.size() && i + 1 < rates.size()) continue;
      constexpr double least = 0.01;  // where a warm-up begins at 0
      t_.push_back(std::log(std::max(end_, least)));
      lower_.push_back(1 - rate);
    }
    e_.resize(t_.size()), g_.resize(t_.size());
  }

  // Of (e + A g(t)) (1 - annealed (1 - rate)), where g takes the logarithm of t.
  template <class Shape>
  void add(double e, double annealed, const Shape& g) {
    const std::size_t n = losses_.size();
    const double first = g(t_[0]);
    for (std::size_t i = 0; i <= n; ++i) {
      const double factor = 1 - annealed * lower_[i];
      e_[i] = e * factor, g_[i] = g(t_[i]) / first * factor;
    }
    double square = 0, cross = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double part = g_[i] / losses_[i];
      square += part * part;
      cross += part * (1 - e_[i] / losses_[i]);
    }
    const double a = cross / square, middle = e_[n] + a * g_[n];
    if (!(middle > 0) || !std::isfinite(middle)) return;
    double sum = usual_noise * usual_noise;
    for (std::size_t i = 0; i < n; ++i) sum += std::pow((e_[i] + a * g_[i]) / losses_[i] - 1, 2);
    // n losses less A, and the usual noise.
    const double noise = std::sqrt(sum / freedom_);
    guesses_.push_back({middle, noise * std::hypot(middle, g_[n] / std::sqrt(square)),
                        -freedom_ / 2 * std::log(sum) - std::log(square) / 2});
  }

  // Above the losses, too: a curve that rises towards E has an A below 0.
  double e(double share) const { return 1.5 * share; }
  double end() const { return end_; }

  bool empty() const { return guesses_.empty(); }
  // Of all of them together: each is cut into parts of one probability, of which the middles are counted.
  Estimate estimate() {
    constexpr int parts = 40;
    double most = -HUGE_VAL;
    for (const Guess& guess : guesses_) most = std::max(most, guess.weight);
    std::erase_if(guesses_, [&](const Guess& guess) { return !(guess.weight > most - 8); });
    std::vector<double> middles;
    const boost::math::students_t t(freedom_);
    for (int i = 0; i < parts; ++i) middles.push_back(boost::math::quantile(t, (i + 0.5) / parts));
    std::vector<std::pair<double, double>> all;  // losses and weights
    all.reserve(guesses_.size() * parts);
    double total = 0;
    for (const Guess& guess : guesses_) {
      const double weight = std::exp(guess.weight - most);
      total += weight * parts;
      for (const double middle : middles) all.emplace_back(guess.middle + middle * guess.width, weight);
    }
    std::sort(all.begin(), all.end());
    const auto quantile = [&](double share) {
      double sum = 0;
      for (const auto& [loss, weight] : all)
        if ((sum += weight) >= share * total) return unit_ * std::max(loss, 0.0);
      return unit_ * all.back().first;
    };
    return {quantile(0.5), {quantile(0.025), quantile(0.975)}};
  }

 private:
  std::vector<double> losses_;  // of which the lowest is 1
  double unit_, freedom_, end_ = 0;
  // Of the losses, and behind them of the end: log t, 1 - rate, and e and g as annealed.
  std::vector<double> t_, lower_, e_, g_;
  std::vector<Guess> guesses_;
};

// The digits of i behind the point: of several bases, points that fill a cube evenly (Halton 1960).
double halton(int i, int base) {
  double value = 0, digit = 1;
  for (; i > 0; i /= base) value += (digit /= base) * (i % base);
  return value;
}

// From `low` to `high`, evenly in the logarithm.
double between(double low, double high, double share) { return low * std::pow(high / low, share); }

Estimate stay(std::span<const double> losses, std::size_t epochs) {
  const double last = losses.back();
  if (losses.size() == epochs) return {last, {last, last}};
  if (losses.size() == 1) return {last, {0, HUGE_VAL}};
  double sum = usual_noise * usual_noise;
  for (std::size_t i = 1; i < losses.size(); ++i) sum += std::pow(std::log(losses[i] / losses[i - 1]), 2);
  const auto freedom = static_cast<double>(losses.size());
  const double width = std::sqrt(sum / freedom * static_cast<double>(epochs - losses.size()));
  const double factor = std::exp(boost::math::quantile(boost::math::students_t(freedom), 0.975) * width);
  return {last, {last / factor, last * factor}};
}

Estimate estimate(std::span<const double> losses, std::span<const double> rates, CurveForm form) {
  if (form == CurveForm::last || losses.size() < fewest_losses || losses.size() == rates.size())
    return stay(losses, rates.size());
  Guesses guesses(losses, rates);
  const double end = std::max(guesses.end(), 2.0);
  constexpr int shapes = 3000;
  for (int i = 1; i <= shapes; ++i) {
    const double e = guesses.e(halton(i, 2)), annealed = most_annealed * halton(i, 13);
    if (form == CurveForm::exponential) {
      const double tau = between(0.3, 2 * end, halton(i, 3));
      guesses.add(e, annealed, [&](double t) { return std::exp(-std::exp(t) / tau); });
    } else if (form == CurveForm::power) {
      const double b = between(0.05, 4, halton(i, 3));
      guesses.add(e, annealed, [&](double t) { return std::exp(-b * t); });
    } else {
      const double before = between(0.05, 2, halton(i, 3)), after = between(0.05, 4, halton(i, 5)),
                   d = std::log(between(1.5, end, halton(i, 7))), f = between(0.1, 1, halton(i, 11));
      guesses.add(e, annealed, [&](double t) {
        return std::exp(-before * t - (after - before) * f * std::log1p(std::exp((t - d) / f)));
      });
    }
  }
  return guesses.empty() ? stay(losses, rates.size()) : guesses.estimate();
}

void check(std::span<const double> losses, std::span<const double> rates) {
  const auto fail = [](const std::string& what) { throw ValueError("[forecast] " + what); };
  if (losses.empty()) fail("expected the losses of at least one epoch, got none");
  if (losses.size() > rates.size())
    fail(fmt::format("expected losses of at most the {} epochs that are planned, got {}", rates.size(),
                     losses.size()));
  for (const double loss : losses)
    if (!(loss > 0) || std::isinf(loss))
      fail(fmt::format("expected losses above 0 and finite, got {}", loss));
  for (const double rate : rates)
    if (!(rate >= 0) || std::isinf(rate))
      fail(fmt::format("expected learning rates that are finite and not below 0, got {}", rate));
}

}  // namespace

std::string name(CurveForm form) {
  switch (form) {
    case CurveForm::exponential: return "E + A exp(-t/τ)";
    case CurveForm::power: return "E + A t^-b";
    case CurveForm::broken: return "broken power law";
    default: return "last loss";
  }
}

Estimate forecast(std::span<const double> losses, std::span<const double> rates, CurveForm form) {
  check(losses, rates);
  return estimate(losses, rates, form);
}

Estimate forecast(std::span<const double> losses, std::span<const double> rates) {
  Estimate found = forecast(losses, rates, CurveForm::broken);
  for (const CurveForm form : {CurveForm::exponential, CurveForm::power}) {
    const Interval other = estimate(losses, rates, form).interval;
    found.interval.low = std::min(found.interval.low, other.low);
    found.interval.high = std::max(found.interval.high, other.high);
  }
  return found;
}

}  // namespace elk::lab::scaling
