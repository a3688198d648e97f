#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/tensor/storage.hpp>

namespace elk {

Tensor sum(const Tensor& x, const Axes& axes, bool keep_dims) {
  const Shape kept = kernels::reduced_shape("sum", x.shape(), axes, true);
  return record("sum", kernels::sum(x, axes, keep_dims), wrt(x, [s = x.shape(), kept](const Tensor& dy) {
                  return broadcast_to(reshape(dy, kept), s);
                }));
}

Tensor mean(const Tensor& x, const Axes& axes, bool keep_dims) {
  if (!is_float(x.dtype()))
    fail<DTypeError>("[mean] expected f32 or f64, got {}: convert with cast", x.dtype());
  const auto reduced = axes.of("mean", x.shape());
  Index count = 1;
  for (int i = 0; i < x.rank(); ++i)
    if (reduced[static_cast<std::size_t>(i)]) count *= x.size(i);
  const Tensor total = sum(x, axes, keep_dims);
  if (count == 0 && total.size() > 0) fail<ShapeError>("[mean] shape {} has no elements", x.shape());
  return total / static_cast<double>(count);
}

Tensor max(const Tensor& x, const Axes& axes, bool keep_dims) {
  const Shape kept = kernels::reduced_shape("max", x.shape(), axes, true);
  const Tensor y = kernels::max(x, axes, keep_dims);
  return record("max", y, wrt(x, [x, y, axes, kept](const Tensor& dy) {
                  const Tensor top = detail::with_shape(y, kept);
                  const Tensor largest =
                      kernels::cast(kernels::compare(kernels::Comparison::equal, x, top), x.dtype());
                  const Tensor share = kernels::div(largest, kernels::sum(largest, axes, true));
                  return reshape(dy, kept) * share;
                }));
}

Tensor argmax(const Tensor& x, int axis) { return kernels::argmax(x, axis); }

}  // namespace elk
