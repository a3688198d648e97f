#include <elk/kernels/kernels.hpp>
#include <elk/kernels/product.hpp>

namespace elk {

const Tensor& detail::Product::value() const {
  const std::lock_guard lock(mutex_);
  if (!computed_) {
    const PrecisionScope scope(precision_);
    value_ = kernels::matmul("matmul_tn", a_, true, b_, false);
    computed_.store(true, std::memory_order_release);
  }
  return value_;
}

}  // namespace elk
