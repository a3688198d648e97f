#include "doodles.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <elk/base/rng.hpp>
#include <elk/data/center.hpp>

namespace elk::demo {

namespace {

struct Point {
  double x, y;
};
using Stroke = std::vector<Point>;
using Strokes = std::vector<Stroke>;

constexpr double turn = 2 * std::numbers::pi;
constexpr double pen = 0.125;  // of the drawing's longer side, as on the page
constexpr int side = 112;

double between(Rng& rng, double low, double high) { return low + (high - low) * rng.uniform(); }

int number(Rng& rng, int low, int high) {
  return std::min(high, static_cast<int>(between(rng, low, high + 1)));
}

Stroke scribble(Rng& rng) {
  Stroke stroke{{0, 0}};
  double direction = between(rng, 0, turn), bend = 0;
  for (int i = number(rng, 60, 160); i > 0; --i) {
    bend = 0.8 * bend + between(rng, -0.35, 0.35);
    direction += bend;
    const Point at = stroke.back(), next{at.x + std::cos(direction), at.y + std::sin(direction)};
    if (std::hypot(next.x, next.y) > 6)
      direction += 2;  // turns back, or it would wander off
    else
      stroke.push_back(next);
  }
  return stroke;
}

Strokes strokes(std::uint64_t kind, Rng& rng) {
  const auto off = [&](double most = 0.1) { return between(rng, -most, most); };
  Strokes all;
  switch (kind) {
    case 0: all.push_back(scribble(rng)); break;
    case 1: {  // a zigzag
      Stroke stroke;
      for (int i = number(rng, 6, 11); i > 0; --i)
        stroke.push_back({i + off(0.2), i % 2 == 0 ? 0 : between(rng, 2, 6)});
      all.push_back(stroke);
      break;
    }
    case 2: {  // a star
      const int lines = number(rng, 3, 5);
      for (int i = 0; i < lines; ++i) {
        const double angle = turn / 2 * i / lines + off();
        all.push_back({{-std::cos(angle), -std::sin(angle)}, {std::cos(angle), std::sin(angle)}});
      }
      break;
    }
    case 3: {  // a fence
      const int lines = number(rng, 2, 3);
      const double height = between(rng, 0.6, 1.6), end = lines + 0.3;
      for (int i = 0; i < lines; ++i) {
        all.push_back({{i + 0.5 + off(), -0.3}, {i + 0.5 + off(), end * height}});
        all.push_back({{-0.3, (i + 0.5) * height + off()}, {end, (i + 0.5) * height + off()}});
      }
      break;
    }
    case 4: {  // a box, crossed out
      const double height = between(rng, 0.5, 1.8);
      all.push_back({{0, 0}, {1, off()}, {1 + off(), height}, {off(), height}, {0, 0}});
      all.push_back({{0, 0}, {1, height}});
      if (rng.uniform() < 0.5) all.push_back({{1, 0}, {0, height}});
      break;
    }
    case 5:  // a triangle
      all.push_back({{0, 1}, {0.5 + off(0.3), off(0.2)}, {1, 1}, {0, 1}});
      if (rng.uniform() < 0.5) all.push_back({{0.5, 0.2}, {0.5, 1}});
      break;
    case 6: {  // a spiral
      Stroke stroke;
      const double turns = between(rng, 2.2, 4);
      for (int i = 0; i < 80; ++i) {
        const double angle = turn * turns * i / 80, radius = 0.1 + i / 80.0;
        stroke.push_back({radius * std::cos(angle), radius * std::sin(angle)});
      }
      all.push_back(stroke);
      break;
    }
    case 7:  // dashes all over
      for (int i = number(rng, 5, 10); i > 0; --i) {
        const Point at{rng.uniform(), rng.uniform()};
        const double angle = between(rng, 0, turn), length = between(rng, 0.03, 0.3);
        all.push_back({at, {at.x + length * std::cos(angle), at.y + length * std::sin(angle)}});
      }
      break;
    default: {  // waves
      const int lines = number(rng, 2, 4);
      for (int i = 0; i < lines; ++i) {
        Stroke stroke;
        const double waves = between(rng, 2.8, 3.4);
        for (int k = 0; k <= 40; ++k)
          stroke.push_back({k / 10.0, i * 1.2 + 0.5 * std::sin(turn * waves * k / 40)});
        all.push_back(stroke);
      }
    }
  }
  return all;
}

}  // namespace

Tensor doodle(std::uint64_t i) {
  Rng rng(i);
  Strokes drawing = strokes(i % doodle_kinds, rng);
  Point low = drawing[0][0], high = low;
  for (const Stroke& stroke : drawing)
    for (const Point& p : stroke) {
      low = {std::min(low.x, p.x), std::min(low.y, p.y)};
      high = {std::max(high.x, p.x), std::max(high.y, p.y)};
    }
  const double scale = 0.8 * side / std::max(high.x - low.x, high.y - low.y), reach = 0.4 * pen * side;
  std::vector<std::uint8_t> ink(side * side);
  for (Stroke& stroke : drawing) {
    for (Point& p : stroke)
      p = {side / 2.0 + scale * (p.x - (low.x + high.x) / 2),
           side / 2.0 + scale * (p.y - (low.y + high.y) / 2)};
    for (std::size_t k = 0; k + 1 < stroke.size(); ++k) {
      const Point a = stroke[k], b = stroke[k + 1];
      const double x = b.x - a.x, y = b.y - a.y, square = std::max(x * x + y * y, 1e-12);
      const auto first = [&](double v) { return std::max(0, static_cast<int>(v - reach - 1)); };
      const auto last = [&](double v) { return std::min(side - 1, static_cast<int>(v + reach + 1)); };
      for (int row = first(std::min(a.y, b.y)); row <= last(std::max(a.y, b.y)); ++row)
        for (int column = first(std::min(a.x, b.x)); column <= last(std::max(a.x, b.x)); ++column) {
          const double u = column + 0.5 - a.x, v = row + 0.5 - a.y;
          const double along = std::clamp((u * x + v * y) / square, 0.0, 1.0);
          const double level = std::clamp(reach + 0.5 - std::hypot(u - along * x, v - along * y), 0.0, 1.0);
          std::uint8_t& pixel = ink[static_cast<std::size_t>(row * side + column)];
          pixel = std::max(pixel, static_cast<std::uint8_t>(std::lround(255 * level)));
        }
    }
  }
  return center_digit(from(ink, {side, side}));
}

}  // namespace elk::demo
