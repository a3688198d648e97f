#include <utility>
#include <vector>

#include <elk/autograd/tape.hpp>
#include <elk/base/format.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>
#include <elk/ops/transforms.hpp>

namespace elk {

namespace {

void check_like(const char* operation, const Tensor& v, const Tensor& of, const char* what) {
  if (v.shape() != of.shape() || v.dtype() != of.dtype())
    fail<ShapeError>("[{}] expected a v like {}, {} {}, got {} {}", operation, what, of.dtype(), of.shape(),
                     v.dtype(), v.shape());
}

// The gradient of y by x; dy may be undefined, for 1.
Tensor derivative(Tape& tape, const Tensor& y, const Tensor& x, const Tensor& dy = {}) {
  if (!tape.has(y) && (dy.defined() || y.size() == 1)) return zeros(x.shape(), x.dtype());
  const Gradients gradients = dy.defined() ? tape.backward(y, dy, {x}) : tape.backward(y, {x});
  return gradients.has(x) ? gradients[x] : zeros(x.shape(), x.dtype());
}

}  // namespace

TensorFunction grad(TensorFunction f) {
  return [f = std::move(f)](const Tensor& x) {
    Tape tape;
    tape.watch(x);
    return derivative(tape, f(x), x);
  };
}

Derivative vjp(const TensorFunction& f, const Tensor& x, const Tensor& v) {
  Tape tape;
  tape.watch(x);
  const Tensor y = f(x);
  check_like("vjp", v, y, "what f gives");
  return {y, derivative(tape, y, x, v)};
}

Derivative jvp(const TensorFunction& f, const Tensor& x, const Tensor& v) {
  check_like("jvp", v, x, "x");
  // uᵀ J is linear in u, and its derivative J: whatever u is.
  Tape outer, inner;
  inner.watch(x);
  const Tensor y = f(x), u = zeros(y.shape(), y.dtype());
  outer.watch(u);
  return {y, derivative(outer, sum(derivative(inner, y, x, u) * v), u)};
}

Derivative hvp(const TensorFunction& f, const Tensor& x, const Tensor& v) {
  check_like("hvp", v, x, "x");
  Tape outer, inner;
  outer.watch(x);
  inner.watch(x);
  const Tensor y = f(x);
  return {y, derivative(outer, sum(derivative(inner, y, x) * v), x)};
}

Tensor jacobian(const TensorFunction& f, const Tensor& x) {
  std::vector<Tensor> rows;
  Shape shape;
  for (Index i = 0, n = 1; i < n; ++i) {
    Tape tape;
    tape.watch(x);
    const Tensor y = f(x);
    n = y.size();
    shape = y.shape();
    for (const Index size : x.shape()) shape.push_back(size);
    if (n == 0) break;
    const Tensor one = reshape(one_hot(scalar(static_cast<double>(i), i64), n, y.dtype()), y.shape());
    rows.push_back(derivative(tape, y, x, one));
  }
  return rows.empty() ? zeros(shape, x.dtype()) : reshape(stack(rows), shape);
}

Tensor hessian(const TensorFunction& f, const Tensor& x) { return jacobian(grad(f), x); }

}  // namespace elk
