// Element-wise functions of one tensor.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

Tensor square(const Tensor& x);  ///< x²
Tensor sqrt(const Tensor& x);    ///< NaN below 0; the derivative at 0 is infinite
Tensor exp(const Tensor& x);     ///< e to the power of x
Tensor log(const Tensor& x);     ///< -infinity at 0, NaN below
Tensor log1p(const Tensor& x);   ///< log(1 + x), exact for small x
Tensor expm1(const Tensor& x);   ///< exp(x) - 1, exact for small x
Tensor sin(const Tensor& x);     ///< of radians
Tensor cos(const Tensor& x);     ///< likewise
Tensor erf(const Tensor& x);     ///< 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x
Tensor abs(const Tensor& x);     ///< derivative 0 at 0
Tensor sign(const Tensor& x);    ///< -1, 0 or 1; no gradient flows

Tensor isnan(const Tensor& x);     ///< u8, of any dtype
Tensor isfinite(const Tensor& x);  ///< likewise: neither NaN nor infinite

}  // namespace elk
