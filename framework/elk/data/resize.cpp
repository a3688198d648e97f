#include <algorithm>

#include <elk/base/format.hpp>
#include <elk/data/resize.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

// Shrinks or stretches each line of `from` values to `to` sums over areas that together count `from` for each
// value. Lines lie `line` apart, values in a line `step`. In units of 1 / to of a value's width, value j lies
// on [j to, (j + 1) to) and sum i on [i from, (i + 1) from): all overlaps are whole numbers.
template <class T>
void add_areas(const T* in, Index in_line, Index in_step, Index from, std::int64_t* out, Index out_line,
               Index out_step, Index to, Index lines) {
  for (Index l = 0; l < lines; ++l, in += in_line, out += out_line)
    for (Index i = 0; i < to; ++i) {
      const Index begin = i * from, end = begin + from;
      std::int64_t sum = 0;
      for (Index j = begin / to; j * to < end; ++j)
        sum += (std::min(end, (j + 1) * to) - std::max(begin, j * to)) * std::int64_t{in[j * in_step]};
      out[i * out_step] = sum;
    }
}

void check(const Tensor& image) {
  if (image.dtype() != u8) fail<DTypeError>("[resize] the image must be u8, got {}", image.dtype());
  if ((image.rank() != 2 && image.rank() != 3) || image.size() == 0)
    fail<ShapeError>("[resize] expected an image (H, W) or (C, H, W), got {}", image.shape());
}

}  // namespace

Tensor resize(const Tensor& image, Index rows, Index columns) {
  check(image);
  if (rows < 1 || columns < 1) fail<ShapeError>("[resize] the wanted size {} x {} is empty", rows, columns);
  const Index planes = image.rank() == 3 ? image.size(0) : 1, h = image.size(-2), w = image.size(-1);
  const std::int64_t area = h * w;
  Tensor result = empty(image.rank() == 3 ? Shape{planes, rows, columns} : Shape{rows, columns}, u8);
  std::vector<std::int64_t> wide(static_cast<std::size_t>(h * columns)),
      sums(static_cast<std::size_t>(rows * columns));
  const std::uint8_t* in = image.data<std::uint8_t>().data();
  auto* out = detail::writable<std::uint8_t>(result);
  for (Index p = 0; p < planes; ++p, in += area, out += rows * columns) {
    add_areas(in, w, 1, w, wide.data(), columns, 1, columns, h);
    add_areas(wide.data(), 1, columns, h, sums.data(), 1, columns, rows, columns);
    std::transform(sums.begin(), sums.end(), out,
                   [&](std::int64_t sum) { return static_cast<std::uint8_t>((sum + area / 2) / area); });
  }
  return result;
}

Tensor resize_to_fit(const Tensor& image, Index side) {
  check(image);
  const Index h = image.size(-2), w = image.size(-1), longest = std::max(h, w);
  const auto fitted = [&](Index length) {
    return std::max<Index>(1, (length * side + longest / 2) / longest);
  };
  return resize(image, fitted(h), fitted(w));
}

}  // namespace elk
