// One product by the calling thread, for kernels that cut their own work into blocks. Private to kernels/.
#pragma once

#include <elk/kernels/loops/loops.hpp>

namespace elk::kernels {

/// By our own loops where they are made for the shape, by BLAS otherwise; in full precision. Sizes are from 1
/// to 2^31 - 1, the update is null.
template <class T>
void multiply_here(const Product<T>& p);

}  // namespace elk::kernels
