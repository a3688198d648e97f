#include <elk/kernels/xtensor.hpp>
// (the line above must come first)
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/extent.hpp>
#include <elk/kernels/kernels.hpp>

namespace elk::kernels {

namespace {

// For xtensor: the tensor under its own shape, of any rank.
template <class T>
auto array(const Tensor& x) {
  const std::vector<std::size_t> shape(x.shape().begin(), x.shape().end());
  return xt::adapt(readable<T>(x), static_cast<std::size_t>(x.size()), xt::no_ownership(), shape);
}
template <class T>
auto array_out(Tensor& x) {
  const std::vector<std::size_t> shape(x.shape().begin(), x.shape().end());
  return xt::adapt(writable<T>(x), static_cast<std::size_t>(x.size()), xt::no_ownership(), shape);
}

template <class Out, class In>
void convert(const In* in, Out* out, Index n) {
  for (Index i = 0; i < n; ++i) {
    if constexpr (std::is_integral_v<Out> && (std::is_floating_point_v<In> || sizeof(In) > sizeof(Out))) {
      // 2^63 is the first double that i64 does not hold.
      constexpr double low = sizeof(Out) == 8 ? -9223372036854775808.0 : 0,
                       end = sizeof(Out) == 8 ? 9223372036854775808.0 : 256;
      const double value = std::trunc(static_cast<double>(in[i]));
      if (!(value >= low && value < end)) fail<ValueError>("[cast] {} does not fit {}", in[i], dtype_of<Out>);
    }
    out[i] = static_cast<Out>(in[i]);
  }
}

// Row numbers from 0 to count - 1, as i64 of any shape.
void check_rows(const char* operation, const Tensor& rows, Index count) {
  if (rows.dtype() != i64)
    fail<DTypeError>("[{}] expected rows of i64, got {}: convert with cast", operation, rows.dtype());
  for (const Index row : rows.data<std::int64_t>())
    if (row < 0 || row >= count)
      fail<IndexError>("[{}] row {} is outside 0 to {}", operation, row, count - 1);
}

// The axes of `begin`, then those of x from `from` on.
Shape joined(Shape begin, const Shape& x, int from) {
  for (int i = from; i < x.rank(); ++i) begin.push_back(x[i]);
  return begin;
}

}  // namespace

Tensor cast(const Tensor& x, DType dtype) {
  Tensor y = empty(x.shape(), dtype);
  for_any(x.dtype(), [&]<class In>() {
    for_any(dtype, [&]<class Out>() { convert(readable<In>(x), writable<Out>(y), x.size()); });
  });
  return y;
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  if (broadcast("broadcast_to", x.shape(), shape) != shape)
    fail<ShapeError>("[broadcast_to] {} does not stretch to {}", x.shape(), shape);
  return for_any(x.dtype(), [&]<class T>() {
    Tensor y = empty(shape, x.dtype());
    if (y.size() == 0) return y;
    if (x.size() == 1) {
      std::fill_n(writable<T>(y), y.size(), *readable<T>(x));
      return y;
    }
    const std::vector<std::size_t> sizes(shape.begin(), shape.end());
    xt::noalias(array_out<T>(y)) = xt::broadcast(array<T>(x), sizes);
    return y;
  });
}

Tensor transpose(const Tensor& x) {
  if (x.rank() < 2) fail<ShapeError>("[transpose] expected at least two axes, got {}", x.shape());
  std::vector<int> order(static_cast<std::size_t>(x.rank()));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return permute(x, order);
}

namespace {

// An axis, and the distance of its neighbours where they come from and where they go.
struct Way {
  Index size, from, to;
};

// Copies along all ways. The last one is the result's innermost, the one before it x's, where that is
// another: then blocks of both stay in the first cache.
template <class T>
void copy(std::span<const Way> ways, const T* in, T* out) {
  const Way& way = ways[0];
  if (ways.size() == 1) {
    if (way.from == 1)
      std::copy_n(in, way.size, out);
    else
      for (Index i = 0; i < way.size; ++i) out[i] = in[i * way.from];
  } else if (ways.size() == 2 && way.from == 1) {
    constexpr Index block = 16;
    const Way& inner = ways[1];
    for (Index i0 = 0; i0 < way.size; i0 += block)
      for (Index j0 = 0; j0 < inner.size; j0 += block)
        for (Index i = i0; i < std::min(i0 + block, way.size); ++i)
          for (Index j = j0; j < std::min(j0 + block, inner.size); ++j)
            out[i * way.to + j] = in[i + j * inner.from];
  } else {
    for (Index i = 0; i < way.size; ++i) copy(ways.subspan(1), in + i * way.from, out + i * way.to);
  }
}

// The ways to the axes of `shape`, of which axis i is order[i] of x. Those that stay neighbours become one.
std::vector<Way> ways_to(const Shape& shape, const Shape& x, const std::vector<std::size_t>& order) {
  std::vector<Index> strides(order.size());
  Index stride = 1;
  for (std::size_t i = order.size(); i-- > 0; stride *= x[static_cast<int>(i)]) strides[i] = stride;
  std::vector<Way> ways;
  for (int i = 0; i < shape.rank(); ++i) {
    const Way way{shape[i], strides[order[static_cast<std::size_t>(i)]], 1};
    if (way.size == 1) continue;
    if (!ways.empty() && ways.back().from == way.size * way.from)
      ways.back() = {ways.back().size * way.size, way.from, 1};
    else
      ways.push_back(way);
  }
  if (ways.empty()) ways.push_back({1, 1, 1});
  for (std::size_t i = ways.size() - 1; i-- > 0;) ways[i].to = ways[i + 1].to * ways[i + 1].size;
  const auto innermost =
      std::find_if(ways.begin(), ways.end() - 1, [](const Way& way) { return way.from == 1; });
  if (innermost != ways.end() - 1) std::rotate(innermost, innermost + 1, ways.end() - 1);
  return ways;
}

}  // namespace

Tensor permute(const Tensor& x, std::span<const int> axes) {
  Shape shape = x.shape();
  std::vector<std::size_t> order;
  std::array<bool, Shape::max_rank> used{};
  if (static_cast<int>(axes.size()) != x.rank())
    fail<ShapeError>("[permute] {} needs {} axes, got {}", x.shape(), x.rank(), axes.size());
  for (const int given : axes) {
    const int axis = given < 0 ? given + x.rank() : given;
    if (axis < 0 || axis >= x.rank())
      fail<IndexError>("[permute] axis {} is outside shape {}", given, x.shape());
    if (std::exchange(used[static_cast<std::size_t>(axis)], true))
      fail<IndexError>("[permute] axis {} is named twice", given);
    shape[static_cast<int>(order.size())] = x.size(axis);
    order.push_back(static_cast<std::size_t>(axis));
  }
  return for_any(x.dtype(), [&]<class T>() {
    Tensor y = empty(shape, x.dtype());
    if (x.rank() == 0)
      *writable<T>(y) = *readable<T>(x);
    else if (y.size() > 0 && reference())
      xt::noalias(array_out<T>(y)) = xt::transpose(array<T>(x), order);
    else if (y.size() > 0)
      copy<T>(ways_to(shape, x.shape(), order), readable<T>(x), writable<T>(y));
    return y;
  });
}

namespace {

// Calls f(place among them, place in the whole, how many) for `count` elements of an axis of n, from `begin`
// on in steps: for one by one, or for all that are neighbours.
template <class F>
void each_sliced(Index outer, Index n, Index begin, Index count, Index step, F f) {
  const Index run = step == 1 ? count : 1;
  for (Index i = 0; i < outer; ++i)
    for (Index k = 0; k < count; k += run) f(i * count + k, i * n + begin + k * step, run);
}

}  // namespace

Tensor slice(const Tensor& x, int axis, Index begin, Index count, Index step) {
  Shape shape = x.shape();
  const Extent e = extent("slice", x.shape(), axis);
  shape[axis] = count;
  Tensor y = empty(shape, x.dtype());
  const Index bytes = e.inner * static_cast<Index>(byte_size(x.dtype()));
  if (bytes == 0 || y.size() == 0) return y;
  const auto* in = readable<std::byte>(x);
  auto* out = writable<std::byte>(y);
  each_sliced(e.outer, e.n, begin, count, step, [=](Index to, Index from, Index run) {
    std::copy_n(in + from * bytes, run * bytes, out + to * bytes);
  });
  return y;
}

Tensor unslice(const Tensor& x, int axis, Index begin, Index step, Index size) {
  Shape shape = x.shape();
  const Extent e = extent("unslice", x.shape(), axis);
  shape[axis] = size;
  Tensor y = zeros(shape, x.dtype());
  const Index bytes = e.inner * static_cast<Index>(byte_size(x.dtype()));
  if (bytes == 0 || x.size() == 0) return y;
  const auto* in = readable<std::byte>(x);
  auto* out = writable<std::byte>(y);
  each_sliced(e.outer, size, begin, e.n, step, [=](Index from, Index to, Index run) {
    std::copy_n(in + from * bytes, run * bytes, out + to * bytes);
  });
  return y;
}

void add_to_slice(Tensor& y, const Tensor& x, int axis, Index begin, Index step) {
  const Extent whole = extent("slice", y.shape(), axis), part = extent("slice", x.shape(), axis);
  if (x.size() == 0) return;
  for_float("slice", x.dtype(), [&]<class T>() {
    const T* in = readable<T>(x);
    T* out = writable<T>(y);
    each_sliced(whole.outer, whole.n, begin, part.n, step, [&](Index from, Index to, Index run) {
      const T* added = in + from * whole.inner;
      T* sums = out + to * whole.inner;
      for (Index i = 0; i < run * whole.inner; ++i) sums[i] += added[i];
    });
    count_flops(x.size());
  });
}

Tensor concat(std::span<const Tensor> parts, int axis) {
  if (parts.empty()) fail<ShapeError>("[concat] there is nothing to concatenate");
  Shape shape = parts[0].shape();
  Index size = 0;
  for (const Tensor& part : parts) {
    check_same_dtype("concat", parts[0], part);
    Shape other = part.shape();
    if (other.rank() == shape.rank()) other[axis] = shape[axis];
    if (other != shape)
      fail<ShapeError>("[concat] shapes differ off axis {}: {} and {}", axis, parts[0].shape(), part.shape());
    size += part.size(axis);
  }
  shape[axis] = size;
  Tensor y = empty(shape, parts[0].dtype());
  const Extent e = extent("concat", shape, axis);
  auto* out = writable<std::byte>(y);
  for (Index i = 0; i < e.outer; ++i)
    for (const Tensor& part : parts) {
      const std::size_t bytes = static_cast<std::size_t>(part.size(axis) * e.inner) * byte_size(y.dtype());
      if (bytes > 0) std::memcpy(out, readable<std::byte>(part) + static_cast<std::size_t>(i) * bytes, bytes);
      out += bytes;
    }
  return y;
}

namespace {

// Checks index (i64) against `shape`, equal to it off the axis, and calls f(place in x, place in index) for
// all.
template <class F>
void along(const char* operation, const Shape& shape, int axis, const Tensor& index, F f) {
  if (index.dtype() != i64)
    fail<DTypeError>("[{}] expected an index of i64, got {}: convert with cast", operation, index.dtype());
  Shape other = index.shape();
  const Extent e = extent(operation, shape, axis);
  if (other.rank() == shape.rank()) other[axis] = shape[axis];
  if (other != shape)
    fail<ShapeError>("[{}] shapes differ off axis {}: {} and {}", operation, axis, shape, index.shape());
  const auto* at = readable<std::int64_t>(index);
  const Index count = index.size(axis);
  for (Index i = 0; i < e.outer; ++i)
    for (Index k = 0; k < count; ++k)
      for (Index j = 0; j < e.inner; ++j) {
        const Index place = (i * count + k) * e.inner + j, row = at[place];
        if (row < 0 || row >= e.n)
          fail<IndexError>("[{}] index {} is outside 0 to {}", operation, row, e.n - 1);
        f((i * e.n + row) * e.inner + j, place);
      }
}

}  // namespace

Tensor gather(const Tensor& x, int axis, const Tensor& index) {
  return for_any(x.dtype(), [&]<class T>() {
    Tensor y = empty(index.shape(), x.dtype());
    const T* in = readable<T>(x);
    T* out = writable<T>(y);
    along("gather", x.shape(), axis, index, [&](Index from, Index to) { out[to] = in[from]; });
    return y;
  });
}

Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, Index size) {
  check_same_shape("scatter_add", x, index);
  return for_float("scatter_add", x.dtype(), [&]<class T>() {
    Shape shape = x.shape();
    shape[axis] = size;
    Tensor y = zeros(shape, x.dtype());
    const T* in = readable<T>(x);
    T* out = writable<T>(y);
    along("scatter_add", shape, axis, index, [&](Index to, Index from) { out[to] += in[from]; });
    count_flops(x.size());
    return y;
  });
}

