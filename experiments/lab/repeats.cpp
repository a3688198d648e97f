#include <lab/repeats.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <elk/base/error.hpp>

namespace elk::lab {

namespace {

using scaling::RepeatCell;
using scaling::RepeatForm;
using scaling::RepeatReport;

constexpr RepeatForm forms[] = {{false, false}, {true, false}, {true, true}};
constexpr double told_epochs[] = {2, 4, 8, 16};

// To three digits: 10800.
std::string images_text(double images) { return text(std::stod(fmt::format("{:.3g}", images))); }

std::vector<RepeatCell> finite(const RepeatQuestion& question, LawAnswer& answer) {
  std::vector<RepeatCell> cells;
  std::size_t runs = 0, kept = 0;
  for (const RepeatCell& cell : question.cells) {
    RepeatCell good{cell.unique, cell.epochs, usable_losses(cell.losses)};
    runs += cell.losses.size(), kept += good.losses.size();
    if (!good.losses.empty()) cells.push_back(std::move(good));
  }
  if (kept < runs)
    answer.warnings.push_back(fmt::format("{}: {} of {} runs have no finite {} and are left out", question.of,
                                          runs - kept, runs, question.metric));
  return cells;
}

Table cells_table(const RepeatQuestion& question, const std::vector<RepeatCell>& cells,
                  const RepeatReport* best) {
  Table table{
      .title = begun(fmt::format("What {} makes of repeated images", question.of)),
      .columns = {"images U", "epochs k", "images seen", question.metric, "worth so many new ones",
                  "by the law"},
      .note =
          "Worth: so many new images, each seen once, leave the same loss, on straight lines in log-log "
          "axes between the runs that saw theirs once; \"-\" where those do not reach. By the law: D'."};
  for (const RepeatCell& cell : cells) {
    const Interval loss = mean_interval(cell.losses);
    const double worth = scaling::measured_worth(cells, loss.mean);
    table.rows.push_back({text(cell.unique), text(cell.epochs), text(cell.unique * cell.epochs),
                          with_interval(loss),
                          cell.epochs == 1       ? ""
                          : std::isfinite(worth) ? images_text(worth)
                                                 : "-",
                          best == nullptr || cell.epochs == 1
                              ? ""
                              : images_text(best->fit.law.effective(cell.unique, cell.epochs))});
  }
  return table;
}

// New images that an image is worth by the number of epochs, a line for each number of images.
Plot worth_plot(const RepeatQuestion& question, const std::vector<RepeatCell>& cells,
                const RepeatReport* best) {
  Plot plot{.title = begun(fmt::format("What images are worth that {} sees again and again", question.of)),
            .x_label = "epochs k",
            .y_label = "new images that leave the same loss, for each image",
            .legend_title = "images U",
            .log_x = true,
            .log_y = true};
  double most = 1;
  std::map<double, Series> lines;
  for (const RepeatCell& cell : cells) {
    const double worth = scaling::measured_worth(cells, mean_interval(cell.losses).mean);
    most = std::max(most, cell.epochs);
    if (!std::isfinite(worth)) continue;
    Series& line = lines[cell.unique];
    line.title = text(cell.unique);
    line.x.push_back(cell.epochs);
    line.y.push_back(worth / cell.unique);
  }
  for (auto& [unique, line] : lines)
    if (line.x.size() > 1) plot.series.push_back(std::move(line));
  if (plot.series.empty()) return plot;
  Series law{.title = "the law", .style = SeriesStyle::reference},
      as_new{.title = "as good as new", .style = SeriesStyle::line};
  constexpr int steps = 60;
  for (int i = 0; i <= steps; ++i) {
    const double k = std::pow(most, i / double{steps});
    as_new.x.push_back(k), as_new.y.push_back(k);
    if (best != nullptr) law.x.push_back(k), law.y.push_back(best->fit.law.effective(1, k));
  }
  plot.series.push_back(std::move(as_new));
  if (!law.x.empty()) plot.series.push_back(std::move(law));
  return plot;
}

std::string percent_of(const scaling::Estimate& worth) {
  return fmt::format("{:.0f} % ({:.0f} to {:.0f})", 100 * worth.value, 100 * worth.interval.low,
                     100 * worth.interval.high);
}

void tell(const RepeatQuestion& question, const std::vector<RepeatCell>& cells, const RepeatReport& best,
          const std::vector<RepeatReport>& all, LawAnswer& answer) {
  const std::string prefix = "repeat_" + question.key;
  const auto number = [&](const std::string& name, const scaling::Estimate& estimate) {
    const auto keep = [&](const char* suffix, double value) {
      if (std::isfinite(value)) answer.numbers[prefix + "_" + name + suffix] = value;
    };
    keep("", estimate.value), keep("_low", estimate.interval.low), keep("_high", estimate.interval.high);
  };
  number("beta", best.beta);
  if (best.form.fades) number("rounds", best.rounds);
  if (best.form.harms) number("harm", best.harm);
  answer.numbers[prefix + "_left_out_error"] = best.left_out_error;

  std::vector<std::string> parts, others;
  for (std::size_t i = 0; i < std::size(told_epochs); ++i)
    parts.push_back(fmt::format("the {}{} {}", told_epochs[i], told_epochs[i] == 2 ? "nd" : "th",
                                percent_of(best.worths[i])));
  for (const RepeatReport& report : all)
    if (!(report.form == best.form))
      others.push_back(fmt::format("{}: {}", name(report.form), share(report.left_out_error)));
  if (best.form.fades)
    answer.sentences.push_back(fmt::format(
        "If worth decays by Muennighoff's law, an epoch over the same images is worth to {}, of as many new "
        "ones, {}: R* is {} (95 % intervals, for this test set), and no number of epochs makes them worth "
        "more than {:.3g} times as many new ones",
        question.of, fmt::join(parts, ", "), shown(best.rounds), 1 + best.rounds.value));
  else
    answer.sentences.push_back(
        fmt::format("To {} no epoch over the same images is told apart from as many new ones", question.of));
  std::string how = fmt::format("A cell left out that law predicts to {} (other forms: {})",
                                share(best.left_out_error), fmt::join(others, ", "));
  double most = 0;
  for (const RepeatCell& cell : cells) most = std::max(most, cell.epochs);
  if (std::isfinite(best.held_out_error)) {
    how += fmt::format("; fitted without the cells of {:g} epochs it predicts them to {}", most,
                       share(best.held_out_error));
    answer.numbers[prefix + "_held_out_error"] = best.held_out_error;
  }
  answer.sentences.push_back(how);
  if (best.form.harms)
    answer.sentences.push_back(fmt::format(
        "Epochs do harm besides: of U images, e times as many epochs add {} to the {} at U = {:.3g}",
        shown(best.harm), question.metric, best.fit.law.d0));
  // What was measured directly needs no law: for each number of epochs, by the numbers of images.
  std::map<double, std::pair<double, double>> measured;
  for (const RepeatCell& cell : cells) {
    const double worth = scaling::measured_worth(cells, mean_interval(cell.losses).mean) / cell.unique;
    if (cell.epochs == 1 || !std::isfinite(worth)) continue;
    auto& [least, most_worth] = measured.try_emplace(cell.epochs, worth, worth).first->second;
    least = std::min(least, worth), most_worth = std::max(most_worth, worth);
  }
  std::vector<std::string> ranges;
  for (const auto& [epochs, range] : measured) {
    const std::string low = fmt::format("{:.2g}", range.first), high = fmt::format("{:.2g}", range.second);
    ranges.push_back(fmt::format("{:g} epochs {}{} (the law: {:.2g})", epochs, low,
                                 low == high ? "" : " to " + high, best.fit.law.effective(1, epochs)));
  }
  if (!ranges.empty())
    answer.sentences.push_back(
        fmt::format("Measured directly, images are worth to {}, times as many new ones, by their numbers: {}",
                    question.of, fmt::join(ranges, ", ")));
}

}  // namespace

LawAnswer answer(const RepeatQuestion& question) {
  LawAnswer answer;
  const std::vector<RepeatCell> cells = finite(question, answer);
  if (cells.empty()) {
    answer.sentences.push_back(
        fmt::format("Of {} nothing is concluded: no run has a finite {}", question.of, question.metric));
    return answer;
  }
  std::vector<RepeatReport> all;
  std::string why;
  Table table{.title = begun(fmt::format("Laws of repeated images, {}", question.of)),
              .columns = {"form", "E", "B", "β", "R*", "residual", "each left out", "most epochs held out"}};
  for (const RepeatForm& form : forms) {
    RepeatReport report;
    try {
      elk::Rng rng(question.seed);
      report = scaling::fit_repeat_cells(cells, form, told_epochs, question.resamples, rng);
    } catch (const ValueError& error) {
      why = error.what();
      continue;
    }
    table.rows.push_back({name(form), shown(report.e), shown(report.b), shown(report.beta),
                          form.fades ? shown(report.rounds) : "", share(report.fit.residual),
                          share(report.left_out_error), share(report.held_out_error)});
    all.push_back(std::move(report));
  }
  // One that has not converged tells nothing, however well it fits, nor does one that cannot be tried on
  // cells.
  const RepeatReport* best = nullptr;
  for (const RepeatReport& report : all)
    if (report.fit.converged && std::isfinite(report.left_out_error) &&
        (best == nullptr || report.left_out_error < best->left_out_error))
      best = &report;
  std::size_t fewest = std::numeric_limits<std::size_t>::max();
  for (const RepeatCell& cell : cells) fewest = std::min(fewest, cell.losses.size());
  std::string nothing;
  if (best == nullptr)
    nothing = all.empty() ? why
              : std::none_of(all.begin(), all.end(),
                             [](const RepeatReport& one) { return std::isfinite(one.left_out_error); })
                  ? "a cell cannot be left out: too few differ in their epochs, or in their examples"
                  : "all fits end where numbers are no longer told apart";
  else if (cells.size() < best->form.parameters() + 2)
    nothing = fmt::format("{} cells are too few for {} parameters", cells.size(), best->form.parameters());
  else if (fewest < 2)
    nothing = "there are cells of one seed, which do not tell how far chance moves a loss";
  answer.tables.push_back(cells_table(question, cells, best));
  if (!all.empty()) {
    table.note = fmt::format(
        "L = E + B (D'/d0)^-β with D' = U + U R* (1 - exp(-(k - 1) / R*)), d0 = {:.3g} (Muennighoff et al. "
        "2023); "
        "the last form adds a term that grows with ln k. 95 % intervals of {} resamples over seeds and as "
        "many over "
        "cells, for this test set. Left out, held out: how far the law of the others is off, on average.",
        all.front().fit.law.d0, question.resamples);
    answer.tables.push_back(std::move(table));
  }
  if (Plot plot = worth_plot(question, cells, best); !plot.series.empty())
    answer.plots.emplace_back("worth-" + question.key, std::move(plot));
  if (best != nullptr && best->failed > 0)
    answer.warnings.push_back(fmt::format("{}: {} of {} resamples could not be fitted", question.of,
                                          best->failed, 2 * best->resamples));
  if (!nothing.empty())
    answer.sentences.push_back(fmt::format("Of {} nothing is concluded: {}", question.of, nothing));
  else
    tell(question, cells, *best, all, answer);
  return answer;
}

}  // namespace elk::lab
