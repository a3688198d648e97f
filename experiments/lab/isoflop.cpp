#include <lab/isoflop.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <elk/base/error.hpp>
#include <lab/law.hpp>

namespace elk::lab {

namespace {

using scaling::Allocation;
using scaling::Budget;
using scaling::JointCell;

struct Approach {
  std::string key, name;
  Allocation found;
};

// What can be fitted of what was measured, and how much cannot.
std::vector<Budget> finite(const IsoflopQuestion& question, IsoflopAnswer& answer) {
  std::vector<Budget> budgets;
  std::size_t runs = 0, kept = 0;
  for (const Budget& budget : question.budgets) {
    Budget some{budget.flops, {}};
    for (const JointCell& cell : budget.cells) {
      JointCell good{cell.n, cell.d, usable_losses(cell.losses)};
      runs += cell.losses.size(), kept += good.losses.size();
      if (!good.losses.empty()) some.cells.push_back(std::move(good));
    }
    std::sort(some.cells.begin(), some.cells.end(), [](const auto& a, const auto& b) { return a.n < b.n; });
    if (!some.cells.empty()) budgets.push_back(std::move(some));
  }
  std::sort(budgets.begin(), budgets.end(), [](const auto& a, const auto& b) { return a.flops < b.flops; });
  if (kept < runs)
    answer.warnings.push_back(
        fmt::format("{} of {} runs have no finite {} and are left out", runs - kept, runs, question.metric));
  if (budgets.empty())
    answer.sentences.push_back(
        fmt::format("Nothing is concluded: none of {} runs has a finite {}", runs, question.metric));
  return budgets;
}

// Approach 3: the joint law of all cells.
Allocation by_law(const std::vector<Budget>& budgets, std::size_t resamples, elk::Rng& rng) {
  std::vector<JointCell> cells;
  Allocation allocation;
  scaling::JointReportOptions options{.resamples = resamples};
  for (const Budget& budget : budgets) {
    cells.insert(cells.end(), budget.cells.begin(), budget.cells.end());
    options.budgets.push_back(budget.flops);
  }
  const scaling::Form form;
  allocation.why.resize(budgets.size());
  if (cells.size() < form.parameters() + 2) {
    allocation.problem =
        fmt::format("{} cells are too few for {} parameters", cells.size(), form.parameters());
    return allocation;
  }
  try {
    const scaling::JointReport report = fit_joint_cells(cells, form, options, rng);
    allocation.growth = report.growth;
    allocation.residual = report.fit.residual;
    allocation.sizes = report.best_sizes;
    allocation.resamples = report.resamples, allocation.failed = report.failed;
    if (!report.fit.converged) allocation.problem = "the fit ends where exponents are no longer told apart";
  } catch (const ValueError& error) {
    allocation.problem = error.what();
  }
  return allocation;
}

const scaling::Estimate* size_at(const Approach& approach, std::size_t budget) {
  if (budget >= approach.found.sizes.size() || !std::isfinite(approach.found.sizes[budget].value))
    return nullptr;
  return &approach.found.sizes[budget];
}

std::string size_text(const Approach& approach, std::size_t budget) {
  const scaling::Estimate* size = size_at(approach, budget);
  return size == nullptr ? "-" : shown(*size);
}

Table sizes_table(const IsoflopQuestion& question, const std::vector<Budget>& budgets,
                  const std::vector<Approach>& approaches) {
  Table table{.title = "The best size of net for each budget",
              .columns = {"C, FLOPs"},
              .note = fmt::format("Of the parabola's lowest point: width, D = C / (6 N) and {}. "
                                  "95 % intervals over seeds and over cells, the wider of the two, for this "
                                  "test set; the envelope knows the grid's sizes only.",
                                  question.metric)};
  for (const Approach& approach : approaches) table.columns.push_back("N, " + approach.name);
  table.columns.insert(table.columns.end(), {"width", "images D", question.metric});
  for (std::size_t i = 0; i < budgets.size(); ++i) {
    std::vector<std::string> row{flops_text(budgets[i].flops)};
    for (const Approach& approach : approaches) row.push_back(size_text(approach, i));
    const Approach& parabolas = approaches[1];
    if (const scaling::Estimate* n = size_at(parabolas, i); n != nullptr) {
      row.push_back(fmt::format("{:.0f}", question.width(n->value)));
      row.push_back(fmt::format("{:.3g}", budgets[i].flops / (6 * n->value)));
      row.push_back(shown(parabolas.found.losses[i]));
    } else {
      row.insert(row.end(), {"-", "-", parabolas.found.why.empty() ? "-" : parabolas.found.why[i]});
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table powers_table(const std::vector<Approach>& approaches) {
  Table table{
      .title = "Size and data as powers of compute",
      .columns = {"approach", "N grows as C to the", "D as C to the", "budgets with a best size", ""},
      .note = "The approaches of Hoffmann et al. 2022. C = 6 N D, so that the two powers add up to 1."};
  for (const auto& [key, name, found] : approaches) {
    const bool told = found.problem.empty();
    const scaling::Estimate& n = found.growth;
    const scaling::Estimate d{1 - n.value, {1 - n.interval.high, 1 - n.interval.low}};
    table.rows.push_back(
        {name, told ? shown(n) : "-", told ? shown(d) : "-", std::to_string(found.found()), found.problem});
  }
  return table;
}

// Whether those that have an answer agree, and where they are farthest apart.
std::string agreement(const std::vector<Budget>& budgets, const std::vector<const Approach*>& told) {
  std::vector<std::string> apart;
  for (std::size_t i = 0; i < told.size(); ++i)
    for (std::size_t j = i + 1; j < told.size(); ++j) {
      const scaling::Interval &a = told[i]->found.growth.interval, &b = told[j]->found.growth.interval;
      if (a.high < b.low || b.high < a.low) apart.push_back(told[i]->name + " and " + told[j]->name);
    }
  std::string sentence =
      apart.empty()
          ? fmt::format("The {} approaches agree in the power: their intervals overlap", told.size())
          : fmt::format("In the power {} disagree: their intervals do not overlap",
                        fmt::join(apart, ", and "));
  double most = 0;
  std::string where;
  for (std::size_t i = 0; i < budgets.size(); ++i) {
    const Approach *low = nullptr, *high = nullptr;
    for (const Approach* approach : told) {
      if (size_at(*approach, i) == nullptr) continue;
      const double n = size_at(*approach, i)->value;
      if (low == nullptr || n < size_at(*low, i)->value) low = approach;
      if (high == nullptr || n > size_at(*high, i)->value) high = approach;
    }
    if (low == high) continue;
    const double a = size_at(*low, i)->value, b = size_at(*high, i)->value;
    if (b / a <= most) continue;
    most = b / a;
    where = fmt::format(
        "; their sizes are farthest apart at {} FLOPs: {:.3g} parameters by {}, {:.3g} by {}, "
        "a factor of {:.2g}",
        flops_text(budgets[i].flops), a, low->name, b, high->name, most);
  }
  if (most > 0) {
    sentence += where +
                ". The envelope can only name sizes that were run, parabolas take the curves for symmetric, "
                "which they are not, and the law takes all cells for one formula";
    for (const Approach* approach : told)
      if (!std::isnan(approach->found.residual))
        sentence += ", which misses them by " + share(approach->found.residual);
  }
  return sentence;
}

Plot losses_plot(const IsoflopQuestion& question, const std::vector<Budget>& budgets,
                 const Approach& parabolas) {
  Plot plot{
      .title = "Loss by size of net, at equal compute",
      .x_label = "parameters N; images seen: C / (6 N)",
      .y_label = question.metric,
      .note = "points: means over seeds with 95 % intervals; dashed: parabolas; black: their lowest points",
      .legend_title = "FLOPs",
      .log_x = true,
      .log_y = true};
  Series best{.style = SeriesStyle::envelope};
  std::vector<Series> curves;
  for (std::size_t i = 0; i < budgets.size(); ++i) {
    Series line{.title = flops_text(budgets[i].flops), .style = SeriesStyle::points};
    bool bars = true;
    for (const JointCell& cell : budgets[i].cells) {
      const Interval mean = mean_interval(cell.losses);
      line.x.push_back(cell.n);
      line.y.push_back(mean.mean);
      line.low.push_back(mean.low);
      line.high.push_back(mean.high);
      bars = bars && std::isfinite(mean.low);
    }
    if (!bars) line.low.clear(), line.high.clear();
    plot.series.push_back(std::move(line));
    Series curve{.style = SeriesStyle::reference};
    for (const auto& [n, loss] : parabola(budgets[i])) curve.x.push_back(n), curve.y.push_back(loss);
    if (!curve.x.empty()) curves.push_back(std::move(curve));
    if (size_at(parabolas, i) == nullptr) continue;
    best.x.push_back(size_at(parabolas, i)->value);
    best.y.push_back(parabolas.found.losses[i].value);
  }
  for (Series& curve : curves) plot.series.push_back(std::move(curve));
  if (best.x.size() > 1) plot.series.push_back(std::move(best));
  return plot;
}

Plot sizes_plot(const std::vector<Budget>& budgets, const std::vector<Approach>& approaches) {
  Plot plot{.title = "The best size of net by compute",
            .x_label = "training compute C = 6 N D, FLOPs",
            .y_label = "parameters N",
            .note = "bands: 95 % intervals",
            .log_x = true,
            .log_y = true};
  for (const Approach& approach : approaches) {
    Series line{.title = approach.name};
    for (std::size_t i = 0; i < budgets.size(); ++i) {
      const scaling::Estimate* n = size_at(approach, i);
      if (n == nullptr) continue;
      line.x.push_back(budgets[i].flops);
      line.y.push_back(n->value);
      line.low.push_back(n->interval.low);
      line.high.push_back(n->interval.high);
    }
    if (!line.x.empty()) plot.series.push_back(std::move(line));
  }
  return plot;
}

}  // namespace

IsoflopAnswer answer(const IsoflopQuestion& question) {
  IsoflopAnswer answer;
  const std::vector<Budget> budgets = finite(question, answer);
  if (budgets.empty()) return answer;
  std::size_t fewest = std::numeric_limits<std::size_t>::max();
  for (const Budget& budget : budgets)
    for (const JointCell& cell : budget.cells) fewest = std::min(fewest, cell.losses.size());
  std::vector<Approach> approaches{
      {"envelope", "the envelope", {}}, {"parabola", "the parabolas", {}}, {"law", "the joint law", {}}};
  Allocation (*const fits[])(const std::vector<Budget>&, std::size_t, elk::Rng&) = {
      scaling::by_envelope, scaling::by_parabolas, by_law};
  for (std::size_t i = 0; i < approaches.size(); ++i) {
    Allocation& found = approaches[i].found;
    try {
      elk::Rng rng(question.seed);
      found = fits[i](budgets, question.resamples, rng);
    } catch (const ValueError& error) {
      found.problem = error.what();
    }
    if (found.failed > 0)
      answer.warnings.push_back(fmt::format("{} of {} resamples of {} could not be fitted", found.failed,
                                            2 * found.resamples, approaches[i].name));
  }
  std::string nothing;
  if (budgets.size() < scaling::budgets_for_a_power)
    nothing = fmt::format("a power of compute needs {} budgets, got {}", scaling::budgets_for_a_power,
                          budgets.size());
  else if (fewest < 2)
    nothing = "there are cells of one seed, which do not tell how far chance moves a best size";
  if (!nothing.empty())
    for (Approach& approach : approaches) approach.found.problem = nothing;

  answer.tables.push_back(sizes_table(question, budgets, approaches));
  answer.tables.push_back(powers_table(approaches));
  answer.plots.emplace_back("isoflop", losses_plot(question, budgets, approaches[1]));
  if (Plot plot = sizes_plot(budgets, approaches); !plot.series.empty())
    answer.plots.emplace_back("allocation", std::move(plot));
  if (!nothing.empty()) {
    answer.sentences.push_back("Nothing is concluded: " + nothing);
    return answer;
  }
  std::vector<const Approach*> told;
  std::vector<std::string> n, d;
  for (const Approach& approach : approaches) {
    const scaling::Estimate& growth = approach.found.growth;
    if (!approach.found.problem.empty()) {
      answer.sentences.push_back(
          fmt::format("By {} nothing is concluded: {}", approach.name, approach.found.problem));
      continue;
    }
    told.push_back(&approach);
    n.push_back(fmt::format("{} by {}", shown(growth), approach.name));
    d.push_back(fmt::format("{:.3g}", 1 - growth.value));
    answer.numbers[approach.key + "_growth"] = growth.value;
    answer.numbers[approach.key + "_growth_low"] = growth.interval.low;
    answer.numbers[approach.key + "_growth_high"] = growth.interval.high;
    if (!std::isnan(approach.found.residual))
      answer.numbers[approach.key + "_residual"] = approach.found.residual;
  }
  for (std::size_t i = 0; i < budgets.size(); ++i)
    if (const std::vector<std::string>& why = approaches[1].found.why; i < why.size() && !why[i].empty())
      answer.sentences.push_back(
          fmt::format("The budget of {} FLOPs has no best size: {}", flops_text(budgets[i].flops), why[i]));
  if (told.empty()) return answer;
  if (approaches[1].found.problem.empty()) answer.budgets = budgets;
  answer.sentences.push_back(fmt::format(
      "The best size N grows as compute to the power of {} (95 % intervals, for this test set), and "
      "the data D as its power of {}",
      fmt::join(n, ", "), fmt::join(d, ", ")));
  if (told.size() > 1) answer.sentences.push_back(agreement(budgets, told));
  if (const scaling::Regret lost = scaling::regret(budgets); lost.told > 0) {
    answer.sentences.push_back(fmt::format(
        "Had the other budgets advised the size, {} of {} would have lost at most {} of their best {}",
        lost.told, budgets.size(), share(lost.worst), question.metric));
    answer.numbers["regret"] = lost.worst;
  }
  return answer;
}

}  // namespace elk::lab
