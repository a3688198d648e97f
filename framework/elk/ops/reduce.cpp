#include <cmath>

#include <elk/autograd/record.hpp>
#include <elk/base/format.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/math.hpp>
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

Tensor min(const Tensor& x, const Axes& axes, bool keep_dims) {
  if (is_float(x.dtype())) return -max(-x, axes, keep_dims);
  const double last = x.dtype() == u8 ? 255 : -1;  // the differences from it fit
  return last - max(last - x, axes, keep_dims);
}

Tensor var(const Tensor& x, const Axes& axes, bool keep_dims, int correction) {
  const Index results = kernels::reduced_shape("var", x.shape(), axes, false).size();
  const Index n = results > 0 ? x.size() / results : 0;
  if (n <= correction)
    fail<ShapeError>("[var] expected more than {} elements, got {} of shape {}", correction, n, x.shape());
  return sum(square(x - mean(x, axes, true)), axes, keep_dims) / static_cast<double>(n - correction);
}

Tensor stddev(const Tensor& x, const Axes& axes, bool keep_dims, int correction) {
  // In f64, where squares of f32 neither overflow nor vanish.
  const Tensor variance = var(is_float(x.dtype()) ? kernels::cast(x, f64) : x, axes, keep_dims, correction);
  const Tensor y = kernels::cast(kernels::sqrt(variance), x.dtype());
  const Shape kept = kernels::reduced_shape("stddev", x.shape(), axes, true);
  return record("stddev", y, wrt(x, [x, y, axes, kept, correction](const Tensor& dy) {
                  const double n = static_cast<double>(x.size()) / static_cast<double>(y.size()) - correction;
                  const Tensor root = reshape(y, kept), none = equal(root, 0);
                  const Tensor share = reshape(dy, kept) / n / where(none, 1, root);
                  return where(none, 0, share) * (x - mean(x, axes, true));
                }));
}

Tensor prod(const Tensor& x, const Axes& axes, bool keep_dims) {
  const auto reduced = axes.of("prod", x.shape());
  std::vector<int> order;
  for (const bool last : {false, true})
    for (int i = 0; i < x.rank(); ++i)
      if (reduced[static_cast<std::size_t>(i)] == last) order.push_back(i);
  const Shape shape = kernels::reduced_shape("prod", x.shape(), axes, keep_dims);
  const Index rows = shape.size();
  if (x.size() == 0)
    return record("prod", ones(shape, x.dtype()), wrt(x, [x](const Tensor&) { return zeros_like(x); }));
  Tensor y = reshape(permute(x, order), {rows, x.size() / rows});
  while (y.size(1) > 1) {
    const Index half = y.size(1) / 2;
    const Tensor pairs = slice(y, 1, 0, half) * slice(y, 1, half, 2 * half);
    y = y.size(1) % 2 == 0 ? pairs : concat({pairs, slice(y, 1, 2 * half, 2 * half + 1)}, 1);
  }
  return reshape(y, shape);
}

Tensor cumsum(const Tensor& x, Axis axis) {
  return record("cumsum", kernels::cumsum(x, axis),
                wrt(x, [axis](const Tensor& dy) { return flip(cumsum(flip(dy, axis), axis), axis); }));
}

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keep_dims) {
  // Where the maximum is infinite it stays: infinity minus infinity would be NaN.
  const Tensor top = kernels::max(x, axes, true);
  const Tensor infinite =
      kernels::compare(kernels::Comparison::equal, kernels::abs(top), scalar(INFINITY, x.dtype()));
  const Tensor shift = kernels::where(infinite, scalar(0, x.dtype()), top);
  const Tensor kept = log(sum(exp(x - shift), axes, true)) + shift;
  return keep_dims ? kept : reshape(kept, kernels::reduced_shape("logsumexp", x.shape(), axes, false));
}

Tensor argmax(const Tensor& x, Axis axis) { return kernels::argmax(x, axis); }
Tensor argmin(const Tensor& x, Axis axis) { return kernels::argmin(x, axis); }

}  // namespace elk
