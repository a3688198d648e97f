// Plots by gnuplot.
#pragma once

#include <string>
#include <vector>

namespace elk::lab {

enum class SeriesStyle {
  both,       ///< a line with points
  line,       ///< a line
  points,     ///< points; low and high are error bars, members small points
  reference,  ///< a thin dashed line in grey: a fit, a bound, somebody else's number
  envelope,   ///< black points above all others: a frontier, which a line would let fall from curve to curve
};

/// A line of a plot: its points, and what the legend calls it ("" = no entry). Points of which a coordinate
/// is not finite, or not positive on a logarithmic axis, are left out.
struct Series {
  std::string title = {};
  std::vector<double> x = {}, y = {};
  std::vector<double> low = {}, high = {};        ///< a band around y, at the same x; empty = none
  std::vector<std::vector<double>> members = {};  ///< what y is the mean of, each at the same x: drawn faint
  SeriesStyle style = SeriesStyle::both;
};

struct Plot {
  std::string title = {}, x_label = {}, y_label = {};  ///< labels with their units
  std::vector<Series> series = {};
  std::string right_label = {};           ///< of the right-hand axis; empty = none
  std::vector<Series> right = {};         ///< drawn against the right-hand axis
  std::string note = {};                  ///< a small line below: what the bands are, for example
  std::string legend_title = {};          ///< above the legend, which stands at the right then
  bool log_x = false, log_y = false;      ///< log_y: of the left-hand axis
  std::vector<std::string> x_names = {};  ///< categories in place of numbers: x counts them from 0
  int moving_average = 0;  ///< lines show the mean of so many consecutive points, at their mean x; 0 = off
};

/// Writes `path`.svg and `path`.png, each whole or not at all. Series have colours and points of their own,
/// told apart by colour-blind readers and in print; more than six take theirs from one scale, from dark to
/// light in their order. Returns what went wrong, with what to install when gnuplot is missing, or "".
/// ValueError when the lists of a series differ in length.
std::string draw(const Plot& plot, const std::string& path);

}  // namespace elk::lab
