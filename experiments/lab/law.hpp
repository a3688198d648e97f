// Scaling laws in a study: the fit, what can be said of it, its table, plot and sentence.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lab/fit/scaling.hpp>
#include <lab/study.hpp>

namespace elk::lab {

/// How to fit a law, and how to see whether it predicts the `largest` sizes from the others.
struct LawFit {
  std::function<scaling::Report(const scaling::Options&, Rng&)> fit;
  std::function<scaling::Holdout(std::size_t largest, const scaling::Options&, Rng&)> hold_out;
};

/// What a law is called: `name` "L(D)", of the loss over `what`, "the number of training examples"; its
/// numbers get `key` in front of their names. `floor` tells whose E is: "what a net of width 32 leaves,
/// whatever the data".
struct LawOf {
  std::string name, what, key, floor;
};

/// With fewer sizes than this a fit is shown, and nothing is concluded from it.
constexpr std::size_t sizes_for_a_law = 5;

/// Fits a law of `sizes` sizes and tells about it. Where no fit is possible there is a warning, and nothing
/// is returned.
std::optional<scaling::Report> tell_law(Study& study, const LawOf& of, std::size_t sizes, const LawFit& how);

/// The law of the test loss over `size`, a point for each outcome. See tell_law.
std::optional<scaling::Report> tell_law(Study& study, const LawOf& of, std::span<const Outcome> outcomes,
                                        const std::function<double(const Outcome&)>& size);

/// "0.35 (0.18 to 0.52)", and 0.012 as "1.2 %"; NaN is "-".
std::string shown(const scaling::Estimate& estimate);
std::string share(double error);

/// What there is to say of measured cells.
struct LawAnswer {
  std::vector<Table> tables;
  std::vector<std::string> sentences, warnings;
  std::map<std::string, double> numbers;
  std::vector<std::pair<std::string, Plot>> plots;  ///< beside the names of their files
};
/// Says it in a study's report.
void tell(Study& study, LawAnswer answer);

/// Of the losses of a cell those that a law can be fitted to: finite and above 0.
std::vector<double> usable_losses(std::span<const double> losses);

/// The law that cross-validation prefers, as a line of a plot over the range of its points.
Series line_of(const scaling::Report& report);

/// Exact FLOPs beside the usual estimate, 6 N D, of each outcome's first run. N counts all parameters, those
/// of the last layer, too (Porian et al. 2024).
Table compute_table(std::span<const Outcome> outcomes);

}  // namespace elk::lab
