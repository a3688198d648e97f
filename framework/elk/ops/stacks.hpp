// Stacks of matrices that broadcast. Private.
#pragma once

#include <utility>

#include <elk/ops/shape.hpp>

namespace elk {

/// a (..., m, n) and b (..., p, q) with the leading axes that both broadcast to. ShapeError, which names
/// `operation`, where there are none.
inline std::pair<Tensor, Tensor> broadcast_stacks(const char* operation, const Tensor& a, const Tensor& b) {
  const auto leading = [](const Tensor& x) {
    Shape shape;
    for (int i = 0; i + 2 < x.rank(); ++i) shape.push_back(x.size(i));
    return shape;
  };
  const auto stretched = [stack = broadcast(operation, leading(a), leading(b))](const Tensor& x) {
    Shape shape = stack;
    shape.push_back(x.size(-2));
    shape.push_back(x.size(-1));
    return broadcast_to(x, shape);
  };
  return {stretched(a), stretched(b)};
}

}  // namespace elk
