#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/search.hpp>
#include <elk/ops/shape.hpp>

namespace elk {

Tensor argsort(const Tensor& x, Axis axis, bool descending) { return kernels::argsort(x, axis, descending); }

Sorted sort(const Tensor& x, Axis axis, bool descending) {
  const Tensor order = argsort(x, axis, descending);
  return {gather(x, axis, order), order};
}

Sorted topk(const Tensor& x, Index count, Axis axis, bool largest) {
  const Tensor order = argsort(x, axis, largest);
  if (count < 0 || count > x.size(axis))
    fail<ValueError>("[topk] expected a count from 0 to {}, got {}", x.size(axis), count);
  const Tensor first = slice(order, axis, 0, count);
  return {gather(x, axis, first), first};
}

}  // namespace elk
