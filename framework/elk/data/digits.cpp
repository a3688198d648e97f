#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>

#include <elk/base/format.hpp>
#include <elk/base/parallel.hpp>
#include <elk/data/digits.hpp>
#include <elk/tensor/storage.hpp>

// The bytes must repeat on every machine. So: only + - * / and sqrt, which IEEE 754 defines to the last bit
// (no sin, exp or normal draws), and no fused multiply-adds, which round differently. GCC fuses none under
// -std=c++20.
#if defined(__clang__)
#pragma clang fp contract(off)
#endif

namespace elk {

namespace {

constexpr int side = 28;

struct Point {
  double x, y;
};

// A smooth pen stroke through its points (a Catmull-Rom spline). A corner is a new stroke from the same
// point. A style of writing a digit is a few strokes, on a grid of 100 with y downwards.
using Stroke = std::vector<Point>;
using Style = std::vector<Stroke>;

// clang-format off
const std::vector<Style>& styles(int digit) {
  static const std::array<std::vector<Style>, 10> all{{
      // 0: an oval; one begun at the upper right whose end crosses its beginning; a narrow one
      {{{{50, 5}, {29, 15}, {19, 48}, {29, 84}, {50, 95}, {71, 84}, {81, 50}, {71, 16}, {50, 5}, {40, 8}}},
       {{{68, 12}, {48, 6}, {26, 22}, {18, 52}, {28, 84}, {52, 95}, {76, 78}, {80, 44}, {66, 14}, {46, 10}}},
       {{{52, 5}, {36, 24}, {31, 54}, {38, 86}, {50, 95}, {64, 80}, {69, 46}, {62, 14}, {52, 5}, {46, 9}}}},
      // 1: a bar; with a flag; with a flag and a foot
      {{{{50, 5}, {50, 95}}},
       {{{30, 27}, {42, 17}, {52, 5}}, {{52, 5}, {52, 95}}},
       {{{34, 24}, {44, 16}, {52, 6}}, {{52, 6}, {52, 94}}, {{30, 94}, {74, 94}}}},
      // 2: with a flat foot; with a loop in the foot; wide and rounded
      {{{{22, 26}, {34, 9}, {54, 5}, {73, 17}, {72, 38}, {52, 64}, {20, 93}}, {{20, 93}, {82, 92}}},
       {{{24, 22}, {44, 5}, {69, 14}, {69, 38}, {48, 70}, {28, 90}, {18, 80}, {34, 73}, {56, 88}, {84, 88}}},
       {{{20, 18}, {48, 5}, {76, 22}, {64, 50}, {36, 72}, {22, 92}}, {{22, 92}, {48, 88}, {82, 94}}}},
      // 3: two bows; a flat top; one flowing line with a small loop in the middle
      {{{{24, 17}, {46, 5}, {68, 16}, {66, 36}, {42, 46}},
        {{42, 46}, {70, 54}, {78, 74}, {60, 92}, {36, 94}, {19, 82}}},
       {{{22, 8}, {74, 8}},
        {{74, 8}, {46, 42}},
        {{46, 42}, {70, 48}, {78, 68}, {64, 90}, {40, 94}, {20, 84}}},
       {{{26, 12}, {52, 5}, {70, 20}, {58, 42}, {40, 48}, {46, 40}, {68, 52}, {74, 74}, {54, 94}, {22, 88}}}},
      // 4: open at the top; closed; open with a rounded bend
      {{{{30, 8}, {24, 34}, {19, 58}}, {{19, 58}, {84, 56}}, {{67, 14}, {64, 50}, {61, 95}}},
       {{{62, 5}, {40, 36}, {17, 66}}, {{17, 66}, {84, 65}}, {{62, 5}, {62, 95}}},
       {{{26, 8}, {20, 40}, {32, 54}, {56, 50}, {76, 42}}, {{76, 8}, {72, 48}, {68, 95}}}},
      // 5: with corners; flowing; the roof put on last, leaving a gap
      {{{{75, 7}, {32, 7}},
        {{32, 7}, {27, 44}},
        {{27, 44}, {50, 37}, {73, 47}, {77, 68}, {64, 89}, {40, 95}, {19, 85}}},
       {{{76, 9}, {52, 8}, {36, 14}, {30, 38}, {48, 43}, {70, 54}, {73, 78}, {50, 94}, {22, 88}}},
       {{{34, 14}, {28, 46}},
        {{28, 46}, {54, 42}, {74, 58}, {70, 82}, {46, 95}, {20, 90}},
        {{38, 10}, {80, 6}}}},
      // 6: bowed stem; straight stem
      {{{{68, 7}, {44, 22}, {27, 48}, {22, 72}, {34, 92}, {55, 95}, {73, 80}, {70, 61}, {52, 52}, {34, 60},
         {24, 76}}},
       {{{54, 4}, {36, 38}, {25, 70}, {36, 93}, {60, 94}, {75, 77}, {67, 59}, {46, 57}, {28, 72}}}},
      // 7: plain; with a bar; with a waved roof
      {{{{20, 8}, {80, 8}}, {{80, 8}, {60, 46}, {42, 95}}},
       {{{20, 9}, {80, 8}}, {{80, 8}, {60, 46}, {46, 95}}, {{38, 50}, {74, 49}}},
       {{{20, 22}, {28, 9}, {54, 13}, {80, 8}}, {{80, 8}, {58, 44}, {50, 95}}}},
      // 8: one line that crosses itself; two ovals
      {{{{71, 18}, {52, 5}, {31, 14}, {32, 35}, {52, 49}, {72, 64}, {73, 85}, {50, 96}, {27, 84}, {29, 64},
         {52, 49}, {69, 34}, {71, 18}, {64, 9}}},
       {{{50, 47}, {31, 37}, {31, 16}, {50, 5}, {69, 16}, {69, 37}, {50, 47}},
        {{50, 47}, {28, 58}, {24, 80}, {50, 95}, {76, 80}, {72, 58}, {50, 47}}}},
      // 9: straight tail; bowed tail; one line
      {{{{73, 22}, {54, 6}, {32, 14}, {26, 34}, {40, 50}, {60, 46}, {73, 24}},
        {{74, 14}, {72, 56}, {66, 95}}},
       {{{74, 26}, {56, 6}, {33, 12}, {25, 33}, {40, 50}, {62, 44}, {74, 26}},
        {{74, 26}, {76, 60}, {62, 88}, {32, 92}}},
       {{{70, 16}, {48, 5}, {28, 22}, {34, 44}, {56, 44}, {71, 20}, {68, 58}, {50, 95}}}},
  }};
  // clang-format on
  return all[static_cast<std::size_t>(digit)];
}

// Not Rng::uniform(low, high), which is compiled elsewhere too, perhaps with fused multiply-adds.
double between(Rng& rng, double low, double high) { return low + (high - low) * rng.uniform(); }

// Around 0, between -a and a, small values more often.
double spread(Rng& rng, double a) { return a * (rng.uniform() + rng.uniform() - 1); }

// A bend of the whole sheet: random shifts of a coarse lattice, smoothly interpolated, so that strokes that
// meet in a point still do.
class Bend {
 public:
  Bend(Rng& rng, double amplitude) {
    for (Point& shift : shifts_) shift = {spread(rng, amplitude), spread(rng, amplitude)};
  }

