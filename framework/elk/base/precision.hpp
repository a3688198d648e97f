// Mixed precision: how matrix products of f32 tensors are computed.
#pragma once

#include <utility>

namespace elk {

/// full: as the tensors are. bf16: operands are rounded to bfloat16 (8 significant bits) on their way into a
/// product, sums stay f32, and so do tensors, weights among them. Many times as fast where the processor
/// multiplies matrices itself (AMX).
enum class Precision { full, bf16 };

namespace detail {
// Visible: a program that hides its symbols has to share it with a shared library.
[[gnu::visibility("default")]] inline thread_local Precision precision = Precision::full;
}  // namespace detail

/// That of the calling thread's products.
inline Precision precision() { return detail::precision; }

/// Whether bf16 makes a difference here: elsewhere products are f32's whatever was asked for.
bool bf16_available();

/// While it lives, products of f32 tensors by this thread are computed in `precision`.
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
