#include <algorithm>
#include <cmath>

#include <elk/base/format.hpp>
#include <elk/data/center.hpp>
#include <elk/data/resize.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

constexpr Index box_side = 20, side = 28;
constexpr int least_contrast = 32, faint = 51;
// Where the images of MNIST have their centre of mass: in the middle of pixel 14, counted from 0, from the
// edge.
constexpr double mass_center = 14.5;

void check(const Tensor& grey) {
  if (grey.dtype() != u8) fail<DTypeError>("[center_digit] the image must be u8, got {}", grey.dtype());
  if (grey.rank() != 2 || grey.size() == 0)
    fail<ShapeError>("[center_digit] expected an image (H, W), got {}", grey.shape());
}

struct Paper {
  int level;    // the median of the image's border
  bool smooth;  // nine tenths of the border are of just this level, as programs draw it; a photograph has
                // grain
};

Paper paper_of(const Tensor& grey) {
  const Index h = grey.size(0), w = grey.size(1);
  const auto pixels = grey.data<std::uint8_t>();
  std::vector<int> border;
  for (Index i = 0; i < grey.size(); ++i)
    if (i < w || i >= (h - 1) * w || i % w == 0 || i % w == w - 1)
      border.push_back(pixels[static_cast<std::size_t>(i)]);
  const auto half = border.begin() + static_cast<std::ptrdiff_t>(border.size() / 2);
  std::nth_element(border.begin(), half, border.end());
  const int level = *half;
  const auto alike = static_cast<std::size_t>(std::count(border.begin(), border.end(), level));
  return {level, 10 * alike >= 9 * border.size()};
}

// 0 = paper, 255 = the strongest ink.
Tensor ink_of(const Tensor& grey) {
  const Paper paper = paper_of(grey);
  const int sign = paper.level > 127 ? -1 : 1;
  const auto pixels = grey.data<std::uint8_t>();
  const auto [darkest, lightest] = std::minmax_element(pixels.begin(), pixels.end());
  const int strongest = sign * ((sign < 0 ? *darkest : *lightest) - paper.level);
  if (strongest < least_contrast)
    fail<ValueError>("[center_digit] there is no ink: no pixel is {} than the paper by {} or more of 255",
                     sign < 0 ? "darker" : "lighter", least_contrast);
  Tensor ink = empty(grey.shape(), u8);
  std::transform(pixels.begin(), pixels.end(), detail::writable<std::uint8_t>(ink), [&](std::uint8_t pixel) {
    const int value = (std::max(0, sign * (pixel - paper.level)) * 255 + strongest / 2) / strongest;
    return static_cast<std::uint8_t>(paper.smooth || value > faint ? value : 0);
  });
  return ink;
}

// The part of the image within the bounding box of its ink.
Tensor crop(const Tensor& ink) {
  const Index w = ink.size(1);
  const auto pixels = ink.data<std::uint8_t>();
  Index top = ink.size(0), bottom = -1, left = w, right = -1;
  for (Index i = 0; i < ink.size(); ++i) {
    if (pixels[static_cast<std::size_t>(i)] == 0) continue;
    top = std::min(top, i / w);
    bottom = i / w;
    left = std::min(left, i % w);
    right = std::max(right, i % w);
  }
  Tensor box = empty({bottom - top + 1, right - left + 1}, u8);
  auto* to = detail::writable<std::uint8_t>(box);
  for (Index y = top; y <= bottom; ++y)
    to = std::copy_n(&pixels[static_cast<std::size_t>(y * w + left)], box.size(1), to);
  return box;
}

// Where a box of `length` begins, for its centre of mass to come to the middle, or as near to it as the box
// fits.
Index begin_for(double center, Index length) {
  return std::clamp<Index>(std::lround(mass_center - center), 0, side - length);
}

}  // namespace

bool has_light_border(const Tensor& grey) {
  check(grey);
  return paper_of(grey).level > 127;
}

Tensor center_digit(const Tensor& grey) {
  check(grey);
  const Tensor box = resize_to_fit(crop(ink_of(grey)), box_side);

  const auto pixels = box.data<std::uint8_t>();
  const Index rows = box.size(0), columns = box.size(1);
  double mass = 0, y_sum = 0, x_sum = 0;  // positions count from the edge: the middle of pixel i is i + 1/2
  for (Index i = 0; i < box.size(); ++i) {
    const double pixel = pixels[static_cast<std::size_t>(i)];
    mass += pixel;
    y_sum += pixel * (static_cast<double>(i / columns) + 0.5);
    x_sum += pixel * (static_cast<double>(i % columns) + 0.5);
  }
  const Index top = begin_for(y_sum / mass, rows), left = begin_for(x_sum / mass, columns);

  Tensor result = zeros({side, side}, u8);
  auto* to = detail::writable<std::uint8_t>(result) + top * side + left;
  for (Index y = 0; y < rows; ++y, to += side)
    std::copy_n(&pixels[static_cast<std::size_t>(y * columns)], columns, to);
  return result;
}

}  // namespace elk