  Point operator()(Point p) const {
    const double u = std::clamp(p.x / 100, 0.0, 1.0) * cells, v = std::clamp(p.y / 100, 0.0, 1.0) * cells;
    const int column = std::min(static_cast<int>(u), cells - 1),
              row = std::min(static_cast<int>(v), cells - 1);
    const double a = smooth(u - column), b = smooth(v - row);
    const Point *above = &shifts_[static_cast<std::size_t>(row * (cells + 1) + column)],
                *below = above + cells + 1;
    const auto mix = [&](double Point::*c) {
      return (1 - b) * ((1 - a) * above[0].*c + a * above[1].*c) +
             b * ((1 - a) * below[0].*c + a * below[1].*c);
    };
    return {p.x + mix(&Point::x), p.y + mix(&Point::y)};
  }

 private:
  static constexpr int cells = 3;
  static double smooth(double t) { return t * t * (3 - 2 * t); }

  std::array<Point, (cells + 1) * (cells + 1)> shifts_;
};

// The spline through the bent points of a stroke, as a polyline.
Stroke curve(const Stroke& stroke, const Bend& bend) {
  constexpr int steps = 6;
  const std::size_t n = stroke.size();
  Stroke points, line;
  points.reserve(n);
  line.reserve(1 + steps * (n - 1));
  for (const Point& p : stroke) points.push_back(bend(p));
  line.push_back(points.front());
  for (std::size_t i = 0; i + 1 < n; ++i) {
    const Point p1 = points[i], p2 = points[i + 1];
    // Beyond an end the line is taken to go straight on.
    const Point p0 = i > 0 ? points[i - 1] : Point{2 * p1.x - p2.x, 2 * p1.y - p2.y};
    const Point p3 = i + 2 < n ? points[i + 2] : Point{2 * p2.x - p1.x, 2 * p2.y - p1.y};
    for (int step = 1; step <= steps; ++step) {
      const double t = static_cast<double>(step) / steps;
      const auto along = [&](double c0, double c1, double c2, double c3) {
        return c1 + 0.5 * t * (c2 - c0 + t * (2 * c0 - 5 * c1 + 4 * c2 - c3 + t * (3 * (c1 - c2) + c3 - c0)));
      };
      line.push_back({along(p0.x, p1.x, p2.x, p3.x), along(p0.y, p1.y, p2.y, p3.y)});
    }
  }
  return line;
}

// Rotation, slant and size of the hand: from the grid to pixels, about the grid's centre.
class Hand {
 public:
  explicit Hand(Rng& rng) {
    const double half = spread(rng, 0.16);  // the tangent of half the angle: up to 18 degrees
    const double c = (1 - half * half) / (1 + half * half), s = 2 * half / (1 + half * half);
    const double slant = 0.12 + spread(rng, 0.35);
    const double height = 0.19 + spread(rng, 0.035), width = height * (0.95 + spread(rng, 0.3));
    a_ = c * width;
    b_ = -c * slant * height - s * height;
    c_ = s * width;
    d_ = -s * slant * height + c * height;
  }

