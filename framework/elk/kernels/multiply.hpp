// One product by the calling thread, for kernels that cut their own work into blocks. Private to kernels/.
#pragma once

#include <elk/kernels/loops/loops.hpp>

namespace elk::kernels {

/// By BLAS, in full precision: of the shapes that convolutions make, it is faster than our own loops. Sizes
/// are from 1 to 2^31 - 1, bias and update are null.
template <class T>
void multiply_here(const Product<T>& p);

}  // namespace elk::kernels