Tensor take_rows(const Tensor& x, const Tensor& rows) {
  if (x.rank() == 0) fail<ShapeError>("[take_rows] a scalar has no rows");
  check_rows("take_rows", rows, x.size(0));
  Tensor y = empty(joined(rows.shape(), x.shape(), 1), x.dtype());
  if (rows.size() == 0) return y;
  const std::size_t bytes = static_cast<std::size_t>(y.size() / rows.size()) * byte_size(x.dtype());
  auto* out = writable<std::byte>(y);
  for (const Index row : rows.data<std::int64_t>()) {
    std::memcpy(out, readable<std::byte>(x) + static_cast<std::size_t>(row) * bytes, bytes);
    out += bytes;
  }
  return y;
}

Tensor scatter_add_rows(const Tensor& x, const Tensor& rows, Index count) {
  check_rows("scatter_add_rows", rows, count);
  if (x.rank() < rows.rank() || !std::equal(rows.shape().begin(), rows.shape().end(), x.shape().begin()))
    fail<ShapeError>("[scatter_add_rows] {} does not begin with the shape of the rows, {}", x.shape(),
                     rows.shape());
  return for_float("scatter_add_rows", x.dtype(), [&]<class T>() {
    Tensor y = zeros(joined({count}, x.shape(), rows.rank()), x.dtype());
    if (rows.size() == 0) return y;
    const Index size = x.size() / rows.size();
    const T* in = readable<T>(x);
    for (const Index row : rows.data<std::int64_t>()) {
      T* out = writable<T>(y) + row * size;
      for (Index j = 0; j < size; ++j) out[j] += in[j];
      in += size;
    }
    count_flops(x.size());
    return y;
  });
}

Tensor one_hot(const Tensor& labels, Index classes, DType dtype) {
  if (labels.dtype() != i64)
    fail<DTypeError>("[one_hot] expected labels of i64, got {}: convert with cast", labels.dtype());
  if (classes < 1) fail<ValueError>("[one_hot] expected at least one class, got {}", classes);
  Shape shape = labels.shape();
  shape.push_back(classes);
  return for_any(dtype, [&]<class T>() {
    Tensor y = zeros(shape, dtype);
    T* out = writable<T>(y);
    for (const Index label : labels.data<std::int64_t>()) {
      if (label < 0 || label >= classes)
        fail<IndexError>("[one_hot] label {} is outside 0 to {}", label, classes - 1);
      out[label] = T(1);
      out += classes;
    }
    return y;
  });
}

bool all_finite(const Tensor& x) {
  if (!is_float(x.dtype())) return true;
  return for_float("all_finite", x.dtype(), [&]<class T>() {
    const T* in = readable<T>(x);
    T sum = 0;  // v - v is 0 for a finite v and NaN otherwise, and NaN stays in the sum
    for (Index i = 0; i < x.size(); ++i) sum += in[i] - in[i];
    return sum == 0;
  });
}

}  // namespace elk::kernels
