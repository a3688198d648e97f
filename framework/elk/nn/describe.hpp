// How layers tell their options, and refuse another dtype. Private.
#pragma once

#include <elk/base/format.hpp>
#include <elk/nn/module.hpp>
#include <elk/ops/convolution.hpp>

namespace elk::nn {

/// "3", or "(3, 5)".
inline std::string text(const Pair& pair) {
  return pair.rows == pair.columns ? std::to_string(pair.rows)
                                   : fmt::format("({}, {})", pair.rows, pair.columns);
}

/// ", stride 2", or nothing where the option is as usual.
inline std::string changed(const Pair& usual, const char* name, const Pair& option) {
  return option == usual ? "" : fmt::format(", {} {}", name, text(option));
}

/// The option dtype of a layer, or DTypeError.
inline DType float_dtype(const char* layer, DType dtype) {
  if (!is_float(dtype)) fail<DTypeError>("[{}] expected a dtype of f32 or f64, got {}", layer, dtype);
  return dtype;
}

/// DTypeError unless `x`, which a layer was called with under the name `name`, has the dtype of its `own`
/// tensor.
inline void check_dtype(const Module& layer, const Tensor& x, DType dtype, const char* name = "x",
                        const char* own = "weight") {
  if (x.dtype() == dtype) return;
  fail<DTypeError>("[{}] its {} is {}, {} is {}: write cast({}, {}){}", layer.describe(), own, dtype, name,
                   x.dtype(), name, dtype,
                   is_float(x.dtype()) ? fmt::format(", or net.to({})", x.dtype())
                   : x.dtype() == i64  ? ", or look up ids in an Embedding"
                                       : "");
}

}  // namespace elk::nn
