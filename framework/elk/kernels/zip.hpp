// Element-wise work on two tensors that broadcast. Private to kernels/.
#pragma once

#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/kernels.hpp>

namespace elk::kernels {

/// How b's elements lie against a's when b stretches to a's shape.
enum class Spread { same, number, row, column, any };

/// `row`: b is the trailing axes of a, such as a bias (n) against (m, n). `column`: b is a with a last axis
/// of 1.
inline Spread spread_of(const Shape& b, const Shape& a) {
  if (a == b) return Spread::same;
  if (b.size() == 1 && b.rank() <= a.rank()) return Spread::number;
  bool row = b.rank() <= a.rank(), column = b.rank() == a.rank() && a.rank() > 0;
  for (int i = -1; row && i >= -b.rank(); --i) row = a[i] == b[i];
  if (row) return Spread::row;
  for (int i = 0; column && i + 1 < a.rank(); ++i) column = a[i] == b[i];
  return column && b[-1] == 1 ? Spread::column : Spread::any;
}

/// y[i] = f(a[i], b[i]) for n elements; one of the two may be a single number instead.
template <class R, class T, class F>
void each(Index n, const T* a, bool a_number, const T* b, bool b_number, R* y, F f) {
  if (a_number) {
    for (Index i = 0; i < n; ++i) y[i] = f(*a, b[i]);
  } else if (b_number) {
    for (Index i = 0; i < n; ++i) y[i] = f(a[i], *b);
  } else {
    for (Index i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
  }
}

/// f of the elements of two tensors that broadcast; it returns Out, or the type of its arguments. What
/// stretches otherwise than as a number, a row or a column is copied first.
template <class Out = void, class F>
Tensor zip(const char* operation, const Tensor& a, const Tensor& b, F f) {
  check_same_dtype(operation, a, b);
  const auto run = [&]<class T>() {
    using R = std::conditional_t<std::is_void_v<Out>, T, Out>;
    Tensor y = empty(broadcast(operation, a.shape(), b.shape()), dtype_of<R>);
    count_flops(y.size());
    const Index n = y.size();
    if (n == 0) return y;
    const bool swapped = a.shape() != y.shape();  // then a is the one that stretches
    const Tensor& full = swapped ? b : a;
    const Tensor& small = swapped ? a : b;
    const Spread spread =
        full.shape() != y.shape() || reference() ? Spread::any : spread_of(small.shape(), y.shape());
    const auto part = [&](Index begin, Index count, const T* other, bool number) {
      const T* in = readable<T>(full) + begin;
      R* out = writable<R>(y) + begin;
      if (swapped)
        each(count, other, number, in, false, out, f);
      else
        each(count, in, false, other, number, out, f);
    };
    switch (spread) {
      case Spread::same:
      case Spread::number: part(0, n, readable<T>(small), spread == Spread::number); break;
      case Spread::row: {
        const Index width = small.size();
        for (Index i = 0; i < n; i += width) part(i, width, readable<T>(small), false);
        break;
      }
      case Spread::column: {
        const Index width = y.shape()[-1];
        for (Index i = 0; i < small.size(); ++i) part(i * width, width, readable<T>(small) + i, true);
        break;
      }
      default: {
        const Tensor u = broadcast_to(a, y.shape()), v = broadcast_to(b, y.shape());
        each(n, readable<T>(u), false, readable<T>(v), false, writable<R>(y), f);
      }
    }
    return y;
  };
  if constexpr (std::is_void_v<Out>)
    return for_float(operation, a.dtype(), run);
  else
    return for_any(a.dtype(), run);
}

}  // namespace elk::kernels
