// Pictures of the gallery's programs: lines and points as SVG, images as PNG.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <elk/elk.hpp>
#include <elk/io/atomic_file.hpp>

namespace picture {

/// What is drawn in one colour: a line through the points, or the points alone.
struct Series {
  std::string name;
  std::vector<double> x, y;
  bool line = true;
};

/// The elements of a tensor as numbers.
inline std::vector<double> numbers(const elk::Tensor& x) {
  std::vector<double> list;
  for (elk::Index i = 0; i < x.size(); ++i) list.push_back(x.at(i));
  return list;
}

/// The columns 0 and 1 of `points` (N, 2) as a series.
inline Series points(const std::string& name, const elk::Tensor& points, bool line = false) {
  return {name, numbers(elk::slice(points, 1, 0, 1)), numbers(elk::slice(points, 1, 1, 2)), line};
}

/// Writes an SVG with axes that hold all points.
inline void plot(const std::string& path, const std::string& x_label, const std::string& y_label,
                 const std::vector<Series>& series) {
  struct Axis {
    double low = std::numeric_limits<double>::max(), high = -low, from, to;  // of the values; on the page
    void take(double v) { low = std::min(low, v), high = std::max(high, v); }
    double at(double v) const { return from + (v - low) / std::max(high - low, 1e-12) * (to - from); }
    double step() const {  // 1, 2 or 5 times a power of ten, four to ten times in the range
      const double power = std::pow(10, std::floor(std::log10(std::max(high - low, 1e-12) / 2)));
      for (const double step : {1., 2., 5.})
        if ((high - low) / (step * power) < 8) return step * power;
      return 10 * power;
    }
  };
  Axis x{.from = 60, .to = 500}, y{.from = 330, .to = 20};
  for (const Series& s : series) {
    for (const double v : s.x) x.take(v);
    for (const double v : s.y) y.take(v);
  }

  std::ostringstream svg;
  svg << "<svg viewBox=\"0 0 640 380\" xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" "
         "font-size=\"13\">\n<rect width=\"640\" height=\"380\" fill=\"#ffffff\"/>\n"
         "<rect x=\"60\" y=\"20\" width=\"440\" height=\"310\" fill=\"none\" stroke=\"#888888\"/>\n"
         "<text x=\"280\" y=\"372\" text-anchor=\"middle\">"
      << x_label << "</text>\n<text transform=\"translate(14 175) rotate(-90)\" text-anchor=\"middle\">"
      << y_label << "</text>\n";
  for (double v = std::ceil(x.low / x.step()) * x.step(); v <= x.high; v += x.step())
    svg << "<text x=\"" << x.at(v) << "\" y=\"348\" text-anchor=\"middle\">" << std::round(v * 1e6) / 1e6
        << "</text>\n";
  for (double v = std::ceil(y.low / y.step()) * y.step(); v <= y.high; v += y.step())
    svg << "<text x=\"54\" y=\"" << y.at(v) + 4 << "\" text-anchor=\"end\">" << std::round(v * 1e6) / 1e6
        << "</text>\n";

  static const std::vector<std::string> colours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00",
                                                   "#56b4e9", "#000000", "#8c564b", "#7f7f7f", "#bcbd22"};
  svg.precision(4);
  for (std::size_t i = 0; i < series.size(); ++i) {
    const Series& s = series[i];
    const std::string& colour = colours[i % colours.size()];
    svg << "<text x=\"512\" y=\"" << 34 + 18 * i << "\" fill=\"" << colour << "\">" << s.name << "</text>\n";
    // Points are dots: lines of no length with round ends.
    svg << "<path fill=\"none\" stroke=\"" << colour << "\" stroke-linecap=\"round\" stroke-width=\""
        << (s.line ? "1.5" : "3.5") << "\" d=\"";
    for (std::size_t k = 0; k < s.x.size(); ++k)
      svg << (s.line && k > 0 ? "L" : "M") << x.at(s.x[k]) << " " << y.at(s.y[k]) << (s.line ? "" : "h0");
    svg << "\"/>\n";
  }
  svg << "</svg>\n";
  elk::write_file_atomically(path, svg.str());
}

/// Images (N, H, W) beside and beneath each other, `columns` in a row: (rows H, columns W).
inline elk::Tensor tile(const elk::Tensor& images, elk::Index columns) {
  const elk::Index height = images.size(1), width = images.size(2);
  const elk::Tensor grid = elk::reshape(images, {-1, columns, height, width});
  return elk::reshape(elk::permute(grid, {0, 2, 1, 3}), {-1, columns * width});
}

/// Writes a grey image f32 (H, W), 0 black and 1 white, as PNG.
inline void write_png(const std::string& path, const elk::Tensor& image) {
  const auto big_endian = [](elk::Index n) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(n >> shift & 255);
    return bytes;
  };
  std::string pixels;
  for (elk::Index i = 0; i < image.size(); ++i) {
    if (i % image.size(1) == 0) pixels += '\0';  // each row as it is, without a filter
    pixels += static_cast<char>(std::lround(255 * std::clamp(image.at(i), 0., 1.)));
  }
  uLongf size = compressBound(pixels.size());
  std::string packed(size, '\0');
  compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(pixels.data()),
            pixels.size(), 9);
  packed.resize(size);

  std::string png = "\x89PNG\r\n\x1a\n";
  const auto chunk = [&](const std::string& type, const std::string& data) {
    const std::string body = type + data;
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
    png += big_endian(static_cast<elk::Index>(data.size())) + body + big_endian(static_cast<elk::Index>(crc));
  };
  chunk("IHDR", big_endian(image.size(1)) + big_endian(image.size(0)) + std::string("\x08\0\0\0\0", 5));
  chunk("IDAT", packed);
  chunk("IEND", "");
  elk::write_file_atomically(path, png);
}

}  // namespace picture
