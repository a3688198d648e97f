// A grid of labelled images as a picture.
#pragma once

#include <string>
#include <vector>

#include <elk/data/dataset.hpp>

namespace elk::lab {

/// Draws the images of `shown` with their labels into the file `path`, PNG or SVG by its ending: `columns`
/// images a row, each called by its class and its number in `indices`. Returns what went wrong, or "".
std::string draw_grid(const Dataset& shown, const std::vector<Index>& indices, Index columns,
                      const std::string& title, const std::string& path);

}  // namespace elk::lab
