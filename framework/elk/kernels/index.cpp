#include <algorithm>

#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/kernels.hpp>

namespace elk::kernels {

Tensor positions(const Tensor& mask) {
  const auto* in = readable<std::uint8_t>(mask);
  Tensor y = empty({mask.size() - std::count(in, in + mask.size(), std::uint8_t(0))}, i64);
  auto* out = writable<std::int64_t>(y);
  for (Index i = 0; i < mask.size(); ++i)
    if (in[i] != 0) *out++ = i;
  return y;
}

Tensor put(const Tensor& x, const Tensor& at, const Tensor& values) {
  check_same_dtype("index_put", x, values);
  return for_any(x.dtype(), [&]<class T>() {
    Tensor y = empty(x.shape(), x.dtype());
    T* out = writable<T>(y);
    std::copy_n(readable<T>(x), x.size(), out);
    for (Index i = 0; i < at.size(); ++i) out[readable<std::int64_t>(at)[i]] = readable<T>(values)[i];
    return y;
  });
}

}  // namespace elk::kernels
