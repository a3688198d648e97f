#include <algorithm>
#include <numeric>

#include <elk/kernels/dispatch.hpp>
#include <elk/kernels/extent.hpp>
#include <elk/kernels/kernels.hpp>

namespace elk::kernels {

namespace {

// A total order in which NaN is the largest, as in NumPy and PyTorch.
template <class T>
bool before(T a, T b) {
  return a < b || (b != b && a == a);
}

}  // namespace

Tensor argsort(const Tensor& x, int axis, bool descending) {
  const Extent e = extent("argsort", x.shape(), axis);
  return for_any(x.dtype(), [&]<class T>() {
    Tensor y = empty(x.shape(), i64);
    std::vector<T> column(static_cast<std::size_t>(e.n));
    std::vector<std::int64_t> order(column.size());
    for (Index i = 0; i < e.outer; ++i)
      for (Index j = 0; j < e.inner; ++j) {
        const Index first = i * e.n * e.inner + j;
        for (Index k = 0; k < e.n; ++k)
          column[static_cast<std::size_t>(k)] = readable<T>(x)[first + k * e.inner];
        std::iota(order.begin(), order.end(), 0);
        const auto value = [&](std::int64_t at) { return column[static_cast<std::size_t>(at)]; };
        if (descending)
          std::stable_sort(order.begin(), order.end(),
                           [&](auto a, auto b) { return before(value(b), value(a)); });
        else
          std::stable_sort(order.begin(), order.end(),
                           [&](auto a, auto b) { return before(value(a), value(b)); });
        for (Index k = 0; k < e.n; ++k)
          writable<std::int64_t>(y)[first + k * e.inner] = order[static_cast<std::size_t>(k)];
      }
    return y;
  });
}

}  // namespace elk::kernels
