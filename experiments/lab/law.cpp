#include <lab/law.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <elk/base/error.hpp>

namespace elk::lab {

std::string shown(const scaling::Estimate& estimate) {
  return fmt::format("{:.3g} ({:.3g} to {:.3g})", estimate.value, estimate.interval.low,
                     estimate.interval.high);
}

std::string share(double error) { return std::isnan(error) ? "-" : fmt::format("{:.1f} %", 100 * error); }

std::optional<scaling::Report> tell_law(Study& study, const LawOf& of, std::size_t sizes, const LawFit& how) {
  const auto& [name, what, key, floor] = of;
  scaling::Report report;
  scaling::Holdout holdout;
  try {
    Rng rng(static_cast<std::uint64_t>(study.options().seed));
    const bool whole = !study.options().quick && !study.options().smoke;
    scaling::Options options;
    if (study.options().smoke) options.resamples = 50;
    report = how.fit(options, rng);
    holdout = how.hold_out(whole ? 2 : 1, options, rng);
  } catch (const ValueError& error) {
    study.warn(fmt::format("{} has no fit: {}", name, error.what()));
    return std::nullopt;
  }
  Table table{
      .title = fmt::format("{} = E + A x^-α, the law of the test loss over {}", name, what),
      .columns = {"", "E", "A", "α", "residual", "each left out", "the largest held out", "converged"},
      .note = fmt::format(
          "E: {}. 95 % intervals of {} resamples over seeds and as many over sizes, for this test set. "
          "Residual: of the loss that is minimized. Left out, held out: how far the law of the others is "
          "off, on average.",
          floor, report.resamples)};
  for (const bool free : {true, false}) {
    const scaling::Law& law = free ? report.with_e : report.without_e;
    table.rows.push_back({free ? "E free" : "E = 0", free ? shown(law.e) : "0", shown(law.a),
                          shown(law.alpha), share(law.fit.residual), share(law.left_out_error),
                          share(free ? holdout.error_with_e : holdout.error_without_e),
                          law.fit.converged ? "yes" : "no"});
  }
  study.table(std::move(table));

  const scaling::Law& law = report.law();
  const scaling::Estimate alpha = report.alpha();
  const double held_out_error = report.prefers_e ? holdout.error_with_e : holdout.error_without_e;
  const auto number = [&study, &of = key](const char* suffix, double value) {
    if (std::isfinite(value)) study.number(of + suffix, value);
  };
  number("_alpha", alpha.value);
  number("_alpha_low", alpha.interval.low);
  number("_alpha_high", alpha.interval.high);
  number("_e", law.e.value);
  number("_e_low", law.e.interval.low);
  number("_e_high", law.e.interval.high);
  number("_held_out_error", held_out_error);
  if (sizes < sizes_for_a_law) {
    study.conclude(
        fmt::format("{} has {} sizes, of which a law of three parameters can be drawn but nothing concluded",
                    name, sizes));
  } else {
    std::string sentence = fmt::format(
        "{} falls as {} to the power of {:.3g} (95 % interval {:.3g} to {:.3g}{}, for this test set)", name,
        what, -alpha.value, -alpha.interval.high, -alpha.interval.low,
        report.has_floor() ? "" : ", with a floor or without");
    const std::string line = share(report.without_e.left_out_error);
    if (report.prefers_e)
      sentence += fmt::format(" towards {}, {}: {}", shown(law.e), floor,
                              report.has_floor()
                                  ? "no straight line in log-log axes, which would be off by " + line
                                  : "a straight line in log-log axes is not ruled out, off by " + line) +
                  fmt::format(" where this law is by {}", share(law.left_out_error));
    else
      sentence += fmt::format(
          ", a straight line in log-log axes; a floor, {}, is not ruled out (off by {} where the line is by "
          "{})",
          floor, share(report.with_e.left_out_error), line);
    if (std::isfinite(held_out_error))
      sentence +=
          fmt::format("; fitted without the largest sizes it predicts them to {}", share(held_out_error));
    study.conclude(sentence);
  }
  if (!law.fit.converged) study.warn(fmt::format("the fit of {} has not converged", name));
  if (report.failed > 0)
    study.warn(fmt::format("{} of {} resamples of {} could not be fitted", report.failed,
                           2 * report.resamples, name));
  return report;
}

std::optional<scaling::Report> tell_law(Study& study, const LawOf& of, std::span<const Outcome> outcomes,
                                        const std::function<double(const Outcome&)>& size) {
  std::vector<scaling::Cell> cells;
  for (const Outcome& outcome : outcomes) {
    scaling::Cell cell{size(outcome), {}};
    for (const double loss : outcome.values(Metric::test_loss))
      if (std::isfinite(loss)) cell.losses.push_back(loss);
    if (!cell.losses.empty()) cells.push_back(std::move(cell));
  }
  const auto fit = [&](const scaling::Options& options, Rng& rng) { return fit_cells(cells, options, rng); };
  const auto hold_out = [&](std::size_t largest, const scaling::Options& options, Rng& rng) {
    return hold_out_cells(cells, largest, options, rng);
  };
  return tell_law(study, of, cells.size(), LawFit{fit, hold_out});
}

Series line_of(const scaling::Report& report) {
  const scaling::PowerLaw& law = report.law().fit.law;
  Series line{.title = report.prefers_e ? "E + A x^-α" : "A x^-α", .style = SeriesStyle::reference};
  const auto [low, high] = std::minmax_element(report.points.begin(), report.points.end(),
                                               [](const auto& a, const auto& b) { return a.x < b.x; });
  constexpr int steps = 100;
  for (int i = 0; i <= steps; ++i) {
    const double x = low->x * std::pow(high->x / low->x, static_cast<double>(i) / steps);
    line.x.push_back(x);
    line.y.push_back(law(x));
  }
  return line;
}

void tell(Study& study, LawAnswer answer) {
  for (Table& table : answer.tables) study.table(std::move(table));
  for (const std::string& sentence : answer.sentences) study.conclude(sentence);
  for (const std::string& warning : answer.warnings) study.warn(warning);
  for (const auto& [name, value] : answer.numbers) study.number(name, value);
  for (auto& [file, plot] : answer.plots) study.draw(file, std::move(plot));
}

std::vector<double> usable_losses(std::span<const double> losses) {
  std::vector<double> usable;
  for (const double loss : losses)
    if (std::isfinite(loss) && loss > 0) usable.push_back(loss);
  return usable;
}

Table compute_table(std::span<const Outcome> outcomes) {
  Table table{
      .title = "Compute of a run",
      .columns = {"width", "parameters N", "FLOPs that ran", "6 N D", "exact / estimate"},
      .note =
          "D: training examples seen. The estimate leaves out activations, loss and update, and counts a "
          "gradient of the inputs of the first layer, which is never computed."};
  for (const Outcome& outcome : outcomes) {
    const RunSummary& run = outcome.runs.front();
    if (run.status == "failed") continue;
    // Runs that count the images seen have no epochs, or one.
    const double estimate = 6.0 * static_cast<double>(run.parameters) *
                            static_cast<double>(std::max<std::int64_t>(run.epochs, 1)) *
                            static_cast<double>(outcome.examples);
    table.rows.push_back({outcome.cell.label, std::to_string(run.parameters),
                          flops_text(static_cast<double>(run.flops)), flops_text(estimate),
                          decimal(static_cast<double>(run.flops) / estimate)});
  }
  return table;
}

}  // namespace elk::lab