  Point operator()(Point p) const {
    const double x = p.x - 50, y = p.y - 50;
    return {a_ * x + b_ * y, c_ * x + d_ * y};
  }

 private:
  double a_, b_, c_, d_;
};

// Pieces of rows are done at once. Rows end in room for one that reaches beyond the image.
typedef float Piece __attribute__((vector_size(16)));
constexpr int piece = 4, stride = side + piece;
using Image = std::array<float, side * stride>;

// Lowers each pixel's squared distance from the ink where the segment is nearer, within `reach` pixels. What
// pieces hold beyond is farther than that.
void draw(Image& distance, Point p, Point q, double reach) {
  const auto low = [&](double v) { return std::max(0, static_cast<int>(std::floor(v - reach))); };
  const auto high = [&](double v) { return std::min(side - 1, static_cast<int>(std::ceil(v + reach))); };
  const int left = low(std::min(p.x, q.x)), right = high(std::max(p.x, q.x));
  const int top = low(std::min(p.y, q.y)), bottom = high(std::max(p.y, q.y));
  const auto px = static_cast<float>(p.x), py = static_cast<float>(p.y);
  const auto dx = static_cast<float>(q.x - p.x), dy = static_cast<float>(q.y - p.y);
  const float length2 = dx * dx + dy * dy;
  const float inverse = length2 > 0 ? 1 / length2 : 0;
  const Piece zero{}, one = zero + 1.0f;
  for (int column = left; column <= right; column += piece) {
    const Piece x = Piece{0, 1, 2, 3} + static_cast<float>(column) - px, along_x = x * dx;
    for (int row = top; row <= bottom; ++row) {
      float* line = &distance[static_cast<std::size_t>(row * stride + column)];
      const float y = static_cast<float>(row) - py;
      const Piece along = (along_x + y * dy) * inverse, above = along < zero ? zero : along,
                  t = one < above ? one : above;
      const Piece ex = x - t * dx, ey = y - t * dy, d = ex * ex + ey * ey;
      Piece old;
      std::memcpy(&old, line, sizeof old);
      old = d < old ? d : old;
      std::memcpy(line, &old, sizeof old);
    }
  }
}

// Moves the strokes so that their middle comes to the middle of the image, give or take a random shift, and
// no ink of that reach leaves the image where it can be helped.
void place(std::vector<Stroke>& strokes, double reach, Rng& rng) {
  Point low = strokes[0][0], high = low;
  for (const Stroke& stroke : strokes)
    for (const Point& p : stroke) {
      low = {std::min(low.x, p.x), std::min(low.y, p.y)};
      high = {std::max(high.x, p.x), std::max(high.y, p.y)};
    }
  const auto shift = [&](double from, double to) {
    const double room = std::max(0.0, (side - 1 - (to - from)) / 2 - reach);
    return (side - 1) / 2.0 - (from + to) / 2 + std::clamp(spread(rng, 3.0), -room, room);
  };
  const double x = shift(low.x, high.x), y = shift(low.y, high.y);
  for (Stroke& stroke : strokes)
    for (Point& p : stroke) p = {p.x + x, p.y + y};
}

void draw_digit(Rng& rng, int digit, std::uint8_t* pixels) {
  const auto& written = styles(digit);
  const Style& style = written[static_cast<std::size_t>(rng.integer(0, static_cast<Index>(written.size())))];
  const Bend bend(rng, 12);
  const Hand hand(rng);
  const double pen = between(rng, 0.7, 1.6);    // half the width of the line, in pixels
  const double blur = between(rng, 0.45, 0.9);  // half the width of its edge
  const double reach = pen + blur;

  std::vector<Stroke> strokes;
  strokes.reserve(style.size());
  for (const Stroke& stroke : style) {
    strokes.push_back(curve(stroke, bend));
    for (Point& p : strokes.back()) p = hand(p);
  }
  place(strokes, reach, rng);

  const auto far = static_cast<float>(reach * reach);
  Image distance;
  distance.fill(far);
  for (const Stroke& stroke : strokes)
    for (std::size_t k = 0; k + 1 < stroke.size(); ++k) draw(distance, stroke[k], stroke[k + 1], reach);

  const auto ink = static_cast<float>(between(rng, 170, 255));
  const auto noise = static_cast<float>(between(rng, 0, 24) / 255);
  const auto edge = static_cast<float>(reach), slope = static_cast<float>(1 / (2 * blur));
  std::array<std::uint32_t, side * side / 2> random;
  rng.bits(random);
  std::array<float, side * side> grain, value;
  for (std::size_t k = 0; k < random.size(); ++k)
    for (const std::size_t half : {0u, 1u}) {
      const std::uint32_t bits = random[k] >> (16 * half);
      grain[2 * k + half] = static_cast<float>(static_cast<int>((bits & 255) + ((bits >> 8) & 255)) - 255);
    }
  for (std::size_t row = 0; row < side; ++row) std::copy_n(&distance[row * stride], side, &value[row * side]);
  for (std::size_t k = 0; k < value.size(); ++k) {
    const float inside = (edge - std::sqrt(value[k])) * slope, most = 1.0f < inside ? 1.0f : inside,
                t = value[k] < far ? most : 0.0f;
    const float sum = ink * (t * t * (3 - 2 * t)) + noise * grain[k];
    const float above = sum < 0.0f ? 0.0f : sum, limited = 255.0f < above ? 255.0f : above;
    value[k] = limited + 0.5f;
  }
  for (std::size_t k = 0; k < value.size(); ++k)
    pixels[k] = static_cast<std::uint8_t>(static_cast<int>(value[k]));
}

// What is drawn from streams of its own, for `count` numbers from `first` on.
std::vector<Rng> streams(std::uint32_t seed, std::uint32_t purpose, Index first, Index count) {
  std::vector<std::uint32_t> keys;
  for (Index i = first; i < first + count; ++i)
    keys.insert(keys.end(), {seed, purpose, static_cast<std::uint32_t>(i)});
  return Rng::keyed_each(keys, 3);
}

}  // namespace

Dataset digits(std::uint32_t seed, Index first, Index count) {
  constexpr Index limit = Index{1} << 32;
  if (first < 0 || count < 0 || first > limit || count > limit - first)
    fail<ValueError>("[digits] images {} ... + {} are outside the series of 2^32", first, count);
  Dataset result{"digits",
                 empty({count, side, side}, u8),
                 empty({count}, i64),
                 {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}};
  auto* pixels = detail::writable<std::uint8_t>(result.images);
  auto* labels = detail::writable<std::int64_t>(result.labels);
  constexpr Index block = 80;  // streams are begun sixteen at a time
  parallel_for((count + block - 1) / block, [&](Index b) {
    const Index begin = b * block, end = std::min(count, begin + block);
    // Every ten images hold each digit once.
    const Index tens = (first + begin) / 10;
    std::vector<std::vector<std::int64_t>> orders;
    for (Rng& rng : streams(seed, 1, tens, (first + end - 1) / 10 + 1 - tens))
      orders.push_back(rng.permutation(10));
    std::vector<Rng> drawing = streams(seed, 0, first + begin, end - begin);
    for (Index k = begin; k < end; ++k) {
      const Index i = first + k;
      labels[k] = orders[static_cast<std::size_t>(i / 10 - tens)][static_cast<std::size_t>(i % 10)];
      draw_digit(drawing[static_cast<std::size_t>(k - begin)], static_cast<int>(labels[k]),
                 pixels + k * side * side);
    }
  });
  return result;
}

TrainTest digits_train_test(std::uint32_t seed, Index n_train, Index n_test) {
  constexpr Index half = Index{1} << 31;
  if (n_train < 0 || n_train > half || n_test < 0 || n_test > half)
    fail<ValueError>("[digits] the sizes must be from 0 to 2^31, got {} and {}", n_train, n_test);
  return {digits(seed, 0, n_train), digits(seed, half, n_test)};
}

}  // namespace elk
