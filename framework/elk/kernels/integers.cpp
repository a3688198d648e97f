#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/kernels.hpp>

namespace elk::kernels {

namespace {

// Element by element, where `overflows` computes as if numbers had no end and tells whether the result does
// not fit.
template <class F>
Tensor exact(const char* operation, char sign, const Tensor& a, const Tensor& b, F overflows) {
  check_same_dtype(operation, a, b);
  const Shape shape = broadcast(operation, a.shape(), b.shape());
  const Tensor u = broadcast_to(a, shape), v = broadcast_to(b, shape);
  const auto run = [&]<class T>() {
    Tensor y = empty(shape, a.dtype());
    const T *p = readable<T>(u), *q = readable<T>(v);
    T* out = writable<T>(y);
    for (Index i = 0; i < y.size(); ++i)
      if (overflows(p[i], q[i], out + i))
        fail<ValueError>("[{}] {} {} {} does not fit {}: convert with cast", operation, p[i], sign, q[i],
                         a.dtype());
    return y;
  };
  return a.dtype() == u8 ? run.template operator()<std::uint8_t>() : run.template operator()<std::int64_t>();
}

}  // namespace

Tensor exact_add(const Tensor& a, const Tensor& b) {
  return exact("add", '+', a, b, [](auto u, auto v, auto* y) { return __builtin_add_overflow(u, v, y); });
}
Tensor exact_sub(const Tensor& a, const Tensor& b) {
  return exact("sub", '-', a, b, [](auto u, auto v, auto* y) { return __builtin_sub_overflow(u, v, y); });
}
Tensor exact_mul(const Tensor& a, const Tensor& b) {
  return exact("mul", '*', a, b, [](auto u, auto v, auto* y) { return __builtin_mul_overflow(u, v, y); });
}

}  // namespace elk::kernels
