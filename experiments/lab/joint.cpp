#include <lab/joint.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include <elk/base/error.hpp>
#include <lab/statistics.hpp>

namespace elk::lab {

namespace {

using scaling::Form;
using scaling::JointCell;
using scaling::JointReport;

constexpr double infinity = std::numeric_limits<double>::infinity();
// So many cells more than parameters, or nothing is concluded.
constexpr std::size_t spare = 2;

std::vector<JointCell> finite(const JointQuestion& question) {
  std::vector<JointCell> cells;
  std::size_t losses = 0;
  for (const JointCell& cell : question.cells) {
    JointCell kept{cell.n, cell.d, usable_losses(cell.losses)};
    losses += cell.losses.size();
    if (!kept.losses.empty()) cells.push_back(std::move(kept));
  }
  const auto fail = [](const std::string& what) { throw ValueError("[law] " + what); };
  if (cells.empty())
    fail(fmt::format("expected cells with a {} that is finite and above 0, got none in {} runs",
                     question.metric, losses));
  if (cells.size() < 3) fail(fmt::format("expected at least 3 cells, got {}", cells.size()));
  std::set<double> sizes, data, values;
  for (const JointCell& cell : cells) {
    sizes.insert(cell.n), data.insert(cell.d);
    values.insert(cell.losses.begin(), cell.losses.end());
  }
  if (sizes.size() == 1 && data.size() == 1)
    fail(fmt::format("expected cells that differ in N or in D, got {} of N = {:g} and D = {:g}", cells.size(),
                     *sizes.begin(), *data.begin()));
  if (values.size() == 1)
    fail(fmt::format("expected values of {} that differ, got {} from every cell", question.metric,
                     *values.begin()));
  return cells;
}

// The law of the form with its numbers: "0.03 + 0.02 (N/1e+05)^-0.6".
std::string written(const JointReport& report) {
  const scaling::JointLaw& law = report.fit.law;
  std::vector<std::string> terms;
  if (report.form.e && law.e > 0) terms.push_back(fmt::format("{:.3g}", law.e));
  if (report.form.n) terms.push_back(fmt::format("{:.3g} (N/{:g})^-{:.3g}", law.a, law.n0, law.alpha));
  if (report.form.d) terms.push_back(fmt::format("{:.3g} (D/{:g})^-{:.3g}", law.b, law.d0, law.beta));
  return fmt::format("{}", fmt::join(terms, " + "));
}

Plot picture(const std::vector<JointCell>& cells, const JointReport& report, const std::string& metric) {
  std::set<double> sizes, data;
  for (const JointCell& cell : cells) sizes.insert(cell.n), data.insert(cell.d);
  const bool over_data = data.size() >= sizes.size();  // the axis is what has more values
  double JointCell::*const x = over_data ? &JointCell::d : &JointCell::n;
  double JointCell::*const line = over_data ? &JointCell::n : &JointCell::d;
  Plot plot{.title = "The joint law and what was measured",
            .x_label = over_data ? "training examples D" : "parameters N",
            .y_label = metric,
            .note = "points: means over seeds; dashed: the law",
            .legend_title = over_data ? "N" : "D",
            .log_x = true,
            .log_y = true};
  std::map<double, std::vector<const JointCell*>> lines;
  for (const JointCell& cell : cells) lines[cell.*line].push_back(&cell);
  std::vector<Series> laws;
  for (auto& [value, members] : lines) {
    std::sort(members.begin(), members.end(), [&](auto* a, auto* b) { return a->*x < b->*x; });
    Series measured{.title = fmt::format("{:g}", value), .style = SeriesStyle::points};
    for (const JointCell* cell : members) {
      const Interval mean = mean_interval(cell->losses);
      measured.x.push_back(cell->*x);
      measured.y.push_back(mean.mean);
      measured.low.push_back(mean.low);
      measured.high.push_back(mean.high);
    }
    if (std::any_of(measured.low.begin(), measured.low.end(), [](double low) { return std::isnan(low); }))
      measured.low.clear(), measured.high.clear();
    Series law{.style = SeriesStyle::reference};
    constexpr int steps = 50;
    for (int i = 0; i <= steps && members.size() > 1; ++i) {
      const double at =
          measured.x.front() * std::pow(measured.x.back() / measured.x.front(), i / double{steps});
      law.x.push_back(at);
      law.y.push_back(over_data ? report.fit.law(value, at) : report.fit.law(at, value));
    }
    plot.series.push_back(std::move(measured));
    if (!law.x.empty()) laws.push_back(std::move(law));
  }
  for (Series& law : laws) plot.series.push_back(std::move(law));
  return plot;
}

struct Fitted {
  JointReport report;
  double held_out = nan;
};

}  // namespace

JointAnswer answer(const JointQuestion& question) {
  const std::vector<JointCell> cells = finite(question);
  const std::size_t largest =
      question.hold_out > 0 ? question.hold_out : std::max<std::size_t>(1, cells.size() / 7);
  double most_n = 0, most_d = 0, least_n = infinity;
  std::size_t seeds = 0;
  for (const JointCell& cell : cells) {
    most_n = std::max(most_n, cell.n), least_n = std::min(least_n, cell.n), most_d = std::max(most_d, cell.d);
    seeds = std::max(seeds, cell.losses.size());
  }
  scaling::JointReportOptions options{
      .predict_at = {{infinity, most_d}, {least_n, infinity}, {most_n, infinity}},
      .resamples = question.resamples};
  options.predict_at.insert(options.predict_at.end(), question.predict_at.begin(), question.predict_at.end());

  JointAnswer found;
  Table table{
      .title = fmt::format("Forms of the law of the {} over N parameters and D training examples",
                           question.metric),
      .columns = {"form", "E", "A", "α", "B", "β", "residual", "each left out", "the largest held out"}};
  std::vector<Fitted> all;
  std::string why;
  for (const Form& form : scaling::all_forms()) {
    Fitted fitted;
    try {
      Rng rng(question.seed);
      fitted.report = scaling::fit_joint_cells(cells, form, options, rng);
    } catch (const ValueError& error) {
      why = error.what();
      continue;
    }
    try {
      fitted.held_out = scaling::hold_out_joint(cells, largest, form).error;
    } catch (const ValueError&) {  // the others are too few
    }
    const JointReport& r = fitted.report;
    const auto number = [](bool has, const scaling::Estimate& estimate) {
      return has ? shown(estimate) : "";
    };
    table.rows.push_back({name(form), number(form.e, r.e), number(form.n, r.a), number(form.n, r.alpha),
                          number(form.d, r.b), number(form.d, r.beta), share(r.fit.residual),
                          share(r.left_out_error), share(fitted.held_out)});
    all.push_back(std::move(fitted));
  }
  if (all.empty()) throw ValueError("[law] no form can be fitted: " + why);
  table.note = fmt::format(
      "An E of 0 lies on the edge of what is allowed, where resamples say little of its certainty. A: what "
      "the size costs at N = {:g}; B: what the data cost at D = {:g}. 95 % intervals of {} resamples "
      "over {}, for "
      "this test set. Each left out: how far the law of the others is off, on average; the largest held out: "
      "the same of "
      "the {} cells of the largest N D.",
      all.front().report.fit.law.n0, all.front().report.fit.law.d0, question.resamples,
      seeds > 1 ? "seeds and as many over cells" : "cells", largest);
  found.tables.push_back(std::move(table));
  if (question.hold_out > 0 &&
      std::all_of(all.begin(), all.end(), [](const Fitted& fitted) { return std::isnan(fitted.held_out); }))
    found.warnings.push_back(fmt::format(
        "without the {} largest of {} cells too few are left to fit any law that could predict them", largest,
        cells.size()));
  if (seeds == 1) found.warnings.push_back("there is one seed of every cell: intervals are over cells alone");

  // Where too few cells tell forms apart, the fewest terms. An E that is 0 in every resample is none.
  const Fitted* best = &all.back();
  for (const Fitted& fitted : all) {
    const scaling::Estimate& e = fitted.report.e;
    if (fitted.report.form.e && e.value == 0 && !(e.interval.high > 0)) continue;
    const double error = fitted.report.left_out_error, lowest = best->report.left_out_error;
    if (error < lowest || (std::isnan(lowest) && !std::isnan(error))) best = &fitted;
  }
  const JointReport& r = best->report;
  const bool conclusive = cells.size() >= r.form.parameters() + spare;
  if (!r.fit.converged)
    found.warnings.push_back(
        fmt::format("the fit of {} ends where exponents are no longer told apart", name(r.form)));
  if (r.failed > 0)
    found.warnings.push_back(
        fmt::format("{} of {} resamples could not be fitted", r.failed, 2 * r.resamples));
  if (!conclusive) {
    found.sentences.push_back(
        fmt::format("{} cells are too few for the {} parameters of {}: the law is drawn, and nothing is "
                    "concluded from it",
                    cells.size(), r.form.parameters(), name(r.form)));
  } else {
    std::string sentence =
        fmt::format("The {} of N parameters and D training examples is {}", question.metric, written(r));
    std::vector<std::string> parts;
    if (r.form.n) parts.push_back("α " + shown(r.alpha));
    if (r.form.d) parts.push_back("β " + shown(r.beta));
    if (r.form.e) parts.push_back("E " + shown(r.e));
    sentence += fmt::format(": {} (95 % intervals, for this test set)", fmt::join(parts, ", "));
    std::vector<std::string> worse;
    for (const Fitted& fitted : all)
      if (&fitted != best && !std::isnan(fitted.report.left_out_error))
        worse.push_back(fmt::format("{}: {}", name(fitted.report.form), share(fitted.report.left_out_error)));
    sentence += fmt::format("; a cell left out it predicts to {}", share(r.left_out_error));
    if (!worse.empty()) sentence += fmt::format(" (other forms: {})", fmt::join(worse, ", "));
    found.sentences.push_back(sentence);
    if (r.form.n && r.form.d)
      found.sentences.push_back(fmt::format(
          "Whose floor is whose: {:g} training examples leave {} whatever the size, {:g} parameters leave {} "
          "and {:g} leave {} whatever the data; E, which neither buys, is {}",
          most_d, shown(r.predictions[0]), least_n, shown(r.predictions[1]), most_n, shown(r.predictions[2]),
          r.form.e ? shown(r.e) : "0 in this form"));
    if (!std::isnan(best->held_out))
      found.sentences.push_back(fmt::format("Fitted without the {} largest cells the law predicts them to {}",
                                            largest, share(best->held_out)));
  }
  for (std::size_t i = 0; i < question.predict_at.size(); ++i) {
    const scaling::Estimate& at = r.predictions[i + 3];
    found.sentences.push_back(
        fmt::format("At N = {:g} and D = {:g} the law predicts a {} of {}: the mean of many seeds",
                    question.predict_at[i].first, question.predict_at[i].second, question.metric, shown(at)));
    const std::string prefix = fmt::format("{}_predicted_{}", question.key, i + 1);
    found.numbers[prefix] = at.value;
    found.numbers[prefix + "_low"] = at.interval.low;
    found.numbers[prefix + "_high"] = at.interval.high;
  }
  const auto number = [&](const char* name, const scaling::Estimate& estimate) {
    found.numbers[question.key + "_" + name] = estimate.value;
    found.numbers[question.key + "_" + name + "_low"] = estimate.interval.low;
    found.numbers[question.key + "_" + name + "_high"] = estimate.interval.high;
  };
  if (r.form.e) number("e", r.e);
  if (r.form.n)
    number("a", r.a), number("alpha", r.alpha), found.numbers[question.key + "_n0"] = r.fit.law.n0;
  if (r.form.d) number("b", r.b), number("beta", r.beta), found.numbers[question.key + "_d0"] = r.fit.law.d0;
  if (!std::isnan(best->held_out)) found.numbers[question.key + "_held_out_error"] = best->held_out;
  if (!std::isnan(r.left_out_error)) found.numbers[question.key + "_left_out_error"] = r.left_out_error;
  found.plots.emplace_back("joint", picture(cells, r, question.metric));
  found.best = r;
  return found;
}

void tell_joint(Study& study, std::span<const Outcome> outcomes) {
  JointQuestion question;
  question.seed = static_cast<std::uint64_t>(study.options().seed);
  if (study.options().smoke) question.resamples = 50;
  for (const Outcome& outcome : outcomes)
    if (outcome.examples > 0 && !outcome.runs.empty() && outcome.runs.front().parameters > 0)
      question.cells.push_back({static_cast<double>(outcome.runs.front().parameters),
                                static_cast<double>(outcome.examples), outcome.values(Metric::test_loss)});
  std::optional<JointAnswer> found;
  try {
    found = answer(question);
  } catch (const ValueError& error) {
    study.warn(fmt::format("L(N, D) has no fit: {}", error.what()));
  }
  if (found) tell(study, *found);
}

}  // namespace elk::lab
