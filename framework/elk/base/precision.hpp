// Mixed precision: how matrix products of f32 tensors are computed.
#pragma once

#include <utility>

namespace elk {

/// full: in the precision of the tensors. bf16: the operands of a product are rounded to bfloat16 (8
/// significant bits); sums stay f32, and so do all tensors, including weights. Many times as fast if the
/// processor multiplies matrices itself (AMX).
enum class Precision { full, bf16 };

namespace detail {
// Visible: a program that hides its symbols has to share it with a shared library.
[[gnu::visibility("default")]] inline thread_local Precision precision = Precision::full;
}  // namespace detail

/// The precision of the calling thread's products.
inline Precision precision() { return detail::precision; }

/// Whether bf16 makes a difference on this machine; if not, products are computed in f32 in any case.
bool bf16_available();

/// While it exists, products of f32 tensors by this thread are computed in `precision`.
class PrecisionScope {
 public:
  explicit PrecisionScope(Precision precision) : outer_(std::exchange(detail::precision, precision)) {}
  ~PrecisionScope() { detail::precision = outer_; }
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;

 private:
  Precision outer_;
};

}  // namespace elk
