// gnuplot as a drawing program.
#pragma once

#include <string>
#include <vector>

namespace elk::lab {

/// `text` as a gnuplot expression: every character is taken as it is, control characters as spaces.
std::string gnuplot_string(const std::string& text);

/// Draws what gnuplot's `commands` say, on `width` by `height` points of white, into each of `files`, which
/// are of one folder and whose names end in .svg or .png (two pixels a point); each is written whole or not
/// at all. `title` is what the SVG tells those who cannot see it. Returns what went wrong, with what to
/// install when gnuplot is missing, or "". A gnuplot that takes longer than a minute, or that is at work when
/// the program is asked to end, is killed; after the former it is not run again. (For the tests, the
/// environment variable ELK_GNUPLOT_PATIENCE has other seconds.)
std::string run_gnuplot(const std::string& commands, int width, int height, const std::string& title,
                        const std::vector<std::string>& files);

/// Whether gnuplot took too long before.
bool gnuplot_hangs();

}  // namespace elk::lab
