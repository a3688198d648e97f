#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/zip.hpp>

namespace elk::kernels {

namespace {

template <class Test>
Tensor test(const char* operation, const Tensor& a, const Tensor& b, Test holds) {
  return zip<std::uint8_t>(operation, a, b,
                           [holds](auto u, auto v) { return static_cast<std::uint8_t>(holds(u, v)); });
}

}  // namespace

Tensor compare(Comparison comparison, const Tensor& a, const Tensor& b) {
  switch (comparison) {
    case Comparison::equal: return test("equal", a, b, [](auto u, auto v) { return u == v; });
    case Comparison::not_equal: return test("not_equal", a, b, [](auto u, auto v) { return u != v; });
    case Comparison::less: return test("less", a, b, [](auto u, auto v) { return u < v; });
    case Comparison::less_equal: return test("less_equal", a, b, [](auto u, auto v) { return u <= v; });
    case Comparison::greater: return test("greater", a, b, [](auto u, auto v) { return u > v; });
    case Comparison::greater_equal: return test("greater_equal", a, b, [](auto u, auto v) { return u >= v; });
  }
  return {};
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  if (condition.dtype() != u8)
    fail<DTypeError>("[where] the condition must be u8, as comparisons return it, got {}", condition.dtype());
  check_same_dtype("where", a, b);
  const Shape shape = broadcast("where", condition.shape(), broadcast("where", a.shape(), b.shape()));
  const Tensor c = broadcast_to(condition, shape), u = broadcast_to(a, shape), v = broadcast_to(b, shape);
  return for_any(a.dtype(), [&]<class T>() {
    Tensor y = empty(shape, a.dtype());
    const auto* first = readable<std::uint8_t>(c);
    const T *p = readable<T>(u), *q = readable<T>(v);
    T* out = writable<T>(y);
    for (Index i = 0; i < y.size(); ++i) out[i] = first[i] ? p[i] : q[i];
    count_flops(y.size());
    return y;
  });
}

}  // namespace elk::kernels
