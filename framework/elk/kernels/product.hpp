// A matrix product that is computed when it is first read. Installed, unlike the other kernels: Gradients
// keep it.
#pragma once

#include <atomic>
#include <mutex>
#include <utility>

#include <elk/base/precision.hpp>
#include <elk/tensor/tensor.hpp>

namespace elk::detail {

/// The gradient aᵀ b of a linear layer's weight, for as long as nobody has read it.
class Product {
 public:
  Product(Tensor a, Tensor b) : a_(std::move(a)), b_(std::move(b)) {}
  const Tensor& a() const { return a_; }
  const Tensor& b() const { return b_; }
  Precision precision() const { return precision_; }  ///< in which it is to be computed
  bool computed() const { return computed_.load(std::memory_order_acquire); }
  /// The product, computed when it is first asked for. May be called by several threads at once.
  const Tensor& value() const;

 private:
  Tensor a_, b_;
  Precision precision_ = elk::precision();
  mutable std::mutex mutex_;
  mutable std::atomic<bool> computed_{false};
  mutable Tensor value_;
};

}  // namespace elk::detail
