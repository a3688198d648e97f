#include <algorithm>

#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/index.hpp>
#include <elk/ops/shape.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

namespace {

// A position of an axis of n, counted from the front.
Index position(const Shape& shape, int axis, Index i) {
  const Index n = shape[axis], at = i < 0 ? i + n : i;
  if (at < 0 || at >= n) fail<IndexError>("[index] position {} is outside axis {} of {}", i, axis, shape);
  return at;
}

Tensor ranged(const Tensor& x, int axis, const Range& range) {
  const bool back = range.step < 0;
  const Index n = x.size(axis), begin = range.begin.value_or(back ? n - 1 : 0),
              end = range.end.value_or(back ? -n - 1 : n);
  if (begin == 0 && end == n && range.step == 1) return x;
  return slice(x, axis, begin, end, range.step);
}

// x with the elements of `values`, one for each place (i64, in row-major order), there.
Tensor put(const Tensor& x, const Tensor& places, const Tensor& values) {
  return record(
      "index_put", kernels::put(x, places, values),
      wrt(x, [places](const Tensor& dy) { return put(dy, places, zeros(places.shape(), dy.dtype())); }),
      wrt(values, [places](const Tensor& dy) { return take_rows(reshape(dy, {-1}), places); }));
}

// x where `keep` (u8) holds for row and column of the last two axes.
Tensor triangle(const char* operation, const Tensor& x, Index diagonal, bool lower) {
  if (x.rank() < 2) fail<ShapeError>("[{}] expected at least two axes, got {}", operation, x.shape());
  const Tensor row = expand(arange(x.size(-2)), 1) + scalar(static_cast<double>(diagonal), i64),
               column = arange(x.size(-1));
  return where(lower ? less_equal(column, row) : greater_equal(column, row), x, 0);
}

}  // namespace

Tensor detail::index(const Tensor& x, std::span<const At> at) {
  const auto count = [&](At::Kind kind) {
    return static_cast<int>(
        std::count_if(at.begin(), at.end(), [&](const At& a) { return a.kind() == kind; }));
  };
  const int used = count(At::Kind::number) + count(At::Kind::range);
  if (used > x.rank())
    fail<IndexError>("[index] {} has {} axes, got {} positions", x.shape(), x.rank(), used);
  if (count(At::Kind::ellipsis) > 1) fail<IndexError>("[index] more than one ellipsis");

  Tensor y = x;  // with all axes of x
  Shape shape;   // without those of a number, and with new ones
  int axis = 0;
  const auto whole = [&](int axes) {
    for (int i = 0; i < axes; ++i) shape.push_back(x.size(axis++));
  };
  for (const At& a : at) {
    switch (a.kind()) {
      case At::Kind::newaxis: shape.push_back(1); break;
      case At::Kind::ellipsis: whole(x.rank() - used); break;
      case At::Kind::number: {
        const Index i = position(x.shape(), axis, *a.range().begin);
        y = slice(y, axis++, i, i + 1);
        break;
      }
      case At::Kind::range:
        y = ranged(y, axis, a.range());
        shape.push_back(y.size(axis++));
        break;
    }
  }
  whole(x.rank() - axis);
  return reshape(y, shape);
}

Tensor Tensor::operator[](const Tensor& which) const {
  if (which.dtype() == i64) return take_rows(*this, which);
  if (which.dtype() != u8)
    fail<DTypeError>("[index] expected a mask (u8) or positions (i64), got {}: convert with cast",
                     which.dtype());
  const Shape& mask = which.shape();
  if (mask.rank() > rank() || !std::equal(mask.begin(), mask.end(), shape().begin()))
    fail<ShapeError>("[index] the mask {} is not shaped like the first axes of {}", mask, shape());
  Shape rows{mask.size()};
  for (int i = mask.rank(); i < rank(); ++i) rows.push_back(size(i));
  return take_rows(reshape(*this, rows), kernels::positions(which));
}

Tensor index_put(const Tensor& x, const std::vector<At>& at, const Tensor& values) {
  if (values.dtype() != x.dtype())
    fail<DTypeError>("[index_put] dtypes differ: {} and {}: convert one with cast", x.dtype(),
                     values.dtype());
  const Tensor places = detail::index(reshape(arange(x.size()), x.shape()), at);
  if (broadcast("index_put", places.shape(), values.shape()) != places.shape())
    fail<ShapeError>("[index_put] values {} do not stretch to {}", values.shape(), places.shape());
  return put(x, places, broadcast_to(values, places.shape()));
}

Tensor index_put(const Tensor& x, const std::vector<At>& at, double value) {
  return index_put(x, at, scalar(value, x.dtype()));
}

Tensor index_select(const Tensor& x, Axis axis, const Tensor& index) {
  const int given = axis, at = given < 0 ? given + x.rank() : given;
  if (at < 0 || at >= x.rank())
    fail<IndexError>("[index_select] axis {} is outside shape {}", given, x.shape());
  if (index.dtype() != i64)
    fail<DTypeError>("[index_select] expected positions of i64, got {}: convert with cast", index.dtype());
  const Index n = x.size(at);
  for (const Index i : index.data<std::int64_t>())
    if (i < 0 || i >= n) fail<IndexError>("[index_select] position {} is outside 0 to {}", i, n - 1);
  // The axes before it become one with it: its rows are those of the first block, of the second, ...
  Shape rows{1}, shape;
  for (int i = 0; i <= at; ++i) rows[0] *= x.size(i);
  for (int i = 0; i < at; ++i) shape.push_back(x.size(i));
  for (const Index size : index.shape()) shape.push_back(size);
  for (int i = at + 1; i < x.rank(); ++i) {
    rows.push_back(x.size(i));
    shape.push_back(x.size(i));
  }
  const Tensor flat = detail::with_shape(index, {index.size()});
  const Tensor blocks = n == 0 ? zeros({0, 1}, i64) : expand(arange(0, rows[0], n), 1);
  return reshape(take_rows(reshape(x, rows), blocks + flat), shape);
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
  if (broadcast("masked_fill", mask.shape(), x.shape()) != x.shape())
    fail<ShapeError>("[masked_fill] the mask {} does not stretch to {}", mask.shape(), x.shape());
  return where(mask, value, x);
}

Tensor tril(const Tensor& x, Index diagonal) { return triangle("tril", x, diagonal, true); }
Tensor triu(const Tensor& x, Index diagonal) { return triangle("triu", x, diagonal, false); }

}  // namespace elk
