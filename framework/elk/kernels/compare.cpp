#include <elk/kernels/views.hpp>
// (the line above must come first)
#include <elk/kernels/kernels.hpp>
#include <elk/kernels/zip.hpp>

namespace elk::kernels {

namespace {

template <class Test>
Tensor test(const char* operation, const Tensor& a, const Tensor& b, Test holds) {
  return zip<std::uint8_t>(operation, a, b, [holds](const auto& u, const auto& v) {
    return xt::make_lambda_xfunction(
        [holds](auto p, auto q) { return static_cast<std::uint8_t>(holds(p, q)); }, u, v);
  });
}

}  // namespace

Tensor compare(Comparison comparison, const Tensor& a, const Tensor& b) {
  const auto less = [](auto u, auto v) { return u < v; };
  const auto less_equal = [](auto u, auto v) { return u <= v; };
  // The other way round, as this file takes long to compile; but complaints are about a and b.
  const auto swapped = [&](const char* operation, auto holds) {
    check_same_dtype(operation, a, b);
    (void)broadcast(operation, a.shape(), b.shape());
    return test(operation, b, a, holds);
  };
  switch (comparison) {
    case Comparison::equal: return test("equal", a, b, [](auto u, auto v) { return u == v; });
    case Comparison::not_equal: return test("not_equal", a, b, [](auto u, auto v) { return u != v; });
    case Comparison::less: return test("less", a, b, less);
    case Comparison::less_equal: return test("less_equal", a, b, less_equal);
    case Comparison::greater: return swapped("greater", less);
    case Comparison::greater_equal: return swapped("greater_equal", less_equal);
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
    const auto pick = [](std::uint8_t first, T p, T q) { return first ? p : q; };
    xt::noalias(flat_out<T>(y)) =
        xt::make_lambda_xfunction(pick, flat<std::uint8_t>(c), flat<T>(u), flat<T>(v));
    count_flops(y.size());
    return y;
  });
}

}  // namespace elk::kernels
