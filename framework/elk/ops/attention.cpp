#include <cmath>

#include <elk/base/format.hpp>
#include <elk/ops/activation.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/attention.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/shape.hpp>

namespace elk {

namespace {

// What is added to scores: -infinity where a u8 mask is 0.
Tensor additive(const Tensor& mask, DType dtype) {
  if (mask.dtype() != u8) return mask;
  return where(mask, scalar(0, dtype), scalar(-INFINITY, dtype));
}

}  // namespace

Tensor causal_mask(Index queries, Index keys) {
  return less_equal(expand(arange(keys), 0), expand(arange(queries), 1));
}

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& mask, bool causal, double dropout_p) {
  constexpr const char* name = "scaled_dot_product_attention";
  if (query.rank() < 2 || key.rank() < 2 || value.rank() < 2 || query.size(-1) != key.size(-1) ||
      key.size(-2) != value.size(-2))
    fail<ShapeError>(
        "[{}] expected query (..., T, E), key (..., S, E) and value (..., S, V), got {}, {} and {}", name,
        query.shape(), key.shape(), value.shape());
  Tensor scores = matmul_nt(query / std::sqrt(static_cast<double>(query.size(-1))), key);
  const Shape shape = scores.shape();
  if (mask.defined()) {
    if (broadcast(name, mask.shape(), shape) != shape)
      fail<ShapeError>("[{}] the mask {} does not stretch to {}", name, mask.shape(), shape);
    if (mask.dtype() != u8 && mask.dtype() != scores.dtype())
      fail<DTypeError>("[{}] expected a mask of u8, or of {} to add, got {}: convert with cast", name,
                       scores.dtype(), mask.dtype());
    scores = scores + additive(mask, scores.dtype());
  }
  if (causal) scores = scores + additive(causal_mask(shape[-2], shape[-1]), scores.dtype());
  return matmul(dropout(softmax(scores), dropout_p), value);
}

}  // namespace elk
