#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
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
