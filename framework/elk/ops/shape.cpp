#include <algorithm>

#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

Tensor reshape(const Tensor& x, Shape shape) {
  const Shape asked = shape;
  int unknown = 0;
  Index known = 1;
  for (const Index size : shape) {
    if (size == -1)
      ++unknown;
    else if (size < 0 || __builtin_mul_overflow(known, size, &known))
      fail<ShapeError>("[reshape] {} is no shape", asked);
  }
  if (unknown == 1 && known > 0)
    for (int i = 0; i < shape.rank(); ++i)
      if (shape[i] == -1) shape[i] = x.size() / known;
  if (unknown > 1 || shape.size() != x.size() || (unknown == 1 && known == 0))
    fail<ShapeError>("[reshape] {} of {} elements does not fit {}", x.shape(), x.size(), asked);
  if (shape == x.shape()) return x;
  return record("reshape", detail::with_shape(x, shape),
                wrt(x, [s = x.shape()](const Tensor& dy) { return reshape(dy, s); }));
}

Tensor transpose(const Tensor& x) {
  return record("transpose", kernels::transpose(x), wrt(x, [](const Tensor& dy) { return transpose(dy); }));
}

Tensor permute(const Tensor& x, const std::vector<int>& axes) {
  const Tensor y = kernels::permute(x, axes);
  std::vector<int> inverse(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i)
    inverse[static_cast<std::size_t>(axes[i] < 0 ? axes[i] + x.rank() : axes[i])] = static_cast<int>(i);
  return record("permute", y, wrt(x, [inverse](const Tensor& dy) { return permute(dy, inverse); }));
}

namespace {

// `count` elements of an axis from `begin` on, and the reverse; each is the other's rule.
Tensor unslice(const Tensor& x, int axis, Index begin, Index step, Index size);

Tensor sliced(const Tensor& x, int axis, Index begin, Index count, Index step) {
  return record("slice", kernels::slice(x, axis, begin, count, step),
                wrt(x, SliceRule{axis, begin, step, x.size(axis), unslice}));
}

Tensor unslice(const Tensor& x, int axis, Index begin, Index step, Index size) {
  return record(
      "unslice", kernels::unslice(x, axis, begin, step, size),
      wrt(x, [=, count = x.size(axis)](const Tensor& dy) { return sliced(dy, axis, begin, count, step); }));
}

// An axis of `rank`, counted from the front.
int from_front(const char* operation, const Shape& shape, int axis, int rank) {
  const int at = axis < 0 ? axis + rank : axis;
  if (at < 0 || at >= rank) fail<IndexError>("[{}] axis {} is outside shape {}", operation, axis, shape);
  return at;
}

}  // namespace

Tensor squeeze(const Tensor& x, Axis axis) {
  const int at = from_front("squeeze", x.shape(), axis, x.rank());
  if (x.size(at) != 1) fail<ShapeError>("[squeeze] axis {} of {} has a size other than 1", axis, x.shape());
  Shape shape;
  for (int i = 0; i < x.rank(); ++i)
    if (i != at) shape.push_back(x.size(i));
  return reshape(x, shape);
}

Tensor squeeze(const Tensor& x) {
  Shape shape;
  for (const Index size : x.shape())
    if (size != 1) shape.push_back(size);
  return reshape(x, shape);
}

Tensor expand(const Tensor& x, Axis axis) {
  const int at = from_front("expand", x.shape(), axis, x.rank() + 1);
  Shape shape;
  for (int i = 0; i < x.rank(); ++i) {
    if (i == at) shape.push_back(1);
    shape.push_back(x.size(i));
  }
  if (at == x.rank()) shape.push_back(1);
  return reshape(x, shape);
}

Tensor slice(const Tensor& x, Axis axis, Index begin, Index end, Index step) {
  if (step == 0) fail<ValueError>("[slice] the step must not be 0");
  const int at = from_front("slice", x.shape(), axis, x.rank());
  const Index n = x.size(at), low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
  const auto place = [&](Index i) { return std::clamp(i < 0 ? i + n : i, low, high); };
  const Index first = place(begin), last = place(end);
  const Index distance = step > 0 ? last - first : first - last, stride = step > 0 ? step : -step;
  return sliced(x, at, first, distance > 0 ? (distance - 1) / stride + 1 : 0, step);
}

Tensor flip(const Tensor& x, const Axes& axes) {
  const auto reversed = axes.of("flip", x.shape());
  Tensor y = x;
  for (int i = 0; i < x.rank(); ++i)
    if (reversed[static_cast<std::size_t>(i)]) y = sliced(y, i, x.size(i) - 1, x.size(i), -1);
  return y;
}

Tensor roll(const Tensor& x, Index shift, Axis axis) {
  const int at = from_front("roll", x.shape(), axis, x.rank());
  const Index n = x.size(at);
  if (n == 0 || shift % n == 0) return x;
  const Index moved = (shift % n + n) % n;  // those at the end that come to the beginning
  return concat({sliced(x, at, n - moved, moved, 1), sliced(x, at, 0, n - moved, 1)}, at);
}

Tensor pad(const Tensor& x, const std::vector<Index>& widths, double value) {
  const auto pairs = static_cast<int>(widths.size() / 2);
  if (widths.size() % 2 != 0 || pairs > x.rank() ||
      std::any_of(widths.begin(), widths.end(), [](Index w) { return w < 0; }))
    fail<ShapeError>("[pad] expected up to {} pairs of widths of 0 or more for {}, got ({})", x.rank(),
                     x.shape(), fmt::join(widths, ", "));
  Tensor y = x;
  for (int i = 0; i < pairs; ++i) {
    const int axis = x.rank() - 1 - i;
    const auto border = [&](Index width) {
      Shape shape = y.shape();
      shape[axis] = width;
      return full(shape, value, x.dtype());
    };
    const auto at = static_cast<std::size_t>(2 * i);
    if (widths[at] > 0 || widths[at + 1] > 0)
      y = concat({border(widths[at]), y, border(widths[at + 1])}, axis);
  }
  return y;
}

