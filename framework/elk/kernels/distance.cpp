#include <cmath>

#include <elk/base/parallel.hpp>
#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/distance.hpp>

namespace elk::kernels {

Tensor distances(const Tensor& a, const Tensor& b) {
  check_same_dtype("cdist", a, b);
  Shape shape = a.shape();
  shape[-1] = b.size(-2);
  const Index n = a.size(-2), m = b.size(-2), d = a.size(-1),
              stacks = n * m == 0 ? 0 : shape.size() / (n * m);
  return for_float("cdist", a.dtype(), [&]<class T>() {
    Tensor y = empty(shape, a.dtype());
    const T *const left = readable<T>(a), *const right = readable<T>(b);
    T* const out = writable<T>(y);
    parallel_for(stacks * n, [&](Index row) {
      const T* const x = left + row * d;
      const T* other = right + row / n * m * d;
      for (Index j = 0; j < m; ++j, other += d) {
        double sum = 0;
        for (Index k = 0; k < d; ++k) {
          const double e = static_cast<double>(x[k]) - static_cast<double>(other[k]);
          sum += e * e;
        }
        out[row * m + j] = static_cast<T>(std::sqrt(sum));
      }
    });
    count_flops(3 * y.size() * d);
    return y;
  });
}

}  // namespace elk::kernels
