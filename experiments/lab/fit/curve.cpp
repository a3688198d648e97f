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

constexpr double usual_noise = 0.02;  // of a loss, relative: what one residual more is worth

// What a shape predicts: a Student's t of this middle and width.
struct Guess {
  double middle = 0, width = 0, weight = 0;  // the weight's logarithm
};

// The shapes' guesses for one curve.
class Guesses {
 public:
  Guesses(std::span<const double> losses, std::size_t epochs)
      : losses_(losses),
        lowest_(*std::min_element(losses.begin(), losses.end())),
        freedom_(static_cast<double>(losses.size())) {
    for (std::size_t i = 1; i <= losses.size(); ++i) t_.push_back(std::log(static_cast<double>(i)));
    t_.push_back(std::log(static_cast<double>(epochs)));
  }

  // Of e + A g(t), where g takes the logarithm of t.
  template <class Shape>
  void add(double e, const Shape& g) {
    const std::size_t n = losses_.size();
    g_.resize(n + 1);
    const double first = g(0);
    for (std::size_t i = 0; i <= n; ++i) g_[i] = g(t_[i]) / first;
    double square = 0, cross = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double part = g_[i] / losses_[i];
      square += part * part;
      cross += part * (1 - e / losses_[i]);
    }
    const double a = cross / square, middle = e + a * g_[n];
    if (!(middle > 0) || !std::isfinite(middle)) return;
    double sum = usual_noise * usual_noise;
    for (std::size_t i = 0; i < n; ++i) sum += std::pow((e + a * g_[i]) / losses_[i] - 1, 2);
    // n losses less A, and the usual noise.
    const double noise = std::sqrt(sum / freedom_);
    guesses_.push_back({middle, noise * std::hypot(middle, g_[n] / std::sqrt(square)),
                        -freedom_ / 2 * std::log(sum) - std::log(square) / 2});
  }

  // Above the losses, too: a curve that rises towards E has an A below 0.
  double e(double share) const { return 1.5 * share * lowest_; }

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
        if ((sum += weight) >= share * total) return std::max(loss, 0.0);
      return all.back().first;
    };
    return {quantile(0.5), {quantile(0.025), quantile(0.975)}};
  }

 private:
  std::span<const double> losses_;
  double lowest_, freedom_;
  std::vector<double> t_, g_;  // log t and g of the losses, and behind them of the end
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

Estimate estimate(std::span<const double> losses, std::size_t epochs, CurveForm form) {
  if (form == CurveForm::last || losses.size() < fewest_losses || losses.size() == epochs)
    return stay(losses, epochs);
  Guesses guesses(losses, epochs);
  const auto end = static_cast<double>(epochs);
  constexpr int shapes = 3000;
  for (int i = 1; i <= shapes; ++i) {
    const double e = guesses.e(halton(i, 2));
    if (form == CurveForm::exponential) {
      const double tau = between(0.3, 2 * end, halton(i, 3));
      guesses.add(e, [&](double t) { return std::exp(-std::exp(t) / tau); });
    } else if (form == CurveForm::power) {
      const double b = between(0.05, 4, halton(i, 3));
      guesses.add(e, [&](double t) { return std::exp(-b * t); });
    } else {
      const double before = between(0.05, 2, halton(i, 3)), after = between(0.05, 4, halton(i, 5)),
                   d = std::log(between(1.5, end, halton(i, 7))), f = between(0.1, 1, halton(i, 11));
      guesses.add(e, [&](double t) {
        return std::exp(-before * t - (after - before) * f * std::log1p(std::exp((t - d) / f)));
      });
    }
  }
  return guesses.estimate();
}

void check(std::span<const double> losses, std::size_t epochs) {
  const auto fail = [](const std::string& what) { throw ValueError("[forecast] " + what); };
  if (losses.empty()) fail("expected the losses of at least one epoch, got none");
  if (losses.size() > epochs)
    fail(fmt::format("expected losses of at most the {} epochs that are planned, got {}", epochs,
                     losses.size()));
  for (const double loss : losses)
    if (!(loss > 0) || std::isinf(loss))
      fail(fmt::format("expected losses above 0 and finite, got {}", loss));
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

Forecast forecast(std::span<const double> losses, std::size_t epochs, CurveForm form) {
  check(losses, epochs);
  return {form, estimate(losses, epochs, form)};
}

Forecast forecast(std::span<const double> losses, std::size_t epochs) {
  check(losses, epochs);
  const std::size_t held_out = std::max<std::size_t>(losses.size() / 4, 1);
  if (losses.size() < held_out + 2 || losses.size() == epochs)
    return forecast(losses, epochs, CurveForm::last);
  const auto known = losses.first(losses.size() - held_out);
  Forecast best{CurveForm::last, {}, HUGE_VAL};
  for (const CurveForm form : curve_forms) {
    const double error = std::abs(std::log(estimate(known, losses.size(), form).value / losses.back()));
    if (error < best.held_out_error) best = {form, {}, error};
  }
  best.loss = estimate(losses, epochs, best.form);
  for (const CurveForm form : {CurveForm::exponential, CurveForm::power, CurveForm::broken}) {
    const Interval other = estimate(losses, epochs, form).interval;
    best.loss.interval.low = std::min(best.loss.interval.low, other.low);
    best.loss.interval.high = std::max(best.loss.interval.high, other.high);
  }
  return best;
}

}  // namespace elk::lab::scaling
