// Products for other kernels. Private to kernels/.
#pragma once

#include <functional>
#include <vector>

#include <elk/kernels/loops/loops.hpp>
#include <elk/tensor/tensor.hpp>

namespace elk::kernels {

/// One product by the calling thread, for kernels that cut their own work into blocks: by BLAS, in full
/// precision: of the shapes that convolutions make, it is faster than our own loops. Sizes are from 1 to 2^31
/// - 1, bias and update are null.
template <class T>
void multiply_here(const Product<T>& p);

/// The weight's update by the gradient dyᵀ x, dy (N, out), x (N, in), weight (out, in), none of them empty.
template <class T>
void update_by_product(Tensor& weight, const Tensor& dy, const Tensor& x, const Update<T>& update);

/// What becomes of a product in place of being kept: blocks(begin, count, values) is called with all its
/// elements, `count` from `begin` on at a time, as they come; by several threads at once. It reads `touched`
/// at the same places, which are fetched meanwhile.
template <class T>
struct Take {
  std::function<void(Index begin, Index count, const T* values)> blocks;
  std::vector<const T*> touched;
};

/// Of dyᵀ x.
template <class T>
void take_product(const Tensor& dy, const Tensor& x, const Take<T>& take);

}  // namespace elk::kernels
