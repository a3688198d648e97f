// Attention.
#pragma once

#include <elk/tensor/tensor.hpp>

namespace elk {

/// softmax(query keyᵀ / sqrt(E) + mask) value: query (..., T, E), key (..., S, E), value (..., S, V), result
/// (..., T, V); leading axes broadcast. `mask`, of a shape that broadcasts to (..., T, S), is u8, 1 where a
/// query may attend, or a float to add; undefined means everywhere. With `causal`, query t attends to keys 0
/// to t only. A query that may attend to no key gives NaN. `dropout_p` drops weights as elk::dropout does.
/// (A. Vaswani et al., "Attention is all you need", 2017.)
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& mask = {}, bool causal = false, double dropout_p = 0);

/// u8 (queries, keys): 1 where key <= query; this is the mask of `causal`.
Tensor causal_mask(Index queries, Index keys);

}  // namespace elk