std::vector<Tensor> split(const Tensor& x, const std::vector<Index>& sizes, Axis axis) {
  const int at = from_front("split", x.shape(), axis, x.rank());
  Index left = x.size(at);
  for (const Index size : sizes) left = size < 0 || size > left ? -1 : left - size;
  if (left != 0)
    fail<ShapeError>("[split] axis {} of {} is not the sum of ({})", axis, x.shape(), fmt::join(sizes, ", "));
  std::vector<Tensor> parts;
  Index begin = 0;
  for (const Index size : sizes) {
    parts.push_back(sliced(x, at, begin, size, 1));
    begin += size;
  }
  return parts;
}

std::vector<Tensor> split(const Tensor& x, Index size, Axis axis) {
  const int at = from_front("split", x.shape(), axis, x.rank());
  if (size < 1) fail<ValueError>("[split] expected a size of at least 1, got {}", size);
  std::vector<Index> sizes;
  for (Index left = x.size(at); left > 0; left -= size) sizes.push_back(std::min(size, left));
  return split(x, sizes, at);
}

std::vector<Tensor> chunk(const Tensor& x, Index count, Axis axis) {
  const int at = from_front("chunk", x.shape(), axis, x.rank());
  if (count < 1) fail<ValueError>("[chunk] expected at least 1 piece, got {}", count);
  return split(x, std::max<Index>(1, x.size(at) / count + (x.size(at) % count != 0)), at);
}

Tensor concat(const std::vector<Tensor>& parts, Axis axis) {
  const Tensor y = kernels::concat(parts, axis);
  std::vector<Wrt<Rule>> inputs;
  Index begin = 0;
  for (const Tensor& part : parts) {
    const Index size = part.size(axis);
    inputs.push_back({part, [=](const Tensor& dy) { return sliced(dy, axis, begin, size, 1); }});
    begin += size;
  }
  return record("concat", y, std::move(inputs));
}

Tensor stack(const std::vector<Tensor>& parts, Axis axis) {
  if (parts.empty()) fail<ShapeError>("[stack] there is nothing to stack");
  std::vector<Tensor> expanded;
  for (const Tensor& part : parts) {
    if (part.shape() != parts[0].shape())
      fail<ShapeError>("[stack] shapes differ: {} and {}", parts[0].shape(), part.shape());
    expanded.push_back(expand(part, axis));
  }
  return concat(expanded, axis);
}

Tensor gather(const Tensor& x, Axis axis, const Tensor& index) {
  const int at = axis < 0 ? x.rank() + axis : static_cast<int>(axis);
  if (index.rank() == x.rank())
    for (int i = 0; i < x.rank(); ++i)
      if (i != at && index.size(i) < x.size(i))  // of the part that the index reaches
        return gather(slice(x, i, 0, index.size(i)), axis, index);
  return record(
      "gather", kernels::gather(x, axis, index),
      wrt(x, [axis, index, n = x.size(axis)](const Tensor& dy) { return scatter_add(dy, axis, index, n); }));
}

Tensor scatter_add(const Tensor& x, Axis axis, const Tensor& index, Index size) {
  return record("scatter_add", kernels::scatter_add(x, axis, index, size),
                wrt(x, [axis, index](const Tensor& dy) { return gather(dy, axis, index); }));
}

Tensor scatter_add(const Tensor& x, Axis axis, const Tensor& index, const Tensor& source) {
  const int at = from_front("scatter_add", x.shape(), axis, x.rank());
  return x + scatter_add(source, at, index, x.size(at));
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return record("broadcast_to", kernels::broadcast_to(x, shape),
                wrt(x, [s = x.shape()](const Tensor& dy) { return sum_to(dy, s); }));
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  if (broadcast("sum_to", x.shape(), shape) != x.shape())
    fail<ShapeError>("[sum_to] {} does not stretch to {}", shape, x.shape());
  // Leading axes that `shape` lacks, and axes where it has 1.
  const int extra = x.rank() - shape.rank();
  Tensor y = x;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (axis < extra || (shape[axis - extra] == 1 && x.size(axis) != 1)) y = sum(y, axis, true);
  return reshape(y, shape);
}

Tensor take_rows(const Tensor& x, const Tensor& rows) {
  const Tensor y = kernels::take_rows(x, rows);
  return record("take_rows", y,
                wrt(x, [rows, n = x.size(0)](const Tensor& dy) { return scatter_add_rows(dy, rows, n); }));
}

Tensor scatter_add_rows(const Tensor& x, const Tensor& rows, Index count) {
  return record("scatter_add_rows", kernels::scatter_add_rows(x, rows, count),
                wrt(x, [rows](const Tensor& dy) { return take_rows(dy, rows); }));
}

Tensor one_hot(const Tensor& labels, Index classes, DType dtype) {
  return kernels::one_hot(labels, classes, dtype);
}

Tensor detach(const Tensor& x) { return detail::with_shape(x, x.shape()); }

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  const Tensor y = kernels::cast(x, dtype);
  if (!is_float(dtype) || !is_float(x.dtype())) return y;
  return record("cast", y, wrt(x, [from = x.dtype()](const Tensor& dy) { return cast(dy, from); }));
}

}  // namespace elk
