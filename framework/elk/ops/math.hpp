// Element-wise functions of one tensor.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

Tensor square(const Tensor& x);
Tensor sqrt(const Tensor& x);  ///< NaN below 0; the derivative at 0 is infinite
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);   ///< -infinity at 0, NaN below
Tensor abs(const Tensor& x);   ///< derivative 0 at 0
Tensor sign(const Tensor& x);  ///< -1, 0 or 1; no gradient flows

}  // namespace elk
