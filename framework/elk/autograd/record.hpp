// record() puts an operation on the tape, the library's own operations and yours:
//
//   return record("square", y, wrt(x, [x](const Tensor& dy) { return 2 * x * dy; }));
#pragma once

#include <utility>
#include <vector>

#include <elk/autograd/scope.hpp>
#include <elk/autograd/tape.hpp>

namespace elk {

/// An input of an operation and how the gradient flows back to it.
template <class F>
struct Wrt {
  Tensor x;
  F rule;
};

/// "With respect to x": `rule` maps dy to dx, and is called only when x's gradient is needed. It may capture
/// inputs and the output, and should capture only what it uses: captured tensors live as long as the tape.
template <class F>
Wrt<F> wrt(const Tensor& x, F rule) {
  return {x, std::move(rule)};
}

/// The rule dy -> dyᵀ x of a matrix, computed by `multiply`. The tape treats it specially: it keeps the
/// gradient as these two matrices until it is read, since an optimizer may not need to read it.
struct ProductRule {
  Tensor x;
  Tensor (*multiply)(const Tensor& dy, const Tensor& x);
  /// The gradient of the matrix.
  Tensor operator()(const Tensor& dy) const { return multiply(dy, x); }
};

/// The rule of a slice: dy where it was cut out, 0 elsewhere, computed by `unslice`. The tape treats it
/// specially: it adds dy to that part of the gradient alone, since many slices of one tensor are common.
struct SliceRule {
  int axis;
  Index begin, step, size;
  Tensor (*unslice)(const Tensor& dy, int axis, Index begin, Index step, Index size);
  /// The gradient of what was sliced.
  Tensor operator()(const Tensor& dy) const { return unslice(dy, axis, begin, step, size); }
};

namespace detail {

struct Input {
  Tensor x;
  Rule rule;
  std::uint32_t node = 0;  // its place on the tape at hand
};

extern thread_local Tape* innermost_tape;

inline void tell_computed(const char* operation) {
  ScopeObserver::tell([&](ScopeObserver& observer) { observer.computed(operation); });
}

Tensor add_gradients(const Tensor& a, const Tensor& b);  // of one shape; recorded

}  // namespace detail

/// Registers `y` as the result of `operation` on the given inputs, on every tape that tracks one of them, and
/// returns it. `operation` is shown in messages and must outlive the tape: use a literal. Throws TapeError
/// when `y` is on a tape already. Without a tape it costs nothing.
template <class... F>
Tensor record(const char* operation, const Tensor& y, Wrt<F>... inputs) {
  if (detail::innermost_tape != nullptr) {
    detail::Input list[] = {detail::Input{std::move(inputs.x), Rule(std::move(inputs.rule)), 0}...};
    detail::record(operation, y, list, sizeof...(F));
  }
  detail::tell_computed(operation);
  return y;
}

/// The same for a number of inputs known at run time.
inline Tensor record(const char* operation, const Tensor& y, std::vector<Wrt<Rule>> inputs) {
  if (detail::innermost_tape != nullptr) {
    std::vector<detail::Input> list;
    for (auto& input : inputs) list.push_back({std::move(input.x), std::move(input.rule), 0});
    detail::record(operation, y, list.data(), list.size());
  }
  detail::tell_computed(operation);
  return y;
}

}  // namespace elk
