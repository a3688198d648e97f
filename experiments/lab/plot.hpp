// Plots by gnuplot.
#pragma once

#include <string>
#include <vector>

namespace elk::lab {

/// A line: its points, and what the legend calls it. Points whose y is not finite are left out.
struct Series {
  std::string title;
  std::vector<double> x, y;
};

struct Plot {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  std::string right_label;    ///< of the right-hand axis; empty = none
  std::vector<Series> right;  ///< drawn against the right-hand axis
  bool logarithmic = false;   ///< both axes of `series`
};

/// Writes `path`.svg and `path`.png, each whole or not at all. Returns what went wrong, with what to install
/// when gnuplot is missing, or "".
std::string draw(const Plot& plot, const std::string& path);

}  // namespace elk::lab
