// Derivatives of functions, without a tape in your code. They nest: grad(grad(f)) is the second derivative. A
// tape around any of them gives the derivatives with respect to everything else it uses, such as parameters.
#pragma once

#include <functional>

#include <elk/tensor/tensor.hpp>

namespace elk {

/// A function of one tensor (f32 or f64).
using TensorFunction = std::function<Tensor(const Tensor& x)>;

/// x -> df / dx, of x's shape; f returns one element (TapeError otherwise). 0 where f does not depend on x.
TensorFunction grad(TensorFunction f);

/// The value of f at x, and a product with its derivative there.
struct Derivative {
  Tensor value, product;
};
/// vᵀ J, of x's shape: v of f's shape. One pass forward, one back.
Derivative vjp(const TensorFunction& f, const Tensor& x, const Tensor& v);
/// J v, of f's shape: v of x's shape. One pass forward, two back.
Derivative jvp(const TensorFunction& f, const Tensor& x, const Tensor& v);
/// The Hessian of an f that returns one element, times v, of x's shape; the matrix is not built.
Derivative hvp(const TensorFunction& f, const Tensor& x, const Tensor& v);

/// All derivatives at x, (shape of f..., shape of x...). One pass forward and back for each element of f.
Tensor jacobian(const TensorFunction& f, const Tensor& x);
/// The derivatives of the gradient of an f that returns one element: (shape of x..., shape of x...).
Tensor hessian(const TensorFunction& f, const Tensor& x);

}  // namespace elk
