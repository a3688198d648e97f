#include "picture.hpp"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include <lab/gnuplot.hpp>

namespace elk::lab {

namespace {

constexpr Index scale = 4;          // points a pixel of an image
constexpr Index gap = 3, text = 7;  // pixels between images, and below each for its label

}  // namespace

std::string draw_grid(const Dataset& shown, const std::vector<Index>& indices, Index columns,
                      const std::string& title, const std::string& path) {
  const Shape sample = shown.sample_shape();
  const Index h = sample[-2], w = sample[-1], area = h * w, planes = sample.size() / area;
  columns = std::min(columns, shown.size());
  const Index rows = (shown.size() + columns - 1) / columns;
  const Index width = columns * (w + gap) + gap, height = rows * (h + text) + gap;
  const auto pixels = shown.images.data<std::uint8_t>();
  const auto labels = shown.labels.data<std::int64_t>();

  // One image of all images, since gnuplot draws a whole one faster than its parts; the place of a pixel is
  // its middle.
  std::vector<std::uint8_t> canvas(static_cast<std::size_t>(3 * width * height), 255);
  std::string names;
  for (Index i = 0; i < shown.size(); ++i) {
    const Index left = gap + i % columns * (w + gap), top = gap + i / columns * (h + text);
    for (Index y = 0; y < h; ++y)
      for (Index x = 0; x < w; ++x)
        for (Index c = 0; c < 3; ++c)
          canvas[static_cast<std::size_t>(3 * ((top + y) * width + left + x) + c)] =
              pixels[static_cast<std::size_t>((i * planes + (planes == 3 ? c : 0)) * area + y * w + x)];
    const auto at = static_cast<std::size_t>(i);
    const double middle = static_cast<double>(top + h) + 2.5;
    names += fmt::format(
        "set label {} at {},{} left front noenhanced font ',11'\n"
        "set label '#{}' at {},{} right front noenhanced font ',8' textcolor rgb '#666666'\n",
        gnuplot_string(shown.classes[static_cast<std::size_t>(labels[at])]), left, middle, indices[at],
        left + w, middle);
  }
  std::string script = "$image << END\n";
  for (Index y = 0; y < height; ++y)
    for (Index x = 0; x < width; ++x) {
      const auto at = static_cast<std::size_t>(3 * (y * width + x));
      script += fmt::format("{} {} {} {} {}\n", static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5,
                            canvas[at], canvas[at + 1], canvas[at + 2]);
    }
  script += fmt::format(
      "END\nset margins 0,0,0,0\nset xrange [0:{}]\nset yrange [{}:0]\nunset border\nunset tics\nunset "
      "key\n{}"
      "plot $image using 1:2:3:4:5 with rgbimage\n",
      width, height, names);
  return run_gnuplot(script, static_cast<int>(scale * width), static_cast<int>(scale * height), title,
                     {path});
}

}  // namespace elk::lab
