// A shape about one of its axes. Private to kernels/.
#pragma once

#include <elk/base/format.hpp>

namespace elk::kernels {

/// Seen as (outer, n, inner).
struct Extent {
  Index outer = 1, n = 1, inner = 1;
};

/// `operation`: who complains of an axis outside.
inline Extent extent(const char* operation, const Shape& shape, int axis) {
  const int at = axis < 0 ? axis + shape.rank() : axis;
  if (at < 0 || at >= shape.rank())
    fail<IndexError>("[{}] axis {} is outside shape {}", operation, axis, shape);
  Extent e;
  e.n = shape[at];
  for (int i = 0; i < shape.rank(); ++i)
    if (i != at) (i < at ? e.outer : e.inner) *= shape[i];
  return e;
}

}  // namespace elk::kernels
