#include <lab/outcome.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <elk/base/error.hpp>

namespace elk::lab {

namespace {

// Those that a run's line has names of its own for.
constexpr std::pair<const char*, std::optional<double> RunSummary::*> fields[] = {
    {"training_loss", &RunSummary::train_loss},
    {"validation_loss", &RunSummary::val_loss},
    {"validation_accuracy", &RunSummary::val_accuracy},
    {"test_loss", &RunSummary::test_loss},
    {"test_accuracy", &RunSummary::test_accuracy}};

}  // namespace

std::string Metric::key() const {
  std::string text = name;
  std::replace(text.begin(), text.end(), ' ', '_');
  return text;
}

std::optional<double> value_of(const RunSummary& run, const Metric& metric) {
  const std::string key = metric.key();
  if (key == Metric::test_error.key() && run.test_accuracy) return 1 - *run.test_accuracy;
  for (const auto& [name, field] : fields)
    if (key == name) return run.*field;
  const auto found = run.metrics.find(key);
  return found == run.metrics.end() ? std::nullopt : std::optional(found->second);
}

void set_value(RunSummary& run, const std::string& key, double value) {
  for (const auto& [name, field] : fields)
    if (key == name) {
      run.*field = value;
      return;
    }
  run.metrics[key] = value;
}

std::string shown(const Interval& interval, bool share) {
  if (!std::isfinite(interval.mean)) return "-";
  const double scale = share ? 100 : 1;
  const int decimals = share ? 2 : 4;
  if (std::isnan(interval.low)) return fmt::format("{:.{}f}", interval.mean * scale, decimals);
  return fmt::format("{:.{}f} ± {:.{}f}", interval.mean * scale, decimals,
                     (interval.high - interval.mean) * scale, decimals);
}

std::string begun(std::string sentence) {
  if (sentence[0] >= 'a' && sentence[0] <= 'z') sentence[0] = static_cast<char>(sentence[0] - 'a' + 'A');
  return sentence;
}

std::string text(double number) { return fmt::format("{:g}", number); }
std::string decimal(double number) { return fmt::format("{:.2f}", number); }
std::string with_interval(const Interval& loss) { return shown(loss, false); }
std::string flops_text(double flops) { return fmt::format("{:.2e}", flops); }
std::string percent(double share) { return fmt::format("{:.2f}", 100 * share); }

std::vector<double> Outcome::values(const Metric& metric) const {
  std::vector<double> all;
  for (const RunSummary& run : runs)
    if (run.status != "failed") all.push_back(value_of(run, metric).value_or(nan));
  return all;
}

Interval Outcome::mean(const Metric& metric) const {
  const std::vector<double> all = values(metric);
  return all.empty() ? Interval{nan, nan, nan} : mean_interval(all);
}

int Outcome::count(const std::string& status) const {
  return static_cast<int>(
      std::count_if(runs.begin(), runs.end(), [&](const RunSummary& run) { return run.status == status; }));
}

std::pair<std::vector<double>, std::vector<double>> pairs_of(const Outcome& a, const Outcome& b,
                                                             const Metric& metric) {
  std::pair<std::vector<double>, std::vector<double>> pairs;
  for (std::size_t i = 0; i < std::min(a.runs.size(), b.runs.size()); ++i) {
    if (a.runs[i].status == "failed" || b.runs[i].status == "failed") continue;
    pairs.first.push_back(value_of(a.runs[i], metric).value_or(nan));
    pairs.second.push_back(value_of(b.runs[i], metric).value_or(nan));
  }
  return pairs;
}

std::string tell_difference(const Outcome& a, const Outcome& b, const Metric& metric,
                            const Judgement& found) {
  const double scale = metric.share ? 100 : 1;
  const char* unit = metric.share ? " points" : "";
  const int decimals = metric.share ? 2 : 4;
  if (std::isnan(found.mean))
    return fmt::format("{} and {} cannot be compared by {}: no run of both came to its end", a.cell.label,
                       b.cell.label, metric.name);
  if (std::isnan(found.low))
    return fmt::format("{} and {} differ by {:.{}f}{} of {} in {}: one seed, which resolves nothing",
                       a.cell.label, b.cell.label, found.mean * scale, decimals, unit, metric.name,
                       std::min(a.runs.size(), b.runs.size()) == 1 ? "one run each" : "too few runs");
  const double half = (found.high - found.mean) * scale;
  if (found.stands) {
    const bool a_better = (found.mean > 0) == metric.more_is_better;
    return fmt::format("{} is better than {} by {:.{}f} ± {:.{}f}{} of {} ({} seeds)",
                       a_better ? a.cell.label : b.cell.label, a_better ? b.cell.label : a.cell.label,
                       std::abs(found.mean) * scale, decimals, half, decimals, unit, metric.name,
                       found.pairs);
  }
  std::string sentence =
      fmt::format("the difference between {} and {} is {:.{}f} ± {:.{}f}{} of {}: ", a.cell.label,
                  b.cell.label, found.mean * scale, decimals, half, decimals, unit, metric.name);
  if (found.equal)
    return sentence + fmt::format("shown to be less than {:.2f} points either way", 100 * equal_within);
  sentence += found.resolved() ? "not resolved among all comparisons of this report"
                               : fmt::format("not resolved by {} seeds", found.pairs);
  if (metric.share) sentence += fmt::format(", nor shown to be less than {:.2f} points", 100 * equal_within);
  return sentence;
}

namespace {

// "0.001, 0.004 to 0.016, 0.2": those of `chosen`, by their places among `outcomes`; three and more numbers
// in a row, but for `left_out`, are a range. Where even these are many: how many there are between the first
// and the last.
std::string listed(std::span<const Outcome> outcomes, const std::vector<bool>& chosen, std::size_t left_out) {
  constexpr std::size_t most = 8;
  const auto is_number = [&](std::size_t i) {
    double value = 0;
    const std::string& label = outcomes[i].cell.label;
    const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), value);
    return error == std::errc() && end == label.data() + label.size();
  };
  std::vector<std::string> parts;
  std::size_t count = 0, first = outcomes.size(), last = 0;
  bool numbers = true;
  for (std::size_t i = 0; i < outcomes.size();) {
    if (!chosen[i]) {
      ++i;
      continue;
    }
    std::vector<std::size_t> row;
    for (; i < outcomes.size() && (chosen[i] || i == left_out); ++i)
      if (chosen[i]) row.push_back(i);
    first = std::min(first, row.front()), last = row.back(), count += row.size();
    const bool all_numbers = std::all_of(row.begin(), row.end(), is_number);
    numbers = numbers && all_numbers;
    if (row.size() > 2 && all_numbers)
      parts.push_back(outcomes[row.front()].cell.label + " to " + outcomes[row.back()].cell.label);
    else
      for (const std::size_t at : row) parts.push_back(outcomes[at].cell.label);
  }
  if (parts.size() > most && numbers)
    return fmt::format("{} others from {} to {}", count, outcomes[first].cell.label,
                       outcomes[last].cell.label);
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

const Outcome& best(std::span<const Outcome> outcomes, const Judging& judging) {
  if (outcomes.empty()) throw ValueError("[study] there are no outcomes to take the best of");
  const auto score = [&](const Outcome& outcome) {
    for (const Metric* metric : {&judging.chosen_by, &judging.metric})
      if (const double mean = outcome.mean(*metric).mean; !std::isnan(mean))
        return metric->more_is_better ? mean : -mean;
    return -std::numeric_limits<double>::infinity();
  };
  return *std::max_element(outcomes.begin(), outcomes.end(),
                           [&](const Outcome& a, const Outcome& b) { return score(a) < score(b); });
}

std::string tell_best(std::span<const Outcome> outcomes, const std::string& what,
                      const std::vector<Judgement>& others, const Judging& judging) {
  const Metric& metric = judging.metric;
  const Outcome& first = best(outcomes, judging);
  const auto place = static_cast<std::size_t>(&first - outcomes.data());
  if (std::isnan(first.mean(metric).mean))
    return fmt::format("{}: no run came to its end, so that none is the best", what);
  const bool validated =
      judging.chosen_by.name != metric.name && !std::isnan(first.mean(judging.chosen_by).mean);
  std::vector<bool> same(outcomes.size()), worse(outcomes.size());
  for (std::size_t i = 0, other = 0; i < outcomes.size(); ++i) {
    if (i == place) continue;
    const Judgement& found = others.at(other++);
    (found.stands && (found.mean > 0) == metric.more_is_better ? worse : same)[i] = true;
  }
  // "validation" for what is measured on held-out examples, whatever it is.
  const std::string by = !validated                                         ? metric.name
                         : judging.chosen_by.name.starts_with("validation") ? "validation"
                                                                            : judging.chosen_by.name;
  std::string sentence =
      fmt::format("{} {} is the best by {}: {} {}{}", what, first.cell.label, by, metric.name,
                  shown(first.mean(metric), metric.share), metric.share ? " %" : "");
  if (first.runs.size() < 2) return sentence + "; one seed tells it apart from no other";
  if (const std::string list = listed(outcomes, worse, place); !list.empty())
    sentence += fmt::format("; it is better than {}", list);
  if (const std::string list = listed(outcomes, same, place); !list.empty())
    sentence += fmt::format("; {} seeds do not tell it apart from {}", first.runs.size(), list);
  return sentence;
}

}  // namespace elk::lab
